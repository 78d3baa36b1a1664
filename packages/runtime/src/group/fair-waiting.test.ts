import { candidateMachine, type LeaseRules, leaseRules } from '@synod/mastership';
import { afterEach, describe, expect, it } from 'vitest';
import { TestWorld } from '../testing/test-world.ts';
import { realMachines } from './roles.ts';

const worlds: TestWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const waiting = ['p', 'q', 'r', 's', 't', 'u', 'v', 'w'];
const near = new Set(['a', 'b', 'c', 'p', 'q']);

interface Setting {
  readonly leaseMs: number;
  /** How far all but two of them are from the voters, ms. */
  readonly farMs: number;
  readonly rules?: Partial<LeaseRules>;
}

/** Eight that are no voters hold for 20 ms each, resign, and ask again. @returns how often each was served. */
async function served({ leaseMs, farMs, rules }: Setting): Promise<readonly number[]> {
  const world = new TestWorld({ leaseMs });
  worlds.push(world);
  await world.start();
  const machines = { ...realMachines, candidate: candidateMachine({ ...leaseRules, ...rules }) };
  for (const node of waiting) world.launch(node, { membership: { role: 'candidate' }, machines });
  await world.until(() => waiting.every((node) => world.status(node).state === 'candidate'), 5 * leaseMs);
  const distanceMs = (from: string, to: string) => (near.has(from) && near.has(to) ? 0 : farMs);
  world.network.faults = { ...world.network.faults, distanceMs };
  const counts = new Map(waiting.map((node) => [node, 0]));
  for (const node of waiting) void serve(world, node, 'jobs', () => counts.set(node, (counts.get(node) ?? 0) + 1));
  await world.advance(3000);
  return [...counts.values()];
}

async function serve(world: TestWorld, node: string, name: string, onServed: () => void): Promise<void> {
  const election = world.node(node).election(name);
  for (;;) {
    const mastership = await election.campaign().catch(() => null);
    if (mastership === null) return; // The world was closed.
    onServed();
    await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, 20));
    await mastership.resign();
  }
}

const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const factor = (counts: readonly number[]): number => Math.max(...counts) / Math.min(...counts);

describe('fair waiting (T11)', { timeout: 30_000 }, () => {
  it('eight that are equally far are served in turn: it is the turn that does it', async () => {
    const setting = { leaseMs: 100, farMs: 0 };
    // Which of two counts is the larger by one is chance: no single lease tells.
    const spreads: number[] = [];
    for (const leaseMs of [100, 110, 130]) {
      const inTurn = await served({ ...setting, leaseMs });
      expect(Math.min(...inTurn)).toBeGreaterThan(10);
      spreads.push(spread(inTurn));
    }
    expect(median(spreads)).toBeLessThanOrEqual(2);
    expect(spread(await served({ ...setting, rules: { turnMs: () => 0 } }))).toBeGreaterThan(4);
  });

  it('eight of which two are nearer are served within a factor 3: who has resigned rests meanwhile', async () => {
    const setting = { leaseMs: 1000, farMs: 5 };
    const rested = await served(setting);
    expect(Math.min(...rested)).toBeGreaterThan(5);
    expect(factor(rested)).toBeLessThan(3);
    const unrested = await served({ ...setting, rules: { restAfterResigning: (c) => c } });
    expect(factor(unrested)).toBeGreaterThan(3);
  });

  it('eight voters are served within a factor 3: each is the heir of another', async () => {
    const world = new TestWorld({ voters: waiting, leaseMs: 1000 });
    worlds.push(world);
    await world.start();
    const counts = new Map(waiting.map((node) => [node, 0]));
    for (const node of waiting) void serve(world, node, 'group', () => counts.set(node, (counts.get(node) ?? 0) + 1));
    await world.advance(3000);
    expect(Math.min(...counts.values())).toBeGreaterThan(5);
    expect(factor([...counts.values()])).toBeLessThan(3);
  });
});
