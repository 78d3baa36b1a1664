import { describe, expect, it } from 'vitest';
import { explore } from '../explorer/explore.ts';
import { find } from './find.ts';
import { controls } from './index.ts';

const now = () => performance.now();

describe('controls: a broken rule is found', () => {
  it.each(controls)('$name', { timeout: 120_000 }, async (control) => {
    const findings = await find(control, { now, drain: (then) => void setImmediate(then), withinMs: 60_000 });
    for (const finding of findings) expect(finding).toMatchObject({ isFound: true });
  });

  it('each has a name of its own', () => {
    expect(new Set(controls.map(({ name }) => name)).size).toBe(controls.length);
  });
});

describe('the worlds they are found in', () => {
  const explored = controls.flatMap(({ name, engines }) =>
    engines.flatMap((engine) => (engine.kind === 'explorer' ? [{ name, sound: engine.sound }] : [])),
  );

  it.each(explored)(
    'by the rules of production nothing is wrong in that of $name',
    { timeout: 60_000 },
    ({ sound }) => {
      expect(explore(sound(), { now, maxStates: 500 }).violation).toBeNull();
    },
  );
});
