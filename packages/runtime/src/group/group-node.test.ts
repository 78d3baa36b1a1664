import { encodeMasterCommand, MasterFold } from '@synod/mastership';
import {
  ClosedError,
  ConfigError,
  decodeEnvelope,
  encodeEnvelope,
  JournalFailedError,
  MAX_MESSAGE_BYTES,
  NodeIdInUseError,
} from '@synod/protocol';
import { MemoryDisk, MemoryJournal } from '@synod/protocol/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { joinOver } from '../join.ts';
import { type Held, TestWorld } from '../testing/test-world.ts';

let world = new TestWorld();
afterEach(() => world.close());

async function elected(
  options: ConstructorParameters<typeof TestWorld>[0] = {},
): Promise<{ master: string; others: string[] }> {
  world = new TestWorld(options);
  await world.start();
  for (const node of world.voters) world.campaign(node);
  await world.untilMaster();
  const [master] = world.masters() as [string];
  return { master, others: world.voters.filter((node) => node !== master) };
}

describe('one master', () => {
  it('three nodes form, elect one master, keep it', async () => {
    const { master } = await elected();
    await world.advance(20 * world.leaseMs);
    expect(world.masters()).toEqual([master]);
    expect(world.held).toHaveLength(1);
    for (const node of world.voters) expect(world.node(node).election().master?.node).toBe(master);
  });

  it.each([1, 2, 5])('a group of %i works', async (size) => {
    const { master } = await elected({ voters: ['a', 'b', 'c', 'd', 'e'].slice(0, size) });
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toEqual([master]);
    // A follower of five hears but one of the others, and of a quorum all the same.
    for (const node of world.voters) expect(world.status(node).hasQuorum).toBe(true);
  });

  it('a dead master is replaced within 1.1 leases; terms grow (S1)', async () => {
    const { master } = await elected();
    await world.advance(2 * world.leaseMs);
    world.crash(master);
    const tookMs = await world.untilMaster();
    expect(tookMs).toBeLessThan(1.1 * world.leaseMs + 20);
    const [first, second] = world.held;
    expect(second?.term).toBeGreaterThan(first?.term ?? Number.NaN);
  });

  it('a dead leader who is not master does not end the mastership', async () => {
    const { master, others } = await elected();
    for (const other of others) {
      world.crash(other);
      await world.advance(2 * world.leaseMs);
      expect(world.masters()).toEqual([master]);
      const back = world.launch(other);
      await world.until(() => world.status(other).state === 'voter', world.leaseMs);
      await back.started;
      await world.advance(world.leaseMs);
    }
    expect(world.held).toHaveLength(1);
  });

  it('without a majority nobody is master, and it says how many it hears', async () => {
    const { master, others } = await elected();
    for (const other of others) world.crash(other);
    await world.until(() => world.masters().length === 0, 2 * world.leaseMs);
    await world.advance(2 * world.leaseMs);
    expect(world.held[0]?.lostBy).toBe('expired');
    expect(world.status(master).hasQuorum).toBe(false);
    for (const other of others) world.launch(other);
    await world.untilMaster();
  });
});

