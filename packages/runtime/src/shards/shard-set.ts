import type { MasterReader } from '@synod/mastership';
import {
  type Clock,
  ConfigError,
  MastershipLostError,
  type NodeId,
  type Random,
  type Subscription,
  type TimerHandle,
} from '@synod/protocol';
import type { Election, ElectionOptions, Mastership } from '../election/types.ts';
import { nameProblems } from '../options.ts';
import { Population } from './population.ts';
import { type Landscape, type ShardRules, shardRules } from './shards.rules.ts';
import type { Shard, Shards, ShardsOptions } from './types.ts';

/** What a set of shards needs of its node. */
export interface ShardPorts {
  readonly node: NodeId;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: () => number;
  readonly reader: MasterReader;
  readonly election: (name: string, options: ElectionOptions) => Election;
  /** Tells all nodes that this one would hold shards of that name, and holds none. */
  readonly announce: (name: string) => void;
  /** Whether this node may hold any, now and at each change. */
  readonly watchHealth: (own: ShardsOptions['eligible'], tell: (isEligible: boolean) => void) => Subscription;
  readonly onError: (error: unknown) => void;
  readonly onClosed: () => void;
  readonly rules?: ShardRules;
}

/** A shard that this node asks for, waits for or holds. */
interface Want {
  readonly shard: Shard;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  mastership: Mastership | null;
  /** Kept until then though no plan names it: somebody offered it. */
  offeredUntilMs: number;
}

/** Hand-overs of this node under way at once; each shard is in one at most. */
const MOVES_AT_ONCE = 64;

/** @see Shards */
export class ShardSet implements Shards {
  readonly name: string;
  readonly count: number;
  readonly #ports: ShardPorts;
  readonly #options: ShardsOptions;
  readonly #rules: ShardRules;
  readonly #indexes = new Map<string, number>();
  readonly #shards: readonly Shard[];
  readonly #holders: (NodeId | null)[];
  readonly #orphans = new Set<number>();
  readonly #freeSinceMs: number[];
  readonly #wants = new Map<number, Want>();
  readonly #moving = new Map<number, NodeId>();
  /** Work of these failed here: until when they are left to others, and how often it did. */
  readonly #resting = new Map<number, { readonly untilMs: number; readonly times: number }>();
  readonly #population: Population;
  readonly #healthWatch: Subscription;
  #isEligible = false;
  #hasBegun = false;
  #isClosed = false;
  #reviewAtMs = Number.POSITIVE_INFINITY;
  #timer: TimerHandle | null = null;

