import type { Clock, Command, CommandId, Drift, Incarnation, MasterNews, NodeId, Random } from '@synod/protocol';
import type { Take } from '../commands.ts';
import type { MasterReader } from '../fold/master-reader.ts';
import type { HolderClock } from '../holder-clock.ts';
import type { SessionContext } from './lease.context.ts';

/** What the session of one node is given at its start. Ports come in here; nothing else reaches the outside. */
export interface SessionInput {
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  /** What this node asks for. What is in force is what the session's `setBy` asked for (fault 17). */
  readonly leaseMs: number;
  readonly drift: Drift;
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

/** What a candidate for one election is given. */
export interface CandidateInput {
  readonly election: string;
  /** 0 to 100: the higher, the less jitter (T11). */
  readonly priority?: number;
  /** Stands in the record while we are master. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Whose turn it is after `node`: he asks before the others when it has died (T11). Default: nobody's. */
  readonly heirOf?: (node: NodeId) => NodeId | null;
  /**
   * The heir stands by while another holds, so that giving back and taking are one round (T11). Of one election of a session:
   * for many, the holder's renewals would be answered with as many messages. Default: no.
   */
  readonly standsBy?: boolean;
  /** The session of this node, as it is at this instant: the lease that all its masterships hang on. */
  readonly lease: () => SessionContext;
}

/** What happens in the log, and to the node: for the session and all candidates. */
export type LeaseEvent =
  /** The fold changed; the view shows it already. */
  | { readonly type: 'applied'; readonly news: MasterNews }
  /** A command id of the machine `master` was seen in any form, chosen or not (T2). Repeats do no harm. */
  | { readonly type: 'seen'; readonly id: CommandId }
  /** A command of this incarnation was chosen and applied, or refused, here. */
  | { readonly type: 'outcome'; readonly id: CommandId; readonly applied: boolean; readonly reason?: string }
  /** A candidate at `from` stands by: its taking is to follow our Resign, should we give back. `null`: no more. */
  | { readonly type: 'standby'; readonly election: string; readonly from: NodeId; readonly command: Command | null }
  /** This node has applied all it knows to be chosen (T11). Counts as true until told. */
  | { readonly type: 'caughtUp'; readonly value: boolean }
  /** This node leads the log: it expires sessions that fell silent holding nothing. Counts as false until told. */
  | { readonly type: 'leading'; readonly value: boolean }
  /** From the next renewal on, ask for this (T12). */
  | { readonly type: 'leaseMs'; readonly value: number }
  /** T9: clocks that tick while the machine sleeps say that the session is over; its timers waited all that time. */
  | { readonly type: 'lapsed' }
  /** The journal cannot keep promises any more: masterships are given up at once, for good (P3). */
  | { readonly type: 'journal.failed' }
  /**
   * `resign`: give back what is held, then stop; waits for `settled` as long as it takes. `abandon`: stop now, and let the
   * session end by itself.
   */
  | { readonly type: 'stop'; readonly mode: 'resign' | 'abandon' };

export type SessionEvent =
  | LeaseEvent
  /** A candidate asks for an election, or for a session to be handed something (T8): open one if there is none. */
  | { readonly type: 'open'; readonly take: Take | null; readonly silent: NodeId | null }
  /** A candidate stands by for what hangs on `holder`, a session of the node `to`. */
  | { readonly type: 'standBy'; readonly take: Take; readonly holder: number; readonly to: NodeId }
  /** It does so no more. */
  | { readonly type: 'standDown' }
  /** Nobody here asks or holds by the session any more. `mayLinger`: what hung on it has been given back. */
  | { readonly type: 'release'; readonly mayLinger: boolean }
  /** Something could not be given back within a lease (T7): all work stops, the session is left to its end. */
  | { readonly type: 'giveUp' }
  /** All work of the session that is over has stopped (T6). */
  | { readonly type: 'settled' }
  /**
   * Say when this session of another has been silent for as long as T2 asks. `isAgain`: who was told may still be asking, and
   * the others are to hear of it a while later.
   */
  | { readonly type: 'watch'; readonly session: number; readonly isAgain?: boolean };

export type CandidateEvent =
  /** Somebody here wants to be master. */
  | { readonly type: 'want' }
  /** Nobody here does any more; a mastership is resigned. */
  | { readonly type: 'unwant'; readonly reason?: string }
  /** Gives the mastership back; the wish for it stays. `isSettled`: nothing works by it any more. */
  | { readonly type: 'resign'; readonly reason?: string; readonly to?: Heir; readonly isSettled?: boolean }
  /** T8: the holder of this term would hand it over to this node. */
  | { readonly type: 'offered'; readonly from: NodeId; readonly term: number }
  /** All work of the mastership that was lost or given up has stopped (T6, T7). */
  | { readonly type: 'settled' }
  /** How long the work of the mastership in force may take to stop, where that is longer than a lease (T7). */
  | { readonly type: 'grace'; readonly graceMs: number }
  /** Health, or a veto of the user. Counts as true until told. */
  | { readonly type: 'eligible'; readonly value: boolean }
  /** How much sooner than others to ask (T11). */
  | { readonly type: 'priority'; readonly value: number }
  /** What is to stand in the record from the next mastership on. */
  | { readonly type: 'metadata'; readonly value: Readonly<Record<string, string>> }
  /** The record of this election changed; the view shows it already. */
  | { readonly type: 'record' }
  /** A taking that somebody wants to follow our Resign; `null`: no more. */
  | { readonly type: 'standby'; readonly from: NodeId; readonly command: Command | null }
  /** What became of a command of this candidate's. */
  | { readonly type: 'outcome'; readonly id: CommandId; readonly applied: boolean; readonly reason?: string }
  /** The holder was silent for as long as T2 asks. */
  | { readonly type: 'silent'; readonly session: number }
  /** Something that the candidate reads elsewhere changed: look again. */
  | { readonly type: 'review' }
  /** The session of this node is open. */
  | { readonly type: 'opened' }
  /** The session that was asked for did not open. `isRefused`: for a reason that may stay. */
  | { readonly type: 'notOpened'; readonly isRefused: boolean }
  /** The session of this node is over (T6). */
  | { readonly type: 'over'; readonly lostBy: LostBy }
  /** No mastership any more: what is held is given back. */
  | { readonly type: 'stop' };

/** Who is to be master next: a live session of another node that has agreed (T8). */
export interface Heir {
  readonly session: number;
  readonly metadata: Readonly<Record<string, string>>;
}

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

/** Wishes of session and candidates to the log. */
export type Wish =
  /** `followedBy`: of another candidate, to stand right behind it (T11). */
  | {
      readonly type: 'propose';
      readonly command: Command;
      readonly presumedSilent?: NodeId;
      readonly followedBy?: Command;
    }
  /** Stop asking for this command. It may still be chosen. */
  | { readonly type: 'withdraw'; readonly id: CommandId };

export type SessionEmitted =
  | Wish
  | { readonly type: 'opened' }
  | { readonly type: 'notOpened'; readonly isRefused: boolean }
  /** The deadline was extended. */
  | { readonly type: 'renewed' }
  /** T12: a renewal that asks for less is about to leave: the deadline is nearer already (T4). */
  | { readonly type: 'shortened' }
  /** Every mastership that hangs on it is over. `isMaster()` says so already. */
  | { readonly type: 'over'; readonly lostBy: LostBy }
  /** A new one may be asked for. */
  | { readonly type: 'closed' }
  /** The session of another was not renewed until past its holder's deadline: T2 is about to end for it. */
  | { readonly type: 'silent'; readonly session: number }
  /** Tell the holder, who lives at `to`, what to have appended behind its Resign; `null`: nothing any more. */
  | { readonly type: 'standBy'; readonly to: NodeId; readonly election: string; readonly command: Command | null }
  | { readonly type: 'stopped' };

export type CandidateEmitted =
  | Wish
  /** Asks for the election with a session that is not open yet: both travel in one command if nobody else asks. */
  | { readonly type: 'open'; readonly take: Take; readonly silent: NodeId | null }
  | { readonly type: 'watch'; readonly session: number }
  /** The wait for a holder that lives there is about to end. */
  | { readonly type: 'aboutToAsk'; readonly silent: NodeId }
  /** A session that nothing is asked for with: to be handed something. */
  | { readonly type: 'openEmpty' }
  /** T8: this session would take the election over from the holder of `term`. */
  | {
      readonly type: 'consent';
      readonly to: NodeId;
      readonly election: string;
      readonly term: number;
      readonly session: number;
    }
  /** This node has a higher priority than most, and is ready to take over. */
  | {
      readonly type: 'wish';
      readonly to: NodeId;
      readonly election: string;
      readonly term: number;
      readonly priority: number;
    }
  | Extract<SessionEvent, { type: 'standBy' | 'standDown' }>
  | ({ readonly type: 'acquired' } & Licence)
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
  /** Its lease was over before what was given up had been given back. */
  | { readonly type: 'left'; readonly election: string; readonly term: number };