describe('restart', () => {
  it('T3: replaying its own BeMaster gives a restarted master nothing; it waits like any other', async () => {
    const { master } = await elected({ voters: ['a'] });
    await world.advance(world.leaseMs);
    world.crash(master);
    const crashedAtMs = world.clock.now();
    const { started } = world.launch(master);
    await world.until(() => world.status(master).state === 'voter', world.leaseMs);
    await started;
    expect(world.status(master).position).toBeGreaterThan(0);
    expect(world.masters()).toEqual([]);
    world.campaign(master);
    await world.untilMaster();
    expect(world.clock.now() - crashedAtMs).toBeGreaterThan(1.01 * world.leaseMs);
  });

  it('the lease machine is told what the journal came to, not each of an hour of renewals', async () => {
    const { master } = await elected({ voters: ['a'] });
    await world.advance(10 * world.leaseMs);
    world.crash(master);
    const told: string[] = [];
    world.launch(master, {
      inspect: (inspected) => {
        const { type, actorRef, event } = inspected as {
          type: string;
          actorRef: { id: string };
          event: { type: string };
        };
        if (type === '@xstate.event' && actorRef.id === 'lease') told.push(event.type);
      },
    });
    await world.until(() => world.status(master).state === 'voter', world.leaseMs);
    await world.advance(1);
    expect(world.status(master).position).toBeGreaterThan(30);
    expect(told.filter((type) => type === 'seen' || type === 'applied')).toEqual(['seen', 'applied']);
  });

  it('what was applied before is there again, and one term has one master for ever (S1)', async () => {
    const { master } = await elected();
    await world.advance(3 * world.leaseMs);
    for (const node of world.voters) world.crash(node);
    for (const node of world.voters) world.launch(node);
    await world.until(() => world.voters.every((node) => world.status(node).state === 'voter'), 2 * world.leaseMs);
    await world.advance(world.leaseMs / 2);
    for (const node of world.voters) expect(world.node(node).election().master?.node).toBe(master);
    for (const node of world.voters) world.campaign(node);
    await world.untilMaster();
    const terms = world.held.map(({ term }) => term);
    expect(new Set(terms).size).toBe(terms.length);
  });

  it('P6: a checkpoint replaces the journal and a restart goes on from it', async () => {
    const { master, others } = await elected();
    await world.advance(3 * world.leaseMs);
    for (const node of world.voters) void world.node(node).checkpoint();
    await world.advance(10);
    const [other] = others as [string];
    expect(world.status(other).journal?.checkpoints).toBe(1);
    world.crash(other);
    await world.advance(world.leaseMs);
    world.launch(other);
    await world.until(() => world.status(other).state === 'voter', world.leaseMs);
    await world.advance(world.leaseMs / 2);
    expect(world.status(other).learnedThrough).toBe(world.status(master).learnedThrough);
  });

  it('B2, P2: a node far behind what the others have trimmed fetches a snapshot, proposes nothing there, and can be master', async () => {
    const { master, others } = await elected();
    const [late, other] = others as [string, string];
    world.crash(late);
    await world.advance(5 * world.leaseMs);
    for (const node of [master, other]) void world.node(node).checkpoint();
    await world.advance(10);
    const before = world.status(master).learnedThrough;
    world.crash(master);
    world.launch(late);
    await world.until(() => world.status(late).state === 'voter', world.leaseMs);
    world.campaign(late);
    world.crash(other);
    world.launch(other);
    await world.until(() => world.masters().includes(late), 6 * world.leaseMs);
    expect(world.status(late).learnedThrough).toBeGreaterThan(before);
    expect(world.held.at(-1)?.term).toBeGreaterThan(world.held[0]?.term ?? Number.NaN);
  });
});

describe('T2', () => {
  it('the wait runs from the Accept that was seen, chosen or not: a master that dies renewing is replaced in a lease', async () => {
    const { master } = await elected();
    await world.advance(3 * world.leaseMs);
    // Its renewal is on its way; nobody will ever tell that it was chosen.
    const tap = world.network.tap(({ from, to, payload }) => {
      if (from !== master || to.role !== 'acceptor') return;
      if (decodeEnvelope(payload).envelope?.message.type !== 'accept') return;
      tap.close();
      world.clock.setTimeout(() => world.crash(master), 0.9);
    });
    await world.until(() => world.masters().length === 0, world.leaseMs);
    const tookMs = await world.untilMaster();
    expect(tookMs).toBeGreaterThan(1.01 * world.leaseMs - 5);
    expect(tookMs).toBeLessThan(1.1 * world.leaseMs);
  });
});

describe('B1', () => {
  it('who waits for a dead leader prepares before the wait ends (T2), and then needs one round', async () => {
    const { master } = await elected({ delayMs: 10 });
    await world.advance(3 * world.leaseMs);
    const sent: { type: string; from: string; atMs: number }[] = [];
    world.network.tap(({ from, payload }) => {
      const type = decodeEnvelope(payload).envelope?.message.type;
      if (type === 'prepare' || type === 'accept') sent.push({ type, from, atMs: world.clock.now() });
    });
    await world.until(() => sent.some(({ type }) => type === 'accept'), world.leaseMs);
    await world.advance(50);
    world.crash(master);
    const seenAtMs = sent.findLast(({ from }) => from === master)?.atMs ?? Number.NaN;
    await world.untilMaster();
    const [prepare, accept] = ['prepare', 'accept'].map((wanted) =>
      sent.find(({ type, from }) => type === wanted && from !== master),
    );
    const waitMs = 1.01 * world.leaseMs;
    const ownDeadlineMs = 0.99 * world.leaseMs - world.leaseMs / 100;
    expect(prepare?.atMs).toBeGreaterThanOrEqual(seenAtMs + ownDeadlineMs);
    // Two timers of whole milliseconds, one after the other: the session's, then the candidate's.
    expect((accept?.atMs ?? 0) - (prepare?.atMs ?? 0)).toBeGreaterThanOrEqual(waitMs - ownDeadlineMs - 2);
    expect(accept?.atMs).toBeGreaterThanOrEqual(seenAtMs + waitMs);
    expect(world.clock.now() - (accept?.atMs ?? 0)).toBeLessThan(2 * 10 + 5);
  });

  it.each([1, 2, 3, 4, 5])(
    'who prepared ahead is left in peace until it asks, whatever ρ is (B6): seed %i',
    async (seed) => {
      world = new TestWorld({ voters: ['a', 'b', 'c', 'd', 'e'], leaseMs: 300, delayMs: 5, seed: 100 * seed });
      const launched = world.voters.map((node) => world.launch(node, { maxDriftPpm: 200_000 }).started);
      await world.until(() => world.voters.every((node) => world.status(node).state === 'voter'), 5 * world.leaseMs);
      await Promise.all(launched);
      for (const node of world.voters) world.campaign(node);
      await world.untilMaster();
      const [master] = world.masters() as [string];
      const rounds = new Set<number>();
      const accepts: string[] = [];
      world.network.tap(({ from, payload }) => {
        const message = decodeEnvelope(payload).envelope?.message;
        if (message?.type === 'prepare' && from !== master) rounds.add(message.ballot.round);
        if (message?.type === 'accept') accepts.push(from);
      });
      await world.advance(3 * world.leaseMs);
      const before = accepts.length;
      await world.until(() => accepts.length > before, world.leaseMs);
      await world.advance(25);
      world.crash(master);
      await world.untilMaster();
      expect(rounds.size).toBe(1);
    },
  );
});

