import type {
  Ballot,
  Chosen,
  Clock,
  Fetch,
  JournalRecord,
  Learned,
  NodeId,
  Random,
  Received,
  Snapshot,
  Value,
} from '@synod/protocol';

/** State of all state machines after slot `through`, whole: on the wire it may travel in parts. */
export interface SnapshotState {
  readonly through: number;
  /** Position of the last command up to `through`. */
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** What the learner machine is given. */
export interface LearnerInput {
  readonly self: NodeId;
  /** Everybody else who learns: whom to ask. */
  readonly others: readonly NodeId[];
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** The value accepted here at exactly this ballot (B3). */
  held(slot: number, ballot: Ballot): Value | undefined;
  /** Our last durable snapshot, for nodes behind it. */
  snapshot(): SnapshotState | null;
  readonly recovered: LearnerRecovered;
}

export interface LearnerRecovered {
  /** Last slot of our snapshot: state machines stand there. */
  readonly through: number;
  /** Learned values after it. */
  readonly learned: ReadonlyMap<number, Value>;
}

export type LearnerEvent =
  | { readonly type: 'chosens'; readonly messages: readonly Received<Chosen>[] }
  /** Our own proposer counted an accept quorum. */
  | { readonly type: 'decided'; readonly ballot: Ballot; readonly slot: number; readonly value: Value }
  | { readonly type: 'learneds'; readonly messages: readonly Received<Learned>[] }
  | { readonly type: 'fetches'; readonly messages: readonly Received<Fetch>[] }
  | { readonly type: 'snapshots'; readonly messages: readonly Received<Snapshot>[] }
  /** Accepts for these slots were seen here. */
  | { readonly type: 'proposed'; readonly slots: readonly number[]; readonly from: NodeId }
  /** Slots up to here are chosen: a Promise or Trimmed said so. */
  | { readonly type: 'behind'; readonly through: number; readonly from: NodeId }
  /** A snapshot of our own up to here is durable (P6). */
  | { readonly type: 'trim'; readonly through: number }
  /** After join: ask everybody for what is after what we have. */
  | { readonly type: 'start' };

export type LearnerEmitted =
  | { readonly type: 'send'; readonly to: NodeId | 'all'; readonly message: Chosen | Fetch | Learned | Snapshot }
  /** For the journal, lazily: nothing waits for it. */
  | { readonly type: 'record'; readonly record: JournalRecord }
  /** The next slot in order; each slot once. */
  | { readonly type: 'apply'; readonly slot: number; readonly value: Value }
  /** Put this state in place of the present one; slots after it follow by `apply`. */
  | { readonly type: 'install'; readonly snapshot: SnapshotState }
  /** B1c: still unlearned a third of a lease after everybody was asked. */
  | { readonly type: 'stuck'; readonly slot: number };
