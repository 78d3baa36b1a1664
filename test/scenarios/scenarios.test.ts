import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { realRules, xstateRules } from '@synod/simulator';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { brokenRules } from './broken.ts';
import { play } from './player.ts';
import { parse } from './script.ts';

const scenarios = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => ({ name, script: parse(readFileSync(join(import.meta.dirname, name), 'utf8')) }));

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(scenarios)('$name: $script.title', ({ script }) => {
  it.each([
    { by: 'XState', rules: xstateRules },
    { by: 'the simulator', rules: realRules },
  ])('is so, machines run by $by', async ({ rules }) => {
    for (const number of script.numbers) await play(script, rules, number);
  });

  it.each(script.fails)('is not so with $name, at: $at', async ({ name, at }) => {
    // XState says of an actor that failed that it does.
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const rules = brokenRules(name);
    const played = async (): Promise<void> => {
      for (const number of script.numbers) await play(script, rules, number);
    };
    const failure = await played().then(
      () => 'it is so all the same',
      (error: Error) => error.message,
    );
    expect(failure.replace(/^line \d+: /, '').slice(0, at.length + 1)).toBe(`${at}:`);
  });
});
