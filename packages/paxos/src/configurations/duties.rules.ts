import { type Configuration, majority, type QuorumSystem } from '@synod/protocol';
import {
  type Configurations,
  type Era,
  eraOf,
  holds,
  newestEra,
  type Voter,
  type VoterId,
  voterId,
} from './configurations.rules.ts';

/**
 * What the configurations ask of a leader, of who counts votes, and of a store (section 8).
 *
 * **Why S1 holds.** Slots share nothing but the promise, so the values of slot i are those of one instance of Paxos, if all who
 * propose or count in i do so by one configuration C(i). They do: C(i) is a function of the values chosen in the slots up to
 * i − 32, and nobody proposes or counts in i who has not applied these (B3), which are the same everywhere, slot by slot. And
 * in that instance a ballot's leader holds promises of a prepare quorum of C(i), which meets every accept quorum of C(i). A
 * promise covers all slots from its first on, whatever their configurations: one given before C(i) was known counts.
 *
 * None of this needs one change at a time, or any two quorums of neighbouring configurations to meet: they need not, where
 * a voter is replaced or two changes are learned.
 */
export interface DutyRules {
  /** Whom a Prepare asks: the voters of every configuration that a slot not applied here lies in. */
  asked(state: Configurations): readonly Voter[];
  /** Whether a leader that holds these promises at its ballot may propose in `slot`. If not, it prepares with a new one (B2). */
  mayPropose(state: Configurations, promised: ReadonlySet<VoterId>, slot: number): boolean;
  /** Whether these acceptances at one ballot choose what they accepted in `slot`. */
  isDecided(state: Configurations, accepted: ReadonlySet<VoterId>, slot: number): boolean;
  /**
   * Whether a store answers Prepare and Accept: while any slot it has not applied lies in a configuration that holds it. One
   * that falls silent sooner may be the one that a slot before the change still needs, and then nothing takes effect any more.
   */
  answers(state: Configurations, self: Voter): boolean;
  /**
   * Whether a store that no configuration needs any more has done all it has to: until then it serves catch-up, and leads on
   * if it leads. An accept quorum of the configuration after its own has applied the last slot before it, `appliedBy` says:
   * so every prepare quorum of that one has a voter that can tell the others. Applied means that a crash does not undo it (P3).
   */
  isRelieved(state: Configurations, self: Voter, appliedBy: ReadonlyMap<VoterId, number>): boolean;
  /** A leader proposes no-ops up to this slot, if there is nothing else: then the newest configuration is in force. */
  fillThrough(state: Configurations): number;
}

export const dutyRules: DutyRules = { asked, mayPropose, isDecided, answers, isRelieved, fillThrough };

const quorums = new WeakMap<Configuration, QuorumSystem>();

/** By stores, not by nodes: a promise of the store that was replaced is none of the one in its place (I2). */
export function quorumOf({ configuration }: Era): QuorumSystem {
  let quorum = quorums.get(configuration);
  if (!quorum) {
    quorum = majority(configuration.voters.map(voterId));
    quorums.set(configuration, quorum);
  }
  return quorum;
}

function asked(state: Configurations): readonly Voter[] {
  const voters = new Map<VoterId, Voter>();
  for (const { configuration } of unapplied(state))
    for (const voter of configuration.voters) voters.set(voterId(voter), voter);
  return [...voters.values()];
}

function mayPropose(state: Configurations, promised: ReadonlySet<VoterId>, slot: number): boolean {
  return quorumOf(eraOf(state, slot)).isPrepareQuorum(promised);
}

function isDecided(state: Configurations, accepted: ReadonlySet<VoterId>, slot: number): boolean {
  return quorumOf(eraOf(state, slot)).isAcceptQuorum(accepted);
}

function answers(state: Configurations, self: Voter): boolean {
  return unapplied(state).some((era) => holds(era, self));
}

function isRelieved(state: Configurations, self: Voter, appliedBy: ReadonlyMap<VoterId, number>): boolean {
  if (answers(state, self)) return false;
  const last = state.eras.findLastIndex((era) => holds(era, self));
  const next = state.eras[last + 1];
  // Who never voted owes nothing.
  if (last < 0 || !next) return true;
  const applied = [...appliedBy].flatMap(([id, through]) => (through >= next.from - 1 ? [id] : []));
  return quorumOf(next).isAcceptQuorum(new Set(applied));
}

function fillThrough(state: Configurations): number {
  return newestEra(state).from - 1;
}

/** The configurations that slots not applied here lie in: one, or two while a change is pending. */
const unapplied = ({ eras, through }: Configurations): readonly Era[] =>
  eras.filter((_, at) => (eras[at + 1]?.from ?? Number.POSITIVE_INFINITY) > through + 1);
