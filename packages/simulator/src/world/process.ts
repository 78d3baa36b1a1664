import type { Clock, TimerHandle } from '@synod/protocol';
import type { Machine } from './machine.ts';
import type { SimEvent, World } from './world.ts';

/**
 * One process: what one life of a node runs in. Everything that enters it (messages, timers, replies of the disk) is an event
 * of the world, and everything it asks of the outside goes through ports that call {@link touch}; so it can be paused, blocked
 * and killed between any two of its steps, and within a step at any line that touches a port.
 */
export class Process {
  readonly id: number;
  readonly machine: Machine;
  readonly clock: ProcessClock;
  /** Whose it is: whatever runs in it. */
  owner: unknown = null;
  readonly #world: World;
  /** What came while it could not run. */
  readonly #waiting: SimEvent[] = [];
  #isPaused = false;
  #isDead = false;
  /** How far its present step is behind the world's time: it was held up at some line of it. */
  #lagMs = 0;
  #busyUntilMs = 0;
  #freeSinceMs = 0;
  /** Calls of ports until something happens to it; 0 for never. */
  #fuse = 0;
  #onFuse: (() => void) | null = null;

  constructor(world: World, machine: Machine, id: number) {
    this.#world = world;
    this.machine = machine;
    this.id = id;
    this.clock = new ProcessClock(this);
  }

  get node(): string {
    return this.machine.node;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** True time of the line that runs now. */
  get nowMs(): number {
    return this.#world.nowMs + this.#lagMs;
  }

  /** Held up in the middle of a step until then: nobody can ask it anything. */
  get busyUntilMs(): number {
    return this.#busyUntilMs;
  }

  /** True when it could execute a line at this instant. */
  get isRunning(): boolean {
    return !this.#isDead && !this.#isPaused && !this.machine.clock.isAsleep && this.#busyUntilMs <= this.#world.nowMs;
  }

  /** True time since which it could run: what was due before has its turn at that instant, in whatever order. */
  get freeSinceMs(): number {
    return this.#freeSinceMs;
  }

  get world(): World {
    return this.#world;
  }

  /** Asks the process something from outside: no line of its own runs, so nothing happens to it at one. */
  observe<T>(ask: () => T): T {
    const fuse = this.#fuse;
    this.#fuse = 0;
    const answer = ask();
    this.#fuse = fuse;
    return answer;
  }

  /** A port was called. @returns false when the process is dead: the port does nothing. */
  touch(): boolean {
    if (this.#fuse > 0 && --this.#fuse === 0) {
      const burn = this.#onFuse;
      this.#onFuse = null;
      burn?.();
    }
    return !this.#isDead;
  }

  /** Lets something happen to it at the so-many-th call of a port from now. */
  after(calls: number, happen: () => void): void {
    this.#fuse = Math.max(1, calls);
    this.#onFuse = happen;
  }

  /** What was to happen to it does not. */
  spare(): void {
    this.#fuse = 0;
    this.#onFuse = null;
  }

  /** The line that runs now takes so long (a garbage collection, a page fault, SIGSTOP in the middle of a step). */
  hold(forMs: number): void {
    this.#lagMs += forMs;
  }

  /** SIGSTOP: nothing runs, messages queue, clocks go on. */
  pause(): void {
    this.#isPaused = true;
  }

  /** SIGCONT. @param order - What runs first of all that came meanwhile: libuv takes timers, then input. */
  resume(order: 'timers' | 'messages' = 'timers'): void {
    this.#isPaused = false;
    this.release(order);
  }

  /** Everything that waited happens now, each in a step of its own. */
  release(order: 'timers' | 'messages' = 'timers'): void {
    this.#freeSinceMs = Math.max(this.#world.nowMs, this.#busyUntilMs);
    const isFirst = (event: SimEvent): boolean => Number.isNaN(event.dueMs) === (order === 'messages');
    const waiting = this.#waiting.splice(0);
    for (const event of waiting) if (isFirst(event)) this.#world.replan(event, this.#world.nowMs);
    for (const event of waiting) if (!isFirst(event)) this.#world.replan(event, this.#world.nowMs);
  }

  /** For the world: an event came while it could not run. */
  defer(event: SimEvent): void {
    this.#waiting.push(event);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** For the world: the step is over, its microtasks have run dry. */
  endStep(): void {
    if (this.#lagMs === 0) return;
    this.#busyUntilMs = this.#world.nowMs + this.#lagMs;
    this.#freeSinceMs = this.#busyUntilMs;
    this.#lagMs = 0;
  }

  /** Power off: from here on its ports do nothing. */
  kill(): void {
    this.#isDead = true;
    this.#waiting.length = 0;
    this.#onFuse = null;
  }
}

/** How timers of one machine behave: they wake up to 1 ms early and any amount late. */
export interface TimerManners {
  readonly earlyMs: number;
  /** Chance that a timer is late, and by how much at most. */
  readonly late: number;
  readonly lateMs: number;
}

export const PUNCTUAL: TimerManners = { earlyMs: 0, late: 0, lateMs: 0 };

/** The clocks as one process reads them. */
export class ProcessClock implements Clock {
  readonly #process: Process;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** True time that one reading of the boot clock takes; only its measurement at the start makes it count. */
  bootReadMs = 0;

  constructor(process: Process) {
    this.#process = process;
  }

  now(): number {
    this.#process.touch();
    return this.#read();
  }

  wallNow(): number {
    this.#process.touch();
    return Math.floor(this.#process.machine.clock.wall(this.#process.nowMs));
  }

  bootNow(): number | null {
    this.#process.touch();
    const { clock, bootStepMs } = this.#process.machine;
    if (bootStepMs === null) return null;
    if (this.bootReadMs > 0) this.#process.hold(this.bootReadMs);
    return Math.floor(clock.boot(this.#process.nowMs) / bootStepMs) * bootStepMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const process = this.#process;
    if (!process.touch()) return null;
    const { machine, world } = process;
    const { earlyMs, late, lateMs } = machine.timers.now;
    let dueMs = this.#read() + Math.max(0, delayMs);
    const { chance } = machine;
    if (late > 0 && chance.happens(late)) dueMs += chance.between(0, lateMs);
    else if (earlyMs > 0) dueMs -= Math.min(chance.between(0, earlyMs), Math.max(0, delayMs));
    return world.planTimer(process, dueMs, callback);
  }

  clearTimeout(handle: TimerHandle): void {
    if (handle) (handle as SimEvent).isCancelled = true;
  }

  /** A machine whose clock is set slower in the middle of a step must not show less than it did. */
  #read(): number {
    const nowMs = this.#process.machine.clock.monotonic(this.#process.nowMs);
    if (nowMs > this.#lastMs) this.#lastMs = nowMs;
    return this.#lastMs;
  }
}
