import type { NodeId } from '@synod/protocol';
import type { Election, Group, LoggerLike, NodePorts } from '@synod/runtime';
import { cutOff, type Heal } from '../faults/inject.ts';
import type { Life, Rules } from '../group/life.ts';
import { SimGroup } from '../group/sim-group.ts';
import { combined, type GroupWatcher } from '../group/watcher.ts';
import { invariants } from '../invariants/index.ts';
import type { Observed } from '../invariants/invariant.ts';
import { type State, statesOf } from '../run/coverage.ts';
import { picture } from '../trace/picture.ts';
import { Recorder } from '../trace/recorder.ts';
import { linesOf, type Window } from '../trace/transcript.ts';
import { chanceOf } from '../world/chance.ts';
import { Process } from '../world/process.ts';
import type { Drain } from '../world/world.ts';
import { type Messages, Traps } from './traps.ts';

export interface TestGroupOptions {
  /** Names of the members, or how many: `a`, `b`, `c` and so on. Default 3. */
  readonly nodes?: number | readonly NodeId[];
  /** Decides every delay, jitter and draw: the same seed gives the same run. Default 1. */
  readonly seed?: number;
  /** Of all members, ms. Default 1000. */
  readonly leaseMs?: number;
  /** A message takes half of this to all of it, ms. Default 1. */
  readonly delayMs?: number;
  /** What each process of a member does once it has joined; again after a restart. Default: it campaigns for ever. */
  readonly service?: (node: TestNode) => void;
  /** The members do not know each other yet: they form the group when they start (I5). Default false. */
  readonly isForming?: boolean;
  readonly logger?: (node: NodeId) => LoggerLike;
  /**
   * An `AsyncLocalStorage` of Node, by which `join` of `synod` knows whether a mastership is resigned by its own work. Without one
   * whoever resigns while the work goes on does not wait for its end.
   */
  readonly scope?: NodePorts['scope'];
  /** Keep what happens, for {@link TestGroup.transcript} and {@link TestGroup.picture}. Default true. */
  readonly isRecording?: boolean;
  /** Sees everything that happens. */
  readonly watcher?: GroupWatcher;
  /** Rules in place of the real ones. */
  readonly rules?: Rules;
  /** Waits for promises between two events. Default: a turn of the event loop. */
  readonly drain?: Drain;
}

/** One process of a member, as its service sees it. */
export interface TestNode {
  readonly node: NodeId;
  /** The real thing, from the real runtime. */
  readonly group: Group;
  /** The group's own election: `group.election()`. */
  readonly election: Election;
  /** Virtual: what the service waits for must go through here. */
  readonly clock: NodePorts['clock'];
  readonly random: NodePorts['random'];
}

/** Lets a test break what holds a group together, and looks on whether it holds all the same. */
export class TestGroup {
  readonly names: readonly NodeId[];
  readonly leaseMs: number;
  readonly seed: number;
  /** What happened so far; empty when {@link TestGroupOptions.isRecording} is false. */
  readonly recorder = new Recorder((life) => statesOf(life).join(', '));
  readonly #group: SimGroup;
  readonly #traps: Traps;
  readonly #service: (node: TestNode) => void;
  readonly #undone = new Set<Heal>();
  readonly #outcasts = new Set<string>();
  readonly #guests = new Set<Process>();
  /** Ends the fault that is drawn for a member: it is down, paused or asleep. */
  readonly #ailments = new Map<NodeId, Heal>();
  #guestCount = 0;
  #isWithinDrift = true;