  /** @throws ConfigError with every problem of the options at once. */
  constructor(ports: ShardPorts, options: ShardsOptions) {
    const { count, name = 'shard', signal } = options;
    const problems = [
      ...(Number.isInteger(count) && count >= 1 && count <= 100_000 ? [] : [`count is ${count}: 1 to 100000`]),
      ...nameProblems('name', `${name}-${count - 1}`),
    ];
    if (problems.length > 0) throw new ConfigError(problems);
    this.name = name;
    this.count = count;
    this.#ports = ports;
    this.#options = options;
    this.#rules = ports.rules ?? shardRules;
    this.#shards = Array.from({ length: count }, (_, index) => ({ index, name: `${name}-${index}` }));
    for (const shard of this.#shards) this.#indexes.set(shard.name, shard.index);
    this.#holders = this.#shards.map(() => null);
    const nowMs = ports.clock.now();
    this.#freeSinceMs = this.#shards.map(() => nowMs);
    for (const { index } of this.#shards) this.#look(index);
    this.#population = new Population({
      self: ports.node,
      clock: ports.clock,
      random: ports.random,
      leaseMs: ports.leaseMs,
      announce: () => ports.announce(name),
      onChange: () => this.#touch(),
    });
    this.#healthWatch = ports.watchHealth(options.eligible, (isEligible) => {
      this.#isEligible = isEligible;
      this.#touch();
    });
    signal?.addEventListener('abort', () => void this.close(), { once: true });
    if (signal?.aborted) void this.close();
  }

  get held(): readonly Shard[] {
    return [...this.#wants.values()]
      .filter(({ mastership }) => mastership !== null && mastership.remainingMs() > 0)
      .map(({ shard }) => shard)
      .sort((a, b) => a.index - b.index);
  }

  mastership(index: number): Mastership | null {
    const mastership = this.#wants.get(index)?.mastership ?? null;
    return mastership !== null && mastership.remainingMs() > 0 ? mastership : null;
  }

  election(index: number): Election {
    const shard = this.#shards[index];
    if (!shard) throw new ConfigError([`shard ${index}: there are 0 to ${this.count - 1}`]);
    const { eligible, metadata } = this.#options;
    return this.#ports.election(shard.name, {
      // Equal numbers, not priority, say who is to have it.
      priority: 0,
      ...(eligible && { eligible }),
      ...(metadata && { metadata }),
    });
  }

  indexOf(key: string): number {
    return hash(key) % this.count;
  }

  holders(): ReadonlyMap<NodeId, number> {
    const counts = new Map<NodeId, number>();
    for (const node of this.#holders) if (node !== null) counts.set(node, (counts.get(node) ?? 0) + 1);
    return counts;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return void (await this.#ended());
    this.stop();
    await Promise.all(Array.from(this.#wants.values(), ({ mastership }) => mastership?.resign({ reason: 'closed' })));
    for (const { controller } of this.#wants.values()) controller.abort();
    await this.#ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Plans nothing any more. What is held is for the elections to give back. */
  stop(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ports.clock.clearTimeout(this.#timer);
    this.#population.close();
    this.#healthWatch.close();
    this.#ports.onClosed();
  }

  /** The node plays its part from now on: it waits a little for others that begin when it does. */
  begin(): void {
    if (this.#isClosed || this.#hasBegun) return;
    this.#hasBegun = true;
    this.#populate();
    this.#reviewIn(this.#ports.leaseMs() / 10);
  }

  /** Whether this is one of the elections of the set. */
  has(election: string): boolean {
    return this.#indexes.has(election);
  }

  /** A record changed; the reader shows it. */
  changed(election: string): void {
    const index = this.#indexes.get(election);
    if (index === undefined || this.#isClosed) return;
    this.#look(index);
    this.#population.holds(this.#holders[index] ?? null);
    this.#touch();
  }

  /** A node says that it would hold shards, and holds none. */
  heard(from: NodeId): void {
    if (!this.#isClosed) this.#population.heard(from);
  }

  /** T8: its holder would hand it to this node, which agrees if it asks for it. */
  offered(election: string): void {
    const index = this.#indexes.get(election);
    if (index === undefined || !this.#mayTake(index)) return;
    const want = this.#wants.get(index) ?? this.#want(index);
    want.offeredUntilMs = this.#ports.clock.now() + this.#ports.leaseMs();
  }

  #look(index: number): void {
    const { reader, incarnation, node: self, clock } = this.#ports;
    const { master, node } = reader.record((this.#shards[index] as Shard).name);
    const holder = master === null ? null : node;
    if (holder === null && this.#holders[index] !== null) this.#freeSinceMs[index] = clock.now();
    this.#holders[index] = holder;
    const isOrphan = holder === self && reader.session(master as number)?.incarnation !== incarnation;
    if (isOrphan) this.#orphans.add(index);
    else this.#orphans.delete(index);
  }

  /** Something changed: looked at soon, together with what else changes until then. */
  #touch(): void {
    this.#reviewIn(this.#ports.leaseMs() / 50);
  }

  #reviewIn(delayMs: number): void {
    const { clock } = this.#ports;
    const atMs = clock.now() + delayMs;
    if (this.#isClosed || !this.#hasBegun || !(atMs < this.#reviewAtMs)) return;
    clock.clearTimeout(this.#timer);
    this.#reviewAtMs = atMs;
    this.#timer = clock.setTimeout(() => {
      this.#reviewAtMs = Number.POSITIVE_INFINITY;
      this.#review();
    }, delayMs);
  }

  #review(): void {
    this.#populate();
    const land = this.#landscape();
    const { wanted, moves } = this.#isEligible
      ? this.#rules.plan(land)
      : { wanted: new Set<number>(), moves: new Map<number, NodeId>() };
    this.#follow(wanted);
    this.#takeLeftOver(land);
    this.#give(moves);
    this.#reviewIn(this.#population.refusalsEndInMs());
  }

  /** Nobody knows of a node that holds nothing, unless it says so. */
  #populate(): void {
    const isHolding = this.#holders.some((node, index) => node === this.#ports.node && !this.#orphans.has(index));
    this.#population.present(this.#isEligible && !isHolding);
  }

  /** As things will be when what this node hands over has arrived. */
  #landscape(): Landscape {
    const holders = [...this.#holders];
    for (const [index, to] of this.#moving) holders[index] = to;
    const { ready, refusing } = this.#population;
    return { self: this.#ports.node, holders, ready, refusing, orphans: this.#orphans };
  }

  #follow(wanted: ReadonlySet<number>): void {
    const nowMs = this.#ports.clock.now();
    const headStartMs = this.#ports.leaseMs() / 10;
    for (const index of wanted) {
      if (this.#wants.has(index) || !this.#mayTake(index)) continue;
      // Who waited for it before it was free is about to have it.
      const freeMs = nowMs - (this.#freeSinceMs[index] ?? 0);
      if (this.#holders[index] === null && freeMs < headStartMs) this.#reviewIn(headStartMs - freeMs);
      else this.#want(index);
    }
    for (const [index, { mastership, controller, offeredUntilMs }] of this.#wants) {
      // What is free is asked for until somebody has it.
      const isAskedFor = wanted.has(index) || this.#holders[index] === null || nowMs < offeredUntilMs;
      if (mastership === null && !(isAskedFor && this.#isEligible)) controller.abort();
    }
  }

  /** What nobody took though it fell to him is anybody's: who has least is the first to take it. */
  #takeLeftOver({ self, ready }: Landscape): void {
    if (!this.#isEligible) return;
    const { clock, leaseMs } = this.#ports;
    const counts = this.holders();
    const own = counts.get(self) ?? 0;
    const before = [...new Set([...ready, ...counts.keys()])].filter((node) => {
      const count = counts.get(node) ?? 0;
      return count < own || (count === own && node < self);
    });
    const graceMs = (leaseMs() / 4) * (1 + Math.min(before.length, 3));
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [index, holder] of this.#holders.entries()) {
      if (holder !== null || this.#wants.has(index)) continue;
      const rest = this.#resting.get(index)?.untilMs ?? 0;
      const atMs = Math.max((this.#freeSinceMs[index] ?? 0) + graceMs, rest);
      if (atMs <= clock.now()) this.#want(index);
      else nextMs = Math.min(nextMs, atMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#reviewIn(nextMs - clock.now());
  }

  #give(moves: ReadonlyMap<number, NodeId>): void {
    if (moves.size === 0) return;
    const restMs = this.#population.restMs();
    // Who comes rarely comes alone, and what is free just now evens out what is held: nothing moves twice.
    if (restMs > 0 || this.#isBeingTaken()) return this.#reviewIn(Math.max(restMs, this.#ports.leaseMs() / 10));
    for (const [index, to] of moves) {
      if (this.#moving.size >= MOVES_AT_ONCE) return;
      if (!this.#moving.has(index) && this.mastership(index)) void this.#move(index, to);
    }
  }

  /** What is free for longer than a lease is so for another reason. */
  #isBeingTaken(): boolean {
    const sinceMs = this.#ports.clock.now() - this.#ports.leaseMs();
    return this.#holders.some((holder, index) => holder === null && (this.#freeSinceMs[index] ?? 0) > sinceMs);
  }

  async #move(index: number, to: NodeId): Promise<void> {
    this.#moving.set(index, to);
    try {
      await this.election(index).transfer(to);
      this.#population.accepted(to);
    } catch (error) {
      // It has it not: it may be unwell, or gone.
      if (this.mastership(index)) this.#population.refused(to);
      else if (!isExpected(error)) this.#ports.onError(error);
    }
    this.#moving.delete(index);
    this.#touch();
  }

  #mayTake(index: number): boolean {
    if (this.#isClosed || !this.#isEligible) return false;
    return (this.#resting.get(index)?.untilMs ?? 0) <= this.#ports.clock.now();
  }

  #want(index: number): Want {
    const shard = this.#shards[index] as Shard;
    const controller = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const want: Want = { shard, controller, ended, mastership: null, offeredUntilMs: 0 };
    this.#wants.set(index, want);
    const { graceMs } = this.#options;
    const hold = (mastership: Mastership) => this.#hold(want, mastership);
    const { signal } = controller;
    void this.election(index)
      .runWhileMaster(hold, { signal, onError: 'throw', ...(graceMs !== undefined && { graceMs }) })
      .catch((error) => this.#failed(index, error))
      .finally(() => {
        this.#wants.delete(index);
        resolve();
        this.#touch();
      });
    return want;
  }

  /** One mastership for each want: who is to have the shard next is for a new plan to say. */
  async #hold(want: Want, mastership: Mastership): Promise<void> {
    const { shard, controller } = want;
    const { signal } = mastership;
    want.mastership = mastership;
    const over = new Promise<void>((resolve) => {
      const onOver = () => {
        want.mastership = null;
        const lostBy = signal.reason instanceof MastershipLostError ? signal.reason.lostBy : 'failed';
        this.#tell(() => this.#options.onLost?.(shard, lostBy));
        resolve();
      };
      signal.addEventListener('abort', onOver, { once: true });
    });
    this.#tell(() => this.#options.onAcquired?.(shard, mastership));
    try {
      await this.#options.run?.(shard, mastership);
      this.#resting.delete(shard.index);
      await over;
    } finally {
      controller.abort();
    }
  }

  /** Work that fails here may do better elsewhere. */
  #failed(index: number, error: unknown): void {
    this.#ports.onError(error);
    if (this.#isClosed) return;
    const times = (this.#resting.get(index)?.times ?? 0) + 1;
    const untilMs = this.#ports.clock.now() + this.#ports.leaseMs() * 2 ** Math.min(times - 1, 6);
    this.#resting.set(index, { untilMs, times });
  }

  async #ended(): Promise<void> {
    await Promise.all(Array.from(this.#wants.values(), ({ ended }) => ended));
  }

  /** A listener of the user's hurts nobody else. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#ports.onError(error);
    }
  }
}

/** It went to somebody else, or came too late: the record says where it is. */
const isExpected = (error: unknown): boolean =>
  error instanceof Error && ['TimeoutError', 'MastershipLostError', 'ClosedError'].includes(error.name);

/** FNV-1a, the same everywhere: of the UTF-16 units, low byte first. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    value = Math.imul(value ^ (unit & 0xff), 0x01000193);
    value = Math.imul(value ^ (unit >> 8), 0x01000193);
  }
  return value >>> 0;
}
