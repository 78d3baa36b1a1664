import { type Change, type Era, newestEra, quorumOf, type Voter, type VoterId, voterId } from '@synod/paxos/internal';
import { type Accept, NO_OP, type Prepare, type Promised, type Received, type Value } from '@synod/protocol';
import { accepted, learned, type MemberStore, type MembersRules, planOf, promised } from './members-node.ts';

/**
 * Whether those that are up can still go on from here, by themselves: every message there was is lost, nobody else dies, and
 * everything that is said from now on arrives at once. They ask whoever serves for what they lack, lead one after the other
 * with ballots higher than all before, and fill slots as the rules say, until an accept quorum of the newest
 * configuration has all slots before it; then a command must be chosen. If they come to a state that none of
 * this changes, they are stuck for ever, whatever time brings: what is tried is all there is to try.
 *
 * Asked for only while the dead leave quorums in every configuration that anybody knows: who was switched off because the
 * rules relieve it is none of the dead.
 */
export const stuck = (
  voters: readonly Voter[],
  stores: readonly MemberStore[],
  rules: MembersRules,
  changeOf: (value: Value) => Change | null,
): string | null => new Rescue(voters, stores, rules, changeOf).verdict();

class Rescue {
  readonly #voters: readonly Voter[];
  readonly #rules: MembersRules;
  readonly #changeOf: (value: Value) => Change | null;
  #stores: MemberStore[];
  /** Higher than any ballot of the small world. */
  #round = 1_000;

  constructor(
    voters: readonly Voter[],
    stores: readonly MemberStore[],
    rules: MembersRules,
    changeOf: (value: Value) => Change | null,
  ) {
    this.#voters = voters;
    this.#stores = [...stores];
    this.#rules = rules;
    this.#changeOf = changeOf;
  }

  /** Why they cannot go on, in words; `null` if they can, or if it is too much to ask. */
  verdict(): string | null {
    if (!this.#isOwed()) return null;
    for (;;) {
      this.#catchUp();
      if (!this.#some((at) => this.#chooseNext(at, false))) break;
    }
    const { from, configuration } = this.#newest();
    if (!quorumOf(this.#newest()).isAcceptQuorum(this.#upWith(from - 1)))
      return `stuck for ever: no quorum of epoch ${configuration.epoch} comes to have every slot before ${from}`;
    if (this.#some((at) => this.#chooseNext(at, true))) return null;
    return `stuck for ever: nothing is chosen any more in epoch ${configuration.epoch}`;
  }

  #isOwed(): boolean {
    const living = new Set(this.#voters.filter((_, at) => this.#store(at).status !== 'dead').map(voterId));
    return this.#stores.every(({ configurations: { eras } }) =>
      eras.every((era) => quorumOf(era).isPrepareQuorum(living) && quorumOf(era).isAcceptQuorum(living)),
    );
  }

  /** N2: from the one that has most, of those whose duty it is to tell. */
  #catchUp(): void {
    const serving = this.#stores.filter((store, at) => store.status === 'up' && this.#isOnDuty(at));
    const [most] = serving.sort((a, b) => b.values.length - a.values.length);
    if (!most) return;
    this.#stores = this.#stores.map((store) => {
      let next = store;
      while (next.status === 'up' && next.values.length < most.values.length) {
        const value = most.values[next.values.length] as Value;
        next = learned(next, value, this.#changeOf(value), this.#rules);
      }
      return next;
    });
  }

  /** `at` leads, and the slot after its last is chosen: one that must be filled, or any. */
  #chooseNext(at: number, hasCommand: boolean): boolean {
    const { duties } = this.#rules;
    const self = this.#voters[at] as Voter;
    const leader = this.#store(at);
    if (leader.status !== 'up' || !this.#isOnDuty(at)) return false;
    const { configurations } = leader;
    const slot = configurations.through + 1;
    const ballot = { round: this.#round++, nodeId: self.node, incarnation: 'rescue' };
    const prepare: Received<Prepare> = { type: 'prepare', ballot, fromSlot: slot, from: self.node };
    const promises: [Voter, Received<Promised>][] = [];
    this.#each((store, voter) => {
      const answer = promised(store, voter, prepare, this.#rules);
      if (answer) promises.push([voter, answer.reply]);
      return answer?.store;
    });
    if (!duties.mayPropose(configurations, new Set(promises.map(([voter]) => voterId(voter))), slot)) return false;
    const plan = planOf(leader, self, ballot, promises, this.#rules);
    if (!plan || (slot > Math.max(plan.end, duties.fillThrough(configurations)) && !hasCommand)) return false;
    const value = plan.values.get(slot) ?? NO_OP;
    const accept: Received<Accept> = { type: 'accept', ballot, slot, value, from: self.node };
    const votes = new Set<VoterId>();
    this.#each((store, voter) => {
      const answer = accepted(store, voter, accept, this.#rules);
      if (answer) votes.add(voterId(voter));
      return answer?.store;
    });
    if (!duties.isDecided(configurations, votes, slot)) return false;
    this.#stores[at] = learned(this.#store(at), value, this.#changeOf(value), this.#rules);
    return true;
  }

  #isOnDuty(at: number): boolean {
    const applied = new Map(
      this.#stores.map((store, i) => [voterId(this.#voters[i] as Voter), this.#rules.ports.saysApplied(store)]),
    );
    return !this.#rules.duties.isRelieved(this.#store(at).configurations, this.#voters[at] as Voter, applied);
  }

  #newest(): Era {
    const eras = this.#stores.flatMap(({ status, configurations }) =>
      status === 'up' ? [newestEra(configurations)] : [],
    );
    return eras.reduce((a, b) => (b.from > a.from ? b : a));
  }

  #upWith(through: number): Set<VoterId> {
    const up = this.#voters.filter((_, at) => {
      const { status, values } = this.#store(at);
      return status === 'up' && values.length >= through;
    });
    return new Set(up.map(voterId));
  }

  #some(step: (at: number) => boolean): boolean {
    return this.#voters.some((_, at) => step(at));
  }

  #each(step: (store: MemberStore, voter: Voter) => MemberStore | undefined): void {
    this.#stores = this.#stores.map((store, at) => step(store, this.#voters[at] as Voter) ?? store);
  }

  #store(at: number): MemberStore {
    return this.#stores[at] as MemberStore;
  }
}
