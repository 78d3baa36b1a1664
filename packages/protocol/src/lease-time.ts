import type { Configuration } from './schemas/configuration.ts';

/** Bounds of any lease. Below 100 ms timers and garbage collection decide instead of clocks (T10). */
export const MIN_LEASE_MS = 100;
export const MAX_LEASE_MS = 3_600_000;

/** The two figures of a configuration that lease arithmetic needs. */
export type Drift = Pick<Configuration, 'maxDriftPpm' | 'guardDivisor'>;

/** Time the owner gives up at the end (T1), ms. */
export const guardMs = (leaseMs: number, drift: Drift): number => Math.max(5, leaseMs / drift.guardDivisor);

/** How long after `requestedAt` a command lets its holder act, on the holder's own clock (T1), ms. */
export const holdMs = (leaseMs: number, drift: Drift): number =>
  leaseMs * (1 - drift.maxDriftPpm / 1e6) - guardMs(leaseMs, drift);

/** How long everybody else waits from the first sight of the command, on the waiter's own clock (T2), ms. */
export const waitMs = (leaseMs: number, drift: Drift): number => leaseMs * (1 + drift.maxDriftPpm / 1e6);