describe('resign', () => {
  it('hands over within a few messages, and the old term never comes back', async () => {
    const { master } = await elected();
    const mastership = world.node(master).election() as unknown as {
      current: { resign(): Promise<void>; term: number };
    };
    void mastership.current.resign();
    expect(world.masters()).toEqual([]);
    const tookMs = await world.untilMaster();
    expect(tookMs).toBeLessThan(20);
    expect(world.masters()).not.toEqual([master]);
  });

  it('the next voter in order stands by: giving back and taking are one batch, so that the record is never seen free', async () => {
    const { master } = await elected();
    await world.advance(2 * world.leaseMs);
    const heir = world.voters[(world.voters.indexOf(master) + 1) % 3] as string;
    const seen: (string | null)[] = [];
    world.node(heir).addEventListener('record', ({ detail }) => seen.push(detail.next.cause));
    void world.node(master).close();
    await world.untilMaster(master);
    expect(world.masters()).toEqual([heir]);
    expect(world.status(heir).elections[0]).toMatchObject({ term: world.held.at(-1)?.term });
    const [resigned, taken] = seen;
    expect([resigned, taken]).toEqual(['resigned', 'resigned']);
    const { fromMs } = world.held.at(-1) as Held;
    const { untilMs } = world.held.at(-2) as Held;
    // One round: the Accept there, the answer back, the news there, each at most a millisecond on its way.
    expect(fromMs - (untilMs as number)).toBeLessThanOrEqual(3);
  });

  it('T7: close() resigns when the work has ended, not before', async () => {
    world = new TestWorld();
    await world.start();
    const { clock } = world;
    let isWorking = false;
    void world
      .node('a')
      .election()
      .runWhileMaster(async ({ signal }) => {
        isWorking = true;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 300));
        isWorking = false;
      });
    await world.until(() => isWorking, world.leaseMs);
    for (const node of ['b', 'c']) world.campaign(node);
    void world.node('a').close();
    await world.untilMaster('a');
    expect(isWorking).toBe(false);
    expect(world.held[1]?.fromMs).toBeLessThan(clock.now() + 1);
    expect(world.held[0]?.lostBy).toBe('closed');
  });

  it('close() resigns: the next master need not wait for the lease', async () => {
    const { master } = await elected();
    void world.node(master).close();
    const tookMs = await world.untilMaster(master);
    expect(tookMs).toBeLessThan(50);
  });
});

