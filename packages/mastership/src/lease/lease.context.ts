import type { Command, CommandId, NodeId } from '@synod/protocol';
import type { SeenHolder, Take } from '../commands.ts';
import type { Claim } from '../holder-clock.ts';
import type { LeaseRules } from './lease.rules.ts';
import type { CandidateInput, Heir, SessionInput } from './lease.types.ts';
import type { Sights } from './sights.ts';

/** A command that opens or renews a session, remembered with the instant it was asked for: only by such may we hold (T3). */
export interface Request extends Claim {
  readonly id: CommandId;
  readonly leaseMs: number;
  /** Version of the session that it names; `null` for the one that opens it. */
  readonly expectedVersion: number | null;
}

/** A session that was asked for. */
export interface Opening {
  readonly request: Request;
  /** Once it is known to have opened. */
  readonly session: number | null;
}

/** A taking that the holder is to have appended behind its Resign (T11). */
export interface Standby {
  readonly take: Take;
  readonly holder: number;
  readonly to: NodeId;
  readonly toldAt: CommandId | null;
}

/** The session held: the lease of everything this node is master of. */
export interface Holding {
  readonly session: number;
  /** Version of the session, and the command that set it, as adopted here: never what came after the end (T6). */
  readonly version: number;
  readonly setBy: CommandId;
  /** All that were sent and are not superseded (T4). */
  readonly requests: readonly Request[];
  /** Those of them that the deadline is the least of (T4). */
  readonly claims: readonly Request[];
  readonly renewAtMs: number;
  /** Lapsed, ended by others, or given up: never used again (T6). */
  readonly isOver: boolean;
}

/** State of the session of one node. Its rules change it; its candidates read it. */
export interface SessionContext {
  readonly input: Required<SessionInput>;
  readonly rules: LeaseRules;
  /** What is asked for from the next command on. */
  readonly leaseMs: number;
  readonly isCaughtUp: boolean;
  readonly hasFailed: boolean;
  readonly isStopping: boolean;
  /** Owned by this machine and changed in place: the one part that grows with the group. */
  readonly sights: Sights;
  /** The opening under way, with what is asked for in the same command. */
  readonly opening: { readonly request: Request; readonly take: Take | null; readonly silent: NodeId | null } | null;
  readonly opens: readonly Opening[];
  /** What a candidate stands by for, and what had set the holder's session when he was told last. */
  readonly standby: Standby | null;
  readonly holding: Holding | null;
  /** Own sessions that are being ended, by the command that ends them. */
  readonly endings: ReadonlyMap<number, CommandId>;
  readonly closeAtMs: number;
  /** Until here a standby that was taken back may be chosen all the same, and what it opens is to be ended. */
  readonly quietAtMs: number;
  /** Sessions of others that a candidate waits for, and before when nobody need hear of their silence. */
  readonly watched: ReadonlyMap<number, number>;
  /** Silent sessions that are being expired, with the version that was waited for. */
  readonly expiries: ReadonlyMap<number, { readonly id: CommandId; readonly version: number }>;
  readonly sweepAtMs: number;
}

/** What a candidate waits for, and what it will name. */
export interface Aim {
  readonly expectedVersion: number;
  readonly holder: SeenHolder | null;
  /** What the wait for the holder counts by (T2). */
  readonly setBy: CommandId | null;
  /** Where the holder lives, if it is another node: after T2 it is presumed silent (B1). */
  readonly silent: NodeId | null;
  /** When the holder's own deadline is past, as far as its last command tells (T1), while others still wait (T2). */
  readonly nearAtMs: number;
  /** When the record may be asked for: T2 is over, or it came free. */
  readonly openAtMs: number;
  /** Added to it, so that candidates do not ask all at once (T11). */
  readonly jitterMs: number;
}

/** A taking under way: by the open session, or in the command that opens one (then `id` is null here). */
export interface Attempt {
  readonly aim: Aim;
  readonly id: CommandId | null;
  readonly session: number | null;
  readonly atMs: number;
}

/** A mastership: in force, or being given up. */
export interface HeldTerm {
  readonly session: number;
  readonly term: number;
  /** Given up, lapsed or lost: never resumed. When that was said. */
  readonly givenUpAtMs: number | null;
  /** Who is to have it next; `null` for whoever asks first. */
  readonly heir: Heir | null;
  /** How long its work may take to stop, where that is longer than a lease. */
  readonly graceMs?: number;
}

/** Giving back, as last submitted. */
export interface Resignation {
  readonly id: CommandId;
  readonly againAtMs: number;
}

/** Who stands by while we hold, as last heard. */
export interface Successor {
  readonly from: NodeId;
  readonly command: Command;
  readonly heardAtMs: number;
  /** How long what he asked for would be his from then on. */
  readonly leaseMs: number;
}

/** State of a candidate for one election. Its rules change it; `isMaster()` reads it. */
export interface CandidateContext {
  readonly input: Required<CandidateInput>;
  readonly rules: LeaseRules;
  readonly priority: number;
  readonly isWanted: boolean;
  readonly isEligible: boolean;
  readonly isStopping: boolean;
  readonly aim: Aim | null;
  /** Not to be asked for before: after a refusal, or having resigned. */
  readonly notBeforeMs: number;
  readonly attempt: Attempt | null;
  readonly mastership: HeldTerm | null;
  readonly successor: Successor | null;
  readonly resignation: Resignation | null;
  /** The holder that would hand over to us, and until when its offer is waited for. */
  readonly offer: { readonly from: NodeId; readonly term: number; readonly untilMs: number } | null;
  /** When to tell the holder that somebody of higher priority waits. */
  readonly wishAtMs: number;
  /** Wishes told of the present term: each time it is longer until the next. */
  readonly wishes: { readonly term: number; readonly count: number };
  /** Nodes that were master, as seen here, the last one last: whose turn it is. */
  readonly served: readonly NodeId[];
}
