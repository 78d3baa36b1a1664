import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/** One may be under way when the veto is heard, and one is heard of late. */
const RENEWALS_UNDER_WAY = 2;

/** Whose health has said no becomes no master, and gives back what it holds instead of renewing it. */
export const vetoesCount: Invariant = {
  name: 'a veto counts',
  source: 'T11, protocol.md section 4',
  watch: (_observed, fail) => {
    /** Renewals of each election since the no; those who said yes last are not here. */
    const vetoed = new Map<Life, Map<string, number>>();
    return {
      healthAsked: (life, isEligible) => {
        if (isEligible) vetoed.delete(life);
        else if (!vetoed.has(life)) vetoed.set(life, new Map());
      },
      elected: (life, term, election) => {
        if (vetoed.has(life)) fail(`${life.node} becomes master of ${election} with term ${term}, and is vetoed`);
      },
      renewed: (life, term, election) => {
        const renewals = vetoed.get(life);
        if (!renewals) return;
        const count = (renewals.get(election) ?? 0) + 1;
        renewals.set(election, count);
        if (count > RENEWALS_UNDER_WAY)
          fail(`${life.node} renews term ${term} of ${election} again and again, and is vetoed`);
      },
      ended: (life) => void vetoed.delete(life),
    };
  },
};
