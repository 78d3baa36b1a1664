import type { Clock, TimerHandle } from '@synod/protocol';

/** How many are handled without a pause. */
const AT_ONCE = 32;

/** Between two runs: what came in meanwhile has its turn. */
const PAUSE_MS = 1;

export interface PacedQueueOptions<T> {
  readonly handle: (item: T) => void;
  readonly clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  /** What is due no later than so long after the first goes with it. Default 0. */
  readonly companyMs?: number;
}

/**
 * Handles things in the order in which they came: at once, or a while later, and of many together a few at a time, so that
 * messages which somebody waits for pass in between.
 */
export class PacedQueue<T> {
  readonly #options: PacedQueueOptions<T>;
  #waiting: { readonly item: T; readonly dueAtMs: number }[] = [];
  #timer: TimerHandle | null = null;
  /** Handled at once since the last pause. */
  #handled = 0;
  #pausesAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: PacedQueueOptions<T>) {
    this.#options = options;
  }

  add(item: T, delayMs: number): void {
    if (this.#isClosed) return;
    const { handle, clock } = this.#options;
    const nowMs = clock.now();
    if (delayMs === 0 && this.#waiting.length === 0 && this.#hasRoom(nowMs)) return handle(item);
    this.#waiting.push({ item, dueAtMs: nowMs + delayMs });
    this.#arm(delayMs);
  }

  /** What waits is not handled any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** No timer for it: one after each would be most of what a quiet queue does. */
  #hasRoom(nowMs: number): boolean {
    if (nowMs >= this.#pausesAtMs) {
      this.#handled = 0;
      this.#pausesAtMs = nowMs + PAUSE_MS;
    }
    return this.#handled++ < AT_ONCE;
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#options.clock.setTimeout(() => this.#run(), Math.max(PAUSE_MS, delayMs));
  }

  #run(): void {
    this.#timer = null;
    const { handle, clock, companyMs = 0 } = this.#options;
    // Timers fire up to 1 ms early.
    const nowMs = clock.now() + 1;
    const due = this.#waiting.findIndex(({ dueAtMs }, i) => i === AT_ONCE || dueAtMs > nowMs + companyMs);
    for (const { item } of this.#waiting.splice(0, due < 0 ? this.#waiting.length : due)) handle(item);
    const [next] = this.#waiting;
    if (next) this.#arm(next.dueAtMs - nowMs);
  }
}
