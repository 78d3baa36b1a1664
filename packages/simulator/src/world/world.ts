import { EventHeap, type Timed } from './event-heap.ts';
import type { Process } from './process.ts';

/** Something planned: an event of a process, or of the world around it. */
export interface SimEvent extends Timed {
  atMs: number;
  sequence: number;
  /** Whose step it is; `null` for what happens outside of all processes. */
  readonly process: Process | null;
  run(): void;
  /** For a timer: what its machine's monotonic clock is to show; else NaN. */
  readonly dueMs: number;
  isCancelled: boolean;
}

/**
 * Calls `then` when all promises and microtasks have run dry, before it returns or later. The only thing that a world needs of
 * the program it runs in: `packages/simulator` is pure, and only the event loop knows.
 */
export type Drain = (then: () => void) => void;

/**
 * Looks at the world after each event, when all that it caused has happened.
 * @param stepped - Whose step it was: nothing has happened in any other process. `null`: it may have happened to anybody.
 */
export type Watch = (stepped: Process | null) => void;

/** Less than any delay that is meant. */
const INSTANT_MS = 1e-6;

/** Steps within {@link INSTANT_MS}, at most: many times what the largest of groups takes. */
const MAX_STOOD = 100_000;

/**
 * True time, and everything that is going to happen. One event at a time: its process runs until nothing is left to do at
 * this instant, then the watches look, then comes the next.
 */
export class World {
  readonly #heap = new EventHeap<SimEvent>();
  readonly #drain: Drain;
  readonly #watches: Watch[] = [];
  #nowMs = 0;
  /** Where the count of steps began that took no time. */
  #stoodMs = 0;
  #stood = 0;
  #sequence = 0;
  #steps = 0;
  #stepping: Process | null = null;
  #failure: unknown = null;
  /** Everything that happened, in order, as one number: equal for equal runs. */
  readonly trace = new TraceHash();

  constructor(drain: Drain) {
    this.#drain = drain;
  }

  /** True time, ms since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get steps(): number {
    return this.#steps;
  }

  watch(watch: Watch): void {
    this.#watches.push(watch);
  }

  /** Plans something outside of all processes: it happens whatever they do. */
  plan(atMs: number, run: () => void): SimEvent {
    return this.#plan(atMs, null, run, Number.NaN);
  }

  /** Plans a step of a process: if it cannot run then, it waits until it can. */
  planStep(process: Process, atMs: number, run: () => void): SimEvent {
    return this.#plan(atMs, process, run, Number.NaN);
  }

