import type { CandidateBounds } from './lease-node.ts';
import type { LogNodeBounds } from './log-node.ts';

// What the nodes of small worlds are made of: the worlds that are explored whole, and those that show a broken rule.

/** ρ of 20 % lets a handful of steps of true time show what drift does; the figures are exact all the same. */
export const DRIFT = { maxDriftPpm: 200_000, guardDivisor: 100 };

/** A voter that does nothing of its own. */
export const node = (name: string, more: Partial<LogNodeBounds> = {}): LogNodeBounds => ({
  node: name,
  ballots: 0,
  commands: 0,
  slots: 1,
  learns: false,
  crashes: false,
  ...more,
});

export const leader = (name: string, more: Partial<LogNodeBounds> = {}): LogNodeBounds =>
  node(name, { ballots: 1, commands: 1, ...more });

/** A candidate with the slowest clock that ρ allows. */
export const slow = (more: Partial<CandidateBounds> = {}): CandidateBounds => ({
  name: 'a',
  rate: 0.8,
  asks: 1,
  renewals: 0,
  ...more,
});

/** A candidate with the fastest. */
export const fast = (more: Partial<CandidateBounds> = {}): CandidateBounds => ({
  ...slow({ name: 'b', rate: 1.2 }),
  ...more,
});
