import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/** Whose health has said no becomes no master. */
export const vetoesCount: Invariant = {
  name: 'a veto counts',
  source: 'T11, protocol.md section 4',
  watch: (_observed, fail) => {
    const vetoed = new Set<Life>();
    return {
      healthAsked: (life, isEligible) => void (isEligible ? vetoed.delete(life) : vetoed.add(life)),
      elected: (life, term, election) => {
        if (vetoed.has(life)) fail(`${life.node} becomes master of ${election} with term ${term}, and is vetoed`);
      },
      ended: (life) => void vetoed.delete(life),
    };
  },
};
