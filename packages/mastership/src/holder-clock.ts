import type { Clock } from '@synod/protocol';

/**
 * The instant a command was asked for, on all clocks of the holder (T1, T9). Only the {@link HolderClock} that made it can
 * say what has elapsed since.
 */
export interface Stamp {
  /** Monotonic. */
  readonly atMs: number;
}

/** A time that runs out: the holder may act for `holdMs` after `stamp`. */
export interface Claim {
  readonly stamp: Stamp;
  readonly holdMs: number;
}

export interface HolderClockOptions {
  readonly clock: Clock;
  /** Its twentieth is the longest time between two ticks, and the coarsest boot clock of use (T9). */
  readonly leaseMs: number;
}

/** By how much the wall clock may run ahead between two ticks unnoticed: its steps of 1 ms, and slewing (T9). */
const WALL_SLACK_MS = 2;

/** Reading a boot clock until it has stepped blocks the process: no longer than this. Steps of 16 ms are still found. */
const MEASURE_LIMIT_MS = 50;

interface BaseStamp extends Stamp {
  /** Excess by the wall clock up to the stamp. */
  readonly wallExcessMs: number;
  /** Boot clock minus monotonic clock at the stamp. */
  readonly bootLeadMs: number;
  /** Largest lead of the boot clock since, beyond its resolution: raised by ticks, never lowered. */
  bootExcessMs: number;
  /** No claim by it lives longer: after this ticks leave it alone. */
  readonly endsAtMs: number;
}

/**
 * Elapsed time as a holder counts it (T9): monotonic progress plus an excess that never shrinks, for the time a machine
 * slept while its monotonic clock stood still. The wall clock and the boot clock each see such a sleep; the larger of what
 * they saw counts. Who waits for a holder (T2) uses the monotonic clock alone.
 */
export class HolderClock {
  /** The longest time between two ticks. */
  readonly tickMs: number;
  /** In words, why the boot clock is left out; `null` when it counts. */
  readonly notice: string | null;
  readonly #clock: Clock;
  readonly #bootResolutionMs: number | null;
  /** Those that a tick may still shorten: a few renewals, however long the node lives. */
  readonly #stamps = new Set<BaseStamp>();
  /** Wall clock minus monotonic clock at the last tick. */
  #wallLeadMs: number;
  /** What it ran ahead up to the last tick, and since; neither ever shrinks while it counts. */
  #wallExcessMs = 0;
  #aheadMs = 0;

  constructor({ clock, leaseMs }: HolderClockOptions) {
    this.#clock = clock;
    this.tickMs = leaseMs / 20;
    const resolutionMs = measureBootResolution(clock, this.tickMs);
    this.#bootResolutionMs = resolutionMs !== null && resolutionMs <= this.tickMs ? resolutionMs : null;
    this.notice = this.#bootResolutionMs === null ? noticeOf(resolutionMs, this.tickMs) : null;
    const wallMs = clock.wallNow();
    this.#wallLeadMs = wallMs - clock.now();
  }

  /**
   * Reads all clocks: to be called before the command that is stamped leaves (T1).
   *
   * @param leaseMs - Nothing is claimed by the stamp for longer.
   */
  stamp(leaseMs: number): Stamp {
    const { baseMs, bootLeadMs } = this.#readAll();
    const stamp: BaseStamp = {
      atMs: baseMs,
      wallExcessMs: this.#wallExcessMs,
      bootLeadMs: bootLeadMs ?? 0,
      bootExcessMs: 0,
      endsAtMs: baseMs + leaseMs,
    };
    if (bootLeadMs !== null) this.#stamps.add(stamp);
    return stamp;
  }

  /** Looks at all clocks. To be called at least every {@link tickMs}. */
  tick(): void {
    this.#readAll();
  }

  /** How long ago the stamp was made, as far as any clock can tell. Never less at a later call, whatever clocks do. */
  elapsedMs(stamp: Stamp): number {
    const nowMs = this.#look();
    return this.#elapsedMs(stamp as BaseStamp, nowMs);
  }

