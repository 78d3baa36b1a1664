/** What the clocks of one machine do. */
export interface MachineClockOptions {
  /** True time at which it is read first. */
  readonly atMs: number;
  /** How fast it runs: 1.01 gains ten milliseconds a second. */
  readonly rate: number;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/**
 * The clocks of one machine as functions of true time. The monotonic clock stands still while the machine sleeps, wall clock
 * and boot clock go on; the wall clock can be set. All three come from one oscillator and drift together.
 */
export class MachineClock {
  #atMs: number;
  #rate: number;
  #monotonicMs: number;
  #bootMs: number;
  #wallLeadMs: number;
  #isAsleep = false;
  /** When the wall clock was last put back, when the machine last woke; true time. */
  setBackAtMs = Number.NEGATIVE_INFINITY;
  wokeAtMs = Number.NEGATIVE_INFINITY;

  constructor({ atMs, rate, monotonicMs, wallMs }: MachineClockOptions) {
    this.#atMs = atMs;
    this.#rate = rate;
    this.#monotonicMs = monotonicMs;
    this.#bootMs = monotonicMs;
    this.#wallLeadMs = wallMs - monotonicMs;
  }

  get rate(): number {
    return this.#rate;
  }

  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  monotonic(atMs: number): number {
    return this.#isAsleep ? this.#monotonicMs : this.#monotonicMs + (atMs - this.#atMs) * this.#rate;
  }

  boot(atMs: number): number {
    return this.#bootMs + (atMs - this.#atMs) * this.#rate;
  }

  wall(atMs: number): number {
    return this.boot(atMs) + this.#wallLeadMs;
  }

  /** True time at which the monotonic clock will show `monotonicMs`, if nothing changes. */
  trueAt(monotonicMs: number): number {
    return this.#isAsleep ? Number.POSITIVE_INFINITY : this.#atMs + (monotonicMs - this.#monotonicMs) / this.#rate;
  }

  setRate(atMs: number, rate: number): void {
    this.#rebase(atMs);
    this.#rate = rate;
  }

  stepWall(atMs: number, byMs: number): void {
    this.#wallLeadMs += byMs;
    if (byMs < 0) this.setBackAtMs = atMs;
  }

  sleep(atMs: number): void {
    this.#rebase(atMs);
    this.#isAsleep = true;
  }

  wake(atMs: number): void {
    this.#rebase(atMs);
    this.#isAsleep = false;
    this.wokeAtMs = atMs;
  }

  /** A restart of the machine: its monotonic and boot clock begin anew. */
  reboot(atMs: number): void {
    const wallMs = this.wall(atMs);
    this.#atMs = atMs;
    this.#monotonicMs = 0;
    this.#bootMs = 0;
    this.#wallLeadMs = wallMs;
    this.#isAsleep = false;
  }

  #rebase(atMs: number): void {
    const monotonicMs = this.monotonic(atMs);
    const bootMs = this.boot(atMs);
    this.#monotonicMs = monotonicMs;
    this.#bootMs = bootMs;
    this.#atMs = atMs;
  }
}
