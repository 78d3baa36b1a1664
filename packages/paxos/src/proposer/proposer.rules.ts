import type {
  Accept,
  Accepted,
  Ballot,
  Clock,
  Command,
  CommandId,
  Incarnation,
  NodeId,
  Prepare,
  Promised,
  QuorumSystem,
  Random,
  Received,
  Reject,
  Trimmed,
  Value,
} from '@synod/protocol';

/** Why a node wants to lead (B1): `command` (a), `master` (b), `stuck` (c). */
export type LeadReason = 'command' | 'master' | 'stuck';

/** What the proposer machine is given. */
export interface ProposerInput {
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly quorum: QuorumSystem;
  /** Highest round seen or used, from the journal. */
  readonly lastRound: number;
  /** All slots up to here are applied here. */
  readonly learnedThrough: number;
  /** Whether this node holds `group` at this instant (B6). */
  isMaster(): boolean;
}

export type ProposerEvent =
  /** `isUrgent`: commands of the machine `master` (B7). */
  | { readonly type: 'submit'; readonly commands: readonly Command[]; readonly isUrgent: boolean }
  | { readonly type: 'withdraw'; readonly ids: readonly CommandId[] }
  | { readonly type: 'lead'; readonly reason: LeadReason }
  | Received<Promised>
  | Received<Accepted>
  | Received<Reject>
  | Received<Trimmed>
  /** Our own acceptor granted a promise to another node (B6). */
  | { readonly type: 'granted'; readonly ballot: Ballot }
  /** Slots up to `through` are applied here; `known` is the highest known chosen. */
  | { readonly type: 'learned'; readonly through: number; readonly known: number }
  /** A ballot of this round was seen. */
  | { readonly type: 'round'; readonly round: number }
  | { readonly type: 'stop' };

export type ProposerEmitted =
  /** `to` holds this node too where it votes: the runtime delivers that one here. */
  | { readonly type: 'send'; readonly to: readonly NodeId[]; readonly message: Prepare | Accept }
  | { readonly type: 'chosen'; readonly ballot: Ballot; readonly slot: number; readonly value: Value }
  | { readonly type: 'leading'; readonly ballot: Ballot }
  /** Does not lead, or not any more. `unknown` were sent and may yet be chosen; `queued` never left. */
  | {
      readonly type: 'deposed';
      readonly by: Ballot | null;
      readonly unknown: readonly Command[];
      readonly queued: readonly Command[];
    }
  /** Slots up to here are chosen: the learner fetches them, first from this node. */
  | { readonly type: 'behind'; readonly through: number; readonly from: NodeId };