  /** Made by {@link createTestGroup}. */
  constructor(options: TestGroupOptions) {
    const { seed = 1, leaseMs = 1000, delayMs = 1, nodes = 3, isForming = false, logger, rules } = options;
    this.names = typeof nodes === 'number' ? namesOf(nodes) : nodes;
    this.leaseMs = leaseMs;
    this.seed = seed;
    this.#service = options.service ?? campaign;
    const watcher: GroupWatcher = {};
    this.#group = new SimGroup({
      drain: options.drain ?? ((then) => void setImmediate(then)),
      settings: {
        seed,
        maxDriftPpm: MAX_DRIFT_PPM,
        nodes: this.names.map((node) => ({
          node,
          leaseMs,
          priority: 0,
          rate: 1,
          bootStepMs: null,
          timers: { earlyMs: 0, late: 0, lateMs: 0 },
        })),
        link: { minMs: delayMs / 2, maxMs: delayMs, loss: 0, repeat: 0, reorder: 0, late: 0, lateMs: 0 },
        disk: { minMs: delayMs / 10, maxMs: delayMs / 5, failure: null },
      },
      watcher,
      ...(rules ? { rules } : {}),
      ...(options.scope ? { scope: options.scope } : {}),
      ...(logger ? { logger: (life: Life) => logger(life.node) } : {}),
      onReady: (life, group) => this.#service(nodeOf(life, group)),
    });
    this.#traps = new Traps(this.#group.network, this.#group.codec);
    this.#watch(watcher, options);
    this.recorder.attach(this.#group);
    this.#group.begin();
    if (!isForming) this.#group.form();
  }

  /** True time since the group was made, ms. */
  get nowMs(): number {
    return this.#group.world.nowMs;
  }

  /** Starts these members, all by default, and waits until each plays its part. */
  async start(...nodes: readonly NodeId[]): Promise<void> {
    const started = nodes.length > 0 ? nodes : this.names;
    for (const node of started) {
      this.#recover(node);
      this.#group.start(node);
    }
    await this.until(() => started.every((node) => this.isUp(node)), 5 * this.leaseMs);
  }

  /** Lets virtual time pass. @throws Error when an invariant of the protocol is broken meanwhile. */
  async advance(ms: number): Promise<void> {
    await this.#group.world.run(this.nowMs + ms);
  }

  /** Lets time pass until `condition` holds. @returns how long it took, ms. @throws Error when it takes longer. */
  async until(condition: () => boolean, withinMs: number = 10 * this.leaseMs): Promise<number> {
    const startMs = this.nowMs;
    // What was asked for before has its consequences first.
    await this.#group.world.run(startMs);
    if (condition() || (await this.#group.world.run(startMs + withinMs, condition))) return this.nowMs - startMs;
    const states = this.names.map((node) => `${node} ${this.#inWords(node)}`);
    throw new Error(`not within ${withinMs} ms: ${states.join(', ')}`);
  }

  /** Lets time pass until the promise settles. @returns what it comes to. @throws what it throws. */
  async complete<T>(promise: Promise<T>, withinMs?: number): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.until(() => isSettled, withinMs);
    return promise;
  }

  /** The member that says at this instant that it is master. */
  master(): NodeId | null {
    for (const life of this.#group.lives) if (life.isMaster()) return life.node;
    return null;
  }

  /** Waits until a member, another than `except`, is master. */
  async untilMaster(except?: NodeId, withinMs?: number): Promise<NodeId> {
    let master: NodeId | null = null;
    await this.until(() => {
      master = this.master();
      return master !== null && master !== except;
    }, withinMs);
    return master as unknown as NodeId;
  }

  /** True when the member's process runs and has joined. */
  isUp(node: NodeId): boolean {
    const life = this.#group.life(node);
    return life?.isReady === true && !life.ending;
  }

  /** What the member is doing: several things at once, maybe. */
  doing(node: NodeId): readonly State[] {
    return statesOf(this.#group.life(node));
  }

  /** The member's present process. @throws RangeError when it is down or has not joined. */
  node(node: NodeId): TestNode {
    const life = this.#group.life(node);
    if (!life?.group || !this.isUp(node)) throw new RangeError(`${node} ${this.#inWords(node)}`);
    return nodeOf(life, life.group);
  }

  /** SIGKILL, or a power cut: what was not flushed is lost. */
  crash(node: NodeId): void {
    this.#group.crash(node);
    this.#ail(node, 'crash');
  }

  /** A new process of the member, with the folder of the one before. */
  restart(node: NodeId): void {
    this.#group.crash(node);
    this.#recover(node);
    this.#group.start(node);
  }

  /** The member's folder is emptied; its process dies if it runs. It votes no more (I2). */
  wipe(node: NodeId): void {
    this.crash(node);
    const { disk } = this.#group.machine(node);
    this.#outcasts.add(disk.storeId);
    disk.wipe();
  }

  /** SIGSTOP: nothing runs, messages queue, clocks go on. */
  pause(node: NodeId): void {
    this.#living(node).process.pause();
    this.#ail(node, 'pause');
  }

  /** SIGCONT. */
  resume(node: NodeId): void {
    this.#living(node).process.resume();
    this.#recover(node);
  }

  /** Stops the member for `forMs` in the middle of a step: at the so-many-th call of clock, network or disk from now. */
  stall(node: NodeId, forMs: number, calls = 1): void {
    const { process } = this.#living(node);
    process.after(calls, () => process.hold(forMs));
  }

  /** The machine sleeps: its monotonic clock stands still, its wall clock goes on (T9). */
  suspend(node: NodeId): void {
    this.#group.machine(node).clock.sleep(this.nowMs);
    this.#ail(node, 'suspend');
  }

  wake(node: NodeId): void {
    this.#group.machine(node).clock.wake(this.nowMs);
    this.#group.life(node)?.process.release();
    this.#recover(node);
  }

  /** Somebody sets the wall clock. */
  stepWallClock(node: NodeId, byMs: number): void {
    this.#group.machine(node).clock.stepWall(this.nowMs, byMs);
  }

  /** How fast the member's clock runs: 1.01 gains ten milliseconds a second. Beyond 1 % S2 is not promised, nor watched. */
  setClockRate(node: NodeId, rate: number): void {
    if (Math.abs(rate - 1) > MAX_DRIFT_PPM / 1e6) this.#isWithinDrift = false;
    this.#group.machine(node).clock.setRate(this.nowMs, rate);
  }

  /** Nodes of different sides hear nothing of each other; one on no side hears all. @returns how to undo it. */
  partition(...sides: readonly (readonly NodeId[])[]): Heal {
    const ways = sides.flatMap((side, i) =>
      sides.flatMap((other, j) => (i === j ? [] : side.flatMap((from) => other.map((to) => [from, to] as const)))),
    );
    return this.#cut(ways, `partition ${sides.map((side) => side.join(' ')).join(' | ')}`, sides[0] ?? []);
  }

  /** What `from` says does not reach `to`; the other way it does. @returns how to undo it. */
  cut(from: NodeId, to: NodeId): Heal {
    return this.#cut([[from, to]], `cut ${from} > ${to}`, [from]);
  }

  /** The member hears nobody and is heard by nobody. @returns how to undo it. */
  isolate(node: NodeId): Heal {
    return this.#undoable(cutOff(this.#group, node), `isolate ${node}`, [node]);
  }

  /** These messages are lost from now on. @returns how to undo it. */
  lose(which: Messages): Heal {
    return this.#undoable(this.#traps.set(which, 'lost'), `lose ${inWords(which)}`, which.from ? [which.from] : []);
  }

  /** These messages are kept back from now on. @returns how to undo it: what was kept arrives. */
  hold(which: Messages): Heal {
    return this.#undoable(this.#traps.set(which, 'held'), `hold ${inWords(which)}`, which.from ? [which.from] : []);
  }

  /** Undoes every partition, cut and isolation; messages are no longer lost or held. */
  heal(): void {
    for (const undo of [...this.#undone]) undo();
  }

  /** The member's connection breaks, and it knows; again with `true`. */
  setOnline(node: NodeId, isOnline: boolean): void {
    this.#group.network.setOnline(node, isOnline);
  }

  /** Writes fail from now on; a member whose write failed leaves its group (P3). @returns how to make room again. */
  fillDisk(node: NodeId): Heal {
    return this.#group.machine(node).disk.manners.lay({ failure: 'no space left on device (ENOSPC)' });
  }

  /**
   * Ports for somebody who is no member: give them to `joinOver` of `@synod/runtime` with `membership: { role: 'observer' }`,
   * or take the bus and the clock for what you make yourself.
   */
  ports(node: NodeId): NodePorts {
    const id = FIRST_GUEST + this.#guestCount++;
    const process = new Process(this.#group.world, this.#group.guestMachine(node), id);
    this.#guests.add(process);
    return {
      bus: this.#group.network.bus(process, node),
      clock: process.clock,
      random: chanceOf(this.seed, `guest ${id}`),
      process: { host: node, pid: id },
      codec: this.#group.codec,
    };
  }

  /** What happened, a line for each. */
  transcript(window?: Partial<Window>): string {
    return `${linesOf(this.recorder, window).join('\n')}\n`;
  }

  /** What happened as a drawing (SVG). */
  picture(title: string, window?: Partial<Window>): string {
    return picture(this.recorder, { title, leaseMs: this.leaseMs, ...window });
  }

  /** The world ends: no process runs on. */
  async close(): Promise<void> {
    for (const node of this.names) this.#group.crash(node);
    for (const guest of this.#guests) guest.kill();
    // What was broken has been told by whatever let time pass.
    await this.#group.world.run(this.nowMs).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #watch(watcher: GroupWatcher, { isRecording = true, watcher: own }: TestGroupOptions): void {
    const { world } = this.#group;
    const isWithinDrift = () => this.#isWithinDrift;
    const observed: Observed = {
      group: this.#group,
      get isWithinDrift() {
        return isWithinDrift();
      },
      isOutcast: (storeId) => this.#outcasts.has(storeId),
      isPutBack: (storeId) => this.#outcasts.has(storeId),
      isUnaware: () => false,
    };
    const watches = invariants.map((invariant) =>
      invariant.watch(observed, (what) => world.fail(new Error(`${invariant.name} (${invariant.source}): ${what}`))),
    );
    for (const watch of watches) if (watch.stepped) world.watch((stepped) => watch.stepped?.(stepped));
    Object.assign(watcher, combined([...watches, ...(isRecording ? [this.recorder] : []), ...(own ? [own] : [])]));
  }

  #living(node: NodeId): Life {
    const life = this.#group.life(node);
    if (!life || life.ending) throw new RangeError(`${node} is down`);
    return life;
  }

  #cut(ways: readonly (readonly [NodeId, NodeId])[], words: string, nodes: readonly NodeId[]): Heal {
    const links = ways.map(([from, to]) => this.#group.network.link(from, to));
    for (const link of links) link.cuts++;
    return this.#undoable(
      () => {
        for (const link of links) link.cuts--;
      },
      words,
      nodes,
    );
  }

  #undoable(undo: Heal, words: string, nodes: readonly NodeId[]): Heal {
    const span = this.recorder.beginFault(words, nodes);
    const once = (): void => {
      if (!this.#undone.delete(once)) return;
      undo();
      this.recorder.endFault(span);
    };
    this.#undone.add(once);
    return once;
  }

  #ail(node: NodeId, what: string): void {
    this.#recover(node);
    const span = this.recorder.beginFault(`${what} ${node}`, [node]);
    this.#ailments.set(node, () => this.recorder.endFault(span));
  }

  #recover(node: NodeId): void {
    this.#ailments.get(node)?.();
    this.#ailments.delete(node);
  }

  #inWords(node: NodeId): string {
    const life = this.#group.life(node);
    if (!life || life.ending) return `is down${life?.error ? ` (${life.error.message})` : ''}`;
    if (!life.isReady) return `is ${life.group?.status().state ?? 'joining'}`;
    return life.isMaster() ? 'is master' : 'is up';
  }
}

const MAX_DRIFT_PPM = 10_000;

/** Processes of guests are numbered from here, those of members from 1. */
const FIRST_GUEST = 10_000;

const namesOf = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));

const nodeOf = (life: Life, group: Group): TestNode => ({
  node: life.node,
  group,
  election: group.election(),
  clock: life.process.clock,
  random: chanceOf(life.id, `service of ${life.node}`),
});

const inWords = ({ type, from = '*', to = '*' }: Messages): string => `${type ?? 'all'} ${from} > ${to}`;

/** What a service does that has nothing to do: it holds the mastership for as long as it can. */
const campaign = ({ election }: TestNode): void => {
  election
    .runWhileMaster(
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    )
    // The group was left: its life has ended, and says why.
    .catch(() => {});
};

/**
 * A whole group in this process, under virtual time: the real runtime over a network, disks and clocks that do what the test
 * says. Every invariant of the protocol is watched meanwhile. Time moves only in `start`, `advance`, `until` and what is built
 * on them.
 */
export const createTestGroup = (options: TestGroupOptions = {}): TestGroup => new TestGroup(options);
