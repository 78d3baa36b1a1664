import { describe, expect, it } from 'vitest';
import type { Fault } from '../faults/fault.ts';
import { Coverage } from './coverage.ts';
import { planOf } from './plan.ts';
import { run } from './run.ts';

/** A seed without company. */
const PLAIN = 2;

/** Three members, formed before, begin at once; only these faults happen. */
async function covered(faults: readonly Fault[]): Promise<Coverage> {
  const coverage = new Coverage();
  const plan = { ...planOf(PLAIN, { nodes: 3, faults }), isFormed: true, startsMs: {} };
  await run(plan, { drain: (then) => void setImmediate(then), coverage });
  return coverage;
}

describe('coverage', () => {
  it('does not count what could not happen', async () => {
    const crash = { kind: 'crash', node: 'a', calls: 0, downMs: 10_000 } as const;
    const coverage = await covered([
      { ...crash, atMs: 1 },
      { ...crash, atMs: 2 },
      { kind: 'wipe', node: 'a', downMs: 10_000, atMs: 3 },
    ]);
    expect(coverage.hits('crash', 'joining')).toBe(1);
    expect(coverage.hits('crash', 'down')).toBe(0);
    expect(coverage.hits('wipe', 'down')).toBe(1);
  });

  it('counts what is asked of a master with the master alone', async () => {
    const { leaseMs } = planOf(PLAIN, { nodes: 3, faults: [] });
    const coverage = await covered([
      { kind: 'resign', atMs: 0 },
      { kind: 'resign', atMs: 2.5 * leaseMs },
    ]);
    expect(coverage.hits('resign', 'down')).toBe(0);
    expect(coverage.hits('resign', 'waiting')).toBe(0);
    expect(coverage.hits('resign', 'master, fresh') + coverage.hits('resign', 'master, renewing')).toBe(1);
  });

  it('counts everybody whom a way between all touches', async () => {
    const coverage = await covered([{ kind: 'loss', from: '*', to: '*', rate: 0.1, forMs: 10, atMs: 1 }]);
    expect(coverage.hits('loss', 'joining')).toBe(3);
  });

  it('counts everybody on either side of a partition', async () => {
    const coverage = await covered([
      { kind: 'partition', sides: [['a'], ['b', 'c']], isOneWay: false, forMs: 10, atMs: 1 },
    ]);
    expect(coverage.hits('partition', 'joining')).toBe(3);
  });
});
