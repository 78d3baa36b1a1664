import { type Change, type Voter, voterId } from '@synod/paxos/internal';

/** How large a small world is in which the members change. */
export interface MembersBounds {
  readonly name: string;
  readonly voters: readonly Voter[];
  /** Stores that come in: admitted already. */
  readonly learners?: readonly Voter[];
  /** From the slot in which a change is chosen to the one where it takes effect, and how far proposals reach ahead (B3). */
  readonly distance: number;
  /** Nothing is proposed beyond. */
  readonly slots: number;
  readonly changes: readonly Change[];
  /** Who asks for changes, when it leads: for one that follows the newest epoch it knows, if there is one. */
  readonly changers: readonly Voter[];
  /** Whose the ballots are, from the lowest to the highest: each leader uses its own once, in order. */
  readonly ballots: readonly Voter[];
  /** Who learns. A voter that does not only answers for longer than it might. */
  readonly learn: readonly Voter[];
  /** Stores of which one may die, at any moment, for good. */
  readonly mortal?: readonly Voter[];
  /** Restarts of stores that learn: what was learned and not saved is gone. If there are none, all is saved at once. */
  readonly restarts?: number;
  /** Whoever learns may be given a snapshot instead. */
  readonly snapshots?: boolean;
  /** Whether those that are left must be able to go on, in every state: see {@link stuck}. */
  readonly mustGoOn?: boolean;
}

export const isVoter = (a: Voter, b: Voter): boolean => voterId(a) === voterId(b);

/** Where the parts of a state stand in its row. */
export class MembersLayout {
  /** Voters, then learners: a store for each. */
  readonly voters: readonly Voter[];
  readonly leaders: readonly Voter[];
  /** Ballots of each leader, growing. */
  readonly rounds: readonly (readonly number[])[];
  readonly width: number;
  /** Deaths, then restarts. */
  readonly faultsAt: number;
  readonly #leadersAt: number;
  readonly #erasAt: number;
  readonly #promisesAt: number;
  readonly #proposalsAt: number;
  readonly #votesAt: number;
  readonly #slots: number;

  constructor({ voters, learners = [], ballots, slots }: MembersBounds) {
    this.voters = [...voters, ...learners];
    this.leaders = this.voters.filter((voter) => ballots.some((other) => isVoter(other, voter)));
    this.rounds = this.leaders.map((self) => ballots.flatMap((voter, i) => (isVoter(voter, self) ? [i + 1] : [])));
    this.#slots = slots;
    this.#leadersAt = this.voters.length;
    this.#erasAt = this.#leadersAt + this.leaders.length;
    this.#promisesAt = this.#erasAt + slots;
    this.#proposalsAt = this.#promisesAt + this.leaders.length * this.voters.length;
    this.#votesAt = this.#proposalsAt + ballots.length * slots;
    this.faultsAt = this.#votesAt + ballots.length * slots;
    this.width = this.faultsAt + 1;
  }

  leaderAt(leader: number): number {
    return this.#leadersAt + leader;
  }

  /** The configuration that somebody has proposed or counted by in a slot. */
  eraAt(slot: number): number {
    return this.#erasAt + slot - 1;
  }

  /** What a store has promised to a leader that prepares, with its present ballot. */
  promiseAt(leader: number, store: number): number {
    return this.#promisesAt + leader * this.voters.length + store;
  }

  /** What is proposed in a slot with a ballot: B2 lets it be one value. */
  proposalAt(round: number, slot: number): number {
    return this.#proposalsAt + (round - 1) * this.#slots + slot - 1;
  }

  /** Which stores have said that they accepted it, a bit for each. */
  votesAt(round: number, slot: number): number {
    return this.#votesAt + (round - 1) * this.#slots + slot - 1;
  }
}
