import type { NodeId } from '@synod/protocol';
import { overdueMs } from './held.ts';
import type { Invariant } from './invariant.ts';

/** What the log says of one election. */
interface Written {
  readonly masters: Map<number, { readonly node: NodeId; readonly incarnation: string }>;
  /** The last term that is over. */
  overThrough: number;
}

/** What a service was told it has, has given back or has handed over stands in the log: some node has applied it. */
export const acknowledged: Invariant = {
  name: 'what is acknowledged was chosen',
  source: 'S1, protocol.md section 1; T7 and T8, section 4',
  watch: (_observed, fail) => {
    const elections = new Map<string, Written>();
    /** What ran out by a clock that its node has looked at: the session is over, whatever the log still says (T6, T9). */
    const expired = new Set<string>();
    let reached = 0;
    return {
      deposed: ({ id }, term, lostBy, election) => {
        if (lostBy === 'expired') expired.add(`${id} ${election} ${term}`);
      },
      applied: (life, { position, news }) => {
        if (position <= reached) return;
        reached = position;
        for (const { election, master, term } of news?.records ?? []) {
          const written = elections.get(election) ?? { masters: new Map(), overThrough: 0 };
          elections.set(election, written);
          written.overThrough = Math.max(written.overThrough, master === null ? term : term - 1);
          const session = master === null ? undefined : life.fold.view.session(master);
          if (session) written.masters.set(term, session);
        }
      },
      given: (life, { election, term }) => {
        if (elections.get(election)?.masters.get(term)?.incarnation !== life.incarnation)
          fail(`${life.node} is given ${election} with term ${term}, which is not in the log`);
      },
      resigned: (life, { election, term }) => {
        const isOver = (elections.get(election)?.overThrough ?? 0) >= term;
        const hasExpired = overdueMs(life) >= 0 || expired.has(`${life.id} ${election} ${term}`);
        if (!isOver && life.mayHold && !hasExpired)
          fail(`${life.node} is told that ${election} is free, and the log says that it holds term ${term}`);
      },
      transferred: (life, election, to, term) => {
        if (elections.get(election)?.masters.get(term)?.node !== to)
          fail(`${life.node} is told that ${to} has ${election} with term ${term}, which is not in the log`);
      },
    };
  },
};