describe('identity', () => {
  it('I1: a second process of one node id is refused with host, pid and start of the first', async () => {
    await elected();
    const { started } = world.launch('a', {
      membership: { role: 'member', voters: world.voters, journal: new MemoryJournal(new MemoryDisk()) },
    });
    await world.advance(100);
    await expect(started).rejects.toBeInstanceOf(NodeIdInUseError);
    await expect(started).rejects.toThrow(/pid \d+ on test/);
  });

  it('I2: a wiped voter that is asked to vote stays silent and learns', async () => {
    const { others } = await elected();
    const [wiped, other] = others as [string, string];
    world.crash(wiped);
    world.disks.get(wiped)?.wipe();
    world.launch(wiped);
    await world.until(() => world.status(wiped).state === 'follower', 2 * world.leaseMs);
    await world.advance(2 * world.leaseMs);
    expect(world.status(wiped).learnedThrough).toBeGreaterThan(0);
    // Two of three stores are left: without one of them nothing is decided, whatever the wiped one could say.
    world.crash(other);
    await world.until(() => world.masters().length === 0, 2 * world.leaseMs);
    await world.advance(4 * world.leaseMs);
    expect(world.masters()).toEqual([]);
  });

  it('I2: a store outside the configuration writes no checkpoint, which would make it a voter at its next start', async () => {
    const { others } = await elected();
    const [wiped] = others as [string];
    world.crash(wiped);
    world.disks.get(wiped)?.wipe();
    for (let start = 0; start < 2; start++) {
      world.launch(wiped);
      await world.until(() => world.status(wiped).state === 'follower', 2 * world.leaseMs);
      void world.node(wiped).checkpoint();
      await world.advance(10);
      expect(world.status(wiped).state).toBe('follower');
      world.crash(wiped);
    }
  });

  it('a store outside the configuration forgets what its snapshot holds, and serves others by that', async () => {
    const { master, others } = await elected();
    const [wiped, other] = others as [string, string];
    world.crash(wiped);
    world.disks.get(wiped)?.wipe();
    let held = 0;
    world.launch(wiped, {
      inspect: (event) => {
        const { actorRef, snapshot } = event as {
          actorRef: { id: string };
          snapshot?: { context: { state: { learned: Map<number, Uint8Array> } } };
        };
        if (actorRef.id !== 'learner' || !snapshot) return;
        held = [...snapshot.context.state.learned.values()].reduce((bytes, value) => bytes + value.byteLength, 0);
      },
    });
    await world.until(() => world.status(wiped).state === 'follower', 2 * world.leaseMs);
    for (let number = 1; number <= 12; number++) {
      world.node(master).log.propose({ id: `test/${number}`, machine: 'kv', body: new Uint8Array(200_000) });
      await world.advance(20);
    }
    expect(world.status(wiped).position).toBe(world.status(master).position);
    expect(held).toBeLessThan(1_500_000);
    // Who is behind what all others have trimmed learns it from the follower's snapshot.
    for (const node of [master, other]) world.crash(node);
    world.disks.get(other)?.wipe();
    world.launch(other);
    world.launch(master);
    await world.until(() => world.status(other).state === 'follower', 4 * world.leaseMs);
    world.crash(master);
    await world.until(() => world.status(other).position === world.status(wiped).position, 2 * world.leaseMs);
  });

  it('I2: a folder that was rolled back is found by its peers and not counted', async () => {
    const { master, others } = await elected();
    const [back, other] = others as [string, string];
    const disk = world.disks.get(back) as MemoryDisk;
    const image = disk.image;
    for (let i = 0; i < 2; i++) {
      world.crash(back);
      world.launch(back);
      await world.until(() => world.status(back).state === 'voter', world.leaseMs);
      await world.advance(world.leaseMs);
    }
    world.crash(back);
    disk.restore(image);
    world.launch(back);
    await world.until(() => world.status(back).state === 'voter', world.leaseMs);
    world.crash(other);
    await world.until(() => world.masters().length === 0, 3 * world.leaseMs);
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toEqual([]);
    expect(world.status(master).dropped['stale-store']).toBeGreaterThan(0);
  });

  it('I2: a folder that was rolled back does not lead by its own vote and that of a peer which knows better (S1)', async () => {
    world = new TestWorld();
    await world.start();
    world.campaign('a');
    await world.untilMaster();
    const disk = world.disks.get('b') as MemoryDisk;
    const image = disk.image;
    for (let i = 0; i < 2; i++) {
      world.crash('b');
      world.launch('b');
      await world.until(() => world.status('b').state === 'voter', world.leaseMs);
      await world.advance(world.leaseMs / 4);
    }
    // What a and b decide now is known to no one else.
    world.network.partition(['c'], ['a', 'b']);
    await world.advance(2 * world.leaseMs);
    world.crash('a');
    world.crash('b');
    disk.restore(image);
    world.network.heal();
    world.launch('b');
    await world.until(() => world.status('b').state === 'voter', world.leaseMs);
    const before = world.status('c').position;
    for (const node of ['b', 'c']) world.campaign(node);
    await world.advance(4 * world.leaseMs);
    expect(world.masters()).toEqual([]);
    expect(world.status('c').position).toBe(before);
    expect(world.status('c').dropped['stale-store']).toBeGreaterThan(0);
    world.launch('a');
    await world.untilMaster();
  });

  it('I2: what a peer knows of a store outlives its own restart', async () => {
    world = new TestWorld();
    await world.start();
    const disk = world.disks.get('b') as MemoryDisk;
    const image = disk.image;
    for (let i = 0; i < 2; i++) {
      world.crash('b');
      world.launch('b');
      await world.until(() => world.status('b').state === 'voter', world.leaseMs);
      await world.advance(5);
    }
    // Nothing but the starts of b was to be written since.
    for (const node of world.voters) world.crash(node);
    disk.restore(image);
    for (const node of ['b', 'c']) world.launch(node);
    await world.until(() => ['b', 'c'].every((node) => world.status(node).state === 'voter'), world.leaseMs);
    world.campaign('b');
    await world.advance(2 * world.leaseMs);
    expect(world.masters()).toEqual([]);
    expect(world.status('c').dropped['stale-store']).toBeGreaterThan(0);
  });

  it('I2: a folder that was put back to its last start is found too: another life has spoken with its count', async () => {
    const { master, others } = await elected();
    const [back] = others as [string];
    const disk = world.disks.get(back) as MemoryDisk;
    world.crash(back);
    const image = disk.image;
    const restart = async () => {
      world.launch(back);
      await world.until(() => world.status(back).state === 'voter', world.leaseMs);
      await world.advance(world.leaseMs);
    };
    await restart();
    expect(world.status(master).dropped['stale-store']).toBeUndefined();
    disk.restore(image);
    world.crash(back);
    await restart();
    expect(world.status(master).dropped['stale-store']).toBeGreaterThan(0);
  });

  it("I3: a stranger's configuration is dropped, counted and shown", async () => {
    const { master } = await elected();
    const stranger = world.launch('x', {
      membership: { role: 'member', voters: ['x'], journal: new MemoryJournal(new MemoryDisk()) },
    });
    await world.until(() => world.status('x').state === 'voter', world.leaseMs);
    await stranger.started;
    world.campaign('x');
    await world.advance(100);
    expect(world.status(master).dropped['stranger']).toBeGreaterThan(0);
    expect(world.lines.some((line) => line.includes('dropped a message of x: stranger'))).toBe(true);
    expect(world.node(master).election().isMaster()).toBe(true);
    world.crash('x');
  });

  it('P5: a damaged journal serves as learner only and says so', async () => {
    const { others } = await elected();
    const [damaged] = others as [string];
    await world.advance(world.leaseMs);
    world.crash(damaged);
    world.disks.get(damaged)?.damage(3);
    world.launch(damaged);
    await world.until(() => world.status(damaged).state === 'follower', 2 * world.leaseMs);
    await world.advance(world.leaseMs);
    expect(world.lines.some((line) => line.includes('damaged'))).toBe(true);
    expect(world.status(damaged).learnedThrough).toBeGreaterThan(0);
  });

  it.each([0, 1, 2])('P5: a journal of which %i records can be read still serves as learner', async (readable) => {
    const { others } = await elected();
    const [damaged] = others as [string];
    world.crash(damaged);
    world.disks.get(damaged)?.damage(readable);
    const { started } = world.launch(damaged);
    await world.until(() => world.status(damaged).state === 'follower', 2 * world.leaseMs);
    await started;
  });
});

