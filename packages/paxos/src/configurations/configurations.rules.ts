import { type Configuration, invariant } from '@synod/protocol';

/** A node with its store: a wiped folder is another voter (I2). */
export type Voter = Configuration['voters'][number];

/** A voter in a set: two stores of one node are two of them. */
export type VoterId = string;

/** No name holds a slash. */
export const voterId = ({ node, storeId }: Voter): VoterId => `${node}/${storeId}`;

/**
 * A change of the members, as a command asks for it. `follows` is the epoch its asker knew: of two that were asked for at once
 * one applies, and the other is asked for anew by somebody who knows what it comes to.
 */
export type Change = { readonly follows: number } & (
  | { readonly type: 'admit'; readonly learner: Voter }
  /** What was admitted, and has caught up: see {@link hasCaughtUp}. */
  | { readonly type: 'promote'; readonly learner: Voter }
  | { readonly type: 'remove'; readonly voter: Voter }
  /** Both in one change: the group has never one voter less. */
  | { readonly type: 'replace'; readonly voter: Voter; readonly learner: Voter }
);

/** From slot `from` on this configuration is in force, up to the slot before the next one's. */
export interface Era {
  readonly from: number;
  readonly configuration: Configuration;
  /** Who learns, and may become a voter. */
  readonly learners: readonly Voter[];
}

/**
 * Which configuration is in force in which slot, as far as it is settled here. A value: a function of the commands applied,
 * the same at every node (N1), and part of every snapshot, with the change that is not in force yet (P6).
 */
export interface Configurations {
  /** From the slot in which a change is chosen to the one where it takes effect: as far as proposals reach ahead (B3). */
  readonly distance: number;
  /** All slots up to here are applied here: so the configurations of all slots up to `through + distance` are settled. */
  readonly through: number;
  /** By their first slots, growing. */
  readonly eras: readonly Era[];
}

/** When a change applies, and from which slot on. */
export interface MembershipRules {
  /** The slot from which on a change is in force that was chosen in `slot`. */
  inForceFrom(state: Configurations, slot: number): number;
  /** Why a change chosen in `slot` does not apply, in words; `null` if it does. */
  refusal(state: Configurations, slot: number, change: Change): string | null;
}

/** A group as it was formed (I5). */
export const formedAs = (configuration: Configuration, distance: number, learners: readonly Voter[] = []) =>
  ({ distance, through: 0, eras: [{ from: 1, configuration, learners }] }) satisfies Configurations;

/**
 * The configuration of `slot`. It never changes once it is settled: a change chosen in a later slot than `slot − distance`
 * takes effect after `slot`.
 */
export function eraOf({ eras, through, distance }: Configurations, slot: number): Era {
  invariant(slot <= through + distance, 'section 8: a configuration is settled when the window reaches its slot');
  return eras.findLast(({ from }) => from <= slot) as Era;
}

/** The last one that was chosen, in force or not yet. */
export const newestEra = ({ eras }: Configurations): Era => eras.at(-1) as Era;

export const holds = ({ configuration }: Era, voter: Voter): boolean => isAmong(configuration.voters, voter);

/**
 * Whether a learner may be made a voter: it lacks no more than is under way at any time. Nothing but liveness rests on it, so
 * whoever asks for the change judges, and no node need agree: a voter that lacks more answers as soon as it has caught up.
 */
export const hasCaughtUp = (learnedThrough: number, known: number, distance: number): boolean =>
  learnedThrough >= known - distance;

/** As many as a quorum system is checked for. */
const MAX_VOTERS = 9;

export const membershipRules: MembershipRules = {
  inForceFrom: ({ distance }, slot) => slot + distance,
  refusal,
};

/** The next slot in order, and the change in it. What does not apply changes nothing, the same at every node. */
export function applySlot(
  state: Configurations,
  slot: number,
  change: Change | null,
  rules: MembershipRules = membershipRules,
): Configurations {
  invariant(slot === state.through + 1, 'N1 slots are applied in order');
  const next = { ...state, through: slot };
  if (change === null || rules.refusal(state, slot, change) !== null) return next;
  return { ...next, eras: [...state.eras, changed(newestEra(state), rules.inForceFrom(state, slot), change)] };
}

/** One at a time: a change follows the newest epoch, and that is in force where the change is chosen. */
function refusal(state: Configurations, slot: number, change: Change): string | null {
  const { from, configuration, learners } = newestEra(state);
  const { epoch, voters } = configuration;
  if (change.follows !== epoch) return `it follows epoch ${change.follows}, and the newest is ${epoch}`;
  if (slot < from) return `epoch ${epoch} is not in force before slot ${from}`;
  switch (change.type) {
    case 'admit':
      return isAmong([...voters, ...learners], change.learner) ? 'it is admitted' : null;
    case 'promote':
      if (!isAmong(learners, change.learner)) return 'it was not admitted';
      if (voters.some(({ node }) => node === change.learner.node)) return 'another store of its node votes';
      return voters.length >= MAX_VOTERS ? `there are ${MAX_VOTERS} voters` : null;
    case 'remove':
      if (!isAmong([...voters, ...learners], change.voter)) return 'it is no member';
      return voters.every((voter) => isSame(voter, change.voter)) ? 'nobody would be left' : null;
    case 'replace':
      if (!isAmong(voters, change.voter)) return 'it is no voter';
      if (!isAmong(learners, change.learner)) return 'it was not admitted';
      return voters.some((voter) => voter.node === change.learner.node && !isSame(voter, change.voter))
        ? 'another store of its node votes'
        : null;
  }
}

/** Each change makes a new epoch, so that the digest differs from every one before (I3). */
function changed({ configuration, learners }: Era, from: number, change: Change): Era {
  const { voters, epoch } = configuration;
  const incoming = change.type === 'promote' || change.type === 'replace' ? [change.learner] : [];
  const outgoing = change.type === 'remove' || change.type === 'replace' ? [change.voter] : [];
  return {
    from,
    configuration: {
      ...configuration,
      epoch: epoch + 1,
      voters: [...without(voters, outgoing), ...incoming].sort((a, b) => (a.node < b.node ? -1 : 1)),
    },
    learners: [...without(learners, [...incoming, ...outgoing]), ...(change.type === 'admit' ? [change.learner] : [])],
  };
}

const isSame = (a: Voter, b: Voter): boolean => voterId(a) === voterId(b);
const isAmong = (voters: readonly Voter[], voter: Voter): boolean => voters.some((other) => isSame(other, voter));
const without = (voters: readonly Voter[], gone: readonly Voter[]): Voter[] =>
  voters.filter((voter) => !isAmong(gone, voter));
