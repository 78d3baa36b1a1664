import {
  type Change,
  type Configurations,
  eraOf,
  formedAs,
  newestEra,
  quorumOf,
  type Voter,
  type VoterId,
  voterId,
} from '@synod/paxos/internal';
import {
  type Accept,
  type Configuration,
  NO_OP,
  type Prepare,
  type Promised,
  type Received,
  type Value,
} from '@synod/protocol';
import type { Model } from './explore.ts';
import { canonical, Interner } from './intern.ts';
import { textOf } from './log-node.ts';
import {
  ACCEPT,
  codeOf,
  DIE,
  inWords,
  LEARN,
  nameOf,
  PREPARE,
  PROMISE,
  PROPOSE,
  RELIEVE,
  RESTART,
  RESTORE,
  SAVE,
  TAKE_OVER,
} from './members-actions.ts';
import { isVoter, type MembersBounds, MembersLayout } from './members-bounds.ts';
import { ballotOf, IDLE, type Leader, takeOvers } from './members-leader.ts';
import {
  accepted,
  freshStore,
  learned,
  type MemberStore,
  type MembersRules,
  membersRules,
  promised,
  restored,
} from './members-node.ts';
import { stuck } from './members-rescue.ts';

type Go = (action: number, broken?: string | null) => void;

/**
 * The log in small while its members change (section 8): acceptors that answer by production's rules, leaders that take over by
 * them (B2), and the rules that say which configuration a slot has and what that asks of whom. Production's proposer and
 * learner are not here whole: they count by one quorum system, and their window is 32. A leader's steps are these: prepare with
 * its next ballot; take over with any promises that suffice for its next slot; propose there, and beyond as far as it may.
 *
 * What was sent stays sent, as in the world of the log: whatever may come may come at any time, again, or never. A slot is
 * learned from the acceptors' answers, which stay too (N4): so whatever a leader or catch-up could tell is told. A Prepare that is heard when
 * its leader has taken over, or given up, is left out: that only makes a store refuse what may as well be lost.
 */
export class MembersWorld implements Model {
  readonly name: string;
  readonly width: number;
  readonly #bounds: MembersBounds;
  readonly #rules: MembersRules;
  readonly #at: MembersLayout;
  readonly #stores = new Interner<MemberStore>(canonical);
  readonly #leaders = new Interner<Leader>(canonical);
  readonly #promises = new Interner<Received<Promised> | null>(canonical);
  readonly #values = new Interner<Value | null>((value) => (value ? textOf(value) : 'none'));
  readonly #eras = new Interner<Configuration | null>(canonical);
  /** What follows from the parts of a state, by their numbers: it is worked out once. */
  readonly #known = new Map<string, unknown>();
  readonly #first: Configurations;

