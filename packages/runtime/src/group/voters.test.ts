import { majority, type Store } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { voteRules } from './vote.rules.ts';
import { Voters } from './voters.ts';

const NODES = ['a', 'b', 'c'];

function voters() {
  return new Voters({
    clock: new VirtualClock(),
    self: 'a',
    configuration: {
      group: 'g',
      epoch: 0,
      voters: NODES.map((node) => ({ node, storeId: `s${node}` })),
      quorum: 'majority',
      maxDriftPpm: 10_000,
      guardDivisor: 100,
      firstPosition: 1,
    },
    quorum: majority(NODES),
    incarnations: new Map(),
    rules: voteRules,
  });
}

const store = (incarnations: number, storeId = 'sb'): Store => ({ storeId, incarnations });

describe('I2: whose vote counts', () => {
  it('a store that is known is told from one that was opened again, once', () => {
    const known = voters();
    const second = store(2);
    expect([known.admit('b', second, 'b2'), known.admit('b', second, 'b2')]).toEqual(['newer', 'known']);
    expect(known.admit('b', store(2), 'b2')).toBe('known');
    expect([known.admit('b', store(3), 'b3'), known.admit('b', store(3), 'b3')]).toEqual(['newer', 'known']);
    expect(known.incarnations.get('sb')).toBe(3);
  });

  it('a folder that was rolled back is refused, though it was admitted before, and the later life stays admitted', () => {
    const known = voters();
    const second = store(2);
    const third = store(3);
    known.admit('b', second, 'b2');
    known.admit('b', third, 'b3');
    for (let time = 0; time < 2; time++) {
      expect(known.admit('b', second, 'b2')).toBe('refused');
      expect(known.admit('b', third, 'other')).toBe('refused');
      expect(known.admit('b', third, 'b3')).toBe('known');
    }
    expect(known.lives).toEqual(['b3']);
  });

  it('a store votes for its own node alone', () => {
    const known = voters();
    const own = store(2);
    known.admit('b', own, 'b2');
    expect([known.admit('c', own, 'b2'), known.admit('b', store(2, 'sc'), 'b2')]).toEqual(['refused', 'refused']);
  });
});