describe('formation', () => {
  it('says whom it waits for, and honours its signal', async () => {
    world = new TestWorld();
    const abort = new AbortController();
    const { started } = world.launch('a', { signal: abort.signal });
    await world.advance(100);
    expect(world.lines.some((line) => line.includes('waits for b, c'))).toBe(true);
    abort.abort(new Error('enough'));
    await expect(started).rejects.toThrow('enough');
  });

  it('says so of metadata that no command could carry, before they stop the node at its first campaign', async () => {
    world = new TestWorld({ voters: ['a'] });
    const large = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`key${i}`, 'é'.repeat(4096)]));
    expect(() => world.launch('a', { metadata: large })).toThrow(/65536 bytes/);
    expect(() => world.launch('a', { metadata: { half: '\ud800' } })).toThrow(/well-formed/);
    world.launch('a', {
      metadata: { ...large, ...Object.fromEntries(Object.keys(large).map((key) => [key, 'é'.repeat(500)])) },
    });
    await world.until(() => world.status('a').state === 'voter', world.leaseMs);
    world.campaign('a');
    await world.untilMaster();
  });

  it('closed while it waits, join ends, and the journal is free', async () => {
    world = new TestWorld();
    const { node, started } = world.launch('a');
    await world.advance(100);
    void node.close();
    await world.advance(10);
    await expect(started).rejects.toBeInstanceOf(ClosedError);
    expect(await node.closed).toBeUndefined();
    expect(world.status('a').state).toBe('left');
    expect(world.disks.get('a')?.isLocked).toBe(false);
  });

  it('honours its signal while it asks whether the group has lived before', async () => {
    world = new TestWorld();
    const abort = new AbortController();
    const { started } = world.launch('a', { signal: abort.signal, livedThrough: () => new Promise(() => {}) });
    await world.advance(100);
    abort.abort(new Error('enough'));
    await world.advance(10);
    await expect(started).rejects.toThrow('enough');
    expect(world.disks.get('a')?.isLocked).toBe(false);
  });

  it('a campaign asked for before the node plays its part is not forgotten', async () => {
    world = new TestWorld({ voters: ['a'] });
    world.launch('a');
    world.campaign('a');
    await world.untilMaster();
  });

  it('says which options are wrong, all at once', async () => {
    world = new TestWorld();
    const ports = {
      bus: world.network.bus('a'),
      clock: world.clock,
      random: world.random,
      process: { host: 'h', pid: 1 },
    };
    const journal = new MemoryJournal(new MemoryDisk());
    const joining = joinOver(ports, {
      membership: { role: 'member', voters: ['b', 'b', 'all'], journal },
      leaseMs: 50,
      priority: 101,
    });
    const error = await joining.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems).toHaveLength(5);
  });
});

