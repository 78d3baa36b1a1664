import type { Configuration, JournalRecord, Value } from '@synod/protocol';
import { type AcceptorState, freshAcceptor } from './acceptor/acceptor.rules.ts';
import type { SnapshotState } from './learner/learner.rules.ts';

/** What a journal's records say. */
export interface Recovered {
  readonly acceptor: AcceptorState;
  /** Learned values after the snapshot. */
  readonly learned: Map<number, Value>;
  readonly snapshot: SnapshotState | null;
  /** Highest round of any ballot in the journal (B2). */
  readonly lastRound: number;
  /** Configuration this store keeps (I5). */
  readonly kept: Configuration | null;
  readonly isFormed: boolean;
  /** Highest incarnation counter seen of each voter's store (I2). */
  readonly peers: Map<string, number>;
}

/** What must be restated when a checkpoint replaces all records before it. */
export type Checkpoint = Omit<Recovered, 'lastRound'>;

/** Folds the records of a journal, in order. */
export function recover(_records: readonly JournalRecord[]): Recovered {
  return {
    acceptor: freshAcceptor(),
    learned: new Map(),
    snapshot: null,
    lastRound: 0,
    kept: null,
    isFormed: false,
    peers: new Map(),
  };
}

/** The reverse of {@link recover}: everything that a checkpoint must say again. */
export function checkpointRecords(_state: Checkpoint): JournalRecord[] {
  return [];
}
