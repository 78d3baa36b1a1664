import type { CommandId, Incarnation, MasterNews, MasterRecord, Session } from '@synod/protocol';
import { Registry } from './registry.ts';

/** The whole state of the fold. Changed only by its rules, through a {@link Change}. */
export class FoldState {
  readonly registry = new Registry();
  /** Live sessions by the command that opened them. */
  readonly openedBy = new Map<CommandId, number>();
  /** Highest number of a command that opened a session, by incarnation; the latest opener last. */
  readonly openers = new Map<Incarnation, number>();
  /** Longest lease of the group. */
  readonly maxLeaseMs: number;

  constructor(maxLeaseMs: number) {
    this.maxLeaseMs = maxLeaseMs;
  }
}

/** What one command does to the state at its position, and the news of it. */
export class Change {
  readonly state: FoldState;
  readonly position: number;
  readonly id: CommandId;
  // Most commands change one thing or nothing: `null` for nothing.
  #sessions: Set<number> | null = null;
  #ended: Set<number> | null = null;
  #records: Set<string> | null = null;

  constructor(state: FoldState, position: number, id: CommandId) {
    this.state = state;
    this.position = position;
    this.id = id;
  }

  session(id: number): Session | undefined {
    return this.state.registry.session(id);
  }

  record(election: string): MasterRecord {
    return this.state.registry.record(election);
  }

  putSession(session: Session): void {
    this.state.registry.putSession(session);
    this.state.openedBy.set(session.openedBy, session.id);
    this.#sessions ??= new Set();
    this.#sessions.add(session.id);
  }

  dropSession(session: Session): void {
    this.state.registry.dropSession(session.id);
    this.state.openedBy.delete(session.openedBy);
    this.#sessions?.delete(session.id);
    this.#ended ??= new Set();
    this.#ended.add(session.id);
  }

  putRecord(record: MasterRecord): void {
    this.state.registry.putRecord(record);
    this.#records ??= new Set();
    this.#records.add(record.election);
  }

  /** `null` when the command changed nothing. */
  news(): MasterNews | null {
    if (!this.#sessions?.size && !this.#ended && !this.#records) return null;
    const { registry } = this.state;
    return {
      position: this.position,
      sessions: [...(this.#sessions ?? [])]
        .map((id) => registry.session(id))
        .filter((session) => session !== undefined),
      ended: [...(this.#ended ?? [])],
      records: [...(this.#records ?? [])].map((election) => registry.record(election)),
    };
  }
}
