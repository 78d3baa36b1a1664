import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dealt, type Landscape, shardRules, sharesOf } from './shards.rules.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
type Holders = readonly (string | null)[];

const land = (self: string, holders: Holders, ready: readonly string[] = []): Landscape => ({
  self,
  holders,
  ready: new Set(ready),
  refusing: new Set(),
  orphans: new Set(),
});

const held = (holders: Holders, node: string): number => holders.filter((holder) => holder === node).length;

const spread = (holders: Holders, nodes: readonly string[]): number => {
  const counts = nodes.map((node) => held(holders, node));
  return Math.max(...counts) - Math.min(...counts);
};

/** Who takes part, and who holds what: nobody, or one of them. */
const worlds = fc
  .record({ size: fc.integer({ min: 1, max: 7 }), count: fc.integer({ min: 1, max: 60 }) })
  .chain(({ size, count }) => {
    const nodes = names.slice(0, size);
    const holder = fc.oneof(fc.constantFrom(...nodes), fc.constant(null));
    return fc.record({ nodes: fc.constant(nodes), holders: fc.array(holder, { minLength: count, maxLength: count }) });
  });

const plansOf = (nodes: readonly string[], holders: Holders) =>
  new Map(
    nodes.map((node) => [
      node,
      shardRules.plan(
        land(
          node,
          holders,
          nodes.filter((n) => !holders.includes(n)),
        ),
      ),
    ]),
  );

describe('the plans of all nodes, each made for itself', () => {
  it('deal out what is free, each shard to one, so that numbers are as equal as giving alone makes them', () => {
    fc.assert(
      fc.property(worlds, ({ nodes, holders }) => {
        const plans = plansOf(nodes, holders);
        const dealtOut = holders.map((holder, index) => {
          if (holder !== null) return holder;
          const takers = nodes.filter((node) => plans.get(node)?.wanted.has(index));
          expect(takers).toHaveLength(1);
          return takers[0] as string;
        });
        const gained = nodes.filter((node) => held(dealtOut, node) > held(holders, node));
        // Nobody who was given one stands above another by more than one.
        for (const node of gained)
          for (const other of nodes) expect(held(dealtOut, node) - held(dealtOut, other)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('move what is uneven in one step, each shard once, no more than is needed, and then nothing any more', () => {
    fc.assert(
      fc.property(worlds, ({ nodes, holders }) => {
        const moved = [...holders];
        let moves = 0;
        for (const [node, plan] of plansOf(nodes, holders)) {
          for (const [index, to] of plan.moves) {
            expect(holders[index]).toBe(node);
            moved[index] = to;
            moves++;
          }
        }
        expect(spread(moved, nodes)).toBeLessThanOrEqual(1);
        const total = holders.filter((holder) => holder !== null).length;
        const most = Math.ceil(total / nodes.length);
        const least = Math.floor(total / nodes.length);
        const counts = nodes.map((node) => held(holders, node));
        const over = counts.reduce((sum, count) => sum + Math.max(0, count - most), 0);
        const under = counts.reduce((sum, count) => sum + Math.max(0, least - count), 0);
        expect(moves).toBe(Math.max(over, under));
        for (const plan of plansOf(nodes, moved).values()) expect(plan.moves.size).toBe(0);
      }),
    );
  });

  it('leave nothing without an heir: whoever dies, somebody waits for each of his', () => {
    fc.assert(
      fc.property(worlds, ({ nodes, holders }) => {
        fc.pre(nodes.length > 1);
        const plans = plansOf(nodes, holders);
        for (const dead of nodes) {
          for (const [index, holder] of holders.entries()) {
            if (holder !== dead) continue;
            const heirs = nodes.filter((node) => node !== dead && plans.get(node)?.wanted.has(index));
            expect(heirs.length).toBeGreaterThanOrEqual(1);
          }
        }
      }),
    );
  });

  it('have everybody watch everybody: of each that holds something, each other waits for one at least', () => {
    fc.assert(
      fc.property(worlds, ({ nodes, holders }) => {
        const plans = plansOf(nodes, holders);
        for (const node of nodes)
          for (const other of nodes) {
            if (node === other || held(holders, other) === 0) continue;
            const waits = [...(plans.get(node)?.wanted ?? [])].filter((index) => holders[index] === other);
            expect(waits.length).toBeGreaterThan(0);
          }
      }),
    );
  });
});

describe('a plan', () => {
  it('ten of one, and one that comes: half go', () => {
    const holders = Array.from({ length: 10 }, () => 'a');
    const { moves } = shardRules.plan(land('a', holders, ['b']));
    expect([...moves]).toEqual([5, 6, 7, 8, 9].map((index) => [index, 'b']));
  });

  it('a difference of one moves nothing', () => {
    for (const self of ['a', 'b']) expect(shardRules.plan(land(self, ['a', 'a', 'b'])).moves.size).toBe(0);
  });

  it('who would not take what it was offered is left alone, and the others are made equal', () => {
    const holders = ['a', 'a', 'a', 'a', 'b', 'b'];
    const asked = { ...land('a', holders, ['c']), refusing: new Set(['c']) };
    expect([...shardRules.plan(asked).moves.values()]).toEqual(['b']);
  });

  it('a node that was born again waits for what its former life holds, and does not hand it over', () => {
    const holders = ['a', 'a', 'a', 'a', 'b', 'b'];
    const reborn = { ...land('a', holders, ['a']), orphans: new Set([0, 1, 2, 3]) };
    const { wanted, moves } = shardRules.plan(reborn);
    expect(moves.size).toBe(0);
    expect([...wanted].filter((index) => index < 4).length).toBe(3);
    expect([...shardRules.plan(land('b', holders, ['a'])).wanted].filter((index) => index < 4)).toHaveLength(1);
  });
});

describe('dealt', () => {
  it.each([
    [{ a: 0, b: 0, c: 0 }, 7, { a: 3, b: 2, c: 2 }],
    [{ a: 5, b: 1, c: 0 }, 3, { a: 0, b: 1, c: 2 }],
    [{ a: 5, b: 5, c: 0 }, 5, { a: 0, b: 0, c: 5 }],
    [{ a: 5, b: 5, c: 0 }, 8, { a: 1, b: 1, c: 6 }],
    [{ a: 2 }, 4, { a: 4 }],
    [{ a: 2, b: 0 }, 0, { a: 0, b: 0 }],
  ])('to %j, %i more', (counts, more, expected) => {
    expect(Object.fromEntries(dealt(new Map(Object.entries(counts)), more))).toEqual(expected);
  });

  it('sharesOf names who holds nothing, too', () => {
    const { byNode, free } = sharesOf(land('c', ['a', null, 'a'], ['b']));
    expect(Object.fromEntries(byNode)).toEqual({ a: [0, 2], b: [], c: [] });
    expect(free).toEqual([1]);
  });
});
