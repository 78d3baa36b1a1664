import { ConfigError } from '@synod/protocol';

/** The longest that a timer of JavaScript waits, ms, some 24 days: one that is set for longer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Whether somebody would wait for longer than any timer does: then none is set. */
export const isForEver = (ms: number): boolean => ms > LONGEST_MS;

/** @throws ConfigError unless it is a time to wait, `Infinity` included, or left out. */
export function demandTime(name: string, ms: number | undefined): void {
  if (ms === undefined || (typeof ms === 'number' && ms >= 0)) return;
  throw new ConfigError([`${name} is ${ms}: milliseconds, 0 or more`]);
}