describe('network', () => {
  it('NATS down at start: join waits, says so, honours its signal', async () => {
    world = new TestWorld({ voters: ['a'] });
    world.network.bus('a');
    world.network.disconnect('a');
    const { started } = world.launch('a');
    await world.advance(500);
    expect(world.lines.some((line) => line.includes('waiting for a connection'))).toBe(true);
    world.network.reconnect('a');
    await world.until(() => world.status('a').state === 'voter', world.leaseMs);
    await started;
    const abort = new AbortController();
    world.network.bus('b');
    world.network.disconnect('b');
    const second = world.launch('b', { signal: abort.signal, membership: { role: 'observer' } });
    await world.advance(50);
    abort.abort(new Error('enough'));
    await expect(second.started).rejects.toThrow('enough');
  });

  it('a connection that breaks while it joins is waited for, and its signal honoured', async () => {
    world = new TestWorld({ voters: ['a'] });
    const abort = new AbortController();
    const { started } = world.launch('a', { signal: abort.signal });
    world.network.disconnect('a');
    await world.advance(500);
    world.network.reconnect('a');
    await world.until(() => world.status('a').state === 'voter', world.leaseMs);
    await started;
    const second = world.launch('b', { signal: abort.signal, membership: { role: 'observer' } });
    world.network.disconnect('b');
    await world.advance(500);
    abort.abort(new Error('enough'));
    await expect(second.started).rejects.toThrow('enough');
  });

  it('reconnect after a long outage of everything: nobody is master after a lease, then one', async () => {
    await elected();
    for (const node of world.voters) world.network.disconnect(node);
    await world.until(() => world.masters().length === 0, 2 * world.leaseMs);
    await world.advance(20 * world.leaseMs);
    expect(world.masters()).toEqual([]);
    for (const node of world.voters) world.network.reconnect(node);
    await world.untilMaster();
    await world.advance(5 * world.leaseMs);
    expect(world.masters()).toHaveLength(1);
  });

  it("the seed's node C: cut off during two renewals, it asks with a stale version and gets nothing but the news", async () => {
    const { master, others } = await elected();
    const [c] = others as [string];
    world.network.partition(
      [c],
      world.voters.filter((node) => node !== c),
    );
    await world.advance(1.5 * world.leaseMs);
    world.network.heal();
    await world.advance(world.leaseMs);
    expect(world.masters()).toEqual([master]);
    expect(world.node(c).election().master?.node).toBe(master);
    expect(world.held).toHaveLength(1);
  });

  it('who campaigns in vain without a quorum is told so, and who is silent', async () => {
    const { master, others } = await elected();
    const [lone, other] = others as [string, string];
    world.crash(master);
    world.crash(other);
    await world.advance(2 * world.leaseMs);
    const campaign = world.node(lone).election('x').campaign({ timeoutMs: 100 });
    campaign.catch(() => {});
    await world.advance(101);
    const silent = [master, other].sort();
    await expect(campaign).rejects.toMatchObject({
      code: 'ERR_SYNOD_NO_QUORUM',
      message:
        `No quorum in group "${world.node(lone).name}": 1 of 3 voters heard in 1000 ms ` +
        `(${lone} ok; ${silent.join(', ')} silent). Check that ${silent.join(' and ')} run: synod doctor`,
    });
  });

  it('the master cut off from the others stops within its lease, before the next begins', async () => {
    const { master, others } = await elected();
    world.network.partition([master], others);
    await world.untilMaster(master);
    const [old, next] = world.held;
    expect(old?.lostBy).toBe('expired');
    expect(old?.untilMs).toBeLessThan(next?.fromMs ?? 0);
    world.network.heal();
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toHaveLength(1);
  });

  it('fault 39: garbage and messages of another version are dropped and counted, nothing changes', async () => {
    const { master, others } = await elected();
    const [other] = others as [string];
    const noise = world.network.bus('noise');
    for (const role of ['acceptor', 'proposer', 'learner', 'identity', 'formation'] as const) {
      for (const payload of [new Uint8Array(0), new Uint8Array(1000).fill(0xdf), new Uint8Array(1_000_000).fill(7)]) {
        noise.publish({ role, to: other }, payload);
        noise.publish({ role, to: 'all' }, payload);
      }
    }
    await world.advance(2 * world.leaseMs);
    expect(world.status(other).dropped['malformed']).toBeGreaterThan(0);
    expect(world.masters()).toEqual([master]);
  });
});

