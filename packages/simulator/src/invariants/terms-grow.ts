import type { Invariant } from './invariant.ts';

/** Terms of an election grow strictly along the log, and each has one master for ever; also beyond the drift allowed. */
export const termsGrow: Invariant = {
  name: 'terms grow and belong to one master',
  source: 'S1, protocol.md section 1; fault 12',
  watch: (_observed, fail) => {
    /** Of each election, who is master by each term: the incarnation behind the session. */
    const elections = new Map<string, { readonly masters: Map<number, string>; highest: number }>();
    const termsOf = (election: string) => {
      let known = elections.get(election);
      if (!known) {
        known = { masters: new Map(), highest: 0 };
        elections.set(election, known);
      }
      return known;
    };
    let reached = 0;
    return {
      applied: (life, { position, news }) => {
        for (const record of news?.records ?? []) {
          if (record.master === null) continue;
          const terms = termsOf(record.election);
          const { masters } = terms;
          const session = life.fold.view.session(record.master);
          const known = masters.get(record.term);
          const incarnation = session?.incarnation ?? '';
          if (known !== undefined && known !== incarnation) fail(`term ${record.term} has two masters`);
          masters.set(record.term, incarnation);
          if (position <= reached) continue;
          if (record.term <= terms.highest) fail(`term ${record.term} comes after term ${terms.highest}`);
          terms.highest = record.term;
        }
        reached = Math.max(reached, position);
      },
      elected: (life, term, election) => {
        const known = termsOf(election).masters.get(term);
        if (known === undefined) fail(`${life.node} was elected with term ${term}, which no node has applied`);
        else if (known !== life.incarnation) fail(`${life.node} was elected with term ${term} of another process (T3)`);
      },
    };
  },
};
