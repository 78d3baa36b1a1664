import type { Command, CommandId, MasterNews, MasterRecord, Session, StateMachine } from '@synod/protocol';
import type { MasterReader } from './master-reader.ts';

/** What became of one command. */
export interface Applied {
  readonly id: CommandId;
  readonly position: number;
  /** False: the command changed nothing. */
  readonly applied: boolean;
  /** Why not; for a session that opened although what it was to take was refused, why that was. */
  readonly reason?: Refusal;
  readonly news: MasterNews | null;
}

export type Refusal = 'unreadable';

export interface MasterFoldOptions {
  /** Longest lease of this group. */
  readonly maxLeaseMs?: number;
}

export class MasterFold implements StateMachine, MasterReader {
  readonly name = 'master';
  constructor(_options: MasterFoldOptions = {}) {}
  get view(): MasterReader {
    return this;
  }
  session(_id: number): Session | undefined {
    throw new Error('to be written');
  }
  record(_election: string): MasterRecord {
    throw new Error('to be written');
  }
  sessions(): IterableIterator<Session> {
    throw new Error('to be written');
  }
  records(): IterableIterator<MasterRecord> {
    throw new Error('to be written');
  }
  held(_session: number): ReadonlySet<string> {
    throw new Error('to be written');
  }
  apply(_position: number, _command: Command): void {}
  onApplied(_listener: (applied: Applied) => void): () => void {
    return () => {};
  }
  /** The whole state as one piece of news: for a hearer that comes late, and for the lease after {@link restore}. */
  everything(): MasterNews {
    throw new Error('to be written');
  }
  snapshot(): Uint8Array {
    return new Uint8Array();
  }
  restore(_snapshot: Uint8Array): void {}
}
