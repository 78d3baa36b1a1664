import { describe, expect, it } from 'vitest';
import { claimWaitMs, type Life, mustLeave } from './identity.rules.ts';
import { Identity } from './identity.ts';

const life = (incarnation: string, ageMs: number, isKnown = true): Life => ({
  incarnation,
  storeId: 's',
  isKnown,
  host: 'h',
  pid: 1,
  startedAt: '',
  ageMs,
});

const one = (own: Life) => {
  const said: string[] = [];
  const left: Life[] = [];
  const identity = new Identity({
    life: () => own,
    say: ({ type }) => said.push(type),
    leave: (other) => left.push(other),
    leaseMs: 1000,
  });
  return { identity, said, left };
};

describe('I1, one node id, one live incarnation', () => {
  it('asks for max(20 ms, 4 × round trip)', () => {
    expect(claimWaitMs(0.2, 1000)).toBe(20);
    expect(claimWaitMs(50, 1000)).toBe(200);
    expect(claimWaitMs(900, 1000)).toBe(1000);
  });

  it('an answer from another incarnation while it asks: refuse', () => {
    const { identity, left } = one(life('new', 5));
    identity.claim();
    identity.heard({ type: 'claimed', ...life('old', 3) });
    expect(left).toHaveLength(1);
  });

  it('who lives answers one who asks', () => {
    const { identity, said, left } = one(life('old', 60_000));
    identity.settle();
    identity.heard({ type: 'claim', ...life('new', 5) });
    expect(said).toEqual(['claimed']);
    expect(left).toEqual([]);
  });

  it('if two meet later, the one whose store is unknown leaves, however long it has run', () => {
    expect(mustLeave(life('a', 90_000, false), life('b', 5), 1000)).toBe(true);
    expect(mustLeave(life('a', 5), life('b', 90_000, false), 1000)).toBe(false);
  });

  it('if both are known, the one that joined last leaves; both sides agree', () => {
    for (const [x, y] of [
      [life('a', 5), life('b', 90_000)],
      [life('a', 500), life('b', 700)],
      [life('b', 700), life('a', 700)],
    ] as const) {
      expect(mustLeave(x, y, 1000)).toBe(!mustLeave(y, x, 1000));
    }
  });

  it.each(['claim', 'claimed'] as const)(
    'two that live already and meet by a %s: one leaves, the other stays',
    (type) => {
      const old = one(life('old', 60_000));
      const young = one(life('young', 5_000));
      for (const { identity } of [old, young]) identity.settle();
      young.identity.heard({ type, ...life('old', 60_000) });
      old.identity.heard({ type, ...life('young', 5_000) });
      expect([young.left.length, old.left.length]).toEqual([1, 0]);
      expect(young.said).toEqual([]);
    },
  );

  it('any other message of a second life makes this one tell of itself', () => {
    const { identity, said } = one(life('a', 60_000));
    identity.settle();
    identity.heard({ type: 'chosen', slot: 1, ballot: { round: 1, nodeId: 'n', incarnation: 'x' } });
    expect(said).toEqual(['claim']);
  });
});
