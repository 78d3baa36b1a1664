import { randomBytes } from 'node:crypto';
import { uptime } from 'node:os';
import type { Clock, Random } from '@synod/protocol';

/** The clocks of this machine. Timers keep no process alive that has nothing else to do: the connection does that. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  bootNow: () => uptime() * 1000,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout | undefined),
};

export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomBytes(12).toString('base64url'),
};
