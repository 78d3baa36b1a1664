import { randomBytes } from 'node:crypto';
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Clock, Random } from '@synod/protocol';

/** The clocks of this machine. Timers keep no process alive that has nothing else to do: the connection does that. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: Date.now,
  bootNow: () => uptime() * 1000,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout | undefined),
};

export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomBytes(12).toString('base64url'),
};

/** An instant of {@link systemClock} on the clock of `process.hrtime.bigint()`: the same clock, with another origin. */
export const monotonicNs = (atMs: number): bigint => ORIGIN_NS + BigInt(Math.ceil(atMs * 1e6));

/** A pause between the two readings makes the origin seem earlier than it is: the latest of several is the right one. */
function originNs(): bigint {
  const read = (): bigint => process.hrtime.bigint() - BigInt(Math.round(systemClock.now() * 1e6));
  const origins = Array.from({ length: 5 }, read).sort((a, b) => (a < b ? -1 : 1));
  return origins.at(-1) as bigint;
}

const ORIGIN_NS = originNs();
