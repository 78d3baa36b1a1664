import type { Clock } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { HolderClock } from './holder-clock.ts';

const LEASE_MS = 1_000;
const started = (clock: Clock = new VirtualClock()) => ({
  clock,
  holder: new HolderClock({ clock, leaseMs: LEASE_MS }),
});

/** As `os.uptime()`: steps of 10 ms. Every reading costs time, or its step could not be measured. */
class CoarseClock extends VirtualClock {
  readonly #stepMs: number;
  reads = 0;

  constructor(stepMs: number) {
    super({ nowMs: 1_003 });
    this.#stepMs = stepMs;
  }

  override bootNow(): number {
    this.reads += 1;
    this.stall(0.005);
    return Math.floor(super.bootNow() / this.#stepMs) * this.#stepMs;
  }
}

describe('HolderClock (T9)', () => {
  it('counts what the monotonic clock counts while all clocks agree, whether ticked or not', () => {
    const clock = new VirtualClock();
    const { holder } = started(clock);
    const stamp = holder.stamp(LEASE_MS);
    clock.advance(40);
    holder.tick();
    clock.advance(160);
    expect(holder.elapsedMs(stamp)).toBe(200);
  });

  it('a machine that slept: what the wall clock ran ahead of the monotonic clock counts at the next reading', () => {
    const clock = new VirtualClock();
    const { holder } = started({ ...portsOf(clock), bootNow: () => null });
    const stamp = holder.stamp(LEASE_MS);
    clock.advance(100);
    clock.suspend(700);
    expect(holder.elapsedMs(stamp)).toBeCloseTo(800 - 2);
  });

  it('the excess never shrinks: a wall clock that is put back takes nothing away', () => {
    const clock = new VirtualClock();
    const { holder } = started(clock);
    const stamp = holder.stamp(LEASE_MS);
    clock.stepWall(500);
    const elapsedMs = holder.elapsedMs(stamp);
    expect(elapsedMs).toBeCloseTo(498);
    clock.stepWall(-3_600_000);
    expect(holder.elapsedMs(stamp)).toBe(elapsedMs);
    holder.tick();
    clock.advance(10);
    expect(holder.elapsedMs(stamp)).toBe(elapsedMs + 10);
  });

  it('a wall clock put back does nothing, and what it runs ahead after a tick counts again', () => {
    const clock = new VirtualClock();
    const { holder } = started({ ...portsOf(clock), bootNow: () => null });
    const stamp = holder.stamp(LEASE_MS);
    clock.stepWall(-5_000);
    expect(holder.elapsedMs(stamp)).toBe(0);
    holder.tick();
    clock.suspend(300);
    expect(holder.elapsedMs(stamp)).toBeCloseTo(298);
  });

  it('2 ms between two ticks are slack: a wall clock that is slewed costs nothing', () => {
    const clock = new VirtualClock();
    const { holder } = started(clock);
    const stamp = holder.stamp(LEASE_MS);
    for (let i = 0; i < 20; i++) {
      clock.advance(50);
      clock.stepWall(1.9);
      holder.tick();
    }
    expect(holder.elapsedMs(stamp)).toBe(1_000);
  });

  it('however often somebody looks, the slack is taken off once a tick', () => {
    const clock = new VirtualClock();
    const { holder } = started({ ...portsOf(clock), bootNow: () => null });
    const stamp = holder.stamp(LEASE_MS);
    for (let i = 0; i < 100; i++) {
      clock.suspend(1);
      holder.elapsedMs(stamp);
    }
    expect(holder.elapsedMs(stamp)).toBe(98);
  });

  it('counts for a stamp only what came after it', () => {
    const clock = new VirtualClock();
    const { holder } = started(clock);
    clock.suspend(5_000);
    const stamp = holder.stamp(LEASE_MS);
    expect(holder.elapsedMs(stamp)).toBe(0);
  });

  it('the boot clock counts its lead beyond its resolution, at ticks only, when the wall clock tells nothing', () => {
    const clock = new CoarseClock(10);
    const { holder } = started(clock);
    expect(holder.notice).toBeNull();
    const stamp = holder.stamp(LEASE_MS);
    const before = clock.reads;
    clock.suspend(400);
    clock.stepWall(-400);
    expect(holder.elapsedMs(stamp)).toBeLessThan(1);
    expect(clock.reads).toBe(before);
    holder.tick();
    expect(holder.elapsedMs(stamp)).toBeGreaterThan(378);
    expect(holder.elapsedMs(stamp)).toBeLessThan(402);
  });

  it('a stamp by which nothing can be claimed any more costs no tick anything', () => {
    const clock = new CoarseClock(10);
    const { holder } = started(clock);
    const stamp = holder.stamp(LEASE_MS);
    clock.advance(LEASE_MS + 10);
    holder.tick();
    clock.suspend(400);
    clock.stepWall(-400);
    holder.tick();
    expect(holder.elapsedMs(stamp)).toBeGreaterThan(LEASE_MS);
    expect(holder.elapsedMs(stamp)).toBeLessThan(LEASE_MS + 100);
  });

  it('steps of the boot clock are no sleep', () => {
    const clock = new CoarseClock(10);
    const { holder } = started(clock);
    clock.advance(8);
    const stamp = holder.stamp(LEASE_MS);
    const startMs = stamp.atMs;
    for (let i = 0; i < 400; i++) {
      clock.advance(3.7);
      holder.tick();
    }
    expect(holder.elapsedMs(stamp)).toBeCloseTo(clock.now() - startMs, 6);
  });

  it('leaves a boot clock out whose resolution exceeds a twentieth of the lease, and says so', () => {
    const clock = new CoarseClock(1_000);
    const { holder } = started(clock);
    expect(holder.notice).toMatch(/boot clock left out/);
    const stamp = holder.stamp(LEASE_MS);
    clock.suspend(3_000);
    clock.stepWall(-3_000);
    holder.tick();
    expect(holder.elapsedMs(stamp)).toBeLessThan(1);
    expect(started({ ...portsOf(new VirtualClock()), bootNow: () => null }).holder.notice).toMatch(/no boot clock/);
    expect(started(new CoarseClock(60)).holder.notice).toMatch(/boot clock left out/);
    expect(started(new CoarseClock(15.625)).holder.notice).toBeNull();
  });

  it('at the base wall then monotonic, at a check monotonic then wall: a pause between two readings never gives time', () => {
    for (const isTicked of [true, false]) {
      for (let pausedAt = 0; pausedAt < 10; pausedAt++) {
        const clock = new VirtualClock();
        let reading = 0;
        const pause = () => {
          if (reading++ === pausedAt) clock.stall(30);
        };
        const holder = new HolderClock({ clock: pausing(clock, pause), leaseMs: LEASE_MS });
        const stamp = holder.stamp(LEASE_MS);
        const stampedAtMs = stamp.atMs;
        clock.advance(20);
        if (isTicked) holder.tick();
        clock.suspend(200);
        // Two ticks take the slack off once each.
        expect(holder.elapsedMs(stamp)).toBeGreaterThanOrEqual(clock.now() - stampedAtMs + 200 - 4);
      }
    }
  });

  it('tells what is left of the claim that runs out first; of none, nothing', () => {
    const clock = new VirtualClock();
    const { holder } = started(clock);
    const early = holder.stamp(LEASE_MS);
    clock.advance(100);
    const late = holder.stamp(LEASE_MS);
    const claim = (stamp: typeof late, holdMs: number) => ({ stamp, holdMs });
    expect(holder.remainingMs([claim(early, 500), claim(late, 500)])).toBe(400);
    expect(holder.remainingMs([claim(early, 900), claim(late, 300)])).toBe(300);
    expect(holder.remainingMs([])).toBe(Number.NEGATIVE_INFINITY);
  });
});

const portsOf = (clock: Clock): Clock => ({
  now: () => clock.now(),
  wallNow: () => clock.wallNow(),
  bootNow: () => clock.bootNow(),
  setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
  clearTimeout: (handle) => clock.clearTimeout(handle),
});

const pausing = (clock: Clock, pause: () => void): Clock => ({
  ...portsOf(clock),
  bootNow: () => null,
  now: () => {
    pause();
    return clock.now();
  },
  wallNow: () => {
    pause();
    return clock.wallNow();
  },
});