  /** A step of a process at this very instant, from within an event of the world; later, if it cannot run. */
  stepNow(process: Process, run: () => void): void {
    if (this.#stepping || !process.isRunning) {
      this.planStep(process, this.#nowMs, run);
      return;
    }
    this.#stepping = process;
    run();
  }

  /** Plans a step for when the machine's monotonic clock shows `dueMs`. */
  planTimer(process: Process, dueMs: number, run: () => void): SimEvent {
    const atMs = process.machine.clock.trueAt(dueMs);
    // Of a machine that sleeps: it happens at once, and waits there until the machine wakes.
    return this.#plan(Number.isFinite(atMs) ? atMs : this.#nowMs, process, run, dueMs);
  }

  /** As {@link planStep}, with an event made by the caller. */
  add(event: SimEvent, atMs: number): void {
    this.replan(event, Math.max(atMs, this.#nowMs));
  }

  /** An event that could not happen at its time happens at another, after all that is planned for that instant. */
  replan(event: SimEvent, atMs: number): void {
    event.atMs = atMs;
    event.sequence = this.#sequence++;
    this.#heap.push(event);
  }

  /** Ends {@link run} with this reason, after the present event. */
  fail(reason: unknown): void {
    this.#failure ??= reason;
  }

  /**
   * Lets time pass until `isDone` (asked after each event) or `untilMs`, whichever is first.
   * @returns true when `isDone` ended it.
   */
  run(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isSettled = false;
      let isPumping = false;
      const settled = (): void => {
        isSettled = true;
        if (isPumping) return;
        isPumping = true;
        try {
          // A drain that calls back at once comes round here.
          while (isSettled) {
            isSettled = false;
            if (this.#endsStep(isDone)) resolve(true);
            else if (this.#step(untilMs)) this.#drain(settled);
            else resolve(false);
          }
        } catch (error) {
          reject(error);
        }
        isPumping = false;
      };
      // What was called from outside has its consequences first.
      this.#drain(settled);
    });
  }

  /** All that the last event caused has happened. @returns true when the run is to end here; throws why it failed. */
  #endsStep(isDone: () => boolean): boolean {
    this.#stepping?.endStep();
    for (const watch of this.#watches) watch(this.#stepping);
    this.#stepping = null;
    if (this.#failure !== null) throw this.#failure;
    return isDone();
  }

  /** Lets the next event happen. @returns false when there is none until then. */
  #step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap.peek();
      if (!next || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#heap.pop();
      if (!next.isCancelled && this.#happens(next)) return true;
    }
  }

  #plan(atMs: number, process: Process | null, run: () => void, dueMs: number): SimEvent {
    const event: SimEvent = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      process,
      run,
      dueMs,
      isCancelled: false,
    };
    this.#heap.push(event);
    return event;
  }

  /** @returns false when nothing happened: the event was put off, or its process is dead. */
  /** Whoever sets a timer for now again and again would have the run go on for ever. */
  #demandProgress(atMs: number): void {
    if (atMs > this.#stoodMs + INSTANT_MS) {
      this.#stoodMs = atMs;
      this.#stood = 0;
    } else if (++this.#stood > MAX_STOOD) this.fail(new Error(`time stands still at ${atMs} ms`));
  }

  #happens(event: SimEvent): boolean {
    this.#nowMs = event.atMs;
    const { process, dueMs } = event;
    if (process) {
      if (process.isDead) return false;
      const { clock } = process.machine;
      if (process.isPaused || clock.isAsleep) {
        process.defer(event);
        return false;
      }
      if (process.busyUntilMs > this.#nowMs) {
        this.replan(event, process.busyUntilMs);
        return false;
      }
      // The machine slept meanwhile, or its clock was slowed: the timer is not due yet.
      if (dueMs > clock.monotonic(this.#nowMs) + 1e-6) {
        this.replan(event, clock.trueAt(dueMs));
        return false;
      }
    }
    this.#steps++;
    this.#demandProgress(event.atMs);
    this.trace.add(event.atMs, process?.id ?? 0);
    this.#stepping = process;
    try {
      event.run();
    } catch (error) {
      this.fail(error);
    }
    return true;
  }
}

const codes = new Map<string, number>();

/** Two 32-bit hashes over numbers: what makes one run the same as another. */
export class TraceHash {
  readonly #double = new Float64Array(1);
  readonly #words = new Uint32Array(this.#double.buffer);
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  add(x: number, y: number): void {
    this.#double[0] = x;
    const low = this.#words[0] as number;
    const high = this.#words[1] as number;
    this.#a = Math.imul(this.#a ^ low, 0x01000193);
    this.#a = Math.imul(this.#a ^ high, 0x01000193);
    this.#a = Math.imul(this.#a ^ y, 0x01000193);
    this.#b = Math.imul(this.#b ^ y, 0x85ebca6b) ^ (this.#b >>> 13);
    this.#b = Math.imul(this.#b ^ low ^ high, 0xc2b2ae35) ^ (this.#b >>> 16);
  }

  /** A few words that come again and again: each counts as a number of its own. */
  words(text: string, y: number): void {
    let code = codes.get(text);
    if (code === undefined) {
      code = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) code = Math.imul(code ^ text.charCodeAt(i), 0x01000193);
      codes.set(text, code);
    }
    this.#a = Math.imul(this.#a ^ code, 0x01000193);
    this.#b = Math.imul(this.#b ^ y, 0x85ebca6b) ^ code;
  }

  toString(): string {
    return [this.#a, this.#b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
