import type { Drain } from '@synod/simulator';

/**
 * Calls back when all promises and microtasks have run dry: Node empties that queue before it takes the next tick. Seven
 * times cheaper than a turn of the event loop.
 */
export const drain: Drain = (then) => queueMicrotask(() => process.nextTick(then));
