import type { NodeId } from '@synod/protocol';
import { GROUP_ELECTION, type Group } from '@synod/runtime';
import { type Fault, faultInWords } from '../faults/fault.ts';
import { cutOff, type Heal, inject, silence } from '../faults/inject.ts';
import type { Life, Rules } from '../group/life.ts';
import { SimGroup } from '../group/sim-group.ts';
import { combined, type GroupWatcher } from '../group/watcher.ts';
import { invariants as all } from '../invariants/index.ts';
import type { Invariant, Violation, Watching } from '../invariants/invariant.ts';
import { Resources } from '../user/resource.ts';
import { User } from '../user/user.ts';
import { chanceOf } from '../world/chance.ts';
import type { SeeingCodec } from '../world/codec.ts';
import type { DiskImage } from '../world/disk.ts';
import type { Process } from '../world/process.ts';
import type { Drain } from '../world/world.ts';
import { masterWithinMs } from './bound.ts';
import { Coverage, meetings } from './coverage.ts';
import type { Plan } from './plan.ts';

/** What can be seen of a run besides its group. */
export interface RunWatcher extends GroupWatcher {
  /** A fault began, ended, or found nothing to happen to. */
  faulted?(fault: Fault, phase: 'begins' | 'ends' | 'void', words: string): void;
  healed?(nodes: readonly NodeId[]): void;
}

export interface RunOptions {
  readonly drain: Drain;
  readonly rules?: Rules;
  readonly invariants?: readonly Invariant[];
  readonly codec?: SeeingCodec;
  readonly coverage?: Coverage;
  /** Sees everything too: a recorder. */
  readonly watcher?: RunWatcher;
  /** Called with the group before anything happens in it. */
  readonly onGroup?: (group: SimGroup) => void;
}

/** What came of one run. */
export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly trace: string;
  readonly delivered: number;
  readonly published: number;
  readonly events: number;
  readonly virtualMs: number;
  /** From the healing to a master, in leases; `null` where no majority of good stores was left. */
  readonly healedLeases: number | null;
  readonly terms: number;
  readonly refusedWrites: number;
  readonly interleavedWrites: number;
}

/**
 * Leaving takes a lease at most, and a flush: of a slow disk up to two. A service manager starts what has left within
 * another; less than this in all.
 */
const LEAVING_LEASES = 6;

/** In so many of the runs it is looked whether masters renew in time, and for so long. */
const RESTING = 0.25;
const REST_LEASES = 1.25;

const PROGRESS = 'a healed majority makes progress';

/** Ends a run at its first violation. */
class Broken extends Error {
  readonly violation: Violation;
  constructor(violation: Violation) {
    super(violation.what);
    this.violation = violation;
  }
}

/** Lets one plan happen: faults for at least three leases, then a majority is healed and must have a master (L1). */
export async function run(plan: Plan, options: RunOptions): Promise<Outcome> {
  return new Run(plan, options).execute();
}

class Run {
  readonly #plan: Plan;
  readonly #options: RunOptions;
  readonly #group: SimGroup;
  readonly #resources: Resources;
  /** What each life's service asks for. */
  readonly #users = new Map<Life, readonly User[]>();
  readonly #watches: Watching[];
  readonly #watcher: GroupWatcher = {};
  readonly #chance;
  readonly #coverage: Coverage;
  readonly #active = new Map<Fault, Heal>();
  /** Stores that are not to be believed, as long as they were opened less often than this (I2). */
  readonly #outcasts = new Map<string, number>();
  /** Of these it stands in memories alone. */
  readonly #remembered = new Set<NodeId>();
  readonly #vetoed = new Set<NodeId>();
  readonly #images = new Map<NodeId, DiskImage[]>();
  /** Nodes that are to stay down until then. */
  readonly #downUntilMs = new Map<NodeId, number>();
  readonly #unawareUntilMs = new Map<NodeId, number>();
  /** Were told to leave the group. */
  readonly #leaving = new Set<Life>();
  readonly #terms = new Set<number>();
  #isHealed = false;
  #leftOut: ReadonlySet<NodeId> = new Set();
  /** Who is to keep what it holds, for nothing happens any more. */
  #resting: ReadonlySet<NodeId> = new Set();
  #rested: ReadonlySet<NodeId> = new Set();

