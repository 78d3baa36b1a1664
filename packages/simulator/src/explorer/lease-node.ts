import {
  type FoldRules,
  foldRules,
  type LeaseRules,
  leaseRules,
  type MasterCommand,
  type MasterFold,
  type SessionContext,
} from '@synod/mastership';
import type { Command, Drift } from '@synod/protocol';

type Holding = NonNullable<SessionContext['holding']>;
type Request = Holding['requests'][number];

/** The rules a small world of candidates plays by; a control hands in broken ones. */
export interface MastershipRules {
  readonly lease: LeaseRules;
  readonly fold: FoldRules;
  readonly manners: Manners;
}

/** What a candidate does around its rules, where the lease machine or the runtime would. */
export interface Manners {
  /** Under which keys a sight is remembered, and looked up by the rules: T2 says, by the command's id. */
  sightKeys(id: string, position: number | null): readonly string[];
  /** T7: a term is given up before it is given back. */
  readonly stopsBeforeResigning: boolean;
  /** T2, T3: what a new process knows of the last one's waits: nothing. */
  afterRestart(sights: ReadonlyMap<string, number>, clockJumpMs: number): ReadonlyMap<string, number>;
  /** T2: what one candidate tells another of its waits: nothing. */
  handedOver(sights: ReadonlyMap<string, number>, clockJumpMs: number): ReadonlyMap<string, number>;
  /** T4: what a taking or transfer that was learned adds to the instants a session may be held by: nothing. */
  extendedBy(session: HeldSession, command: SentCommand, taking: Request | undefined): HeldSession;
  /** T6: looks at the clock before it takes in anything. */
  readonly looksFirst: boolean;
  /** T2: hearing an id again does not restart its wait. */
  readonly restartsWait: boolean;
  /** T6: a session that is over here is ended, and never used again. */
  readonly endsWhatIsOver: boolean;
  /** N1: what a command that cannot be read does. */
  apply(fold: MasterFold, position: number, command: Command): void;
}

export const manners: Manners = {
  sightKeys: (id) => [id],
  stopsBeforeResigning: true,
  afterRestart: () => new Map(),
  handedOver: () => new Map(),
  extendedBy: (session) => session,
  looksFirst: true,
  restartsWait: false,
  endsWhatIsOver: true,
  apply: (fold, position, command) => fold.apply(position, command),
};

/** What production hands to its machines. */
export const mastershipRules: MastershipRules = { lease: leaseRules, fold: foldRules, manners };

/** A session as its holder sees it (T4). */
export interface HeldSession {
  readonly id: number;
  readonly version: number;
  readonly setBy: string;
  readonly requests: readonly Request[];
  readonly claims: readonly Request[];
}

/** A command as it was sent. */
export interface SentCommand {
  readonly by: number;
  readonly id: string;
  readonly asked: MasterCommand | null;
}

/** One candidate, small enough to count what it may do. */
export interface CandidateBounds {
  readonly name: string;
  /** Its node, where another process lives under the same name. */
  readonly node?: string;
  /** Of its clock; 1 is true time. */
  readonly rate: number;
  readonly asks: number;
  readonly renewals: number;
  readonly resigns?: number;
  /** Sessions it may open without asking for anything: to be a target of a transfer (T8). */
  readonly opens?: number;
  readonly transfers?: number;
  /** Takings it may send while another holds, for when that one gives back (T11). */
  readonly standbys?: number;
  readonly restarts?: number;
  /** Waits it may be told of by others. */
  readonly handovers?: number;
  /** What it asks for, each time one of these. */
  readonly leasesMs?: readonly number[];
  /** Outside the log: news of a session may reach it without the news of a record that came before. */
  readonly isHearer?: boolean;
  /** It holds all elections by one session. Else each election it takes has a session of its own. */
  readonly sharesSession?: boolean;
}

/** How large a small world of candidates is. */
export interface LeaseBounds {
  readonly name: string;
  readonly candidates: readonly CandidateBounds[];
  readonly elections: readonly string[];
  readonly drift: Drift;
  /** True time that passes in one step. */
  readonly tickMs: number;
  /** Longest log. */
  readonly log: number;
  /** Commands that may be chosen a second time. */
  readonly repeats?: number;
  /** Candidates see commands on their way, chosen or not. */
  readonly sees?: boolean;
  /** A new process's monotonic clock shows so much more than the last one's. */
  readonly clockJumpMs?: number;
  /** Sessions that opened and are of no use are ended by a command, which may be chosen at any time. */
  readonly endsStrays?: boolean;
  /** A command nobody can read. */
  readonly malformed?: boolean;
}
