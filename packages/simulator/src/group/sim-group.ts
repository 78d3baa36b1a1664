import { foldRules } from '@synod/mastership';
import { recoveryRules } from '@synod/paxos';
import type { Configuration, JournalRecord, NodeId } from '@synod/protocol';
import { formationRules, type Group, type LoggerLike, type NodePorts, voteRules } from '@synod/runtime';
import { type Chance, chanceOf } from '../world/chance.ts';
import { type SeeingCodec, sealingCodec } from '../world/codec.ts';
import { Disk, type DiskManners } from '../world/disk.ts';
import type { Machine } from '../world/machine.ts';
import { MachineClock } from '../world/machine-clock.ts';
import { Manners } from '../world/manners.ts';
import { type LinkManners, Network } from '../world/network.ts';
import { PUNCTUAL, type TimerManners } from '../world/process.ts';
import { type Drain, World } from '../world/world.ts';
import { quickInterpreter, quickMachines, realMachines, watchActors } from './actors.ts';
import { Life, type Rules } from './life.ts';
import type { GroupWatcher } from './watcher.ts';

/** One node of a simulated group, as it is set up. */
export interface NodeSettings {
  readonly node: NodeId;
  readonly leaseMs: number;
  readonly priority: number;
  /** Of its clock; 1 is true time. */
  readonly rate: number;
  readonly bootStepMs: number | null;
  readonly timers: TimerManners;
}

export interface GroupSettings {
  readonly seed: number;
  /** The members. */
  readonly nodes: readonly NodeSettings[];
  /** Nodes outside the log that may be master of every election but the group's own. */
  readonly candidates?: readonly NodeSettings[];
  readonly maxDriftPpm: number;
  readonly link: LinkManners;
  readonly disk: DiskManners;
  readonly codec?: SeeingCodec;
  readonly hasEcho?: boolean;
}

/** The rules of production, run by XState itself. */
export const xstateRules: Rules = {
  machines: watchActors(realMachines()),
  fold: foldRules,
  formation: formationRules,
  recovery: recoveryRules,
  votes: voteRules,
};

/** The rules of production. */
export const realRules: Rules = {
  machines: watchActors(quickMachines(realMachines())),
  fold: foldRules,
  formation: formationRules,
  recovery: recoveryRules,
  votes: voteRules,
  interpreter: quickInterpreter,
};

export interface SimGroupOptions {
  readonly settings: GroupSettings;
  readonly drain: Drain;
  readonly rules?: Rules;
  readonly watcher?: GroupWatcher;
  readonly logger?: (life: Life) => LoggerLike;
  readonly isEligible?: (node: NodeId) => boolean;
  readonly scope?: NodePorts['scope'];
  /** What each life does with its group: campaigns, mostly. */
  readonly onReady?: (life: Life, group: Group) => void;
}

/** Everything about one node that outlives its processes. */
interface Place {
  readonly role: Life['role'];
  readonly machine: Machine;
  readonly settings: NodeSettings;
  life: Life | null;
}

/** A whole group in one world: machines, disks and a network, and on them the real runtime. */
export class SimGroup {
  readonly world: World;
  readonly network: Network;
  readonly settings: GroupSettings;
  /** Everybody: the members first. */
  readonly names: readonly NodeId[];
  readonly voters: readonly NodeId[];
  readonly codec: SeeingCodec;
  readonly #places = new Map<NodeId, Place>();
  readonly #options: SimGroupOptions;
  readonly #watcher: GroupWatcher;
  readonly #rules: Rules;
  /** All that ever lived and may still be asked: a second process of a node too. */
  readonly lives = new Set<Life>();
  #count = 0;

  constructor(options: SimGroupOptions) {
    const { settings, drain, rules = realRules, watcher = {} } = options;
    const { seed } = settings;
    this.#options = options;
    this.settings = settings;
    this.#rules = { ...rules, machines: watchActors(rules.machines) };
    this.#watcher = watcher;
    this.codec = settings.codec ?? sealingCodec;
    const { nodes, candidates = [] } = settings;
    this.voters = nodes.map(({ node }) => node);
    this.names = [...this.voters, ...candidates.map(({ node }) => node)];
    this.world = new World(drain);
    this.network = new Network({
      world: this.world,
      chance: chanceOf(seed, 'network'),
      group: 'sim',
      manners: settings.link,
      hasEcho: settings.hasEcho ?? false,
    });
    for (const node of nodes) this.#settle('member', node);
    for (const node of candidates) this.#settle('candidate', node);
  }

  /** Call it when the watcher is complete: what it does not want to hear is not made. */
  begin(): void {
    this.#watchNetwork();
  }

  /**
   * The group was formed long ago: all stores keep the same configuration, and know it of each other (I5).
   * @param stranger - Keeps another one, of another group that had this name and these stores: by another ρ.
   */
  form(stranger: NodeId | null = null): void {
    const voters = this.voters.map((node) => ({ node, storeId: this.machine(node).disk.storeId }));
    const { maxDriftPpm } = this.settings;
    const configuration: Configuration = {
      group: this.network.group,
      epoch: 0,
      voters: voters.sort((a, b) => (a.node < b.node ? -1 : 1)),
      quorum: 'majority',
      maxDriftPpm,
      guardDivisor: 100,
      firstPosition: 1,
    };
    const strange: Configuration = { ...configuration, maxDriftPpm: maxDriftPpm + 1 };
    for (const node of this.voters) {
      const kept = node === stranger ? strange : configuration;
      const records: JournalRecord[] = [{ type: 'kept', configuration: kept }, { type: 'formed' }];
      const machine = this.machine(node);
      const { storeId } = machine.disk;
      machine.disk.prepare(
        { group: this.network.group, node },
        records.map((record) => this.codec.encodeRecord(record)),
      );
      for (const record of records) this.#watcher.durable?.(machine, storeId, record);
    }
  }

