/** Nothing is held: the watchdog sleeps. */
const NEVER = 0n;

/**
 * One instant that two threads share, on the clock of `process.hrtime.bigint()`: `performance.now()` has another origin in
 * each worker (F3).
 */
export class SharedDeadline {
  readonly memory: SharedArrayBuffer;
  readonly #atNs: BigInt64Array;
  /** Grows with each change: what a waiting thread is woken by. */
  readonly #changes: Int32Array;

  constructor(memory = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#atNs = new BigInt64Array(memory, 0, 1);
    this.#changes = new Int32Array(memory, 8, 1);
  }

  /** @param atNs - `null`: there is none. */
  set(atNs: bigint | null): void {
    Atomics.store(this.#atNs, 0, atNs ?? NEVER);
    Atomics.add(this.#changes, 0, 1);
    Atomics.notify(this.#changes, 0);
  }

  /** Blocks this thread until a deadline passes that nobody moved. */
  waitUntilPassed(): void {
    for (;;) {
      // Read first: a change after it does not let the wait begin.
      const changes = Atomics.load(this.#changes, 0);
      const atNs = Atomics.load(this.#atNs, 0);
      const leftNs = atNs - process.hrtime.bigint();
      if (atNs !== NEVER && leftNs <= 0n) return;
      Atomics.wait(
        this.#changes,
        0,
        changes,
        atNs === NEVER ? Number.POSITIVE_INFINITY : Math.ceil(Number(leftNs) / 1e6),
      );
    }
  }
}
