import type { MasterRecord, Session } from '@synod/protocol';

/** Read access to who is master, as applied ({@link MasterFold}) or heard ({@link MasterView}) here. News, not a licence. */
export interface MasterReader {
  /** A session that has not ended, or `undefined`: an unknown session counts as ended. */
  session(id: number): Session | undefined;
  /** What is known of an election. One that never had a master has term and version 0. */
  record(election: string): MasterRecord;
  sessions(): IterableIterator<Session>;
  records(): IterableIterator<MasterRecord>;
  /** Elections whose record names the session. */
  held(session: number): ReadonlySet<string>;
}