describe('what a server takes', () => {
  /** Each with so many notes of 4000 bytes. */
  const askForMuch = (node: string, notes: number, count: number): void => {
    const metadata = Object.fromEntries(Array.from({ length: notes }, (_, i) => [`note ${i}`, 'x'.repeat(4000)]));
    for (let i = 0; i < count; i++) {
      const election = world.node(node).election(`shard-${i}`, { metadata });
      election.campaign().catch(() => {});
    }
  };

  it('P4: where a batch fits and no two of them, a leader that dies over several is replaced', async () => {
    const { master } = await elected({ maxPayloadBytes: MAX_MESSAGE_BYTES });
    askForMuch(master, 15, 16);
    const isOpen = (node: string) => world.status(node).learnedThrough;
    const before = isOpen(master);
    for (const to of world.voters) if (to !== master) world.network.cut(to, master);
    await world.advance(10);
    expect(isOpen(master)).toBe(before);
    world.crash(master);
    world.network.heal();
    await world.untilMaster(master);
  });

  it('a message that it does not take is counted, and told once', async () => {
    const { master } = await elected({ maxPayloadBytes: 20_000 });
    askForMuch(master, 8, 1);
    await world.advance(world.leaseMs);
    expect(world.status(master).dropped['too-large']).toBeGreaterThan(1);
    const told = world.lines.filter((line) => line.includes(`${master}: accept of 32`));
    expect(told).toEqual([expect.stringMatching(/not sent, the server takes 20000: set its max_payload to \d+/)]);
  });
});

describe('clocks', () => {
  it('T5: after a blocked event loop the first isMaster() is false, before any timer has run', async () => {
    const { master } = await elected();
    world.clock.stall(2 * world.leaseMs);
    expect(world.node(master).election().isMaster()).toBe(false);
  });

  it('T9: a suspended machine is no master when it wakes', async () => {
    const { master } = await elected();
    world.clock.suspend(2 * world.leaseMs);
    expect(world.node(master).election().isMaster()).toBe(false);
  });

  it('T9: and its work is told so at the next tick, not when its timers come round', async () => {
    const { master } = await elected();
    const held = world.held.find(({ node }) => node === master);
    world.clock.suspend(2 * world.leaseMs);
    await world.advance(world.leaseMs / 20);
    expect(held?.lostBy).toBe('expired');
  });
});

describe('journal', () => {
  it('P3: a full disk stops the acceptor for good; the node gives up its mastership and leaves with a clear error', async () => {
    const { master } = await elected();
    world.disks.get(master)?.failNext('ENOSPC: no space left on device');
    const closed = world.node(master).closed;
    await world.until(() => world.status(master).state === 'failed', 2 * world.leaseMs);
    expect((await closed)?.message).toContain('no space left');
    expect(world.held[0]?.lostBy).toBe('failed');
    expect(world.masters()).not.toContain(master);
    await world.untilMaster(master);
  });
});

it('P3: a disk that is full at a checkpoint is a failed journal like any other', async () => {
  const { master } = await elected();
  world.disks.get(master)?.failNext('ENOSPC: no space left on device');
  const { closed } = world.node(master);
  void world.node(master).checkpoint();
  await world.advance(10);
  expect(await closed).toBeInstanceOf(JournalFailedError);
  expect(world.held[0]?.lostBy).toBe('failed');
});

it('P6: the journal is kept short also while nothing can be decided', async () => {
  class Large extends MemoryJournal {
    override get bytesSinceCheckpoint() {
      return 1_000 * super.bytesSinceCheckpoint;
    }
  }
  const { master, others } = await elected();
  for (const node of world.voters) world.crash(node);
  const journal = new Large(world.disks.get(master) as MemoryDisk);
  world.launch(master, { membership: { role: 'member', voters: world.voters, journal } });
  await world.until(() => world.status(master).state === 'voter', world.leaseMs);
  world.campaign(master);
  const before = world.status(master).journal?.checkpoints ?? 0;
  await world.advance(10 * world.leaseMs);
  expect(world.status(master).journal?.checkpoints).toBeGreaterThan(before);
  for (const other of others) world.launch(other);
  await world.untilMaster();
});

it('P6: a checkpoint asked for by a listener, in the middle of a batch, is no half of it', async () => {
  world = new TestWorld({ voters: ['a'] });
  await world.start();
  const node = world.node('a');
  world.campaign('a');
  await world.untilMaster();
  const { term } = node.election().master as { term: number };
  const resign = { type: 'resign', election: 'group', session: term, term } as const;
  node.addEventListener('record', () => void node.checkpoint(), { once: true });
  const propose = (number: number) => node.log.propose({ id: `x/${number}`, machine: 'kv', body: new Uint8Array(1) });
  // Two slots are open: the resignation, first applied and told, and what comes after it go into one batch.
  for (const number of [1, 2]) propose(number);
  node.log.propose(encodeMasterCommand(`${node.incarnation}/900`, resign));
  for (const number of [3, 4, 5]) propose(number);
  await world.advance(50);
  const { position } = world.status('a');
  world.crash('a');
  world.launch('a');
  await world.until(() => world.status('a').state === 'voter', world.leaseMs);
  world.campaign('a');
  await world.untilMaster();
  expect(world.status('a').position).toBeGreaterThan(position);
  expect(world.held.at(-1)?.term).toBeGreaterThan(position);
});

