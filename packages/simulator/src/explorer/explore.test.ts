import { describe, expect, it } from 'vitest';
import { after, explore, type Model } from './explore.ts';
import { canonical, copyOf, Interner } from './intern.ts';
import { RowSet } from './rows.ts';
import { runExplorer } from './run-explorer.ts';

const now = () => performance.now();

/** Two counters up to a limit each; a sum of `forbidden` is broken. */
const counters = (limit: number, forbidden: number): Model => ({
  name: 'counters',
  width: 2,
  initial: () => new Uint32Array(2),
  expand: (row, reach) => {
    for (const at of [0, 1]) {
      const next = new Uint32Array(row);
      if ((next[at] as number) >= limit) continue;
      next[at] = (next[at] as number) + 1;
      reach(next, at);
    }
  },
  check: ([a = 0, b = 0]) => (a + b === forbidden ? `sum is ${forbidden}` : null),
  describe: (action) => `counter ${action}`,
});

describe('explore', () => {
  it('looks at every state once, and says how far the farthest is', () => {
    const { states, transitions, depth, isComplete, violation } = explore(counters(9, 99), { now });
    expect({ states, transitions, isComplete, violation }).toEqual({
      states: 100,
      transitions: 180,
      isComplete: true,
      violation: null,
    });
    expect(depth).toBe(18);
  });

  it('finds a broken invariant by the fewest steps, and tells them', () => {
    const { violation, isComplete } = explore(counters(9, 3), { now });
    expect(isComplete).toBe(false);
    expect(violation).toEqual({ what: 'sum is 3', steps: ['counter 0', 'counter 0', 'counter 0'] });
  });

  it('is not complete when it gave up', () => {
    expect(explore(counters(100, 999), { now, maxStates: 50 }).isComplete).toBe(false);
  });

  it('begins later where it is told to', () => {
    const later = after(counters(9, 99), [/counter 1/, /counter 1/]);
    expect(explore(later, { now }).states).toBe(80);
    expect(() => after(counters(1, 99), [/counter 1/, /counter 1/]).initial()).toThrow(/nothing that can happen/);
  });
});

describe('states', () => {
  it('are compared whole: a hundred thousand rows, each found again', () => {
    const rows = new RowSet(3);
    const row = (i: number) => Uint32Array.of(i % 7, i, i >>> 8);
    for (let i = 0; i < 100_000; i++) expect(rows.add(row(i), 0, i)).toBe(true);
    for (let i = 0; i < 100_000; i += 97) expect(rows.add(row(i), 0, i)).toBe(false);
    expect(rows.size).toBe(100_000);
    expect(rows.action(70_001)).toBe(70_001);
  });

  it('have one text for equal parts, whatever the order they were made in', () => {
    const one = canonical({
      a: new Map([
        [1, 'x'],
        [2, 'y'],
      ]),
      b: new Set([3, 1]),
      c: Uint8Array.of(1),
    });
    const other = canonical({
      c: Uint8Array.of(1),
      b: new Set([1, 3]),
      a: new Map([
        [2, 'y'],
        [1, 'x'],
      ]),
    });
    expect(one).toBe(other);
    expect(canonical({ a: null })).not.toBe(canonical({ a: 'null' }));
    const interner = new Interner<object>(canonical);
    expect([interner.id({ a: 1 }), interner.id({ a: 2 }), interner.id({ a: 1 })]).toEqual([0, 1, 0]);
  });

  it('are copied whole: what a step does to its copy is not seen in the state it came from', () => {
    const make = () => ({
      slots: new Map([[1, { ballot: { round: 1 }, value: Uint8Array.of(1) }]]),
      seen: new Set(['a']),
      entries: [{ slot: 1 }, null],
      last: undefined,
    });
    const state = make();
    const copy = copyOf(state);
    expect(copy).toEqual(state);
    copy.slots.set(2, { ballot: { round: 2 }, value: Uint8Array.of(2) });
    for (const { ballot } of copy.slots.values()) ballot.round = 9;
    copy.seen.add('b');
    for (const entry of copy.entries) if (entry) entry.slot = 9;
    copy.entries.push(null);
    expect(state).toEqual(make());
  });
});

describe('worlds by the rules of production', () => {
  it('small bounds are explored whole, and nothing is broken', { timeout: 120_000 }, () => {
    const { worlds, isComplete } = runExplorer({ bounds: 'small', now });
    expect(worlds.flatMap(({ world, violation }) => (violation ? [{ world, ...violation }] : []))).toEqual([]);
    expect(isComplete).toBe(true);
    // A world in which little can happen shows little.
    for (const { states } of worlds) expect(states).toBeGreaterThan(1_000);
  });
});