  /** True when the node's disk holds a record of this type. */
  hasRecord(node: NodeId, type: JournalRecord['type']): boolean {
    return this.machine(node).disk.records.some((data) => this.codec.recordIn(data)?.type === type);
  }

  machine(node: NodeId): Machine {
    return this.#place(node).machine;
  }

  /** The node's life at present, if it has one. */
  life(node: NodeId): Life | null {
    return this.#place(node).life;
  }

  settingsOf(node: NodeId): NodeSettings {
    return this.#place(node).settings;
  }

  /** Starts the node's process, with what its disk holds. */
  start(node: NodeId): Life {
    const place = this.#place(node);
    if (place.life && !place.life.ending) return place.life;
    const life = this.#live(place.role, place.machine, place.settings);
    place.life = life;
    return life;
  }

  /** A second process under the same node id, with a folder of its own: somebody's mistake (I1). */
  startTwin(node: NodeId): Life {
    const { role, settings } = this.#place(node);
    const name = `${node}-twin${this.#count + 1}`;
    const machine = this.#machine(settings, chanceOf(this.settings.seed, name), name);
    return this.#live(role, machine, settings);
  }

  /** A machine for somebody who is no member. */
  guestMachine(node: NodeId): Machine {
    const settings: NodeSettings = { node, leaseMs: 0, priority: 0, rate: 1, bootStepMs: null, timers: PUNCTUAL };
    return this.#machine(settings, chanceOf(this.settings.seed, `guest ${node}`), node);
  }

  crash(node: NodeId): void {
    this.#place(node).life?.kill();
  }

  #settle(role: Life['role'], settings: NodeSettings): void {
    const { node } = settings;
    const machine = this.#machine(settings, chanceOf(this.settings.seed, `machine ${node}`), node);
    this.#places.set(node, { role, machine, settings, life: null });
  }

  #live(role: Life['role'], machine: Machine, settings: NodeSettings): Life {
    const { seed, maxDriftPpm } = this.settings;
    const { logger, isEligible, onReady, scope } = this.#options;
    const life: Life = new Life({
      world: this.world,
      network: this.network,
      machine,
      id: ++this.#count,
      seed,
      role,
      voters: this.voters,
      leaseMs: settings.leaseMs,
      maxDriftPpm,
      priority: settings.priority,
      codec: this.codec,
      rules: this.#rules,
      watcher: this.#watcher,
      onEnd: (ended) => void this.lives.delete(ended),
      ...(logger ? { logger: late(() => logger(life)) } : {}),
      ...(scope ? { scope } : {}),
      ...(isEligible ? { isEligible: () => this.#askHealth(life, isEligible(settings.node)) } : {}),
    });
    this.lives.add(life);
    life.begin((group) => onReady?.(life, group));
    return life;
  }

  #askHealth(life: Life, isEligible: boolean): boolean {
    if (!life.ending) this.#watcher.healthAsked?.(life, isEligible);
    return isEligible;
  }

  #place(node: NodeId): Place {
    const place = this.#places.get(node);
    if (!place) throw new RangeError(`no node ${node}`);
    return place;
  }

  #machine(settings: NodeSettings, chance: Chance, store: string): Machine {
    const machine: Machine = {
      node: settings.node,
      chance,
      bootStepMs: settings.bootStepMs,
      timers: new Manners(settings.timers ?? PUNCTUAL),
      clock: new MachineClock({
        atMs: this.world.nowMs,
        rate: settings.rate,
        monotonicMs: chance.between(0, 1e7),
        wallMs: 1_800_000_000_000 + chance.between(-1e7, 1e7),
      }),
      disk: new Disk({
        world: this.world,
        chance,
        name: store,
        manners: this.settings.disk,
        onDurable: (disk, records) => {
          if (!this.#watcher.durable) return;
          for (const record of records) {
            const known = this.codec.recordIn(record);
            if (known) this.#watcher.durable(machine, disk.storeId, known);
          }
        },
      }),
    };
    return machine;
  }

  #watchNetwork(): void {
    const watcher = this.#watcher;
    const { world, codec } = this;
    const messageIn = (payload: Uint8Array) => codec.envelopeIn(payload)?.message ?? null;
    this.network.watcher = {
      said: (process, address, payload) => {
        const message = messageIn(payload);
        if (!message) return;
        world.trace.words(message.type, process.id);
        watcher.said?.(process.owner as Life, address, message);
      },
      ...(watcher.heard
        ? {
            delivered: (from, process, payload, sentMs) => {
              const message = messageIn(payload);
              if (message) watcher.heard?.(process.owner as Life, from, message, sentMs);
            },
          }
        : {}),
      ...(watcher.dropped
        ? {
            lost: (from, to, payload, sentMs) => {
              const message = messageIn(payload);
              if (message) watcher.dropped?.(from, to, message, sentMs);
            },
          }
        : {}),
    };
  }
}

/** A logger that is made when it is needed first. */
function late(make: () => LoggerLike): LoggerLike {
  let made: LoggerLike | null = null;
  const logger = (): LoggerLike => {
    made ??= make();
    return made;
  };
  return {
    debug: (fields, message) => logger().debug(fields, message),
    info: (fields, message) => logger().info(fields, message),
    warn: (fields, message) => logger().warn(fields, message),
    error: (fields, message) => logger().error(fields, message),
  };
}
