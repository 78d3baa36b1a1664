import type { NodeId } from '@synod/protocol';
import { MemoryDisk, MemoryJournal, MemoryNetwork, seededRandom, VirtualClock } from '@synod/protocol/testing';
import type { Group } from '../group/group.ts';
import { GroupNode } from '../group/group-node.ts';
import type { NodeOptions } from '../options.ts';

/** A mastership as the node that held it saw it; instants on the one clock of the world. */
export interface Held {
  readonly node: NodeId;
  readonly term: number;
  readonly fromMs: number;
  untilMs: number | null;
  lostBy: string | null;
}

/** Members of one group in one process, under one virtual clock: time moves only when told to. */
export class TestWorld {
  readonly clock = new VirtualClock();
  readonly random;
  readonly network: MemoryNetwork;
  readonly disks = new Map<NodeId, MemoryDisk>();
  readonly nodes = new Map<NodeId, GroupNode>();
  readonly held: Held[] = [];
  readonly lines: string[] = [];
  readonly voters: readonly NodeId[];
  readonly leaseMs: number;
  #seed: number;

  constructor(
    options: {
      voters?: readonly NodeId[];
      leaseMs?: number;
      seed?: number;
      delayMs?: number;
      maxPayloadBytes?: number;
    } = {},
  ) {
    this.voters = options.voters ?? ['a', 'b', 'c'];
    this.leaseMs = options.leaseMs ?? 1000;
    this.#seed = options.seed ?? 1;
    this.random = seededRandom(this.#seed);
    const delayMs = options.delayMs ?? 1;
    this.network = new MemoryNetwork({
      clock: this.clock,
      random: this.random,
      faults: { delayMinMs: delayMs / 2, delayMaxMs: delayMs },
      ...(options.maxPayloadBytes !== undefined && { maxPayloadBytes: options.maxPayloadBytes }),
    });
  }

  /** Starts a node without waiting for it; with its folder from before, if it had one. */
  launch(node: NodeId, options: Partial<NodeOptions> = {}): { node: GroupNode; started: Promise<void> } {
    const disk = this.disks.get(node) ?? new MemoryDisk();
    this.disks.set(node, disk);
    const log = (_fields: object, message: string) =>
      void this.lines.push(`${Math.round(this.clock.now())} ${node}: ${message}`);
    const instance = new GroupNode(
      {
        bus: this.network.bus(node),
        clock: this.clock,
        random: seededRandom(++this.#seed),
        process: { host: 'test', pid: this.#seed },
      },
      {
        membership: { role: 'member', voters: this.voters, journal: new MemoryJournal(disk) },
        leaseMs: this.leaseMs,
        logger: { debug: log, info: log, warn: log, error: log },
        ...options,
      },
    );
    this.nodes.set(node, instance);
    this.#record(instance);
    const started = instance.start();
    started.catch(() => {});
    return { node: instance, started };
  }

  /** Starts all voters; they form and campaign. */
  async start(nodes: readonly NodeId[] = this.voters): Promise<void> {
    const launched = nodes.map((node) => this.launch(node).started);
    await this.until(() => nodes.every((node) => this.status(node).state === 'voter'), 5 * this.leaseMs);
    await Promise.all(launched);
  }

  /** Campaigns for ever, as a service does. */
  campaign(node: NodeId): void {
    const group = this.node(node);
    void group
      .election()
      .runWhileMaster(
        (mastership) => new Promise((resolve) => mastership.signal.addEventListener('abort', () => resolve())),
      )
      .catch(() => {});
  }

  node(node: NodeId): GroupNode {
    const found = this.nodes.get(node);
    if (!found) throw new Error(`no node ${node}`);
    return found;
  }

  status(node: NodeId) {
    return this.node(node).status();
  }

  masters(): readonly NodeId[] {
    return [...this.nodes.values()].filter((node) => node.election().isMaster()).map((node) => node.node);
  }

  /** Power off: nothing unflushed survives, nobody is told. */
  crash(node: NodeId): void {
    const instance = this.node(node);
    this.nodes.delete(node);
    instance.kill();
    this.disks.get(node)?.crash();
    for (const held of this.held) if (held.node === node) held.untilMs ??= this.clock.now();
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5) await this.clock.advanceAsync(Math.min(5, left));
  }

  /** Lets time pass until `condition`, checking that there are never two masters. */
  async until(condition: () => boolean, withinMs: number): Promise<number> {
    const startMs = this.clock.now();
    while (!condition()) {
      if (this.clock.now() - startMs > withinMs)
        throw new Error(`not within ${withinMs} ms\n${this.lines.slice(-40).join('\n')}`);
      await this.clock.advanceAsync(1);
      if (this.masters().length > 1) throw new Error(`two masters: ${this.masters().join(', ')}`);
    }
    return this.clock.now() - startMs;
  }

  untilMaster(except?: NodeId, withinMs = 4 * this.leaseMs): Promise<number> {
    return this.until(() => this.masters().some((node) => node !== except), withinMs);
  }

  async close(): Promise<void> {
    const closing = [...this.nodes.values()].map((node) => node.close());
    let isClosed = false;
    void Promise.allSettled(closing).then(() => {
      isClosed = true;
    });
    for (let i = 0; i < 400 && !isClosed; i++) await this.clock.advanceAsync(this.leaseMs / 50);
  }

  #record(group: Group & { node: NodeId }): void {
    const { node } = group;
    group.addEventListener('elected', ({ detail }) =>
      this.held.push({ node, term: detail.term, fromMs: this.clock.now(), untilMs: null, lostBy: null }),
    );
    group.addEventListener('lost', ({ detail }) => {
      const held = this.held.findLast((entry) => entry.node === node && entry.term === detail.term);
      if (held) {
        held.untilMs = this.clock.now();
        held.lostBy = detail.lostBy;
      }
    });
  }
}
