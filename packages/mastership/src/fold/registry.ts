import type { MasterRecord, Session } from '@synod/protocol';
import type { MasterReader } from './master-reader.ts';

const NOTHING: ReadonlySet<string> = new Set();

/** An election that never had a master. */
const untouched = (election: string): MasterRecord => ({
  election,
  master: null,
  term: 0,
  version: 0,
  setBy: '',
  metadata: {},
  node: '',
  cause: 'vacant',
});

/**
 * Sessions and records with the index between them, so that ending a session costs what it holds, however many records
 * there are.
 */
export class Registry implements MasterReader {
  readonly #sessions = new Map<number, Session>();
  readonly #records = new Map<string, MasterRecord>();
  readonly #held = new Map<number, Set<string>>();
  /** Each `isMaster()` reads the record of its election. */
  #lastRead: MasterRecord | null = null;

  session(id: number): Session | undefined {
    return this.#sessions.get(id);
  }

  record(election: string): MasterRecord {
    if (election === this.#lastRead?.election) return this.#lastRead;
    const record = this.#records.get(election);
    if (record) this.#lastRead = record;
    return record ?? untouched(election);
  }

  sessions(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  records(): IterableIterator<MasterRecord> {
    return this.#records.values();
  }

  held(session: number): ReadonlySet<string> {
    return this.#held.get(session) ?? NOTHING;
  }

  putSession(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  dropSession(id: number): void {
    this.#sessions.delete(id);
  }

  putRecord(record: MasterRecord): void {
    const { election, master, term } = record;
    const before = this.#records.get(election);
    this.#records.set(election, record);
    this.#lastRead = record;
    // A session may hand a record to itself: it hangs by the new term, as it does after {@link restoreRecords}.
    if ((before?.master ?? null) === master && before?.term === term) return;
    if (before && before.master !== null) this.#release(before.master, election);
    if (master !== null) this.#hang(master, election);
  }

  /** All there are. What a session holds stands in the order of its terms, at every node. */
  restoreRecords(records: readonly MasterRecord[]): void {
    for (const record of records) this.#records.set(record.election, record);
    for (const { master, election } of [...records].sort((a, b) => a.term - b.term)) {
      if (master !== null) this.#hang(master, election);
    }
  }

  clear(): void {
    this.#sessions.clear();
    this.#records.clear();
    this.#lastRead = null;
    this.#held.clear();
  }

  #hang(session: number, election: string): void {
    const held = this.#held.get(session);
    if (held) held.add(election);
    else this.#held.set(session, new Set([election]));
  }

  #release(session: number, election: string): void {
    const held = this.#held.get(session);
    held?.delete(election);
    if (held?.size === 0) this.#held.delete(session);
  }
}
