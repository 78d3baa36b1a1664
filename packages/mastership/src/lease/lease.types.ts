import type { Clock, Command, CommandId, Drift, Incarnation, MasterNews, NodeId, Random } from '@synod/protocol';
import type { MasterReader } from '../fold/master-reader.ts';
import type { HolderClock } from '../holder-clock.ts';

/** What one candidate for one election is given at its start. Ports come in here; nothing else reaches the outside. */
export interface LeaseInput {
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  /** Default `group`, the election of the group itself. */
  readonly election?: string;
  /** What this candidate asks for. What is in force is what the session's `setBy` asked for (fault 17). */
  readonly leaseMs: number;
  readonly drift: Drift;
  /** 0 to 100: the higher, the less jitter (T11). */
  readonly priority?: number;
  /** Stands in the record while we are master. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Elapsed time as a holder counts it (T9). The runtime ticks it at least every lease/20. */
  readonly holderClock: HolderClock;
  /** The fold of this node, or what it has heard of it. Shows a change before the event `applied` of that change comes. */
  readonly view: MasterReader;
  /**
   * Next number of a command id of this incarnation. Needed when anybody else in this process makes commands under the same
   * incarnation: a command id is never sent with other content. Default: 1, 2, 3 …
   */
  readonly nextNumber?: () => number;
}

export type LeaseEvent =
  /** Somebody here wants to be master. */
  | { readonly type: 'want' }
  /** Nobody here does any more; a mastership is resigned. */
  | { readonly type: 'unwant'; readonly reason?: string }
  /** The fold changed; the view shows it already. */
  | { readonly type: 'applied'; readonly news: MasterNews }
  /** A command id of the machine `master` was seen in any form, chosen or not (T2). Repeats do no harm. */
  | { readonly type: 'seen'; readonly id: CommandId }
  /** A command of this incarnation was chosen and applied, or refused, here. */
  | { readonly type: 'outcome'; readonly id: CommandId; readonly applied: boolean; readonly reason?: string }
  /** Gives the mastership back; the wish for it stays. */
  | { readonly type: 'resign'; readonly reason?: string }
  /** All work of the mastership that was lost or given up has stopped (T6, T7). */
  | { readonly type: 'settled' }
  /** Health, or a veto of the user. Counts as true until told. */
  | { readonly type: 'eligible'; readonly value: boolean }
  /** This node has applied all it knows to be chosen (T11). Counts as true until told. */
  | { readonly type: 'caughtUp'; readonly value: boolean }
  /** This node leads the log: it expires sessions that fell silent holding nothing. Counts as false until told. */
  | { readonly type: 'leading'; readonly value: boolean }
  /** From the next renewal on, ask for this (T12). */
  | { readonly type: 'leaseMs'; readonly value: number }
  /** The journal cannot keep promises any more: masterships are given up at once, for good (P3). */
  | { readonly type: 'journal.failed' }
  /**
   * `resign`: give back what is held, then stop; waits for `settled` as long as it takes. `abandon`: stop now, and let the
   * session end by itself.
   */
  | { readonly type: 'stop'; readonly mode: 'resign' | 'abandon' };

/** Why a mastership is over here. */
export type LostBy = 'expired' | 'resigned' | 'deposed' | 'closed' | 'failed';

/** A mastership in force, at the instant it was read. */
export interface Licence {
  readonly election: string;
  /** The fencing token. */
  readonly term: number;
  /** Position of the command that opened or last renewed the session. */
  readonly version: number;
  readonly session: number;
  /** Of that command. */
  readonly leaseMs: number;
  /** Last instant we may act, monotonic, drift and guard taken off; earlier if the machine sleeps meanwhile (T9). */
  readonly deadlineAtMs: number;
}

export type LeaseEmitted =
  | { readonly type: 'propose'; readonly command: Command; readonly presumedSilent?: NodeId }
  /** Stop asking for this command. It may still be chosen. */
  | { readonly type: 'withdraw'; readonly id: CommandId }
  | ({ readonly type: 'acquired' } & Licence)
  | ({ readonly type: 'renewed' } & Licence)
  /** Stop all work of this term, then answer with `settled`. Said once for each `acquired`. */
  | {
      readonly type: 'lost';
      readonly election: string;
      readonly term: number;
      readonly lostBy: LostBy;
      readonly reason?: string;
    }
  /** Giving back took longer than a lease: the session is not renewed any more, whatever still works (T7). */
  | { readonly type: 'overrun'; readonly election: string; readonly term: number }
  | { readonly type: 'stopped' };
