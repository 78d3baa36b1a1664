import {
  type Command,
  type CommandId,
  invariant,
  MAX_LEASE_MS,
  type MasterNews,
  type MasterRecord,
  pack,
  type Session,
  type StateMachine,
  unpack,
} from '@synod/protocol';
import { decodeMasterCommand, MASTER } from '../commands.ts';
import { Change, FoldState } from './change.ts';
import { applyCommand, type FoldRules, foldRules, type Refusal, type Verdict } from './fold.rules.ts';
import type { MasterReader } from './master-reader.ts';

/** What became of one command. */
export interface Applied {
  readonly id: CommandId;
  readonly position: number;
  /** False: the command changed nothing. */
  readonly applied: boolean;
  /** Why not. Beside `applied: true` why the taking was refused of a command that opened a session. */
  readonly reason?: Refusal;
  readonly news: MasterNews | null;
}

export interface MasterFoldOptions {
  /** Longest lease of this group. The same at every node, for ever: it is part of the state machine. */
  readonly maxLeaseMs?: number;
  /** For controls of a simulator. */
  readonly rules?: FoldRules;
}

/** Marks snapshots, so that another layout is told apart. */
const SNAPSHOT_VERSION = 1;

const UNREADABLE: Verdict = { applied: false, refused: 'unreadable' };

/**
 * The state machine `master`: sessions, and the records that hang on them, the same at every node (protocol.md, section 3).
 * No clock: what has expired is for those to say who have waited.
 */
export class MasterFold implements StateMachine {
  readonly name = MASTER;
  readonly #rules: FoldRules;
  readonly #maxLeaseMs: number;
  readonly #listeners = new Set<(applied: Applied) => void>();
  #state: FoldState;
  #position = 0;

  constructor({ maxLeaseMs = MAX_LEASE_MS, rules = foldRules }: MasterFoldOptions = {}) {
    this.#rules = rules;
    this.#maxLeaseMs = maxLeaseMs;
    this.#state = new FoldState(maxLeaseMs);
    this.view = {
      session: (id) => this.#state.registry.session(id),
      record: (election) => this.#state.registry.record(election),
      sessions: () => this.#state.registry.sessions(),
      records: () => this.#state.registry.records(),
      held: (session) => this.#state.registry.held(session),
    };
  }

  /** Who is master by what is applied here. Stays the same object across {@link restore}. */
  readonly view: MasterReader;

  /** Of the last command of this machine. */
  get position(): number {
    return this.#position;
  }

  apply(position: number, command: Command): void {
    invariant(position > this.#position, 'section 1: positions grow, and none is applied twice');
    this.#position = position;
    const change = new Change(this.#state, position, command.id);
    const asked = decodeMasterCommand(command.body);
    const { applied, refused } = asked ? applyCommand(this.#rules, change, asked) : UNREADABLE;
    const outcome = { id: command.id, position, applied, news: change.news() };
    this.#tell(refused ? { ...outcome, reason: refused } : outcome);
  }

  /** Hears of each command, refused ones too, after the view shows it. @returns how to stop hearing. */
  onApplied(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The whole state as one piece of news: for a hearer that comes late, and for candidates after {@link restore}. */
  everything(): MasterNews {
    return {
      position: this.#position,
      sessions: [...this.view.sessions()],
      ended: [],
      records: [...this.view.records()],
      isWhole: true,
    };
  }

  /**
   * All that a snapshot holds. The same at every node that applied the same commands, snapshots on the way or not: rows stand
   * in the order in which they first came, which is that of the log.
   */
  rows(): FoldRows {
    const sessions: SessionRow[] = [];
    const records: RecordRow[] = [];
    for (const session of this.view.sessions()) sessions.push(sessionRow(session));
    for (const record of this.view.records()) records.push(recordRow(record));
    return { v: SNAPSHOT_VERSION, position: this.#position, sessions, records, openers: [...this.#state.openers] };
  }

  /** {@link rows} as bytes: the same ones at every node. */
  snapshot(): Uint8Array {
    return pack(this.rows());
  }

  /** Listeners are not told: give candidates {@link everything} as news. */
  restore(snapshot: Uint8Array): void {
    const data = unpack(snapshot) as FoldRows | undefined;
    invariant(data?.v === SNAPSHOT_VERSION, 'P6 a snapshot is what an own version of this program wrote');
    const state = new FoldState(this.#maxLeaseMs);
    for (const row of data.sessions) {
      const session = sessionOfRow(row);
      state.registry.putSession(session);
      state.openedBy.set(session.openedBy, session.id);
    }
    state.registry.restoreRecords(data.records.map(recordOfRow));
    for (const [incarnation, number] of data.openers) state.openers.set(incarnation, number);
    this.#state = state;
    this.#position = data.position;
  }

  #tell(applied: Applied): void {
    for (const listener of this.#listeners) listener(applied);
  }
}

/** A fold's state as plain data, without the names of fields. */
export interface FoldRows {
  readonly v: number;
  readonly position: number;
  readonly sessions: readonly SessionRow[];
  readonly records: readonly RecordRow[];
  readonly openers: readonly (readonly [string, number])[];
}

// Rows instead of objects: field names would be most of a large snapshot, and their order is fixed here.

const sessionRow = (s: Session) => [s.id, s.node, s.incarnation, s.leaseMs, s.version, s.setBy, s.openedBy] as const;
type SessionRow = ReturnType<typeof sessionRow>;

const sessionOfRow = ([id, node, incarnation, leaseMs, version, setBy, openedBy]: SessionRow): Session => ({
  id,
  node,
  incarnation,
  leaseMs,
  version,
  setBy,
  openedBy,
});

const recordRow = (r: MasterRecord) =>
  [r.election, r.master, r.term, r.version, r.setBy, r.metadata, r.node, r.cause] as const;
type RecordRow = ReturnType<typeof recordRow>;

const recordOfRow = ([election, master, term, version, setBy, metadata, node, cause]: RecordRow): MasterRecord => ({
  election,
  master,
  term,
  version,
  setBy,
  metadata,
  node,
  cause,
});
