import { afterEach, describe, expect, it } from 'vitest';
import { TestWorld } from '../testing/test-world.ts';
import type { Shards, ShardsOptions } from './types.ts';

const worlds: TestWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

/** Three voters that hold no shards, and any number of candidates that do. */
class ShardWorld {
  readonly world: TestWorld;
  readonly sets = new Map<string, Shards>();
  /** Who came to hold which shard, in order. */
  readonly came: { readonly node: string; readonly index: number; readonly atMs: number }[] = [];
  readonly count: number;

  constructor(count: number, options: ConstructorParameters<typeof TestWorld>[0] = {}) {
    this.count = count;
    this.world = new TestWorld(options);
    worlds.push(this.world);
  }

  async start(names: readonly string[], options: Partial<ShardsOptions> = {}): Promise<void> {
    await this.world.start();
    await this.join(names, options);
  }

  async join(names: readonly string[], options: Partial<ShardsOptions> = {}): Promise<void> {
    for (const name of names) {
      const { node } = this.world.launch(name, { membership: { role: 'candidate' } });
      this.take(name, node.shards({ ...this.#options(name), ...options }));
    }
    await this.world.until(
      () => names.every((name) => this.world.status(name).state === 'candidate'),
      5 * this.world.leaseMs,
    );
  }

  take(name: string, set: Shards): void {
    this.sets.set(name, set);
  }

  #options(node: string): ShardsOptions {
    const { came, count, world } = this;
    return { count, onAcquired: ({ index }) => void came.push({ node, index, atMs: world.clock.now() }) };
  }

  /** How many each holds, by its own clock; no shard is held twice. */
  held(): Record<string, number> {
    const masters = new Map<number, string>();
    const counts: Record<string, number> = {};
    for (const [node, set] of this.sets) {
      counts[node] = set.held.length;
      for (const { index } of set.held) {
        if (masters.has(index)) throw new Error(`shard ${index} is held by ${masters.get(index)} and by ${node}`);
        masters.set(index, node);
      }
    }
    return counts;
  }

  get isEven(): boolean {
    const counts = Object.values(this.held());
    const sum = counts.reduce((total, count) => total + count, 0);
    return sum === this.count && Math.max(...counts) - Math.min(...counts) <= 1;
  }

  async untilEven(withinMs: number): Promise<number> {
    const fromMs = this.world.clock.now();
    while (!this.isEven) {
      if (this.world.clock.now() - fromMs > withinMs)
        throw new Error(
          `uneven after ${withinMs} ms: ${JSON.stringify(this.held())}\n${this.world.lines.slice(-30).join('\n')}`,
        );
      await this.world.advance(5);
    }
    return this.world.clock.now() - fromMs;
  }

  crash(node: string): void {
    this.world.crash(node);
    this.sets.delete(node);
  }
}

const members = (amount: number): string[] => Array.from({ length: amount }, (_, i) => `web-${i}`);

describe('shards', () => {
  it('all that begin together have equal parts at once, and nothing moves afterwards', async () => {
    const w = new ShardWorld(24);
    await w.start(members(3));
    await w.untilEven(w.world.leaseMs / 2);
    expect(w.held()).toEqual({ 'web-0': 8, 'web-1': 8, 'web-2': 8 });
    await w.world.advance(10 * w.world.leaseMs);
    expect(w.came).toHaveLength(24);
    expect(Object.fromEntries(w.sets.get('web-1')?.holders() ?? [])).toEqual(w.held());
  });

  it('who comes later gets its part, by as few moves as make it equal', async () => {
    const w = new ShardWorld(30);
    await w.start(['web-0']);
    await w.untilEven(w.world.leaseMs);
    await w.join(['web-1']);
    await w.untilEven(w.world.leaseMs);
    expect(w.came).toHaveLength(30 + 15);
    await w.join(['web-2']);
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(10 * w.world.leaseMs);
    expect(w.held()).toEqual({ 'web-0': 10, 'web-1': 10, 'web-2': 10 });
    expect(w.came).toHaveLength(30 + 15 + 10);
  });

  it('what a dead one held is held again by the end of its lease, in equal parts', async () => {
    const w = new ShardWorld(40);
    await w.start(members(4));
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(2 * w.world.leaseMs);
    w.crash('web-2');
    const tookMs = await w.untilEven(2 * w.world.leaseMs);
    expect(tookMs).toBeLessThan(1.3 * w.world.leaseMs);
    await w.world.advance(5 * w.world.leaseMs);
    expect(w.came).toHaveLength(40 + 10);
  });

  it('what is given back by one that closes is held by the others in milliseconds', async () => {
    const w = new ShardWorld(30);
    await w.start(members(3));
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(w.world.leaseMs);
    const closing = w.world.node('web-1').close();
    w.sets.delete('web-1');
    expect(await w.untilEven(w.world.leaseMs)).toBeLessThan(50);
    await w.world.advance(2 * w.world.leaseMs);
    await closing;
    // The set alone, and the node stays.
    const set = w.sets.get('web-2') as Shards;
    const ending = set.close();
    w.sets.delete('web-2');
    expect(await w.untilEven(w.world.leaseMs)).toBeLessThan(50);
    await w.world.advance(10);
    await ending;
    expect(set.held).toEqual([]);
    expect(w.world.node('web-2').status().state).toBe('candidate');
  });

  it('one that dies and comes back has its part again', async () => {
    const w = new ShardWorld(12);
    await w.start(members(3));
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(w.world.leaseMs);
    w.crash('web-0');
    await w.world.advance(100);
    await w.join(['web-0']);
    await w.untilEven(3 * w.world.leaseMs);
    const came = w.came.length;
    await w.world.advance(5 * w.world.leaseMs);
    expect(w.came.length).toBe(came);
  });

  it('more nodes than shards: nobody has two, and a dead one is replaced', async () => {
    const w = new ShardWorld(2);
    await w.start(members(5));
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(5 * w.world.leaseMs);
    expect(w.came).toHaveLength(2);
    const [holder] = Object.entries(w.held()).find(([, count]) => count === 1) as [string, number];
    w.crash(holder);
    expect(await w.untilEven(2 * w.world.leaseMs)).toBeLessThan(1.3 * w.world.leaseMs);
  });

  it('members and candidates share alike', async () => {
    const w = new ShardWorld(20);
    await w.start(['web-0']);
    for (const name of w.world.voters) w.take(name, w.world.node(name).shards({ count: 20 }));
    await w.untilEven(2 * w.world.leaseMs);
    expect(w.held()).toEqual({ a: 5, b: 5, c: 5, 'web-0': 5 });
  });

  it('the work of a shard stops before it begins elsewhere, and never runs twice at once', async () => {
    const running = new Map<string, string>();
    const w = new ShardWorld(12);
    const runOn = (node: string): Partial<ShardsOptions> => ({
      run: async ({ name }, { signal }) => {
        if (running.has(name)) throw new Error(`${name} runs on ${running.get(name)} already`);
        running.set(name, node);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        await new Promise<void>((resolve) => void w.world.clock.setTimeout(resolve, 30));
        running.delete(name);
      },
    });
    await w.world.start();
    for (const node of members(3)) {
      await w.join([node], runOn(node));
      await w.untilEven(2 * w.world.leaseMs);
    }
    await w.world.advance(w.world.leaseMs);
    expect(running.size).toBe(12);
    expect(w.world.lines.filter((line) => line.includes('already'))).toEqual([]);
  });

  it('work that fails is left to others; work that returns keeps its shard', async () => {
    const w = new ShardWorld(6);
    const failing: Partial<ShardsOptions> = {
      run: ({ index }) => {
        if (index === 3) throw new Error('not on this machine');
      },
    };
    await w.start(['web-0'], failing);
    await w.world.advance(w.world.leaseMs / 2);
    expect(w.held()).toEqual({ 'web-0': 5 });
    await w.join(['web-1']);
    await w.world.advance(4 * w.world.leaseMs);
    const isIn = (node: string) => w.sets.get(node)?.held.map(({ index }) => index) ?? [];
    expect(isIn('web-1')).toContain(3);
    expect(isIn('web-0').length + isIn('web-1').length).toBe(6);
    expect(w.world.lines.some((line) => line.includes('not on this machine'))).toBe(true);
  });

  it('who is unwell gives back what it has, gets nothing, and has its part when it is well again', async () => {
    const w = new ShardWorld(12);
    let isWell = true;
    await w.start(['web-0'], { eligible: () => isWell });
    await w.join(['web-1', 'web-2']);
    await w.untilEven(2 * w.world.leaseMs);
    isWell = false;
    await w.world.advance(w.world.leaseMs);
    expect(w.held()).toEqual({ 'web-0': 0, 'web-1': 6, 'web-2': 6 });
    await w.world.advance(3 * w.world.leaseMs);
    expect(w.held()).toEqual({ 'web-0': 0, 'web-1': 6, 'web-2': 6 });
    isWell = true;
    await w.untilEven(2 * w.world.leaseMs);
  });

  it('priority does not count: equal numbers do', async () => {
    const w = new ShardWorld(12);
    await w.start(members(3));
    await w.untilEven(w.world.leaseMs);
    w.world.node('web-1').configure({ priority: 50 });
    await w.world.advance(5 * w.world.leaseMs);
    expect(w.came).toHaveLength(12);
    expect(w.isEven).toBe(true);
  });

  it('a tenth of all messages lost: equal all the same, and each shard is held once at most', async () => {
    const w = new ShardWorld(20);
    await w.world.start();
    w.world.network.faults = { ...w.world.network.faults, loss: 0.1 };
    await w.join(members(4));
    await w.untilEven(5 * w.world.leaseMs);
    w.crash('web-3');
    await w.untilEven(5 * w.world.leaseMs);
  });

  it('when all have their part nobody says anything but that he lives', async () => {
    const w = new ShardWorld(20);
    await w.start(members(4));
    await w.untilEven(w.world.leaseMs);
    await w.world.advance(w.world.leaseMs);
    const said: string[] = [];
    const tap = w.world.network.tap(({ from, to }) => {
      if (from.startsWith('web')) said.push(`${to.role} ${to.to}`);
    });
    await w.world.advance(2 * w.world.leaseMs);
    tap.close();
    // Four leases renewed at a quarter of a lease each: asked of whoever leads.
    expect(said.filter((to) => to.startsWith('candidate'))).toEqual([]);
    expect(said.length).toBeLessThan(4 * 2 * 8);
  });

  it('says what is wrong with its options, and with a second set of the name', async () => {
    const w = new ShardWorld(4);
    await w.start(['web-0']);
    const node = w.world.node('web-0');
    expect(() => node.shards({ count: 0, name: 'tables' })).toThrow('count is 0');
    expect(() => node.shards({ count: 10, name: 'x'.repeat(63) })).toThrow('name');
    expect(() => node.shards({ count: 4 })).toThrow('held here already');
    await w.world.until(() => w.isEven, w.world.leaseMs);
    const set = w.sets.get('web-0') as Shards;
    expect(set.indexOf('customer-17')).toBe(set.indexOf('customer-17'));
    expect(new Set(Array.from({ length: 100 }, (_, i) => set.indexOf(`customer-${i}`))).size).toBe(4);
    expect(set.mastership(2)?.term).toBe(set.election(2).master?.term);
  });

  it('a thousand over ten candidates: even within a lease, then quiet; one dies, and one comes', {
    timeout: 120_000,
  }, async () => {
    const w = new ShardWorld(1000);
    await w.start(members(10));
    expect(await w.untilEven(w.world.leaseMs)).toBeLessThan(w.world.leaseMs);
    await w.world.advance(3 * w.world.leaseMs);
    expect(w.came).toHaveLength(1000);
    w.crash('web-4');
    expect(await w.untilEven(2 * w.world.leaseMs)).toBeLessThan(1.3 * w.world.leaseMs);
    expect(w.came).toHaveLength(1100);
    await w.join(['web-10']);
    expect(await w.untilEven(2 * w.world.leaseMs)).toBeLessThan(w.world.leaseMs);
    await w.world.advance(3 * w.world.leaseMs);
    expect(w.came).toHaveLength(1200);
  });

  it('an error of work that stops because the set is closed is heard', async () => {
    const shards = new ShardWorld(1);
    const run = async (_: unknown, { signal }: { signal: AbortSignal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new Error('the last page was not written');
    };
    await shards.start(['x'], { run });
    await shards.untilEven(5 * shards.world.leaseMs);
    const errors: unknown[] = [];
    shards.world.node('x').addEventListener('error', ({ detail }) => errors.push(detail.error));
    void shards.sets.get('x')?.close();
    await shards.world.advance(shards.world.leaseMs);
    expect(errors).toMatchObject([{ message: 'the last page was not written' }]);
  });
});
