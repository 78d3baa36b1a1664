import type { Invariant } from './invariant.ts';

/** A resource that checks fences refuses every write of an older term once it has seen a newer one. */
export const fencesRefuse: Invariant = {
  name: 'fences refuse older terms',
  source: 'S3, protocol.md section 1; F2, section 5; fault 28',
  watch: (_observed, fail) => {
    let seen = 0;
    return {
      acted: ({ life, term, isFenced, isAccepted }) => {
        if (!isFenced) return;
        if (isAccepted && term < seen)
          fail(`a write of ${life.node} with term ${term} was accepted after term ${seen}`);
        if (!isAccepted && term >= seen)
          fail(`a write of ${life.node} with term ${term} was refused after term ${seen}`);
        seen = Math.max(seen, term);
      },
    };
  },
};
