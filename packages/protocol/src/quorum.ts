import type { NodeId } from './node-id.ts';

/**
 * Which sets of voters may decide. Every prepare quorum meets every accept quorum; that is checked when a system is built,
 * never assumed. Voters are counted in a set of ids, never as a number of replies.
 * @see Gifford 1979; Howard, Malkhi, Spiegelman, Flexible Paxos
 */
export interface QuorumSystem {
  /** Stands in the configuration and its digest: two systems of the same name and voters are the same. */
  readonly name: string;
  readonly voters: ReadonlySet<NodeId>;
  isPrepareQuorum(voters: ReadonlySet<NodeId>): boolean;
  isAcceptQuorum(voters: ReadonlySet<NodeId>): boolean;
}

/** More than half of the voters, for both phases. */
export function majority(voters: Iterable<NodeId>): QuorumSystem {
  const all = new Set(voters);
  const isMajority = (set: ReadonlySet<NodeId>): boolean => 2 * countMembers(set, all) > all.size;
  return checkedQuorumSystem({
    name: 'majority',
    voters: all,
    isPrepareQuorum: isMajority,
    isAcceptQuorum: isMajority,
  });
}

/** The most voters for which all pairs of sets are tried: 2^9 sets, their complements, a few thousand calls. */
const MAX_VOTERS = 9;

/**
 * Gives back `system` once it is shown that every prepare quorum meets every accept quorum.
 *
 * It is enough to try each set against its complement: if two quorums missed each other, the second would lie in the
 * complement of the first, and a superset of a quorum is a quorum.
 * @throws RangeError naming two quorums that miss each other, or a system that no set of voters satisfies.
 */
export function checkedQuorumSystem(system: QuorumSystem): QuorumSystem {
  const voters = [...system.voters];
  if (voters.length === 0) throw new RangeError('a quorum system needs at least one voter');
  if (voters.length > MAX_VOTERS) throw new RangeError(`${voters.length} voters: at most ${MAX_VOTERS} are supported`);
  const all = new Set(voters);
  if (!system.isPrepareQuorum(all) || !system.isAcceptQuorum(all)) {
    throw new RangeError(`quorum system ${system.name}: not even all voters together are a quorum`);
  }
  for (let bits = 0; bits < 2 ** voters.length; bits++) {
    const inside = new Set(voters.filter((_, i) => bits & (1 << i)));
    if (!system.isPrepareQuorum(inside)) continue;
    const outside = new Set(voters.filter((_, i) => !(bits & (1 << i))));
    if (system.isAcceptQuorum(outside)) {
      throw new RangeError(
        `quorum system ${system.name}: prepare quorum {${[...inside]}} and accept quorum {${[...outside]}} do not meet`,
      );
    }
  }
  return system;
}

const countMembers = (set: ReadonlySet<NodeId>, all: ReadonlySet<NodeId>): number => {
  let count = 0;
  for (const id of set) if (all.has(id)) count++;
  return count;
};
