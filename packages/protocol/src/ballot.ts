import type { Incarnation, NodeId } from './node-id.ts';

/**
 * One attempt to lead the log. Ordered by `round`, then `nodeId`, then `incarnation`, so that no two proposers, and no two
 * lives of one proposer, share a ballot.
 * @see Paxos Made Simple §2.2, "proposal number"
 */
export interface Ballot {
  /** Safe integer from 1 to {@link MAX_ROUND}; 0 only in {@link NO_BALLOT}. */
  readonly round: number;
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
}

/** Rounds are bounded, so that a hostile or broken node cannot use them up (fault 21). */
export const MAX_ROUND = 2 ** 48;

/** Lower than every ballot of a node: what an acceptor has promised before its first Prepare. */
export const NO_BALLOT: Ballot = { round: 0, nodeId: '', incarnation: '' };

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export const compareBallots = (a: Ballot, b: Ballot): number =>
  a === b ? 0 : a.round - b.round || compareText(a.nodeId, b.nodeId) || compareText(a.incarnation, b.incarnation);

/** B4: an answer counts only for exactly the ballot it names. */
export const isSameBallot = (a: Ballot, b: Ballot): boolean =>
  a === b || (a.round === b.round && a.nodeId === b.nodeId && a.incarnation === b.incarnation);

/** For logs and errors: `3.n1`. */
export const formatBallot = (ballot: Ballot): string => `${ballot.round}.${ballot.nodeId || '-'}`;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
