import type { Incarnation } from '@synod/protocol';
import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/**
 * What a folder says that was put back is not believed. A vote that does harm needs a schedule of its own; that it counts is
 * seen at once.
 */
export const rolledBackRefused: Invariant = {
  name: 'a rolled-back store has no vote',
  source: 'I2, protocol.md section 6',
  watch: ({ isPutBack }, fail) => {
    const lives = new Set<Incarnation>();
    return {
      recovered: ({ storeId, incarnation }) => {
        if (storeId !== null && isPutBack(storeId)) lives.add(incarnation);
      },
      believed: (life, storeId, incarnation) => {
        if (lives.has(incarnation) && isVoter(life))
          fail(`${life.node} believes store ${storeId}, which was rolled back`);
      },
    };
  },
};

/** Others count no votes: a wiped folder has forgotten what it saw, and so has a damaged one. */
const isVoter = ({ process, group }: Life): boolean => process.observe(() => group?.status().state === 'voter');
