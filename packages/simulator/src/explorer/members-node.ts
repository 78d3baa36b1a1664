import {
  type AcceptorRules,
  type AcceptorState,
  acceptorRules,
  type Draft,
  freshAcceptor,
  type ProposerRules,
  proposerRules,
} from '@synod/paxos';
import {
  applySlot,
  type Change,
  type Configurations,
  type DutyRules,
  dutyRules,
  initialProposer,
  type MembershipRules,
  membershipRules,
  type Voter,
  voterId,
} from '@synod/paxos/internal';
import {
  type Accept,
  type Accepted,
  type Ballot,
  majority,
  type Prepare,
  type Promised,
  type Received,
  type Value,
} from '@synod/protocol';
import { clock, LEASE_MS, random } from './log-node.ts';

/** The rules a small world plays by in which the members change; a control hands in broken ones. */
export interface MembersRules {
  readonly acceptor: AcceptorRules;
  readonly proposer: ProposerRules;
  readonly membership: MembershipRules;
  readonly duties: DutyRules;
  readonly ports: MembersPorts;
}

/** What stands between the rules and the outside of a node, in place of the runtime. */
export interface MembersPorts {
  /** P6: what a snapshot keeps of the configurations. */
  snapshot(configurations: Configurations): Configurations;
  /** P3: what a store says that it has applied. */
  saysApplied(store: MemberStore): number;
}

export const membersPorts: MembersPorts = {
  snapshot: (configurations) => configurations,
  saysApplied: ({ saved }) => saved,
};

export const membersRules: MembersRules = {
  acceptor: acceptorRules,
  proposer: proposerRules,
  membership: membershipRules,
  duties: dutyRules,
  ports: membersPorts,
};

/** One store: what it has accepted, and what it has learned. A value: each step makes a new one. */
export interface MemberStore {
  readonly acceptor: AcceptorState;
  /** What it has learned, from slot 1 on, and what that makes of the members. */
  readonly values: readonly Value[];
  readonly configurations: Configurations;
  /** Slots up to here are learned in a way that outlives a crash. */
  readonly saved: number;
  /** `relieved`: switched off, because the rules say that nobody needs it any more. */
  readonly status: 'up' | 'dead' | 'relieved';
}

/** What a leader proposes: in the slots that its promises tell of what they tell, then what is new. */
export interface Plan {
  readonly values: ReadonlyMap<number, Value>;
  /** The first slot to propose in, and the last that somebody may have proposed in before. */
  readonly start: number;
  readonly end: number;
}

export const freshStore = (configurations: Configurations): MemberStore => ({
  acceptor: freshAcceptor(),
  values: [],
  configurations,
  saved: 0,
  status: 'up',
});

/** P1, by a store that answers at all. `null`: it says nothing, or no. */
export function promised(store: MemberStore, self: Voter, message: Received<Prepare>, rules: MembersRules) {
  return answered<Received<Promised>>(store, self, rules, 'promise', (acceptor, draft) =>
    rules.acceptor.prepare(acceptor, { storeId: self.storeId, incarnations: 1 }, message, draft),
  );
}

/** P2. */
export function accepted(store: MemberStore, self: Voter, message: Received<Accept>, rules: MembersRules) {
  return answered<Received<Accepted>>(store, self, rules, 'accepted', (acceptor, draft) =>
    rules.acceptor.accept(acceptor, { storeId: self.storeId, incarnations: 1 }, message, draft),
  );
}

/** What is recorded is durable before it is said (P3). A Reject only makes a proposer give up sooner: none is sent. */
function answered<R extends Received<Promised> | Received<Accepted>>(
  store: MemberStore,
  self: Voter,
  { duties }: MembersRules,
  type: R['type'],
  work: (acceptor: AcceptorState, draft: Draft) => void,
): { readonly store: MemberStore; readonly reply: R } | null {
  if (store.status !== 'up' || !duties.answers(store.configurations, self)) return null;
  const acceptor = { ...store.acceptor, accepted: new Map(store.acceptor.accepted) };
  const draft: Draft = { records: [], replies: [] };
  work(acceptor, draft);
  const reply = draft.replies.at(-1)?.message;
  if (reply?.type !== type) return null;
  return { store: { ...store, acceptor }, reply: { ...reply, from: self.node } as R };
}

/** The next slot in order (N1). */
export function learned(store: MemberStore, value: Value, change: Change | null, rules: MembersRules): MemberStore {
  const slot = store.values.length + 1;
  return {
    ...store,
    values: [...store.values, value],
    configurations: applySlot(store.configurations, slot, change, rules.membership),
  };
}

/** N2: what was learned elsewhere, whole. It is durable before it is put in place, and the slots are trimmed (P6). */
export function restored(store: MemberStore, from: MemberStore, rules: MembersRules): MemberStore {
  const through = from.values.length;
  const acceptor = { ...store.acceptor, accepted: new Map(store.acceptor.accepted) };
  rules.acceptor.trim(acceptor, through);
  const configurations = rules.ports.snapshot(from.configurations);
  return { ...store, acceptor, values: from.values, configurations, saved: through };
}

/** B2, with these promises. `null`: slots are to be fetched first. */
export function planOf(
  store: MemberStore,
  self: Voter,
  ballot: Ballot,
  promises: readonly (readonly [Voter, Received<Promised>])[],
  { proposer }: MembersRules,
): Plan | null {
  const voters = promises.map(([voter]) => voterId(voter));
  const { through } = store.configurations;
  const input = {
    self: self.node,
    incarnation: ballot.incarnation,
    leaseMs: () => LEASE_MS,
    clock,
    random,
    quorum: majority(voters),
    lastRound: ballot.round,
    learned: () => ({ through, known: through }),
    isMaster: () => false,
  };
  const state = initialProposer(input);
  state.ballot = ballot;
  state.fromSlot = promises[0]?.[1].fromSlot ?? through + 1;
  for (const [voter, message] of promises) proposer.notePromise(state, input, { ...message, from: voterId(voter) });
  if (proposer.base(state) > through) return null;
  proposer.takeOver(state);
  const values = Array.from(state.backlog.values(), ({ slot, value }) => [slot, value] as const);
  return { values: new Map(values), start: state.backlogNext, end: state.backlogEnd };
}
