import type { Drain } from '@synod/simulator';

/**
 * Calls back when all promises and microtasks have run dry: Node empties that queue before it takes the next tick. Seven
 * times cheaper than a turn of the event loop.
 */
export const drain: Drain = (then) => void soon.then(() => process.nextTick(then));

/** As `queueMicrotask`, at a third of its price: that keeps a context for each call. */
const soon: Promise<void> = Promise.resolve();
