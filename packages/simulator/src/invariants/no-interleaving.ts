import type { Invariant } from './invariant.ts';

/**
 * At a fenced resource the work of one master ends before that of the next begins, whatever clocks, pauses and networks do:
 * behind the first write of a new process none of an earlier one follows.
 */
export const noInterleaving: Invariant = {
  name: 'no work of two masters interleaves',
  source: 'S1 and S3, protocol.md section 1; F1, section 5',
  watch: (_observed, fail) => {
    const overs = new Map<string, Set<number>>();
    const lasts = new Map<string, { readonly id: number; readonly term: number }>();
    return {
      acted: ({ life, election, term, isFenced, isAccepted }) => {
        if (!isFenced || !isAccepted) return;
        const over = overs.get(election) ?? new Set();
        overs.set(election, over);
        const last = lasts.get(election);
        if (last && last.term !== term) over.add(last.term);
        if (last && last.term === term && last.id !== life.id) fail(`two processes write with term ${term}`);
        if (over.has(term)) fail(`work of term ${term} goes on after that of a later one began`);
        lasts.set(election, { id: life.id, term });
      },
    };
  },
};
