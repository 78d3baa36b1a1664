import type { Invariant } from './invariant.ts';

/**
 * Nobody is deposed: while rates stay within ρ a mastership ends by its holder's will or with its lease, and whoever takes its
 * place was heard of after that. This says more than that two are never master at one instant: a holder that hears of its end in
 * time is one that could have heard too late.
 */
export const noneDeposed: Invariant = {
  name: 'no master is deposed',
  source: 'S2, protocol.md section 4, "Why S2 holds"',
  watch: ({ isWithinDrift, isUnaware }, fail) => ({
    deposed: (life, term, lostBy, election) => {
      if (isWithinDrift && lostBy === 'deposed' && !isUnaware(life))
        fail(
          `${life.node} hears that its term ${term} of ${election} is over, given up by nobody, its lease still running`,
        );
    },
  }),
};
