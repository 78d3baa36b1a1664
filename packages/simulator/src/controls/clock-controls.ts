import { type Claim, HolderClock, type HolderClockOptions, type Stamp } from '@synod/mastership';
import type { Clock } from '@synod/protocol';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, SeedsEngine } from './control.ts';

/** In the others no master sleeps for long. */
const found = (
  seed: number,
  holderClock: NonNullable<Broken['holderClock']>,
  isHidden = false,
): readonly [SeedsEngine] => [
  {
    kind: 'seeds',
    seed,
    rules: () => rulesOf({ holderClock }),
    concerns: ({ faults }) => faults.some((fault) => fault.kind === 'sleep' && fault.isHidden === isHidden),
  },
];

/** A clock of which some hands are covered. */
const covered = (clock: Clock, hands: Partial<Clock>): Clock => ({
  now: () => clock.now(),
  wallNow: () => clock.wallNow(),
  bootNow: () => clock.bootNow(),
  setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
  clearTimeout: (handle) => clock.clearTimeout(handle),
  ...hands,
});

/** What the wall clock ran ahead counts from the last tick alone. */
class ForgetfulClock extends HolderClock {
  readonly #clock: Clock;
  #leadMs = 0;

  constructor(options: HolderClockOptions) {
    super(options);
    this.#clock = options.clock;
    this.tick();
  }

  override stamp(leaseMs: number): Stamp {
    this.tick();
    return super.stamp(leaseMs);
  }

  override tick(): void {
    this.#leadMs = this.#clock.wallNow() - this.#clock.now();
  }

  override elapsedMs({ atMs }: Stamp): number {
    const nowMs = this.#clock.now();
    return nowMs - atMs + Math.max(0, this.#clock.wallNow() - nowMs - this.#leadMs);
  }

  override remainingMs(claims: readonly Claim[]): number {
    if (claims.length === 0) return Number.NEGATIVE_INFINITY;
    return Math.min(...claims.map(({ stamp, holdMs }) => holdMs - this.elapsedMs(stamp)));
  }
}

/** The base of the boot clock is taken at the first tick after a stamp. */
class LateClock extends HolderClock {
  readonly #clock: Clock;
  #fresh: Stamp[] = [];
  readonly #bases = new WeakMap<Stamp, number>();
  #leadMs = Number.NEGATIVE_INFINITY;

  constructor(options: HolderClockOptions) {
    super(options);
    this.#clock = options.clock;
  }

  override stamp(leaseMs: number): Stamp {
    const stamp = super.stamp(leaseMs);
    this.#fresh.push(stamp);
    return stamp;
  }

  override tick(): void {
    super.tick();
    this.#leadMs = Math.max(this.#leadMs, (this.#clock.bootNow() ?? 0) - this.#clock.now());
    for (const stamp of this.#fresh) this.#bases.set(stamp, this.#leadMs);
    this.#fresh = [];
  }

  override elapsedMs(stamp: Stamp): number {
    const baseMs = this.#bases.get(stamp) ?? this.#leadMs;
    return this.#clock.now() - stamp.atMs + Math.max(0, this.#leadMs - baseMs);
  }

  override remainingMs(claims: readonly Claim[]): number {
    if (claims.length === 0) return Number.NEGATIVE_INFINITY;
    return Math.min(...claims.map(({ stamp, holdMs }) => holdMs - this.elapsedMs(stamp)));
  }
}

/** Broken rules of the holder's clock, where machines sleep (T9). */
export const clockControls: readonly Control[] = [
  {
    name: 'wall-clock-not-looked-at',
    rule: 'T9, "isMaster() reads monotonic and wall"',
    sentence:
      'A holder does not look at the wall clock, and its boot clock is looked at in ticks alone, if it has one.',
    engines: found(45, (options) => {
      const { clock } = options;
      return new HolderClock({ ...options, clock: covered(clock, { wallNow: () => clock.now() }) });
    }),
    finds: /at most one master|no master is deposed/,
  },
  {
    name: 'boot-clock-not-looked-at',
    rule: 'T9, "the boot clock"',
    sentence: 'A holder does not look at the boot clock: a sleep that the wall clock does not show is none.',
    engines: found(
      6114,
      (options) => new HolderClock({ ...options, clock: covered(options.clock, { bootNow: () => null }) }),
      true,
    ),
    finds: /at most one master|no master is deposed/,
  },
  {
    name: 'excess-shrinks',
    rule: 'T9, "excess never shrinks"',
    sentence: 'What a holder’s clock found at one tick is forgotten at the next.',
    engines: found(45, (options) => new ForgetfulClock(options)),
    finds: /at most one master|no master is deposed/,
  },
  {
    name: 'boot-base-taken-late',
    rule: 'T9, "against a base taken at requestedAt"',
    sentence: 'The boot clock counts from the first tick after a command was asked for: a sleep in between is none.',
    engines: found(16412, (options) => new LateClock(options), true),
    finds: /at most one master|no master is deposed/,
  },
];
