/**
 * Whole milliseconds, rounded up, two at least: a timer may fire 1 ms early, and one that is set again for less could go on
 * doing so at one instant.
 */
export const whole = (ms: number): number => Math.min(MAX_DELAY_MS, Math.max(2, Math.ceil(ms)));

/** A longer delay fires at once; this one wakes and is set again. */
const MAX_DELAY_MS = 2 ** 31 - 1;
