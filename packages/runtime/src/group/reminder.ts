import type { Clock, TimerHandle } from '@synod/protocol';

export interface ReminderOptions {
  readonly clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  /** How long nothing must have happened, ms. */
  readonly quietMs: () => number;
  readonly remind: () => void;
}

/**
 * Calls `remind` after so long a quiet, and again after each that follows. Who missed the last word before it would otherwise
 * never know: what shows that a word is missing is the next one.
 */
export class Reminder {
  readonly #options: ReminderOptions;
  #lastMs = 0;
  #timer: TimerHandle | null = null;

  constructor(options: ReminderOptions) {
    this.#options = options;
  }

  /** Of one that runs, nothing is changed. */
  start(): void {
    if (this.#timer !== null) return;
    this.noted();
    this.#arm(this.#options.quietMs());
  }

  /** Something happened: the quiet begins anew. */
  noted(): void {
    this.#lastMs = this.#options.clock.now();
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.setTimeout(() => this.#look(), delayMs);
  }

  #look(): void {
    const { clock, quietMs, remind } = this.#options;
    const restMs = this.#lastMs + quietMs() - clock.now();
    // Timers fire up to 1 ms early.
    if (restMs > 1) return this.#arm(restMs);
    this.noted();
    this.#arm(quietMs());
    remind();
  }
}
