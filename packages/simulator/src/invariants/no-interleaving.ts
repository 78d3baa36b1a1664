import type { Invariant } from './invariant.ts';

/**
 * At a fenced resource the work of one master ends before that of the next begins, whatever clocks, pauses and networks do:
 * behind the first write of a new process none of an earlier one follows.
 */
export const noInterleaving: Invariant = {
  name: 'no work of two masters interleaves',
  source: 'S1 and S3, protocol.md section 1; F1, section 5',
  watch: (_observed, fail) => {
    const over = new Set<number>();
    let last: { readonly id: number; readonly term: number } | null = null;
    return {
      acted: ({ life, term, isFenced, isAccepted }) => {
        if (!isFenced || !isAccepted) return;
        if (last && last.term !== term) over.add(last.term);
        if (last && last.term === term && last.id !== life.id) fail(`two processes write with term ${term}`);
        if (over.has(term)) fail(`work of term ${term} goes on after that of a later one began`);
        last = { id: life.id, term };
      },
    };
  },
};
