import type { CommandId, NodeId } from '@synod/protocol';
import type { SeenHolder } from '../commands.ts';
import type { Claim } from '../holder-clock.ts';
import type { LeaseRules } from './lease.rules.ts';
import type { LeaseInput } from './lease.types.ts';
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

/** What a candidate waits for, and what it will name. */
export interface Aim {
  readonly expectedVersion: number;
  readonly holder: SeenHolder | null;
  /** What the wait for the holder counts by (T2). */
  readonly setBy: CommandId | null;
  /** Where the holder lives, if it is another node: after T2 it is presumed silent (B1). */
  readonly silent: NodeId | null;
  /** When the record may be asked for: T2 is over, or it came free. */
  readonly openAtMs: number;
  /** Added to it, so that candidates do not ask all at once (T11). */
  readonly jitterMs: number;
}

/** A taking under way. */
export interface Attempt {
  readonly aim: Aim;
  readonly request: Request;
}

/** A mastership: in force, or being given up. */
export interface Holding {
  readonly session: number;
  readonly term: number;
  /** Version of the session, and the command that set it, as adopted here: never what came after the end (T6). */
  readonly version: number;
  readonly setBy: CommandId;
  /** All that were sent and are not superseded (T4). */
  readonly requests: readonly Request[];
  /** Those of them that the deadline is the least of (T4). */
  readonly claims: readonly Request[];
  readonly renewAtMs: number;
  /** Given up, lapsed or lost: never resumed. When that was said. */
  readonly givenUpAtMs: number | null;
}

/** Giving back, as last submitted. */
export interface Resignation {
  readonly id: CommandId;
  readonly againAtMs: number;
}

/** State of a candidate. Its rules change it; {@link isMaster} and its sisters read it. */
export interface LeaseContext {
  readonly input: Required<LeaseInput>;
  readonly rules: LeaseRules;
  /** What is asked for from the next command on. */
  readonly leaseMs: number;
  readonly isWanted: boolean;
  readonly isEligible: boolean;
  readonly isCaughtUp: boolean;
  readonly hasFailed: boolean;
  readonly isStopping: boolean;
  /** Owned by this machine and changed in place: the one part that grows with the group. */
  readonly sights: Sights;
  readonly aim: Aim | null;
  /** Not to be asked for before: after a refusal, or having resigned. */
  readonly notBeforeMs: number;
  readonly attempt: Attempt | null;
  readonly opens: readonly Opening[];
  readonly holding: Holding | null;
  readonly resignation: Resignation | null;
  /** Own sessions that are being ended, by the command that ends them. */
  readonly endings: ReadonlyMap<number, CommandId>;
  readonly closeAtMs: number;
  /** Silent sessions that are being expired, with the version that was waited for. */
  readonly expiries: ReadonlyMap<number, { readonly id: CommandId; readonly version: number }>;
  readonly sweepAtMs: number;
}
