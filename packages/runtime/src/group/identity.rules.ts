import type { Claim } from '@synod/protocol';

/** What a live process says of itself (I1). */
export type Life = Omit<Claim, 'type'>;

/** Least time a node asks on its own subject before it votes or asks, ms (I1). */
export const MIN_CLAIM_MS = 20;

/**
 * How long to wait for an answer of another life of this node: four round trips, 20 ms at least (I1), and no longer than a
 * lease: a process that was stopped while it measured would hold itself back for many.
 */
export const claimWaitMs = (roundTripMs: number, leaseMs: number): number =>
  Math.max(MIN_CLAIM_MS, Math.min(4 * roundTripMs, leaseMs));

/**
 * Of two lives that meet, which one leaves (I1): the one whose store is unknown to the configuration; if both are known or
 * both unknown, the one that joined last. Ages are durations, which two clocks may compare; but one of them is as old as its
 * message, so within a lease of each other they count as equal and the ids decide, the same at both sides.
 */
export function mustLeave(own: Life, other: Life, leaseMs: number): boolean {
  if (own.isKnown !== other.isKnown) return !own.isKnown;
  if (Math.abs(own.ageMs - other.ageMs) > leaseMs) return own.ageMs < other.ageMs;
  return own.incarnation > other.incarnation;
}