  constructor(bounds: MembersBounds, rules: MembersRules = membersRules) {
    this.name = bounds.name;
    this.#bounds = bounds;
    this.#rules = rules;
    this.#at = new MembersLayout(bounds);
    this.width = this.#at.width;
    for (const none of [this.#promises, this.#values, this.#eras]) none.id(null);
    const { voters, learners, distance } = bounds;
    const shape = { quorum: 'majority', maxDriftPpm: 10_000, guardDivisor: 100, firstPosition: 1 } as const;
    this.#first = formedAs({ group: 'g', epoch: 0, voters: [...voters], ...shape }, distance, learners);
  }

  initial(): Uint32Array {
    const row = new Uint32Array(this.width);
    row.fill(this.#stores.id(freshStore(this.#first)), 0, this.#at.voters.length);
    this.#at.leaders.forEach((_, leader) => {
      row[this.#at.leaderAt(leader)] = this.#leaders.id({ ...IDLE, used: 0 });
    });
    return row;
  }

  expand(row: Uint32Array, reach: (next: Uint32Array, action: number, broken?: string | null) => void): void {
    const next = new Uint32Array(row);
    const go: Go = (action, broken = null) => {
      reach(next, action, broken);
      next.set(row);
    };
    this.#at.voters.forEach((_, at) => {
      if (this.#store(row, at).status !== 'up') return;
      this.#promise(row, next, at, go);
      this.#accept(row, next, at, go);
      if (this.#gainsByLearning(row, at)) this.#learn(row, next, at, go);
      this.#fail(row, next, at, go);
    });
    this.#at.leaders.forEach((self, leader) => {
      const at = this.#at.voters.indexOf(self);
      if (this.#store(row, at).status === 'up') this.#lead(row, next, leader, at, go);
    });
  }

  check(row: Uint32Array): string | null {
    if (!this.#bounds.mustGoOn) return null;
    const { voters } = this.#at;
    return this.#once(`stuck ${row.subarray(0, voters.length)}`, () => {
      const stores = voters.map((_, at) => this.#store(row, at));
      return stuck(voters, stores, this.#rules, (value) => this.#changeOf(value));
    });
  }

  describe(action: number): string {
    return inWords(action, this.#at, (id) => this.#values.get(id) ?? NO_OP);
  }

  /** P1, by whoever answers, to a leader that still waits. */
  #promise(row: Uint32Array, next: Uint32Array, at: number, go: Go): void {
    const self = this.#at.voters[at] as Voter;
    this.#at.leaders.forEach(({ node }, leader) => {
      const { mode, used, fromSlot } = this.#leader(row, leader);
      if (mode !== 'preparing' || row[this.#at.promiseAt(leader, at)] !== 0) return;
      const round = this.#round(leader, used);
      const outcome = this.#once(`promise ${at} ${row[at]} ${round} ${fromSlot}`, () => {
        const prepare: Received<Prepare> = { type: 'prepare', ballot: ballotOf(node, round), fromSlot, from: node };
        const answer = promised(this.#store(row, at), self, prepare, this.#rules);
        return answer && { store: this.#stores.id(answer.store), promise: this.#promises.id(answer.reply) };
      });
      if (!outcome) return;
      next[at] = outcome.store;
      next[this.#at.promiseAt(leader, at)] = outcome.promise;
      go(codeOf(PROMISE, at, round));
    });
  }

  /** P2. */
  #accept(row: Uint32Array, next: Uint32Array, at: number, go: Go): void {
    const self = this.#at.voters[at] as Voter;
    this.#eachProposal(row, (round, slot, id) => {
      const votesAt = this.#at.votesAt(round, slot);
      const votes = row[votesAt] as number;
      if (votes & (1 << at)) return;
      const store = this.#once(`accept ${at} ${row[at]} ${round} ${slot} ${id}`, () => {
        const { node } = this.#bounds.ballots[round - 1] as Voter;
        const value = this.#values.get(id) as Value;
        const accept: Received<Accept> = { type: 'accept', ballot: ballotOf(node, round), slot, value, from: node };
        const answer = accepted(this.#store(row, at), self, accept, this.#rules);
        return answer && this.#stores.id(answer.store);
      });
      if (store === null) return;
      next[at] = store;
      next[votesAt] = votes | (1 << at);
      go(
        codeOf(ACCEPT, at, round, slot),
        this.#chosenIn(next, slot).size > 1 ? `S1: slot ${slot} is chosen with two values` : null,
      );
    });
  }

  /** Who leads no more, and answers, could only stop answering: that is like hearing nothing. */
  #gainsByLearning(row: Uint32Array, at: number): boolean {
    const self = this.#at.voters[at] as Voter;
    if (!this.#bounds.learn.some((voter) => isVoter(voter, self))) return false;
    const leader = this.#at.leaders.indexOf(self);
    if (this.#bounds.mustGoOn || (leader >= 0 && !this.#isDone(row, leader))) return true;
    return this.#once(
      `silent ${at} ${row[at]}`,
      () => !this.#rules.duties.answers(this.#store(row, at).configurations, self),
    );
  }

  #isDone(row: Uint32Array, leader: number): boolean {
    const { mode, used } = this.#leader(row, leader);
    return mode === 'idle' && used === this.#at.rounds[leader]?.length;
  }

  /** N1: the next slot, as acceptors tell of it; or all that somebody has, in a snapshot. */
  #learn(row: Uint32Array, next: Uint32Array, at: number, go: Go): void {
    const { restarts = 0, snapshots = false } = this.#bounds;
    const store = this.#store(row, at);
    const slot = store.values.length + 1;
    this.#eachProposal(row, (round, other, id) => {
      if (other !== slot || !this.#counts(row, at, round, slot)) return;
      next[at] = this.#once(`learn ${row[at]} ${id}`, () => {
        const after = this.#learned(store, this.#values.get(id) as Value);
        return this.#stores.id(restarts > 0 ? after : { ...after, saved: slot });
      });
      const broken = this.#useEra(next, row[at] as number, slot);
      const isChosen = this.#chosenIn(next, slot).has(id);
      go(
        codeOf(LEARN, at, round, slot),
        broken ??
          (isChosen
            ? null
            : `B3: ${nameOf(this.#at.voters[at] as Voter)} takes slot ${slot} for chosen, which it is not`),
      );
    });
    if (!snapshots) return;
    this.#at.voters.forEach((_, other) => {
      const from = this.#store(row, other);
      if (from.values.length < slot || from.status !== 'up') return;
      next[at] = this.#once(`restore ${row[at]} ${row[other]}`, () =>
        this.#stores.id(restored(store, from, this.#rules)),
      );
      go(codeOf(RESTORE, at, other));
    });
  }

  #fail(row: Uint32Array, next: Uint32Array, at: number, go: Go): void {
    const { mortal = [], restarts = 0, mustGoOn = false } = this.#bounds;
    const self = this.#at.voters[at] as Voter;
    const store = this.#store(row, at);
    const faults = row[this.#at.faultsAt] as number;
    const become = (store: MemberStore, action: number): void => {
      next[at] = this.#stores.id(store);
      go(codeOf(action, at));
    };
    if (store.saved < store.values.length) {
      become({ ...store, saved: store.values.length }, SAVE);
      if (faults >>> 8 < restarts) {
        next[this.#at.faultsAt] = faults + 0x100;
        const leader = this.#at.leaders.indexOf(self);
        if (leader >= 0) this.#become(next, leader, this.#idle(this.#leader(row, leader).used));
        const empty = { ...store, values: [], configurations: this.#first };
        become(
          store.values.slice(0, store.saved).reduce<MemberStore>((so, value) => this.#learned(so, value), empty),
          RESTART,
        );
      }
    }
    if ((faults & 0xff) === 0 && mortal.some((voter) => isVoter(voter, self))) {
      next[this.#at.faultsAt] = faults + 1;
      become({ ...store, status: 'dead' }, DIE);
    }
    if (mustGoOn && this.#isRelieved(row, at)) become({ ...store, status: 'relieved' }, RELIEVE);
  }

  /** Who once voted, and is told that nobody needs it any more. */
  #isRelieved(row: Uint32Array, at: number): boolean {
    const { voters } = this.#at;
    const self = voters[at] as Voter;
    const { configurations } = this.#store(row, at);
    if (!configurations.eras.some(({ configuration }) => configuration.voters.some((voter) => isVoter(voter, self))))
      return false;
    const { duties, ports } = this.#rules;
    const applied = voters.map((voter, i) => [voterId(voter), ports.saysApplied(this.#store(row, i))] as const);
    return duties.isRelieved(configurations, self, new Map(applied));
  }

  #lead(row: Uint32Array, next: Uint32Array, leader: number, at: number, go: Go): void {
    const self = this.#at.voters[at] as Voter;
    const { configurations } = this.#store(row, at);
    const { used, mode } = this.#leader(row, leader);
    if (used < (this.#at.rounds[leader] as readonly number[]).length) {
      const fromSlot = configurations.through + 1;
      const prepares = () => this.#leaders.id({ ...IDLE, used: used + 1, mode: 'preparing', fromSlot });
      this.#become(next, leader, this.#once(`prepare ${used} ${fromSlot}`, prepares));
      go(codeOf(PREPARE, leader, this.#round(leader, used + 1)));
    }
    if (mode === 'leading') this.#propose(row, next, leader, at, go);
    if (mode !== 'preparing') return;
    const promises = this.#at.voters.map((_, i) => row[this.#at.promiseAt(leader, i)] as number);
    const outcomes = this.#once(`take over ${at} ${row[at]} ${used} ${promises}`, () => {
      const ballot = ballotOf(self.node, this.#round(leader, used));
      const told = promises.map((id) => this.#promises.get(id));
      const found = takeOvers(this.#store(row, at), self, ballot, this.#at.voters, told, this.#rules);
      return found.map(({ counted, leader }) => ({ counted, id: this.#leaders.id({ ...leader, used }) }));
    });
    for (const { counted, id } of outcomes) {
      this.#become(next, leader, id);
      go(codeOf(TAKE_OVER, leader, counted));
    }
  }

  /** B3: as far as the window reaches, in slots whose quorum has promised. */
  #propose(row: Uint32Array, next: Uint32Array, leader: number, at: number, go: Go): void {
    const { slots, distance, changes, changers } = this.#bounds;
    const self = this.#at.voters[at] as Voter;
    const state = this.#leader(row, leader);
    const { configurations } = this.#store(row, at);
    const slot = Math.max(state.start, configurations.through + 1);
    if (slot > Math.min(slots, configurations.through + distance)) return;
    const mayPropose = this.#once(`may propose ${row[at]} ${row[this.#at.leaderAt(leader)]}`, () =>
      this.#rules.duties.mayPropose(configurations, new Set(state.promised), slot),
    );
    if (!mayPropose) return;
    const round = this.#round(leader, state.used);
    // Who has proposed all there is does nothing more.
    const after = this.#once(`proposed ${row[this.#at.leaderAt(leader)]} ${slot}`, () => {
      if (slot === slots) return this.#idle(state.used);
      const values = new Map([...state.values].filter(([other]) => other > slot));
      return this.#leaders.id({ ...state, start: slot + 1, values });
    });
    const propose = (value: Value): void => {
      const id = this.#values.id(value);
      const proposalAt = this.#at.proposalAt(round, slot);
      const isAnother = row[proposalAt] !== 0 && row[proposalAt] !== id;
      next[proposalAt] = id;
      next[this.#at.leaderAt(leader)] = after;
      const broken = this.#useEra(next, row[at] as number, slot);
      go(
        codeOf(PROPOSE, leader, slot, id),
        isAnother ? `B2: two values are proposed at slot ${slot}, ballot ${round}` : broken,
      );
    };
    if (slot <= state.end) return propose(state.values.get(slot) ?? NO_OP);
    const { epoch } = newestEra(configurations).configuration;
    const wished = changers.some((voter) => isVoter(voter, self))
      ? changes.flatMap(({ follows }, i) => (follows === epoch ? [i] : []))
      : [];
    for (const change of wished) propose(Uint8Array.of(1, change));
    if (wished.length === 0) propose(Uint8Array.of(2, round));
  }

  /** A slot has one configuration for ever: whoever proposes or counts in it does so by the same. */
  #useEra(row: Uint32Array, was: number, slot: number): string | null {
    const id = this.#once(`era ${was} ${slot}`, () =>
      this.#eras.id(eraOf(this.#stores.get(was).configurations, slot).configuration),
    );
    const before = row[this.#at.eraAt(slot)] as number;
    row[this.#at.eraAt(slot)] = id;
    return before === 0 || before === id ? null : `section 8: slot ${slot} has two configurations`;
  }

  #counts(row: Uint32Array, at: number, round: number, slot: number): boolean {
    const votes = row[this.#at.votesAt(round, slot)] as number;
    return this.#once(`counts ${row[at]} ${votes} ${slot}`, () =>
      this.#rules.duties.isDecided(this.#store(row, at).configurations, this.#idsOf(votes), slot),
    );
  }

  /** What an accept quorum of the slot's configuration has accepted at one ballot. */
  #chosenIn(row: Uint32Array, slot: number): ReadonlySet<number> {
    const chosen = new Set<number>();
    const era = row[this.#at.eraAt(slot)] as number;
    this.#eachProposal(row, (round, other, id) => {
      const votes = row[this.#at.votesAt(round, slot)] as number;
      if (other !== slot || votes === 0 || chosen.has(id)) return;
      const isQuorum = this.#once(`quorum ${era} ${votes}`, () => {
        const configuration = this.#eras.get(era) as Configuration;
        return quorumOf({ from: 0, configuration, learners: [] }).isAcceptQuorum(this.#idsOf(votes));
      });
      if (isQuorum) chosen.add(id);
    });
    return chosen;
  }

  #eachProposal(row: Uint32Array, visit: (round: number, slot: number, id: number) => void): void {
    for (let round = 1; round <= this.#bounds.ballots.length; round++) {
      for (let slot = 1; slot <= this.#bounds.slots; slot++) {
        const id = row[this.#at.proposalAt(round, slot)] as number;
        if (id !== 0) visit(round, slot, id);
      }
    }
  }

  #idle(used: number): number {
    return this.#once(`idle ${used}`, () => this.#leaders.id({ ...IDLE, used }));
  }

  /** Promises to a ballot that is not prepared with any more are of no use: none is used twice (B2). */
  #become(row: Uint32Array, leader: number, id: number): void {
    row[this.#at.leaderAt(leader)] = id;
    const promises = this.#at.promiseAt(leader, 0);
    row.fill(0, promises, promises + this.#at.voters.length);
  }

  #learned(store: MemberStore, value: Value): MemberStore {
    return learned(store, value, this.#changeOf(value), this.#rules);
  }

  #changeOf(value: Value): Change | null {
    return value[0] === 1 ? (this.#bounds.changes[value[1] as number] ?? null) : null;
  }

  #idsOf(mask: number): Set<VoterId> {
    return new Set(this.#at.voters.flatMap((voter, i) => (mask & (1 << i) ? [voterId(voter)] : [])));
  }

  #round(leader: number, used: number): number {
    return this.#at.rounds[leader]?.[used - 1] ?? 0;
  }

  #store(row: Uint32Array, at: number): MemberStore {
    return this.#stores.get(row[at] as number);
  }

  #leader(row: Uint32Array, leader: number): Leader {
    return this.#leaders.get(row[this.#at.leaderAt(leader)] as number);
  }

  #once<T>(key: string, work: () => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known as T;
    const result = work();
    this.#known.set(key, result);
    return result;
  }
}