  /**
   * What is left of the first of the claims to run out, ms; zero or less when one has, `-Infinity` when there is none. Two
   * readings of clocks, whatever the number of claims; allocates nothing: this is what `isMaster()` costs (T5).
   */
  remainingMs(claims: readonly Claim[]): number {
    if (claims.length === 0) return Number.NEGATIVE_INFINITY;
    const nowMs = this.#look();
    let leastMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < claims.length; i++) {
      const { stamp, holdMs } = claims[i] as Claim;
      const leftMs = holdMs - this.#elapsedMs(stamp as BaseStamp, nowMs);
      if (leftMs < leastMs) leastMs = leftMs;
    }
    return leastMs;
  }

  #elapsedMs(stamp: BaseStamp, nowMs: number): number {
    const wallExcessMs = this.#wallExcessMs + this.#aheadMs - stamp.wallExcessMs;
    return nowMs - stamp.atMs + Math.max(wallExcessMs, stamp.bootExcessMs);
  }

  /** A check between ticks: monotonic, then wall, so that a pause between the two counts as elapsed. */
  #look(): number {
    const nowMs = this.#clock.now();
    this.#noteAhead(this.#clock.wallNow() - nowMs);
    return nowMs;
  }

  /** The most it ran ahead since the last tick: the slack is taken off once a tick, however often somebody looks. */
  #noteAhead(leadMs: number): void {
    const aheadMs = leadMs - this.#wallLeadMs - WALL_SLACK_MS;
    if (aheadMs > this.#aheadMs) this.#aheadMs = aheadMs;
  }

  /**
   * The check reads monotonic, then the others; the new base reads the others, then monotonic. One reading of wall and boot
   * clock stands in both, so that nothing falls between them: a pause in here counts as elapsed, in either order.
   */
  #readAll(): { readonly baseMs: number; readonly bootLeadMs: number | null } {
    const checkMs = this.#clock.now();
    const wallMs = this.#clock.wallNow();
    const bootMs = this.#bootResolutionMs === null ? null : this.#clock.bootNow();
    const baseMs = this.#clock.now();

    this.#noteAhead(wallMs - checkMs);
    this.#wallExcessMs += this.#aheadMs;
    this.#aheadMs = 0;
    this.#wallLeadMs = wallMs - baseMs;
    if (bootMs !== null) this.#raiseBootExcess(bootMs - checkMs, checkMs);
    return { baseMs, bootLeadMs: bootMs === null ? null : bootMs - baseMs };
  }

  #raiseBootExcess(leadMs: number, nowMs: number): void {
    for (const stamp of this.#stamps) {
      stamp.bootExcessMs = Math.max(stamp.bootExcessMs, leadMs - stamp.bootLeadMs - (this.#bootResolutionMs ?? 0));
      if (nowMs > stamp.endsAtMs) this.#stamps.delete(stamp);
    }
  }
}

/**
 * Step of the boot clock: the smaller of two, for a measurement may be held up. `null` without such a clock, `Infinity` when
 * it did not step in time.
 */
function measureBootResolution(clock: Clock, usefulMs: number): number | null {
  let edgeMs = clock.bootNow();
  if (edgeMs === null) return null;
  const startMs = clock.now();
  const limitMs = Math.min(MEASURE_LIMIT_MS, 4 * usefulMs);
  const steps: number[] = [];
  for (let reads = 1; steps.length < 3; reads++) {
    const nowMs = clock.now();
    // A clock that stands still while it is read is a simulated one, and exact.
    if (nowMs === startMs && reads === 1_000) return 0;
    if (nowMs - startMs > limitMs) return Number.POSITIVE_INFINITY;
    const bootMs = clock.bootNow();
    if (bootMs === null) return null;
    if (bootMs !== edgeMs) steps.push(bootMs - edgeMs);
    edgeMs = bootMs;
  }
  // The first one was not whole: reading began somewhere inside it.
  return Math.min(...steps.slice(1));
}

function noticeOf(resolutionMs: number | null, tickMs: number): string {
  if (resolutionMs === null) return 'no boot clock here: a machine that sleeps is noticed by its wall clock alone';
  const step = Number.isFinite(resolutionMs) ? `${resolutionMs.toFixed(1)} ms` : 'too long to be measured';
  return `boot clock left out: its step is ${step}, more than a twentieth of the lease (${tickMs} ms); a machine that sleeps is noticed by its wall clock alone`;
}
