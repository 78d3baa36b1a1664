import { type Clock, type Command, incarnationOf, type Random, type TimerHandle } from '@synod/protocol';
import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { type Actor, createActor } from 'xstate';
import { type FoldRules, foldRules } from '../fold/fold.rules.ts';
import { MasterFold } from '../fold/master-fold.ts';
import { HolderClock } from '../holder-clock.ts';
import { Candidacies, type CandidacyEvent } from '../lease/candidacies.ts';
import { candidateMachine } from '../lease/candidate.machine.ts';
import { type LeaseRules, leaseRules } from '../lease/lease.rules.ts';
import type { CandidateEvent, LeaseEvent } from '../lease/lease.types.ts';
import { sessionMachine } from '../lease/session.machine.ts';
import { DRIFT } from './lease-bench.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly leaseMs: number;
  /** Rate of each node's clocks, 1 ± ρ. */
  readonly rates: readonly number[];
  /** Share of proposals and of resends that are lost. */
  readonly loss: number;
  /** Longest delay of anything on its way. */
  readonly delayMs: number;
  /** Default: `group` alone. */
  readonly elections?: readonly string[];
  readonly rules?: LeaseRules;
  readonly foldRules?: FoldRules;
}

export type Action =
  | { readonly type: 'want' | 'unwant' | 'resign'; readonly election?: number }
  | { readonly type: 'restart' }
  /** Nothing runs, clocks go on: a stopped process. */
  | { readonly type: 'pause'; readonly forMs: number }
  /** Nothing runs and the monotonic clock stands still: a machine that sleeps. */
  | { readonly type: 'sleep'; readonly forMs: number }
  /** Nothing is heard and nothing that is asked for arrives. */
  | { readonly type: 'cut'; readonly forMs: number }
  /** Nothing is heard; what is asked for arrives (fault 36). */
  | { readonly type: 'deaf'; readonly forMs: number }
  | { readonly type: 'leaseMs'; readonly value: number };

/** Candidates with clocks of their own over one log, under true time that none of them can read. */
export class World {
  /** True time. */
  readonly clock = new VirtualClock({ nowMs: 0 });
  readonly random: Random;
  readonly options: WorldOptions;
  readonly log: Command[] = [];
  readonly nodes: Node[];

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.nodes = options.rates.slice(0, options.nodes).map((rate, i) => new Node(this, `n${i}`, rate));
  }

  get elections(): readonly string[] {
    return this.options.elections ?? ['group'];
  }

  node(name: string): Node | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  /** By their own answers at this true instant. */
  masters(election = 'group'): readonly Node[] {
    return this.nodes.filter((node) => node.isMaster(election));
  }

  /** 3 stands for whoever is master: that is where it hurts. */
  do(index: number, action: Action): void {
    const [master] = this.elections.flatMap((election) => this.masters(election));
    const node = index === 3 && master ? master : this.nodes[index % this.nodes.length];
    node?.do(action);
  }

  /** The command reached the log: it is chosen, perhaps not for the first time. */
  choose(command: Command): void {
    this.log.push(command);
    for (const node of this.nodes) node.deliverSoon();
  }

  /** Somebody saw the command on its way, chosen or not. */
  spread(command: Command): void {
    for (const node of this.nodes) this.later(() => node.hear({ type: 'seen', id: command.id }));
  }

  later(work: () => void): void {
    this.clock.setTimeout(work, this.options.delayMs * this.random.next() ** 2);
  }

  isLost(): boolean {
    return this.random.next() < this.options.loss;
  }
}

/** One process after another under one name. */
class Node {
  readonly world: World;
  readonly name: string;
  readonly clock: NodeClock;
  readonly #pending = new Map<string, Command>();
  #life = 0;
  #number = 0;
  #incarnation = '';
  #actor!: Actor<ReturnType<typeof sessionMachine>>;
  #candidacies!: Candidacies;
  #fold!: MasterFold;
  #delivered = 0;
  #isDelivering = false;
  readonly #wanted = new Set<string>();
  #cutUntilMs = 0;
  #deafUntilMs = 0;

