import {
  type FoldRules,
  type HolderClock,
  type HolderClockOptions,
  MasterFold,
  type MasterView,
} from '@synod/mastership';
import type { AcceptorState, RecoveryRules } from '@synod/paxos';
import {
  type Clock,
  type Incarnation,
  InternalError,
  type Journal,
  JournalFailedError,
  SynodError,
} from '@synod/protocol';
import {
  type FormationRules,
  GROUP_ELECTION,
  type Group,
  joinOver,
  type LoggerLike,
  type Membership,
  type NodeOptions,
  type NodePorts,
  type RoleMachines,
  type VoteRules,
} from '@synod/runtime';
import { chanceOf } from '../world/chance.ts';
import type { SeeingCodec } from '../world/codec.ts';
import type { DiskJournal } from '../world/disk.ts';
import type { Machine } from '../world/machine.ts';
import type { Network, ProcessBus } from '../world/network.ts';
import { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { type Actors, expectActors, forgetActors } from './actors.ts';
import type { GroupWatcher } from './watcher.ts';

/** Rules in place of the real ones, the same at all nodes: how a control breaks one. */
export interface Rules {
  readonly machines: RoleMachines;
  readonly fold: FoldRules;
  readonly formation: FormationRules;
  readonly recovery: RecoveryRules;
  readonly votes: VoteRules;
  /** What a candidate hears by; the real one where it is left out. */
  readonly heard?: () => MasterView;
  /** What a holder counts its time by; the real one where it is left out. */
  readonly holderClock?: (options: HolderClockOptions) => HolderClock;
  /** What stands between a member and its journal; nothing where it is left out. */
  readonly journal?: (journal: Journal) => Journal;
  /** What users have in place of the group: how a notice or an answer is broken on its way to them. */
  readonly served?: (group: Group, clock: Clock) => Group;
  /** What runs the definitions of machines; XState where it is left out. */
  readonly interpreter?: NonNullable<NodeOptions['interpreter']>;
}

export interface LifeOptions {
  readonly world: World;
  readonly network: Network;
  readonly machine: Machine;
  /** Counts the processes of a world. */
  readonly id: number;
  readonly seed: number;
  /** A candidate is no voter: its group's log is elsewhere. */
  readonly role: 'member' | 'candidate';
  readonly voters: readonly string[];
  readonly leaseMs: number;
  readonly maxDriftPpm: number;
  readonly priority: number;
  readonly codec: SeeingCodec;
  readonly scope?: NodePorts['scope'];
  readonly rules: Rules;
  readonly watcher: GroupWatcher;
  readonly onEnd?: (life: Life) => void;
  readonly logger?: LoggerLike;
  /** False while this node's health vetoes a mastership. */
  readonly isEligible?: () => boolean;
}

/** How a life ended. */
export type Ending = 'killed' | 'left' | 'refused' | 'journal' | 'broken';

/** One life of a node: a process in which the real runtime runs, over ports of the world. */
export class Life {
  readonly process: Process;
  readonly machine: Machine;
  readonly role: LifeOptions['role'];
  readonly leaseMs: number;
  /** Of a member: a candidate applies nothing. */
  readonly fold: MasterFold;
  readonly bus: ProcessBus;
  readonly actors: Actors = { candidates: new Map() };
  readonly beganMs: number;
  /** The store it votes with; `null` until its journal is open. */
  storeId: string | null = null;
  /** As it stands on its disk; `null` for who has none. */
  journal: DiskJournal | null = null;
  /** Which life of each voter's store it believes: forgotten when it ends (I2). */
  readonly believed = new Map<string, Incarnation>();
  /** As an acceptor: owned by its machine, from when the journal was read. */
  acceptor: AcceptorState | null = null;
  #group: Group | null = null;
  #incarnation = '';
  #ending: Ending | null = null;
  #error: Error | null = null;
  #isReady = false;
  readonly #options: LifeOptions;

  constructor(options: LifeOptions) {
    const { world, network, machine, id, role, leaseMs, rules, watcher } = options;
    this.#options = options;
    this.role = role;
    this.machine = machine;
    this.leaseMs = leaseMs;
    this.beganMs = world.nowMs;
    this.process = new Process(world, machine, id);
    this.process.owner = this;
    this.bus = network.bus(this.process);
    this.fold = new WatchedFold(rules, (position) => void (this.#ending ?? watcher.restored?.(this, position)));
    expectActors(this.process.clock, this.actors);
    // What a process still computes in the step in which it was killed reaches nobody.
    this.fold.onApplied((applied) => void (this.#ending ?? watcher.applied?.(this, applied)));
  }

  get id(): number {
    return this.process.id;
  }

  get node(): string {
    return this.machine.node;
  }

  /** Of this process, once it has begun; two lives never share one. */
  get incarnation(): string {
    return this.#incarnation;
  }

  get group(): Group | null {
    return this.#group;
  }

  /** Plays its part: `join` has resolved. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get ending(): Ending | null {
    return this.#ending;
  }

  get error(): Error | null {
    return this.#error;
  }

  /** It holds a session, and has not given it up: {@link isMaster} may be true. */
  get mayHold(): boolean {
    // A machine that failed has no context any more.
    const holding = this.actors.lease?.getSnapshot().context?.holding;
    return holding != null && !holding.isOver;
  }

  /** It has a mastership of this election, given up or not; else {@link isMaster} is false whatever clocks say. */
  minds(election: string): boolean {
    return this.actors.candidates.get(election)?.getSnapshot().context?.mastership != null;
  }

  /** What it answers, or would answer if it could be asked at this instant (T5). */
  isMaster(election: string = GROUP_ELECTION): boolean {
    return this.process.observe(() => this.#group?.election(election).isMaster() ?? false);
  }

  /** Begins, in a step of the process. `onReady` is what the service does with the group once it has joined. */
  begin(onReady: (group: Group) => void): void {
    const { world, watcher } = this.#options;
    world.planStep(this.process, world.nowMs, () => this.#join(onReady));
    watcher.began?.(this);
  }

  /** Power off, or SIGKILL: it never knows. */
  kill(): void {
    if (this.#ending) return;
    this.#end('killed', null);
  }

  #join(onReady: (group: Group) => void): void {
    const { process, bus, machine } = this;
    const { seed, id, leaseMs, maxDriftPpm, priority, codec, rules, watcher, logger, isEligible, scope } =
      this.#options;
    // Only the first readings are to take time: they measure the step of the boot clock (T9).
    process.clock.bootReadMs = (machine.bootStepMs ?? 0) / 4;
    const joined = joinOver(
      {
        bus,
        clock: process.clock,
        random: chanceOf(seed, `life ${id} of ${this.node}`),
        process: { host: this.node, pid: id },
        codec,
        ...(scope ? { scope } : {}),
      },
      {
        membership: this.#membership(),
        leaseMs,
        // A candidate reckons as the group does, which it learns.
        ...(this.role === 'member' ? { maxDriftPpm } : {}),
        priority,
        machines: rules.machines,
        formationRules: rules.formation,
        recoveryRules: this.#watched(rules.recovery),
        voteRules: this.#believing(rules.votes),
        fold: this.fold,
        ...(rules.heard ? { heard: rules.heard() } : {}),
        ...(rules.holderClock ? { holderClock: rules.holderClock } : {}),
        ...(rules.interpreter ? { interpreter: rules.interpreter } : {}),
        onJoining: (joining) => {
          const group = rules.served?.(joining, process.clock) ?? joining;
          this.#group = group;
          this.#incarnation = group.status().incarnation;
          process.clock.bootReadMs = 0;
          if (this.role === 'member') this.storeId = machine.disk.storeId;
          group.addEventListener(
            'elected',
            ({ detail }) => void (this.#ending ?? watcher.elected?.(this, detail.term, detail.election)),
          );
          group.addEventListener(
            'renewed',
            ({ detail }) => void (this.#ending ?? watcher.renewed?.(this, detail.term, detail.election)),
          );
          group.addEventListener(
            'lost',
            ({ detail }) => void (this.#ending ?? watcher.deposed?.(this, detail.term, detail.lostBy, detail.election)),
          );
          if (watcher.changed)
            group.addEventListener(
              'change',
              ({ detail }) => void (this.#ending ?? watcher.changed?.(this, detail.election, detail.current)),
            );
          void group.closed.then((error) => this.#left(error ?? null));
        },
        ...(logger ? { logger } : {}),
        ...(isEligible ? { eligible: isEligible } : {}),
      },
    );
    joined.then(
      (group) => {
        this.#isReady = true;
        onReady(this.#group ?? group);
      },
      (error: unknown) => this.#left(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** The rules of recovery; what comes of them is seen. */
  #watched(rules: RecoveryRules): RecoveryRules {
    const { watcher } = this.#options;
    return {
      ...rules,
      recover: (records) => {
        const recovered = rules.recover(records);
        this.acceptor = recovered.acceptor;
        if (!this.#ending) watcher.recovered?.(this, recovered);
        return recovered;
      },
    };
  }

  /** The rules of votes; whom they believe is seen. */
  #believing(rules: VoteRules): VoteRules {
    const { watcher } = this.#options;
    return {
      ...rules,
      isRolledBack: (store, life, ...seen) => {
        const isRolledBack = rules.isRolledBack(store, life, ...seen);
        if (!isRolledBack && !this.#ending) {
          this.believed.set(store.storeId, life);
          watcher.believed?.(this, store.storeId, life);
        }
        return isRolledBack;
      },
    };
  }

  #membership(): Membership {
    const { role, voters, codec, watcher, rules } = this.#options;
    if (role === 'candidate') return { role };
    const journal = this.machine.disk.journal(this.process, (record) => {
      if (!watcher.noted) return;
      const known = this.#ending ? null : codec.recordIn(record);
      if (known) watcher.noted(this, known);
    });
    this.journal = journal;
    return { role, voters, journal: rules.journal?.(journal) ?? journal };
  }

  #left(error: Error | null): void {
    if (this.#ending) return;
    if (error === null) return this.#end('left', null);
    this.#end(endingBy(error), error);
  }

  #end(ending: Ending, error: Error | null): void {
    this.#ending = ending;
    forgetActors(this.process.clock);
    this.#error = error;
    this.process.kill();
    this.machine.disk.crash();
    void this.bus.close();
    this.#options.onEnd?.(this);
    this.#options.watcher.ended?.(this);
  }
}

/** What a caller must handle has a name of its own: anything else, a TypeError as well, is a mistake of the node. */
function endingBy(error: Error): Ending {
  if (error instanceof JournalFailedError) return 'journal';
  return error instanceof SynodError && !(error instanceof InternalError) ? 'refused' : 'broken';
}

/** The real fold under the rules of the run; says when a snapshot took its state's place. */
class WatchedFold extends MasterFold {
  readonly #onRestored: (position: number) => void;

  constructor(rules: Rules, onRestored: (position: number) => void) {
    super({ rules: rules.fold });
    this.#onRestored = onRestored;
  }

  override restore(snapshot: Uint8Array): void {
    super.restore(snapshot);
    this.#onRestored(this.position);
  }
}
