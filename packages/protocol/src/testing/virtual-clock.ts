import type { Clock, TimerHandle } from '../ports/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly callback: () => void;
  isCancelled: boolean;
}

/**
 * Time that moves only when told to. Timers fire in order of time, then of creation, each at exactly its instant.
 * A heap by (time, sequence): a clock that sorts all timers at each step is what makes simulations slow.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #bootOffsetMs = 0;
  #sequence = 0;
  readonly #heap: Timer[] = [];

  constructor(options: { nowMs?: number; wallMs?: number } = {}) {
    this.#nowMs = options.nowMs ?? 1_000;
    this.#wallOffsetMs = (options.wallMs ?? 1_800_000_000_000) - this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  bootNow(): number {
    return this.#nowMs + this.#bootOffsetMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer: Timer = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      callback,
      isCancelled: false,
    };
    push(this.#heap, timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    if (handle) (handle as Timer).isCancelled = true;
  }

  /** Moves the wall clock alone, as an operator or a time daemon does. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** The machine sleeps: the monotonic clock stands still, wall and boot clock go on (T9). */
  suspend(forMs: number): void {
    this.#wallOffsetMs += forMs;
    this.#bootOffsetMs += forMs;
  }

  /** Time passes and no timer fires: a blocked event loop, a stopped process. The next advance fires what is overdue. */
  stall(forMs: number): void {
    this.#nowMs += forMs;
  }

  /** Instant of the next timer, or `undefined`. */
  nextAtMs(): number | undefined {
    while (this.#heap[0]?.isCancelled) pop(this.#heap);
    return this.#heap[0]?.atMs;
  }

  /** Lets `byMs` pass, firing each timer at its instant; promises are not waited for. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let atMs = this.nextAtMs(); atMs !== undefined && atMs <= untilMs; atMs = this.nextAtMs()) this.#fire();
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** As {@link advance}, and between timers all promises and microtasks run dry. */
  async advanceAsync(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let atMs = this.nextAtMs(); atMs !== undefined && atMs <= untilMs; atMs = this.nextAtMs()) {
      this.#fire();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #fire(): void {
    const timer = pop(this.#heap);
    if (!timer || timer.isCancelled) return;
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    timer.callback();
  }
}

/** Runs all promises and microtasks dry. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

function push(heap: Timer[], timer: Timer): void {
  let child = heap.push(timer) - 1;
  while (child > 0) {
    const parent = (child - 1) >> 1;
    if (!isBefore(timer, heap[parent] as Timer)) break;
    heap[child] = heap[parent] as Timer;
    child = parent;
  }
  heap[child] = timer;
}

function pop(heap: Timer[]): Timer | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!first || !last || heap.length === 0) return first;
  let parent = 0;
  for (let child = 1; child < heap.length; child = 2 * parent + 1) {
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++;
    if (!isBefore(heap[child] as Timer, last)) break;
    heap[parent] = heap[child] as Timer;
    parent = child;
  }
  heap[parent] = last;
  return first;
}
