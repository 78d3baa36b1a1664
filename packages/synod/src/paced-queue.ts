import type { Clock, TimerHandle } from '@synod/protocol';

/** How many are handled without a pause. */
const AT_ONCE = 32;

/** Between two runs: what came in meanwhile has its turn. */
const PAUSE_MS = 1;

/**
 * Handles things in the order in which they came: at once, or a while later, and of many together a few at a time, so that
 * messages which somebody waits for pass in between.
 */
export class PacedQueue<T> {
  readonly #handle: (item: T) => void;
  readonly #clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  #waiting: { readonly item: T; readonly dueAtMs: number }[] = [];
  #timer: TimerHandle | null = null;
  /** Handled at once since the last pause. */
  #handled = 0;
  #isClosed = false;

  constructor(handle: (item: T) => void, clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>) {
    this.#handle = handle;
    this.#clock = clock;
  }

  add(item: T, delayMs: number): void {
    if (this.#isClosed) return;
    if (delayMs === 0 && this.#waiting.length === 0 && this.#handled < AT_ONCE) {
      if (this.#handled++ === 0) this.#clock.setTimeout(() => this.#rest(), PAUSE_MS);
      return this.#handle(item);
    }
    this.#waiting.push({ item, dueAtMs: this.#clock.now() + delayMs });
    this.#arm(delayMs);
  }

  /** What waits is not handled any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #rest(): void {
    this.#handled = 0;
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#clock.setTimeout(() => this.#run(), Math.max(PAUSE_MS, delayMs));
  }

  #run(): void {
    this.#timer = null;
    // Timers fire up to 1 ms early.
    const nowMs = this.#clock.now() + 1;
    const due = this.#waiting.slice(0, AT_ONCE).filter(({ dueAtMs }) => dueAtMs <= nowMs);
    this.#waiting.splice(0, due.length);
    for (const { item } of due) this.#handle(item);
    const [next] = this.#waiting;
    if (next) this.#arm(next.dueAtMs - nowMs);
  }
}