  constructor(world: World, name: string, rate: number) {
    this.world = world;
    this.name = name;
    this.clock = new NodeClock(world.clock, world.random, rate);
    this.#start();
  }

  isMaster(election: string): boolean {
    return this.#candidacies.licence(election) !== null;
  }

  do(action: Action): void {
    const { clock } = this.world;
    switch (action.type) {
      case 'want':
      case 'unwant':
      case 'resign': {
        const { type } = action;
        for (const [i, election] of this.world.elections.entries()) {
          if (action.election !== undefined && action.election % this.world.elections.length !== i) continue;
          if (type === 'want') this.#wanted.add(election);
          if (type === 'unwant') this.#wanted.delete(election);
          this.tell(election, { type });
        }
        return;
      }
      case 'leaseMs':
        return this.hear(action);
      case 'pause':
        return this.clock.pause(action.forMs);
      case 'sleep':
        return this.clock.sleep(action.forMs);
      case 'cut':
        this.#cutUntilMs = clock.now() + action.forMs;
        return;
      case 'deaf':
        this.#deafUntilMs = clock.now() + action.forMs;
        return;
      case 'restart':
        return this.#start();
    }
  }

  hear(event: LeaseEvent): void {
    this.#inLife(() => this.#candidacies.send(event));
  }

  tell(election: string, event: CandidateEvent): void {
    this.#inLife(() => this.#candidacies.tell(election, event));
  }

  #inLife(work: () => void): void {
    const actor = this.#actor;
    this.clock.run(() => {
      if (actor === this.#actor) work();
    });
  }