  constructor(plan: Plan, options: RunOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#chance = chanceOf(plan.seed, 'faults');
    this.#coverage = options.coverage ?? new Coverage();
    this.#watches = [];
    const watcher = this.#watcher;
    const { settings } = plan;
    this.#group = new SimGroup({
      settings: options.codec ? { ...settings, codec: options.codec } : settings,
      drain: options.drain,
      ...(options.rules ? { rules: options.rules } : {}),
      watcher,
      ...(plan.faults.some(({ kind }) => kind === 'veto')
        ? { isEligible: (node: NodeId) => !this.#vetoed.has(node) }
        : {}),
      onReady: (life, group) => this.#serve(life, group),
    });
    const strangeStoreId = plan.stranger === null ? null : this.#group.machine(plan.stranger).disk.storeId;
    const observed = {
      group: this.#group,
      isWithinDrift: plan.isWithinDrift,
      isOutcast: (storeId: string) => this.#outcasts.has(storeId) || storeId === strangeStoreId,
      isPutBack: (storeId: string) => this.#outcasts.has(storeId),
      isUnaware: ({ machine }: Life) => (this.#unawareUntilMs.get(machine.node) ?? 0) > this.#group.world.nowMs,
    };
    for (const invariant of options.invariants ?? all) {
      const { name, source } = invariant;
      // Not thrown: it would end up in the node that is watched. The run ends after this event.
      const fail = (what: string): void => {
        const { world } = this.#group;
        world.fail(new Broken({ invariant: name, source, what, atMs: world.nowMs }));
      };
      this.#watches.push(invariant.watch(observed, fail));
    }
    Object.assign(watcher, combined([...this.#watches, this.#own(), ...(options.watcher ? [options.watcher] : [])]));
    this.#group.begin();
    this.#resources = new Resources(this.#group.world, watcher);
    const stepped = this.#watches.flatMap((watch) =>
      watch.stepped ? [(stepped: Process | null) => watch.stepped?.(stepped)] : [],
    );
    for (const watch of stepped) this.#group.world.watch(watch);
    options.onGroup?.(this.#group);
  }

  async execute(): Promise<Outcome> {
    const { world, network } = this.#group;
    let violation: Violation | null = null;
    let healedLeases: number | null = null;
    try {
      this.#prepare();
      await world.run(this.#plan.healAtMs);
      await this.#awaitBlocked();
      healedLeases = await this.#demandMaster();
      for (const watch of this.#watches) watch.finished?.(this.#rested);
      await world.run(world.nowMs);
    } catch (error) {
      violation = this.#violationOf(error);
    }
    return {
      seed: this.#plan.seed,
      violation,
      trace: world.trace.toString(),
      delivered: network.delivered,
      published: network.published,
      events: world.steps,
      virtualMs: world.nowMs,
      healedLeases,
      terms: this.#terms.size,
      refusedWrites: this.#resources.refused,
      interleavedWrites: this.#resources.interleaved,
    };
  }

  #violationOf(error: unknown): Violation {
    if (error instanceof Broken) return error.violation;
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { invariant: 'nothing throws', source: 'architecture.md, principle 4', what, atMs: this.#group.world.nowMs };
  }

  #prepare(): void {
    const { startsMs, faults, isFormed, stranger } = this.#plan;
    const { world, network } = this.#group;
    if (isFormed) this.#group.form(stranger);
    network.isCapturing = faults.some(({ kind }) => kind === 'replay' || kind === 'flood');
    for (const node of this.#group.names) world.plan(startsMs[node] ?? 0, () => this.#start(node));
    for (const fault of faults) world.plan(fault.atMs, () => this.#inject(fault));
  }

  /** The node's service begins. */
  #serve(life: Life, group: Group): void {
    const { seed, user: manners, campaigns } = this.#plan;
    const users = (campaigns[life.node] ?? []).map((campaign) => {
      const { election } = campaign;
      const purpose = election === GROUP_ELECTION ? `user ${life.id}` : `user ${life.id} of ${election}`;
      return new User({
        life,
        campaign,
        resources: this.#resources,
        manners,
        chance: chanceOf(seed, purpose),
        watcher: this.#watcher,
      });
    });
    this.#users.set(life, users);
    for (const user of users) {
      if (this.#isHealed) user.stay();
      user.begin(group);
    }
  }

  #user(life: Life, election: string): User | undefined {
    return this.#users.get(life)?.find(({ campaign }) => campaign.election === election);
  }

  #start(node: NodeId): void {
    if (this.#isHealed && this.#leftOut.has(node) && this.#plan.others === 'dead') return;
    const life = this.#group.life(node);
    if (life && !life.ending) return;
    if ((this.#downUntilMs.get(node) ?? 0) > this.#group.world.nowMs) return;
    // I2 is a count: opened often enough again, a folder that was put back is believed again. The model ends before that.
    const { disk } = this.#group.machine(node);
    if (disk.incarnations + 1 >= (this.#outcasts.get(disk.storeId) ?? Number.POSITIVE_INFINITY)) return;
    const images = this.#images.get(node) ?? [];
    this.#images.set(node, images);
    if (this.#plan.faults.some(({ kind }) => kind === 'roll back')) images.push(this.#group.machine(node).disk.image);
    this.#group.start(node);
  }

  #inject(fault: Fault): void {
    if (this.#isHealed) return;
    const met = meetings(fault, this.#group);
    const heal = inject(fault, {
      group: this.#group,
      chance: this.#chance,
      down: (node, forMs) => this.#down(node, forMs),
      resign: (life, election, to) => this.#user(life, election)?.resign(to),
      transfer: (life, election, to) => this.#user(life, election)?.transfer(to),
      setVeto: (node, isVetoed) => void (isVetoed ? this.#vetoed.add(node) : this.#vetoed.delete(node)),
      outcast: (storeId, believedFrom) => void this.#outcasts.set(storeId, believedFrom),
      outcastWhileRemembered: (node) => {
        const { storeId, incarnations } = this.#group.machine(node).disk;
        this.#outcasts.set(storeId, incarnations + 1);
        this.#remembered.add(node);
      },
      isOutcast: (node) => this.#outcastNodes.has(node),
      unawareUntil: (node, atMs) => void this.#unawareUntilMs.set(node, atMs),
      imagesOf: (node) => this.#images.get(node) ?? [],
    });
    // What could not happen has met nobody.
    if (heal) for (const state of met) this.#coverage.hit(fault.kind, state);
    this.#options.watcher?.faulted?.(fault, heal ? 'begins' : 'void', faultInWords(fault));
    const leaving = heal && fault.kind === 'restart' ? this.#group.life(fault.node) : null;
    if (leaving) this.#leaving.add(leaving);
    if (!heal || !('forMs' in fault)) return;
    this.#active.set(fault, heal);
    this.#group.world.plan(this.#group.world.nowMs + fault.forMs, () => this.#heal(fault));
  }

  #heal(fault: Fault): void {
    const heal = this.#active.get(fault);
    if (!heal) return;
    this.#active.delete(fault);
    heal();
    this.#options.watcher?.faulted?.(fault, 'ends', faultInWords(fault));
  }

  #down(node: NodeId, forMs: number): void {
    const untilMs = this.#group.world.nowMs + forMs;
    this.#downUntilMs.set(node, untilMs);
    this.#group.world.plan(untilMs, () => this.#start(node));
  }

  /** That its folder was put back is known no more: whatever it says would be believed, and the model ends before that. */
  #forget(node: NodeId): void {
    this.#remembered.delete(node);
    this.#outcasts.set(this.#group.machine(node).disk.storeId, 0);
    this.#group.crash(node);
    silence(this.#group, node);
  }

  /** What a service manager does: a process that ended by itself is started again. */
  #own(): GroupWatcher {
    return {
      began: ({ node }) => {
        for (const other of this.#remembered) if (other !== node) this.#forget(other);
      },
      ended: (life) => {
        this.#users.delete(life);
        if (this.#group.life(life.node) !== life || life.ending === 'killed') return;
        const { world } = this.#group;
        const againMs = Math.max(
          world.nowMs + this.#plan.leaseMs * this.#chance.between(0.2, 0.8),
          this.#downUntilMs.get(life.node) ?? 0,
        );
        world.plan(againMs, () => this.#start(life.node));
      },
      elected: (_life, term) => void this.#terms.add(term),
      deposed: (life, term, lostBy, election) => {
        if (lostBy === 'expired' && this.#resting.has(life.node)) this.#blame(life, term, election);
      },
    };
  }

  /** What is held up in the middle of a step cannot be healed: its clocks have been read ahead. */
  async #awaitBlocked(): Promise<void> {
    const { world, lives } = this.#group;
    for (const { process } of lives) process.spare();
    await world.run(Math.max(world.nowMs, ...Array.from(lives, ({ process }) => process.busyUntilMs)));
  }

  /** The second phase. @returns how many leases it took, `null` when nothing can be demanded. */
  async #demandMaster(): Promise<number | null> {
    const { world, names, voters } = this.#group;
    this.#isHealed = true;
    for (const watch of this.#watches) watch.healed?.();
    const good = voters.filter((node) => this.#isGood(node));
    const majority = Math.floor(voters.length / 2) + 1;
    const healed = new Set(this.#chance.some(good, this.#chance.whole(Math.min(majority, good.length), good.length)));
    const all = new Set([...healed, ...this.#healedCandidates()]);
    this.#leftOut = new Set(names.filter((node) => !all.has(node)));
    for (const fault of [...this.#active.keys()]) this.#heal(fault);
    for (const way of this.#group.network.links()) way.release();
    this.#downUntilMs.clear();
    for (const node of this.#leftOut) this.#leaveOut(node);
    for (const node of all) this.#start(node);
    for (const users of this.#users.values()) for (const user of users) user.stay();
    this.#options.watcher?.healed?.([...all]);
    if (healed.size < majority || !this.#canForm(healed)) return null;
    await this.#awaitMajority(healed, majority);
    const healedMs = world.nowMs;
    const boundMs = masterWithinMs(this.#plan) + this.#busyMs(healed);
    const missing = this.#wanted(all);
    const isDone = await world.run(healedMs + boundMs, () => {
      for (const election of missing) if (this.#hasMaster(election)) missing.delete(election);
      return missing.size === 0;
    });
    if (!isDone) {
      const what = `no master of ${[...missing].join(', ')} ${Math.round(boundMs)} ms after a majority was healed`;
      this.#fail('L1, protocol.md section 1', what);
    }
    const tookMs = world.nowMs - healedMs;
    await this.#demandCatchUp(healed);
    await this.#demandNews(all);
    await this.#demandRest(all);
    return tookMs / this.#plan.leaseMs;
  }

  /** L1 is of a majority that can talk: where that takes one who was told to leave before, the time counts from his return. */
  async #awaitMajority(healed: ReadonlySet<NodeId>, majority: number): Promise<void> {
    const { world } = this.#group;
    const isThere = () => {
      const lives = [...healed].map((node) => this.#group.life(node));
      return lives.filter((life) => life && !this.#leaving.has(life)).length >= majority;
    };
    if (!isThere()) await world.run(world.nowMs + LEAVING_LEASES * this.#plan.leaseMs, isThere);
  }

  /**
   * What is chosen is learned by all who are healed, within two leases. Who was told to leave before the healing does not learn
   * any more: it leaves (its last flush may be a slow one), is started again, and its own time counts from then.
   */
  async #demandCatchUp(healed: ReadonlySet<NodeId>): Promise<void> {
    const { world } = this.#group;
    const { leaseMs } = this.#plan;
    const fromMs = world.nowMs;
    const lifeOf = (node: NodeId) => this.#group.life(node);
    const isLeaving = (node: NodeId): boolean => this.#leaving.has(lifeOf(node) as Life);
    const leavers = new Set([...healed].filter((node) => isLeaving(node)));
    const positionOf = (node: NodeId): number => lifeOf(node)?.fold.position ?? 0;
    const through = Math.max(...[...healed].map(positionOf));
    const behind = () => [...healed].filter((node) => positionOf(node) < through || isLeaving(node));
    const busyMs = this.#busyMs(healed);
    const dueMs = (node: NodeId): number => {
      if (!leavers.has(node)) return fromMs + busyMs + 2 * leaseMs;
      return isLeaving(node) ? fromMs + LEAVING_LEASES * leaseMs : (lifeOf(node)?.beganMs ?? 0) + 2 * leaseMs;
    };
    const isOver = () => {
      const late = behind();
      return late.length === 0 || late.some((node) => world.nowMs > dueMs(node));
    };
    const longest = leavers.size === 0 ? 2 : LEAVING_LEASES + 2;
    if (!isOver()) await world.run(fromMs + busyMs + longest * leaseMs, isOver);
    const late = behind();
    if (late.length === 0) return;
    const where = late.map((node) => `${node} at ${positionOf(node)}`);
    this.#fail('N2, protocol.md section 2', `not caught up to position ${through}: ${where.join(', ')}`);
  }

  /** How long a flush that began on a slow disk before the healing still takes: who waits for it has its time from then. */
  #busyMs(nodes: ReadonlySet<NodeId>): number {
    const { world } = this.#group;
    const untilMs = [...nodes].map((node) => this.#group.life(node)?.machine.disk.busyUntilMs ?? 0);
    return Math.max(0, ...untilMs.map((atMs) => atMs - world.nowMs));
  }

  /** Who is healed outside the log hears of all that changed, within two leases; and of nothing that did not. */
  async #demandNews(healed: ReadonlySet<NodeId>): Promise<void> {
    const { world, voters } = this.#group;
    const outside = () => [...healed].filter((node) => !voters.includes(node)).map((node) => this.#group.life(node));
    if (outside().length === 0) return;
    const folds = voters.flatMap((node) => (healed.has(node) ? (this.#group.life(node)?.fold ?? []) : []));
    const [fold] = folds.sort((a, b) => b.position - a.position);
    const records = [...(fold?.view.records() ?? [])];
    const isBehind = (life: Life | null): boolean => {
      const heard = new Map(life?.group?.present().records.map(({ election, version }) => [election, version]));
      return records.some(({ election, version }) => (heard.get(election) ?? 0) < version);
    };
    const isDone = () => !outside().some(isBehind);
    if (isDone() || (await world.run(world.nowMs + 2 * this.#plan.leaseMs, isDone))) return;
    const behind = outside().filter(isBehind);
    this.#fail('L1, protocol.md section 1', `${behind.map((life) => life?.node).join(', ')} hears of nothing any more`);
  }

  /**
   * Whoever holds on while nothing happens any more renews in time. Of what faults did to a session a lease later nothing is
   * left; during another nobody may run out of time. Not demanded beside nodes that are faulty still.
   */
  async #demandRest(healed: ReadonlySet<NodeId>): Promise<void> {
    const { world } = this.#group;
    const { leaseMs, seed, settings, others } = this.#plan;
    if (others === 'faulty' || !chanceOf(seed, 'rest').happens(RESTING)) return;
    // A timer that was set while timers were late is late still, and so is a flush that a slow disk began.
    const lateMs = this.#plan.faults.map((fault) => (fault.kind === 'timers' ? fault.lateMs : 0));
    await world.run(
      world.nowMs + (1 + settings.maxDriftPpm / 1e6) * leaseMs + Math.max(this.#busyMs(healed), ...lateMs),
    );
    this.#resting = healed;
    await world.run(world.nowMs + REST_LEASES * leaseMs);
    this.#resting = new Set();
    this.#rested = healed;
  }

  /** Its lease ran out although nothing happened. Where timers are late by more than an attempt nothing is demanded. */
  #blame(life: Life, term: number, election: string): void {
    const { world } = this.#group;
    const leaseMs = life.actors.lease?.getSnapshot().context?.leaseMs ?? life.leaseMs;
    if (life.machine.timers.now.lateMs > leaseMs / 4) return;
    const what = `${life.node} let its mastership of ${election} run out (term ${term}), and nothing stood in its way`;
    world.fail(this.#broken('T10, protocol.md section 4', what));
  }

  #fail(source: string, what: string): never {
    throw this.#broken(source, what);
  }

  #broken(source: string, what: string): Broken {
    return new Broken({ invariant: PROGRESS, source, what, atMs: this.#group.world.nowMs });
  }

  /** Any number of them, none at all included. */
  #healedCandidates(): readonly NodeId[] {
    const { names, voters } = this.#group;
    const candidates = names.slice(voters.length);
    if (candidates.length === 0) return candidates;
    const chance = chanceOf(this.#plan.seed, 'healed candidates');
    return chance.some(candidates, chance.whole(0, candidates.length));
  }

  /** Elections that a healed node asks for, or will when it has started. */
  #wanted(healed: ReadonlySet<NodeId>): Set<string> {
    const { campaigns } = this.#plan;
    const wanted = new Set<string>();
    for (const node of healed) {
      const life = this.#group.life(node);
      for (const { election } of campaigns[node] ?? []) {
        if (!life || !this.#user(life, election)?.hasRetired) wanted.add(election);
      }
    }
    return wanted;
  }

  /**
   * One that is not healed may hold on to its mastership by what gets through. Of one that is cut off nothing does: what is
   * left of its lease is no progress of the others.
   */
  #hasMaster(election: string): boolean {
    const isOutOfReach = ({ node }: Life): boolean => this.#plan.others === 'cut off' && this.#leftOut.has(node);
    for (const life of this.#group.lives) {
      if (isOutOfReach(life)) continue;
      if (life.mayHold && life.minds(election) && life.process.isRunning && life.isMaster(election)) return true;
    }
    return false;
  }

  /** Its store may vote: neither wiped nor rolled back nor damaged. */
  #isGood(node: NodeId): boolean {
    const { disk } = this.#group.machine(node);
    const isStranger = node === this.#plan.stranger;
    return disk.damage === null && !isStranger && !this.#outcasts.has(disk.storeId) && !this.#outcastNodes.has(node);
  }

  get #outcastNodes(): ReadonlySet<NodeId> {
    return new Set(
      this.#group.names.filter((node) => [...this.#outcasts.keys()].some((id) => id.startsWith(`${node}-`))),
    );
  }

  /** One that is formed tells the others; where none is, each must hear from every voter, wiped ones never (I5). */
  #canForm(healed: ReadonlySet<NodeId>): boolean {
    if ([...healed].some((node) => this.#group.hasRecord(node, 'formed'))) return true;
    return this.#outcasts.size === 0 && healed.size === this.#group.voters.length;
  }

  #leaveOut(node: NodeId): void {
    switch (this.#plan.others) {
      case 'dead':
        this.#group.crash(node);
        break;
      case 'cut off':
        cutOff(this.#group, node);
        break;
      case 'faulty': {
        for (const way of this.#group.network.links()) {
          if (way.from === node || way.to === node)
            way.manners.lay({ loss: 0.5, late: 0.3, lateMs: this.#plan.leaseMs });
        }
      }
    }
  }
}
