import { type Voter, type VoterId, voterId } from '@synod/paxos/internal';
import type { Ballot, NodeId, Promised, Received } from '@synod/protocol';
import { canonical } from './intern.ts';
import { type MemberStore, type MembersRules, type Plan, planOf } from './members-node.ts';

/** One leader: how many of its ballots it has used, and what it does with the last. */
export interface Leader extends Plan {
  readonly used: number;
  readonly mode: 'idle' | 'preparing' | 'leading';
  readonly fromSlot: number;
  /** Whose promises it counted when it took over. */
  readonly promised: readonly VoterId[];
}

export const IDLE = { mode: 'idle', fromSlot: 0, promised: [], values: new Map(), start: 0, end: 0 } as const;

export const ballotOf = (node: NodeId, round: number): Ballot => ({ round, nodeId: node, incarnation: node });

/** A set of voters, a bit for each, and what their promises make of a leader. */
export interface TakeOver {
  readonly counted: number;
  readonly leader: Omit<Leader, 'used'>;
}

/** B2, with any of these promises that suffice for the first slot to be filled: more of them may reach further. */
export function takeOvers(
  store: MemberStore,
  self: Voter,
  ballot: Ballot,
  voters: readonly Voter[],
  promises: readonly (Received<Promised> | null)[],
  rules: MembersRules,
): readonly TakeOver[] {
  const { configurations } = store;
  const found: (TakeOver & { readonly key: string })[] = [];
  for (let mask = (1 << voters.length) - 1; mask > 0; mask--) {
    if (promises.some((promise, i) => promise === null && mask & (1 << i))) continue;
    const counted = voters.flatMap((voter, i) => {
      const promise = mask & (1 << i) ? promises[i] : null;
      return promise ? [[voter, promise] as const] : [];
    });
    const promised = counted.map(([voter]) => voterId(voter));
    if (!rules.duties.mayPropose(configurations, new Set(promised), configurations.through + 1)) continue;
    const plan = planOf(store, self, ballot, counted, rules);
    if (!plan) continue;
    // Whoever counts more of them, and has the same to propose, may do all that this one may.
    const key = canonical(plan);
    if (found.some((more) => more.key === key && (more.counted & mask) === mask)) continue;
    found.push({ counted: mask, leader: { ...plan, mode: 'leading', fromSlot: 0, promised }, key });
  }
  return found;
}