  deliverSoon(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    const life = this.#life;
    this.world.later(() => this.clock.run(() => life === this.#life && this.#deliver()));
  }

  get #isCut(): boolean {
    return this.world.clock.now() < this.#cutUntilMs;
  }

  #deliver(): void {
    const { clock, log } = this.world;
    this.#isDelivering = false;
    const hearsAtMs = Math.max(this.#cutUntilMs, this.#deafUntilMs);
    if (clock.now() < hearsAtMs) {
      this.#isDelivering = true;
      const life = this.#life;
      clock.setTimeout(() => this.clock.run(() => life === this.#life && this.#deliver()), hearsAtMs - clock.now());
      return;
    }
    while (this.#delivered < log.length) {
      const command = log[this.#delivered++] as Command;
      this.#pending.delete(command.id);
      this.#candidacies.send({ type: 'seen', id: command.id });
      this.#fold.apply(this.#delivered, command);
    }
  }

  #start(): void {
    const { leaseMs, rules = leaseRules, foldRules: broken = foldRules } = this.world.options;
    this.#life += 1;
    this.#incarnation = `${this.name}-${this.#life}`;
    this.#pending.clear();
    this.#delivered = 0;
    this.#isDelivering = false;
    const fold = new MasterFold({ rules: broken });
    const holderClock = new HolderClock({ clock: this.clock, leaseMs: 100 });
    const actor = createActor(sessionMachine(rules), {
      clock: this.clock,
      input: {
        self: this.name,
        incarnation: this.#incarnation,
        leaseMs,
        drift: DRIFT,
        clock: this.clock,
        random: this.world.random,
        holderClock,
        view: fold.view,
        nextNumber: () => ++this.#number,
      },
    });
    this.#actor?.stop();
    this.#candidacies?.close();
    const { clock } = this;
    const machine = candidateMachine(rules);
    const candidacies = new Candidacies({
      later: (work, delayMs) => clock.setTimeout(work, delayMs),
      session: actor,
      candidate: (input) =>
        createActor(machine, { clock, input: { ...input, heirOf: () => this.name, standsBy: true } }),
      tell: (event) => {
        if (event.type === 'propose') this.#propose(event.command, event.followedBy);
        if (event.type === 'standBy') this.#standBy(event);
        if (event.type === 'withdraw') this.#pending.delete(event.id);
        if (event.type !== 'lost') return;
        clock.setTimeout(() => {
          if (actor === this.#actor) this.tell(event.election, { type: 'settled' });
        }, 100 * this.world.random.next());
      },
    });
    this.#actor = actor;
    this.#candidacies = candidacies;
    this.#fold = fold;
    fold.onApplied(({ id, applied, reason, news }) => {
      if (news) candidacies.send({ type: 'applied', news });
      if (incarnationOf(id) !== this.#incarnation) return;
      candidacies.send(reason ? { type: 'outcome', id, applied, reason } : { type: 'outcome', id, applied });
    });
    actor.start();
    const tick = () => {
      if (actor !== this.#actor) return;
      holderClock.tick();
      this.clock.setTimeout(tick, 5);
    };
    tick();
    for (const election of this.#wanted) this.tell(election, { type: 'want' });
    this.deliverSoon();
  }

  #standBy({ to, election, command }: Extract<CandidacyEvent, { type: 'standBy' }>): void {
    if (!this.#isCut && !this.world.isLost())
      this.world.later(() => this.world.node(to)?.hear({ type: 'standby', election, from: this.name, command }));
  }

  /** Asked for again until it is chosen or withdrawn. What is to follow is asked for once: it may come first, or alone. */
  #propose(command: Command, followedBy?: Command): void {
    if (followedBy && !this.#isCut && !this.world.isLost()) this.world.later(() => this.world.choose(followedBy));
    this.#pending.set(command.id, command);
    const life = this.#life;
    const ask = () => {
      if (life !== this.#life || this.#pending.get(command.id) !== command) return;
      if (!this.#isCut && !this.world.isLost()) this.world.later(() => this.world.choose(command));
      if (!this.#isCut && !this.world.isLost()) this.world.spread(command);
      this.clock.setTimeout(ask, 40);
    };
    ask();
  }
}

/** A node's clocks: a rate of its own, timers up to 1 ms early and some late, and pauses. */
class NodeClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #rate: number;
  readonly #offsetMs: number;
  #pausedUntilMs = 0;
  #sleepFromMs = 0;
  #sleepUntilMs = 0;
  #sleptMs = 0;

  constructor(clock: VirtualClock, random: Random, rate: number) {
    this.#clock = clock;
    this.#random = random;
    this.#rate = rate;
    this.#offsetMs = 10_000 * random.next();
  }

  now(): number {
    const inSleepMs = Math.min(this.#clock.now(), this.#sleepUntilMs) - this.#sleepFromMs;
    return this.#offsetMs + this.#rate * (this.#clock.now() - this.#sleptMs - Math.max(0, inSleepMs));
  }

  wallNow(): number {
    return Math.floor(1_000_000 + this.bootNow());
  }

  bootNow(): number {
    return this.#offsetMs + this.#rate * this.#clock.now();
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const early = this.#random.next() < 0.2 ? -this.#random.next() : 3 * this.#random.next();
    const timer = { isCleared: false };
    const fire = () => timer.isCleared || callback();
    this.#clock.setTimeout(() => this.run(fire), Math.max(0, delayMs / this.#rate + early));
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    if (handle) (handle as { isCleared: boolean }).isCleared = true;
  }

  /** Now, or when the process goes on. */
  run(work: () => void): void {
    const waitMs = this.#pausedUntilMs - this.#clock.now();
    if (waitMs > 0) this.#clock.setTimeout(() => this.run(work), waitMs);
    else work();
  }

  pause(forMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.now() + forMs);
  }

  sleep(forMs: number): void {
    const now = this.#clock.now();
    if (now < this.#sleepUntilMs) return;
    this.#sleptMs += this.#sleepUntilMs - this.#sleepFromMs;
    this.#sleepFromMs = now;
    this.#sleepUntilMs = now + forMs;
    this.pause(forMs);
  }
}