it('N1: after a failure in the middle of a burst nothing more of it is applied', async () => {
  const { master, others } = await elected();
  const [late] = others as [string];
  world.crash(late);
  await world.advance(2 * world.leaseMs);
  const fold = new MasterFold();
  fold.onApplied(() => {
    throw new Error('broken');
  });
  world.launch(late, { fold });
  await world.until(() => world.status(late).state === 'failed', 2 * world.leaseMs);
  expect(world.status(late).position).toBeLessThan(3);
  expect(world.status(master).position).toBeGreaterThan(3);
});

it('a node that has left leaves no timer behind', async () => {
  await elected();
  world.launch('o', { membership: { role: 'observer' } });
  await world.until(() => world.status('o').state === 'observer', world.leaseMs);
  for (const node of world.voters) void world.node(node).close();
  await world.advance(2 * world.leaseMs);
  expect(world.voters.map((node) => world.status(node).state)).toEqual(['left', 'left', 'left']);
  const { closed } = world.node('o');
  void world.node('o').election().whois();
  void world.node('o').close();
  await closed;
  await world.advance(2); // what is on its way arrives
  expect(world.clock.nextAtMs()).toBeUndefined();
});

it('what was applied in the turn in which a node ends is told to nobody: it is over already', async () => {
  world = new TestWorld();
  await world.start();
  const node = world.node('a');
  const told: string[] = [];
  node.addEventListener('record', () => told.push('record'));
  node.addEventListener('elected', () => world.crash('a'));
  world.campaign('a');
  await world.until(() => !world.nodes.has('a'), 2 * world.leaseMs);
  await world.advance(10);
  expect(told).toEqual([]);
});

it('a renewal is told once, however much hangs on it, and for each mastership to those who ask for that', async () => {
  world = new TestWorld();
  await world.start();
  const node = world.node('a');
  const names = Array.from({ length: 50 }, (_, i) => `shard-${i}`);
  for (const name of names) void node.election(name).campaign();
  await world.until(() => names.every((name) => node.election(name).isMaster()), world.leaseMs);
  const extended: number[] = [];
  const renewed: number[] = [];
  node.addEventListener('extended', ({ detail }) => extended.push(detail.deadlineAtMs));
  node.addEventListener('renewed', ({ detail }) => renewed.push(detail.deadlineAtMs));
  await world.advance(world.leaseMs);
  expect(extended.length).toBeGreaterThanOrEqual(3);
  expect(extended.length).toBeLessThanOrEqual(6);
  expect(renewed).toEqual(extended.flatMap((atMs) => names.map(() => atMs)));
  const [last = 0] = extended.slice(-1);
  const now = world.clock.now();
  expect(last - now).toBeLessThan(0.98 * world.leaseMs);
  expect(last - now).toBeGreaterThan(0.5 * world.leaseMs);
});

describe('observer', () => {
  it('that missed an election, without a break of its connection, asks when the unknown master renews', async () => {
    const { master } = await elected();
    world.launch('o', { membership: { role: 'observer' } });
    await world.advance(world.leaseMs);
    expect(world.node('o').election().master?.node).toBe(master);
    world.network.partition(['o'], world.voters);
    world.crash(master);
    await world.untilMaster();
    await world.advance(10);
    world.network.heal();
    await world.advance(world.leaseMs / 2);
    expect(world.node('o').election().master?.node).toBe(world.masters()[0]);
  });

  it('sets a timer for what it asked, and none for each piece of news afterwards', async () => {
    await elected();
    const { started } = world.launch('o', { membership: { role: 'observer' } });
    await world.until(() => world.status('o').state === 'observer', world.leaseMs);
    await world.advance(world.leaseMs / 2);
    await started;
    for (const node of world.voters) world.crash(node);
    await world.advance(2 * world.leaseMs);
    expect(world.clock.nextAtMs()).toBeUndefined();
    const teller = world.network.bus('a');
    const payload = encodeEnvelope({ config: '', incarnation: 'i', message: { type: 'news', changes: [] } });
    teller.publish({ role: 'news', to: 'all' }, payload);
    await world.advance(1);
    expect(world.clock.nextAtMs()).toBeUndefined();
  });

  it('hears who is master now, and of each change; it cannot be master', async () => {
    const { master } = await elected();
    const { started } = world.launch('o', { membership: { role: 'observer' } });
    await world.until(() => world.status('o').state === 'observer', world.leaseMs);
    await world.advance(world.leaseMs / 2);
    await started;
    const election = world.node('o').election();
    expect(election.master?.node).toBe(master);
    await expect(election.campaign()).rejects.toBeInstanceOf(ConfigError);
    const seen: (string | null)[] = [];
    void (async () => {
      for await (const change of election.changes()) seen.push(change.current?.node ?? null);
    })();
    world.crash(master);
    await world.untilMaster();
    await world.advance(10);
    expect(seen[0]).toBe(master);
    expect(seen.at(-1)).toBe(world.masters()[0]);
  });
});
