import type { Mastership } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import { isGivenUp, overdueMs } from './held.ts';
import type { Invariant } from './invariant.ts';

/** Of sums in floating point. */
const ROUNDING_MS = 1e-6;

/**
 * What a service does by `run` begins while it is master, and is said to have been done only when it still is. Where the process is held up
 * between the comparison and the work, no comparison helps (fault 28): that is for the fence.
 */
export const workWithin: Invariant = {
  name: 'work is done within its mastership',
  source: 'T5, protocol.md section 4; Mastership.run',
  watch: ({ group }, fail) => {
    const isHeldUp = ({ process }: Life): boolean => process.nowMs > group.world.nowMs;
    const demandHeld = (life: Life, { election, term }: Mastership, what: string): void => {
      if (isGivenUp(life, election, term))
        fail(`${life.node} ${what} work of ${election} after it gave up term ${term}`);
      else if (overdueMs(life) > ROUNDING_MS && !isHeldUp(life))
        fail(`${life.node} ${what} work of ${election} with term ${term} after its deadline`);
    };
    return {
      effectBegan: (life, mastership) => demandHeld(life, mastership, 'begins'),
      effectDone: (life, mastership) => demandHeld(life, mastership, 'ends'),
    };
  },
};
