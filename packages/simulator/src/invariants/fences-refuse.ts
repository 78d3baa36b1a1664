import type { Invariant } from './invariant.ts';

/** A resource that checks fences refuses every write of an older term once it has seen a newer one. */
export const fencesRefuse: Invariant = {
  name: 'fences refuse older terms',
  source: 'S3, protocol.md section 1; F2, section 5; fault 28',
  watch: (_observed, fail) => {
    const highest = new Map<string, number>();
    return {
      acted: ({ life, election, term, isFenced, isAccepted }) => {
        if (!isFenced) return;
        const seen = highest.get(election) ?? 0;
        if (isAccepted && term < seen)
          fail(`a write of ${life.node} with term ${term} was accepted after term ${seen}`);
        if (!isAccepted && term >= seen)
          fail(`a write of ${life.node} with term ${term} was refused after term ${seen}`);
        highest.set(election, Math.max(seen, term));
      },
    };
  },
};
