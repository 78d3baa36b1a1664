import { ConfigError, decodeEnvelope, encodeEnvelope, MastershipLostError, type Message, NO_OP } from '@synod/protocol';
import type { MemoryDisk } from '@synod/protocol/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ElectionOptions } from '../election/types.ts';
import { TestWorld } from '../testing/test-world.ts';
import type { LeaseDeadline } from './group.ts';

const worlds: TestWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function started(options: ConstructorParameters<typeof TestWorld>[0] = {}, node: object = {}) {
  const world = new TestWorld(options);
  worlds.push(world);
  const launched = world.voters.map((name) => world.launch(name, node).started);
  await world.until(() => world.voters.every((name) => world.status(name).state === 'voter'), 5 * world.leaseMs);
  await Promise.all(launched);
  return world;
}

const held = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('T8: hand-over', () => {
  it('resign({ to }): the one that is named is next, within a few messages, whoever else waits', async () => {
    for (const heir of ['b', 'c']) {
      const world = await started();
      const { clock } = world;
      const campaign = world.node('a').election().campaign();
      await world.untilMaster();
      const mastership = await campaign;
      for (const node of ['b', 'c']) world.campaign(node);
      await world.advance(50);
      const fromMs = clock.now();
      void mastership.resign({ to: heir });
      await world.until(() => world.masters().includes(heir), world.leaseMs);
      expect(clock.now() - fromMs).toBeLessThan(20);
      expect(world.node(heir).election().master).toMatchObject({ node: heir, isSelf: true });
      expect(world.held.map(({ node }) => node)).toEqual(['a', heir]);
    }
  });

  it.each([
    ['b', 'stands by already, and is not asked', []],
    ['c', 'does not stand by, and is asked', ['offer']],
  ])('resign({ to: "%s" }): who is named %s', async (to, _, asked) => {
    const world = await started();
    const campaign = world.node('a').election().campaign();
    await world.untilMaster();
    const mastership = await campaign;
    for (const node of ['b', 'c']) world.campaign(node);
    await world.advance(world.leaseMs / 2);
    const said: string[] = [];
    world.network.tap(({ payload }) => {
      const type = decodeEnvelope(payload).envelope?.message.type;
      if (type === 'offer') said.push(type);
    });
    void mastership.resign({ to });
    await world.until(() => world.masters().includes(to), world.leaseMs);
    expect(said).toEqual(asked);
  });

  it('the work goes on until the other has agreed, and stops before it is master', async () => {
    const world = await started({ delayMs: 40 });
    let isWorking = false;
    void world
      .node('a')
      .election()
      .runWhileMaster(async ({ signal }) => {
        isWorking = true;
        await held(signal);
        await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, 30));
        isWorking = false;
      });
    await world.until(() => isWorking, world.leaseMs);
    world.campaign('b');
    await world.advance(100);
    const transferring = world.node('a').election().transfer('b');
    await world.advance(10);
    expect(world.node('a').election().isMaster()).toBe(true);
    await world.until(() => world.masters().includes('b'), world.leaseMs);
    expect(isWorking).toBe(false);
    // Who takes over may learn it before who gave (N4).
    await world.advance(100);
    expect((await transferring).node).toBe('b');
    expect(world.status('b').elections[0]?.cause).toBe('transferred');
  });

  it.each([
    ['takes over', {}, false],
    ['is handed it by a session that it has', { to: 'b' }, true],
  ])(
    'N4: the acceptors tell whoever %s, and it tells the others: the one that gave may be gone',
    async (_, how, hasSession) => {
      const world = await started({ delayMs: 10, leaseMs: 3000 });
      const { clock } = world;
      const campaign = world.node('a').election().campaign();
      await world.untilMaster();
      const mastership = await campaign;
      if (hasSession) await Promise.all([world.node('b').election('jobs').campaign(), world.advance(world.leaseMs)]);
      world.campaign('b');
      const { started: isJoined } = world.launch('o', { membership: { role: 'observer' } });
      await world.advance(world.leaseMs);
      await isJoined;
      let hasLeft = false;
      world.network.tap(({ payload }) => {
        const message = decodeEnvelope(payload).envelope?.message;
        if (message?.type === 'accept' && message.learner?.node === 'b') hasLeft = true;
      });
      mastership.resign(how).catch(() => {});
      await world.until(() => hasLeft, world.leaseMs);
      const fromMs = clock.now();
      await clock.advanceAsync(1); // No answer can be back.
      world.crash('a');
      await world.until(() => world.node('o').election().master?.node === 'b', world.leaseMs);
      // Three hops of 10 ms at most, counted in whole steps.
      expect(clock.now() - fromMs).toBeLessThan(32);
      expect(world.masters()).toEqual(['b']);
    },
  );

  it('N4: the one that gave may be gone, though it answered somebody outside the log a moment before', async () => {
    const world = await started({ delayMs: 0.5, leaseMs: 3000 });
    const { clock, leaseMs } = world;
    const campaign = world.node('a').election().campaign();
    await world.untilMaster();
    const mastership = await campaign;
    await world.until(() => world.status('b').leader === 'a', leaseMs);
    const { node: web, started: isJoined } = world.launch('web', { membership: { role: 'candidate' } });
    await world.until(() => web.status().state === 'candidate', leaseMs);
    await isJoined;
    world.campaign('b');
    await world.advance(200);
    void web.election('jobs').campaign();
    while (world.node('a').election('jobs').master === null) await clock.advanceAsync(0.1);
    let hasLeft = false;
    world.network.tap(({ payload }) => {
      const message = decodeEnvelope(payload).envelope?.message;
      if (message?.type === 'accept' && message.learner?.node === 'b') hasLeft = true;
    });
    mastership.resign({ to: 'b' }).catch(() => {});
    while (!hasLeft) await clock.advanceAsync(0.01);
    const fromMs = clock.now();
    await clock.advanceAsync(0.1); // No answer can be back.
    world.crash('a');
    while (!world.node('b').election().isMaster() && clock.now() - fromMs < leaseMs) await clock.advanceAsync(0.1);
    expect(clock.now() - fromMs).toBeLessThan(5);
  });

  it('N4, B1: the news of a new master are written, then it hears of it itself, then it leads', async () => {
    const world = await started();
    const campaign = world.node('a').election().campaign();
    await world.untilMaster();
    const mastership = await campaign;
    world.campaign('b');
    await world.advance(world.leaseMs);
    const steps: string[] = [];
    world.network.tap(({ from, payload }) => {
      const type = from === 'b' && decodeEnvelope(payload).envelope?.message.type;
      if (type === 'prepare') steps.push('prepare');
      // As a client does: in a microtask of its own.
      if (type === 'news') queueMicrotask(() => steps.push('news'));
    });
    world.node('b').addEventListener('elected', () => steps.push('elected'));
    void mastership.resign();
    await world.until(() => world.status('b').leader === 'b', world.leaseMs);
    expect([...new Set(steps)]).toEqual(['news', 'elected', 'prepare']);
  });

  it('what a new master tells hides nothing that a hearer missed of the leader', async () => {
    const world = await started();
    world.campaign('a');
    await world.untilMaster();
    const { started: joining } = world.launch('o', { membership: { role: 'observer' } });
    let isJoined = false;
    void joining.then(() => {
      isJoined = true;
    });
    const campaign = world.node('c').election('x').campaign();
    void world.node('c').election('y').campaign(); // Its session lives on.
    const seen = (election: string) => world.node('o').election(election).master?.node;
    await world.until(() => seen('x') === 'c' && seen('y') === 'c' && isJoined, 2 * world.leaseMs);
    const mastership = await campaign;
    world.network.cut('a', 'o');
    void mastership.resign();
    await world.until(() => world.node('b').election('x').master === null, world.leaseMs);
    void world.node('b').election('jobs').campaign();
    await world.until(() => seen('jobs') === 'b', world.leaseMs);
    expect(seen('x')).toBe('c');
    world.network.heal();
    await world.until(() => seen('x') === undefined, world.leaseMs);
  });

  it.each([
    ['', false],
    [', also when it is gone', true],
  ])(
    'who missed the last words of a leader that has nothing more to tell hears of them a lease or two later%s',
    async (_, isGone) => {
      const world = await started();
      const campaign = world.node('a').election().campaign();
      await world.untilMaster();
      world.launch('o', { membership: { role: 'observer' } });
      const seen = () => world.node('o').election().master?.node;
      await world.until(() => seen() === 'a', world.leaseMs);
      for (const node of world.voters) world.network.cut(node, 'o');
      void (await campaign).resign();
      await world.advance(world.leaseMs / 2);
      expect(seen()).toBe('a');
      world.network.heal();
      if (isGone) world.crash('a');
      await world.until(() => seen() === undefined, 2 * world.leaseMs);
    },
  );

  it.each([
    ['', false],
    [', also when who led is gone', true],
  ])(
    'N2: a member that missed the last slots before a quiet fetches them a lease or two later%s',
    async (_, isAlone) => {
      const world = await started();
      const campaign = world.node('a').election().campaign();
      await world.untilMaster();
      const mastership = await campaign;
      await world.advance(world.leaseMs / 2);
      for (const node of ['a', 'b']) world.network.cut(node, 'c');
      void mastership.resign();
      await world.until(() => world.node('b').election().master === null, world.leaseMs);
      await world.advance(4 * world.leaseMs);
      expect(world.node('c').election().master?.node).toBe('a');
      world.network.heal();
      if (isAlone) await world.crash('a');
      await world.until(() => world.node('c').election().master === null, 2 * world.leaseMs);
      expect(world.status('c').learnedThrough).toBe(world.status('b').learnedThrough);
    },
  );

  it('N2: while a master renews nobody says how far it is', async () => {
    const world = await started();
    world.campaign('a');
    await world.untilMaster();
    await world.advance(world.leaseMs);
    const said: string[] = [];
    world.network.tap(({ payload }) => {
      const type = decodeEnvelope(payload).envelope?.message.type;
      if (type === 'learned') said.push(type);
    });
    await world.advance(5 * world.leaseMs);
    expect(said).toEqual([]);
  });

  it('N4: who is not needed hears of it a moment later, by the word of who led', async () => {
    const world = await started({ leaseMs: 3000 });
    const campaign = world.node('a').election().campaign();
    await world.untilMaster();
    const mastership = await campaign;
    world.campaign('b');
    await world.advance(world.leaseMs);
    const said: string[] = [];
    const fromMs = world.clock.now();
    let chosenAtMs = 0;
    world.network.tap(({ from, to, payload }) => {
      const message = decodeEnvelope(payload).envelope?.message;
      if (message?.type === 'accept') said.push(`${from} asks ${to.to}`);
      if (message?.type === 'chosen') chosenAtMs ||= world.clock.now();
    });
    await Promise.all([mastership.resign(), world.advance(5)]);
    expect(world.masters()).toEqual(['b']);
    expect(said).toEqual(['a asks b']);
    expect(chosenAtMs - fromMs).toBeGreaterThanOrEqual(world.leaseMs / 1000);
    await world.advance(5);
    expect(world.status('c').learnedThrough).toBeGreaterThanOrEqual(world.status('a').learnedThrough);
    expect(world.node('c').election().master?.node).toBe('b');
  });

  /** What a leader of that name says, word by word. */
  function speaker(world: TestWorld, node: string) {
    const { configuration: config, incarnation, journal } = world.status(node);
    const { storeId = '', incarnations = 0 } = journal ?? {};
    const store = { storeId, incarnations };
    const bus = world.network.bus(node);
    return {
      store,
      ballot: { round: 1_000, nodeId: node, incarnation },
      say: (role: 'acceptor' | 'proposer', to: string, message: Message) =>
        bus.publish({ role, to }, encodeEnvelope({ config, incarnation, store, message })),
    };
  }

  it.each([
    ['where the proposer names this life of it', (incarnation: string) => incarnation, 1],
    // As when its folder was rolled back: the proposer has seen more of it, and its vote is none.
    ['never where it names another', () => 'another', 0],
  ])('N4, I2: whoever waits counts its own vote %s', async (_, named, learned) => {
    const world = await started();
    const { say, ballot, store } = speaker(world, 'a');
    const { learnedThrough, incarnation } = world.status('b');
    const slot = Math.max(world.status('a').learnedThrough, learnedThrough) + 1;
    world.crash('a');
    world.crash('c');
    const learner = { node: 'b', lives: [named(incarnation)] };
    say('acceptor', 'b', { type: 'accept', ballot, slot, value: NO_OP, learner });
    say('proposer', 'b', { type: 'accepted', ballot, slot, store });
    await world.advance(20);
    expect(world.status('b').learnedThrough - learnedThrough).toBe(learned);
  });

  it('N4, I2: nor does it count the vote of a folder whose rolling back the proposer has seen, and it has not', async () => {
    const world = await started();
    const { clock, disks, network } = world;
    const disk = disks.get('c') as MemoryDisk;
    const backup = disk.image;
    const relaunch = async () => {
      const { started: isStarted } = world.launch('c');
      await world.until(() => world.status('c').state === 'voter', 5 * world.leaseMs);
      await isStarted;
    };
    network.partition(['b'], ['c']);
    world.crash('c');
    await relaunch();
    const lives = world.voters.map((node) => world.status(node).incarnation);
    world.crash('c');
    disk.restore(backup);
    network.heal();
    await relaunch();
    const accepteds: string[] = [];
    network.tap(({ from, to, payload }) => {
      if (decodeEnvelope(payload).envelope?.message.type === 'accepted') accepteds.push(`${from} ${to.to}`);
    });
    const { say, ballot } = speaker(world, 'a');
    const { learnedThrough } = world.status('b');
    const slot = Math.max(world.status('a').learnedThrough, learnedThrough) + 1;
    // It has proposed, and its own vote is not cast: its answer to another Prepare came first.
    world.crash('a');
    const accept = { type: 'accept', ballot, slot, value: NO_OP, learner: { node: 'b', lives } } as const;
    for (const to of ['b', 'c']) say('acceptor', to, accept);
    await clock.advanceAsync(10);
    expect(accepteds.toSorted()).toEqual(['b a', 'c a']);
    expect(world.status('b').learnedThrough).toBe(learnedThrough);
  });

  it('who does not wait does not agree: transfer() fails and the mastership stays; resign({ to }) frees it for all', async () => {
    const world = await started();
    const campaign = world.node('a').election().campaign();
    await world.untilMaster();
    const mastership = await campaign;
    const transferring = world.node('a').election().transfer('b');
    transferring.catch(() => {});
    await world.advance(300);
    await expect(transferring).rejects.toMatchObject({ code: 'ERR_SYNOD_TIMEOUT' });
    expect(world.masters()).toEqual(['a']);
    world.campaign('c');
    void mastership.resign({ to: 'b' });
    await world.until(() => world.masters().includes('c'), world.leaseMs);
  });

  it('T7: who gives back while nobody hears waits until its lease is over, and no longer', async () => {
    const world = await started();
    const jobs = world.node('a').election('jobs');
    const campaign = jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    const mastership = await campaign;
    world.network.partition(['a'], ['b', 'c']);
    let isReleased = false;
    void mastership.resign().then(() => {
      isReleased = true;
    });
    await world.advance(world.leaseMs / 2);
    expect(isReleased).toBe(false);
    await world.until(() => isReleased, world.leaseMs);
  });

  it('an error of the work after a loss is heard though nobody has taken over, and nobody can be asked', async () => {
    const world = await started();
    const jobs = world.node('a').election('jobs');
    const { promise: work, reject: fail } = Promise.withResolvers<void>();
    const running = jobs.runWhileMaster(() => work, { onError: 'throw' });
    running.catch(() => {});
    await world.until(() => jobs.isMaster(), world.leaseMs);
    world.network.partition(['a'], ['b', 'c']);
    await world.until(() => !jobs.isMaster(), 2 * world.leaseMs);
    await world.advance(world.leaseMs);
    fail(new Error('the disk is full'));
    await expect(running).rejects.toThrow('the disk is full');
  });

  it.each([
    [0, 'a lease'],
    [4, 'graceMs where that is longer'],
  ])('T7: work of a mastership that is resigned is waited for: graceMs of %i leases, %s', async (leases) => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    const workMs = 2.5 * world.leaseMs;
    const stop = new AbortController();
    let isWorking = false;
    const work = async ({ signal }: { signal: AbortSignal }) => {
      isWorking = true;
      await held(signal);
      await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, workMs));
      isWorking = false;
    };
    const options = { signal: stop.signal, ...(leases > 0 && { graceMs: leases * world.leaseMs }) };
    void a.election('jobs').runWhileMaster(work, options);
    void a.election('other').runWhileMaster(({ signal }) => held(signal));
    await world.until(() => isWorking && a.election('other').isMaster(), world.leaseMs);
    void b.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 2);
    stop.abort();
    const tookMs = await world.until(() => b.election('jobs').isMaster(), 4 * world.leaseMs);
    expect(isWorking).toBe(leases === 0);
    expect(a.election('other').isMaster()).toBe(leases > 0);
    expect(tookMs > workMs).toBe(leases > 0);
  });

  it.each([
    [0, 'a lease'],
    [4, 'graceMs where that is longer'],
  ])('T7: close() waits for work as resigning does: graceMs of %i leases, %s', async (leases) => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    const workMs = 2.5 * world.leaseMs;
    let isWorking = false;
    const work = async ({ signal }: { signal: AbortSignal }) => {
      isWorking = true;
      await held(signal);
      await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, workMs));
      isWorking = false;
    };
    const ended: boolean[] = [];
    a.addEventListener('ended', () => ended.push(isWorking));
    void a.election('jobs').runWhileMaster(work, leases > 0 ? { graceMs: leases * world.leaseMs } : {});
    await world.until(() => isWorking, world.leaseMs);
    void b.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 2);
    let hasLeft = false;
    void a.close().then(() => {
      hasLeft = true;
    });
    const tookMs = await world.until(() => b.election('jobs').isMaster(), 4 * world.leaseMs);
    expect(isWorking).toBe(leases === 0);
    expect(tookMs > workMs).toBe(leases > 0);
    await world.until(() => hasLeft, world.leaseMs / 10);
    // F3: what may be stuck is watched until it has stopped, or its lease is over.
    expect(ended).toEqual([leases === 0]);
  });

  it('one offer does not end another: who is named by resign({ to }) is next, whoever else is asked meanwhile', async () => {
    const world = await started();
    const [a, b, c] = [world.node('a'), world.node('b'), world.node('c')];
    const jobs = a.election('jobs');
    const campaign = jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    const mastership = await campaign;
    for (const node of [b, c]) void node.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 10);
    const resigned = mastership.resign({ to: 'c' });
    const transferred = jobs.transfer('nobody', { timeoutMs: 20 * world.leaseMs });
    transferred.catch(() => {});
    await world.until(() => b.election('jobs').isMaster() || c.election('jobs').isMaster(), world.leaseMs);
    expect(c.election('jobs').isMaster()).toBe(true);
    await resigned;
    // What is held no more is offered no more.
    await expect(transferred).rejects.toBeInstanceOf(MastershipLostError);
  });

  it('who is asked twice at a time agrees to both', async () => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    const jobs = a.election('jobs');
    void jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    void b.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 10);
    const both = Promise.all([jobs.transfer('b'), jobs.transfer('b')]);
    await world.until(() => b.election('jobs').isMaster(), world.leaseMs);
    await world.advance(world.leaseMs / 10);
    expect((await both).map(({ node }) => node)).toEqual(['b', 'b']);
  });

  it('T8: whose consent was lost agrees again when it is asked again', async () => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    const jobs = a.election('jobs');
    void jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    void b.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 10);
    let consents = 0;
    world.network.tap(({ payload, from }) => {
      if (decodeEnvelope(payload).envelope?.message.type !== 'consent') return;
      if (++consents === 1) world.network.cut(from, 'a');
      else world.network.heal();
    });
    const transferred = jobs.transfer('b');
    transferred.catch(() => {});
    await world.until(() => consents > 0, world.leaseMs / 4);
    await world.advance(5);
    world.network.heal();
    await world.until(() => b.election('jobs').isMaster(), world.leaseMs / 4);
    await world.advance(world.leaseMs / 10);
    expect((await transferred).node).toBe('b');
  });

  it.each([0.3, 0.9, 2.5])('T8: who agreed gets it, though work takes %d leases to stop', async (leases) => {
    const world = await started();
    const [a, b, c] = [world.node('a'), world.node('b'), world.node('c')];
    const jobs = a.election('jobs');
    const work = async ({ signal }: { signal: AbortSignal }) => {
      await held(signal);
      await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, leases * world.leaseMs));
    };
    void jobs.runWhileMaster(work, { graceMs: 4 * world.leaseMs });
    await world.until(() => jobs.isMaster(), world.leaseMs);
    for (const node of [b, c]) void node.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.advance(world.leaseMs / 10);
    let transferred = '';
    jobs.transfer('c').then(
      ({ node }) => (transferred = node),
      (error) => (transferred = String(error)),
    );
    await world.until(() => transferred !== '', 4 * world.leaseMs);
    expect(transferred).toBe('c');
    expect(c.election('jobs').isMaster()).toBe(true);
  });

  it('a transfer that has time finds one that begins to wait later', async () => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    const jobs = a.election('jobs');
    void jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    const transferred = jobs.transfer('b', { timeoutMs: 6 * world.leaseMs });
    await world.advance(1.1 * world.leaseMs);
    void b.election('jobs').runWhileMaster(({ signal }) => held(signal));
    await world.until(() => b.election('jobs').isMaster(), world.leaseMs / 2);
    await world.advance(world.leaseMs / 10);
    expect((await transferred).node).toBe('b');
  });

  it('transfer() elsewhere than at the master is refused', async () => {
    const world = await started();
    await expect(world.node('a').election().transfer('b')).rejects.toMatchObject({ code: 'ERR_SYNOD_MASTERSHIP_LOST' });
  });

  it('many elections are handed over one by one, and each ends where it was sent', async () => {
    const world = await started();
    const names = ['s1', 's2', 's3', 's4'];
    const holding = names.map((name) => world.node('a').election(name).campaign());
    await world.until(() => names.every((name) => world.node('a').election(name).isMaster()), world.leaseMs);
    const masterships = await Promise.all(holding);
    for (const node of ['b', 'c']) {
      for (const name of names)
        void world
          .node(node)
          .election(name)
          .campaign()
          .catch(() => {});
    }
    await world.advance(100);
    for (const [i, mastership] of masterships.entries()) void mastership.resign({ to: i % 2 === 0 ? 'b' : 'c' });
    await world.until(
      () =>
        names.every((name, i) =>
          world
            .node(i % 2 === 0 ? 'b' : 'c')
            .election(name)
            .isMaster(),
        ),
      world.leaseMs,
    );
    expect(world.status('a').sessions.filter(({ node }) => node !== 'a')).toHaveLength(2);
  });
});

describe('priority', () => {
  it('a candidate of higher priority gets the mastership, once, and it stays there', async () => {
    const world = new TestWorld();
    worlds.push(world);
    const priorities = { a: 0, b: 50, c: 10 };
    const launched = Object.entries(priorities).map(([node, priority]) => world.launch(node, { priority }).started);
    await world.until(() => world.voters.every((name) => world.status(name).state === 'voter'), 5 * world.leaseMs);
    await Promise.all(launched);
    world.campaign('a');
    await world.untilMaster();
    expect(world.masters()).toEqual(['a']);
    world.campaign('c');
    world.campaign('b');
    await world.until(() => world.masters().includes('b'), 2 * world.leaseMs);
    const changes = world.held.length;
    await world.advance(10 * world.leaseMs);
    expect(world.masters()).toEqual(['b']);
    expect(world.held.length).toBe(changes);
    expect(changes).toBeLessThanOrEqual(3);
  });

  it('of two that press for it at once one gets it, and nobody who has no priority', async () => {
    const world = new TestWorld({ voters: ['a', 'b', 'c', 'd'] });
    worlds.push(world);
    const launched = world.voters.map((node) => world.launch(node, { priority: 'cd'.includes(node) ? 50 : 0 }).started);
    await world.until(() => world.voters.every((name) => world.status(name).state === 'voter'), 5 * world.leaseMs);
    await Promise.all(launched);
    world.campaign('a');
    await world.untilMaster();
    world.campaign('b'); // It stands by, and would have what is free for all.
    await world.advance(world.leaseMs / 2);
    for (const node of ['c', 'd']) world.campaign(node);
    await world.advance(4 * world.leaseMs);
    expect(world.held.map(({ node }) => node)).toEqual(['a', expect.stringMatching(/[cd]/)]);
  });

  it('who does not answer when it is offered leaves it where it is, and gets it when it is heard', async () => {
    const world = new TestWorld();
    worlds.push(world);
    const launched = world.voters.map((node) => world.launch(node, { priority: node === 'c' ? 50 : 0 }).started);
    await world.until(() => world.voters.every((name) => world.status(name).state === 'voter'), 5 * world.leaseMs);
    await Promise.all(launched);
    world.campaign('a');
    await world.untilMaster();
    world.campaign('b');
    await world.advance(world.leaseMs / 2);
    let wishes = 0;
    world.network.tap(({ payload }) => {
      if (decodeEnvelope(payload).envelope?.message.type === 'wish') wishes++;
    });
    world.campaign('c');
    world.network.cut('a', 'c'); // What it says is heard, and no answer comes.
    await world.until(() => wishes > 0, world.leaseMs);
    await world.advance(world.leaseMs / 2);
    expect(world.masters()).toEqual(['a']);
    world.network.heal();
    await world.advance(4 * world.leaseMs);
    expect(world.held.map(({ node }) => node)).toEqual(['a', 'c']);
  });

  it('equal priorities leave each other alone', async () => {
    const world = await started({}, { priority: 50 });
    for (const node of world.voters) world.campaign(node);
    await world.untilMaster();
    await world.advance(10 * world.leaseMs);
    expect(world.held).toHaveLength(1);
  });

  it('who resigned does not press for it again at once: no flapping when its work fails', async () => {
    const world = new TestWorld();
    worlds.push(world);
    const launched = ['a', 'b', 'c'].map((node) => world.launch(node, { priority: node === 'b' ? 50 : 0 }).started);
    await world.until(() => world.voters.every((name) => world.status(name).state === 'voter'), 5 * world.leaseMs);
    await Promise.all(launched);
    world.campaign('a');
    await world.untilMaster();
    void world
      .node('b')
      .election()
      .runWhileMaster(async () => {
        throw new Error('this work always fails');
      })
      .catch(() => {});
    await world.until(() => world.held.some(({ node }) => node === 'b'), 2 * world.leaseMs);
    await world.until(() => world.masters().includes('a'), 2 * world.leaseMs);
    const changes = world.held.length;
    await world.advance(8 * world.leaseMs);
    expect(world.masters()).toEqual(['a']);
    expect(world.held).toHaveLength(changes);
  });
});

describe('eligible', () => {
  const options = (isHealthy: () => boolean | Promise<boolean>) => ({ eligible: isHealthy });

  it('an election whose own veto says no is given back by its next renewal, and the others stay', async () => {
    const world = await started();
    let isHealthy = true;
    const [a, b] = [world.node('a'), world.node('b')];
    world.campaign('a');
    for (const node of [a, b]) {
      const jobs = node.election('jobs', node === a ? options(() => isHealthy) : {});
      void jobs.runWhileMaster(({ signal }) => held(signal)).catch(() => {});
      await world.until(() => jobs.isMaster() || node === b, world.leaseMs);
    }
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toEqual(['a']);
    expect(a.election('jobs').isMaster()).toBe(true);
    const { term } = a.election().master ?? {};
    isHealthy = false;
    await world.until(() => b.election('jobs').isMaster(), world.leaseMs / 2);
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toEqual(['a']);
    expect(a.election().master).toMatchObject({ node: 'a', term });
    expect(world.held.filter(({ lostBy }) => lostBy !== null)).toMatchObject([{ node: 'a', lostBy: 'resigned' }]);
    // Well again, it may have it when it is free.
    isHealthy = true;
    void b.close();
    await world.until(() => a.election('jobs').isMaster(), world.leaseMs);
  });

  it('that of the group vetoes all, and nothing is asked for before it has answered', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let answer: boolean | Promise<boolean> = promise;
    const world = await started(
      { voters: ['a'] },
      options(() => answer),
    );
    const names = ['group', 'jobs'];
    const node = world.node('a');
    for (const name of names)
      void node
        .election(name)
        .runWhileMaster(({ signal }) => held(signal))
        .catch(() => {});
    await world.advance(3 * world.leaseMs);
    expect(world.status('a').sessions).toEqual([]);
    answer = true;
    resolve(true);
    await world.until(() => names.every((name) => node.election(name).isMaster()), world.leaseMs);
    answer = false;
    await world.until(() => names.every((name) => !node.election(name).isMaster()), world.leaseMs / 2);
  });
});

describe('live settings', () => {
  it('T12: another length of the lease counts from the next renewal on, and loses nothing', async () => {
    const world = await started();
    world.campaign('a');
    await world.untilMaster();
    const leaseOf = () => world.node('b').election().master?.leaseMs;
    for (const leaseMs of [300, 2000]) {
      world.node('a').configure({ leaseMs });
      await world.until(() => leaseOf() === leaseMs, 2 * world.leaseMs);
      await world.advance(3 * leaseMs);
      expect(world.masters()).toEqual(['a']);
    }
    expect(world.held).toHaveLength(1);
    expect(() => world.node('a').configure({ leaseMs: 5 })).toThrow('leaseMs is 5');
  });

  it('T12: a shorter lease is told before the renewal leaves that asks for it, whether or not that is ever answered', async () => {
    const world = await started();
    world.campaign('a');
    await world.untilMaster();
    const a = world.node('a');
    const told: LeaseDeadline[] = [];
    a.addEventListener('shortened', ({ detail }) => told.push(detail));
    await world.advance(world.leaseMs);
    expect(told).toEqual([]);
    world.network.partition(['a'], ['b', 'c']);
    a.configure({ leaseMs: 300 });
    await world.until(() => told.length > 0, world.leaseMs / 2);
    const [{ deadlineAtMs, leaseMs } = { deadlineAtMs: 0, leaseMs: 0 }] = told;
    expect(leaseMs).toBe(300);
    expect(deadlineAtMs - world.clock.now()).toBeLessThanOrEqual(300);
    await world.until(() => world.masters().length === 0, 300);
    expect(world.clock.now()).toBeGreaterThanOrEqual(Math.floor(deadlineAtMs));
    expect(told).toHaveLength(1);
  });

  it('T7, T12: work keeps the time it was given to stop, though the lease has become shorter than that', async () => {
    const world = await started({ leaseMs: 2000 });
    const a = world.node('a');
    const jobs = a.election('jobs');
    let isWorking = false;
    const work = async ({ signal }: { signal: AbortSignal }) => {
      isWorking = true;
      await held(signal);
      await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, 1200));
      isWorking = false;
    };
    const stop = new AbortController();
    void jobs.runWhileMaster(work, { signal: stop.signal, graceMs: 1500 });
    await world.until(() => isWorking, world.leaseMs);
    a.configure({ leaseMs: 200 });
    await world.until(() => jobs.master?.leaseMs === 200, world.leaseMs);
    let wasBeside = false;
    void world
      .node('b')
      .election('jobs')
      .runWhileMaster(async ({ signal }) => {
        wasBeside = isWorking;
        await held(signal);
      });
    stop.abort();
    await world.until(() => world.node('b').election('jobs').isMaster(), world.leaseMs);
    expect(wasBeside).toBe(false);
  });

  it('F3: of many masterships that end with their lease the first says that it is over for all', async () => {
    const world = await started();
    const a = world.node('a');
    const elections = Array.from({ length: 400 }, (_, i) => a.election(`jobs-${i}`));
    for (const election of elections) void election.campaign().catch(() => {});
    await world.until(() => elections.every((election) => election.isMaster()), 4 * world.leaseMs);
    const ended: { readonly isLeaseOver: boolean; readonly atMs: number }[] = [];
    a.addEventListener('ended', ({ detail }) => ended.push({ ...detail, atMs: world.clock.now() }));
    world.network.partition(['a'], ['b', 'c']);
    await world.until(() => elections.every((election) => !election.isMaster()), 2 * world.leaseMs);
    const overAtMs = world.clock.now();
    await world.advance(world.leaseMs / 2);
    expect(ended).toHaveLength(elections.length);
    expect(ended.every(({ isLeaseOver }) => isLeaseOver)).toBe(true);
    expect((ended[0]?.atMs ?? 0) - overAtMs).toBeLessThan(4);
  });

  it('T12: what is reckoned in leases is reckoned by the one in force', async () => {
    const world = await started();
    const a = world.node('a');
    a.configure({ leaseMs: 4 * world.leaseMs });
    expect(world.status('a').leaseMs).toBe(4 * world.leaseMs);
    const jobs = a.election('jobs');
    const campaign = jobs.campaign();
    await world.until(() => jobs.isMaster(), world.leaseMs);
    await campaign;
    let hasFailed = false;
    // A quarter of a lease, for one who does not wait for it.
    jobs.transfer('b').catch(() => {
      hasFailed = true;
    });
    await world.advance(0.9 * world.leaseMs);
    expect(hasFailed).toBe(false);
    await world.until(() => hasFailed, world.leaseMs / 5);
  });

  it('T12: a lease that became longer is renewed less often, and no quorum is missed for it', async () => {
    const world = await started({ leaseMs: 200 });
    world.campaign('a');
    await world.untilMaster();
    for (const name of world.voters) world.node(name).configure({ leaseMs: 4000 });
    await world.advance(4000);
    for (let i = 0; i < 80; i++) {
      await world.advance(50);
      expect(world.voters.filter((name) => !world.status(name).hasQuorum)).toEqual([]);
    }
    expect(world.held).toHaveLength(1);
  });

  it.each(['member', 'candidate'] as const)(
    'T12: a %s that asks for a longer lease keeps what it holds by the shorter one, though the leader falls silent',
    async (role) => {
      const world = await started({ leaseMs: 300 });
      world.campaign('a');
      await world.until(() => world.status('a').leader === 'a', world.leaseMs);
      const name = role === 'member' ? 'b' : 'x';
      if (role === 'candidate') {
        const { started: joined } = world.launch(name, { membership: { role } });
        await Promise.all([joined, world.advance(world.leaseMs)]);
      }
      const jobs = world.node(name).election('jobs');
      void jobs.campaign();
      await world.until(() => jobs.isMaster(), 2 * world.leaseMs);
      const { term } = jobs.master ?? {};
      world.node(name).configure({ leaseMs: 60_000 });
      world.network.partition(['a'], ['b', 'c', name]);
      await world.until(() => jobs.master?.leaseMs === 60_000, world.leaseMs);
      expect(jobs.isMaster()).toBe(true);
      expect(jobs.master?.term).toBe(term);
    },
  );

  it('T12: with a tenth of the lease it joined with, a group that can talk again has a master within the new one', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = await started({ seed, leaseMs: 2000 });
      for (const name of world.voters) {
        world.node(name).configure({ leaseMs: 200 });
        world.campaign(name);
      }
      await world.untilMaster();
      await world.advance(2 * world.leaseMs);
      const [master = ''] = world.masters();
      world.crash(master);
      world.network.partition(...world.voters.map((name) => [name]));
      // Long enough for what is asked again and again to be asked seldom (B5), and for losers to wait long (B6).
      await world.advance(2 * world.leaseMs);
      expect(world.masters()).toEqual([]);
      world.network.heal();
      await world.until(() => world.masters().length === 1, 200);
    }
  });

  it('what is said of an election counts from the first time, though it was named before', async () => {
    const world = await started();
    const a = world.node('a');
    a.election('jobs');
    void a.election('jobs', { metadata: { address: 'here' } }).campaign();
    await world.until(() => a.election('jobs').isMaster(), world.leaseMs);
    expect(a.election('jobs', { metadata: { address: 'too late' } }).master?.metadata).toEqual({ address: 'here' });
  });

  it('who is given a higher priority gets the mastership soon, however long it has asked in vain', async () => {
    const world = await started({}, { priority: 10 });
    world.campaign('a');
    await world.untilMaster();
    world.campaign('b');
    await world.advance(35 * world.leaseMs);
    expect(world.masters()).toEqual(['a']);
    world.node('b').configure({ priority: 50 });
    await world.until(() => world.masters()[0] === 'b', world.leaseMs);
  });

  it('of a new master of lower priority it is asked soon, however long the one before was asked in vain', async () => {
    const world = await started();
    const jobs = (node: string, priority: number) => world.node(node).election('jobs', { priority });
    void jobs('a', 10).campaign();
    await world.until(() => jobs('a', 10).isMaster(), world.leaseMs);
    void jobs('b', 10).campaign();
    await world.advance(35 * world.leaseMs);
    expect(jobs('a', 10).isMaster()).toBe(true);
    void jobs('c', 0).campaign();
    await world.advance(world.leaseMs / 10);
    const transferred = jobs('a', 10).transfer('c');
    await world.until(() => jobs('c', 0).isMaster(), world.leaseMs);
    await transferred;
    await world.until(() => jobs('b', 10).isMaster(), world.leaseMs);
  });

  it('who is given a higher priority gets the mastership', async () => {
    const world = await started();
    world.campaign('a');
    await world.untilMaster();
    world.campaign('c');
    await world.advance(3 * world.leaseMs);
    expect(world.masters()).toEqual(['a']);
    world.node('c').configure({ priority: 10 });
    await world.until(() => world.masters().includes('c'), 2 * world.leaseMs);
  });

  it('an election keeps the priority of its own, also that of 0; the others follow that of the group', async () => {
    const world = await started();
    const [a, c] = [world.node('a'), world.node('c')];
    const [own, none, common] = [{ priority: 20 }, { priority: 0 }, undefined];
    const elections = Object.entries({ own, none, common });
    for (const [name] of elections) void a.election(name).campaign();
    await world.until(() => elections.every(([name]) => a.election(name).isMaster()), world.leaseMs);
    for (const [name, options] of elections)
      c.election(name, options)
        .campaign()
        .catch(() => {});
    a.configure({ priority: 10 });
    c.configure({ priority: 15 });
    await world.until(() => c.election('own').isMaster() && c.election('common').isMaster(), 4 * world.leaseMs);
    await world.advance(4 * world.leaseMs);
    expect(a.election('none').isMaster()).toBe(true);
    // Made after the group was configured: it goes by its own too.
    void c.election('late', { priority: 0 }).campaign();
    await world.until(() => c.election('late').isMaster(), world.leaseMs);
    void a.election('late').campaign();
    await world.until(() => a.election('late').isMaster(), 4 * world.leaseMs);
  });

  it('what is said of an election counts though others spoke of it before', async () => {
    const world = await started();
    const [a, b] = [world.node('a'), world.node('b')];
    void a.election('jobs').campaign();
    await world.until(() => a.election('jobs').isMaster(), world.leaseMs);
    // b refuses: it never heard of it.
    await Promise.all([
      expect(a.election('jobs').transfer('b')).rejects.toThrow('did not agree'),
      world.advance(world.leaseMs),
    ]);
    const eligible = vi.fn(() => true);
    const jobs = b.election('jobs', { priority: 5, metadata: { address: 'there' }, eligible });
    void jobs.campaign();
    await world.until(() => jobs.isMaster(), 2 * world.leaseMs);
    expect(a.election('jobs').master?.metadata).toEqual({ address: 'there' });
    expect(eligible).toHaveBeenCalled();
  });

  it('what is said of an election too late is refused, whole', async () => {
    const world = await started();
    const a = world.node('a');
    const jobs = a.election('jobs');
    const controller = new AbortController();
    const campaign = jobs.campaign({ signal: controller.signal });
    campaign.catch(() => {});
    const late = [{ priority: 5 }, { metadata: { address: 'here' } }, { eligible: () => false }];
    for (const options of late) expect(() => a.election('jobs', options)).toThrow('held here already');
    await world.until(() => jobs.isMaster(), world.leaseMs);
    for (const options of late) expect(() => a.election('jobs', options)).toThrow(ConfigError);
    expect(a.election('jobs', {})).toBe(jobs);
    await world.advance(world.leaseMs);
    expect(jobs.isMaster()).toBe(true);
    await Promise.all([(await campaign).resign(), world.advance(world.leaseMs / 2)]);
    const again = a.election('jobs', { metadata: { address: 'here' } });
    void again.campaign();
    await world.until(() => again.isMaster(), world.leaseMs);
    expect(again.master?.metadata).toEqual({ address: 'here' });
  });

  it('wrong options of an election are refused, each named', async () => {
    const world = await started();
    const a = world.node('a');
    const wrong = { priority: 300, metadata: { zone: 7 }, eligible: true } as unknown as ElectionOptions;
    let problems: readonly string[] = [];
    try {
      a.election('jobs', wrong);
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    expect(problems).toEqual([
      'priority is 300: a whole number from 0 to 100',
      expect.stringContaining('metadata: at most 64 entries'),
      'eligible is true: a function',
    ]);
    for (const priority of [-1, 0.5, Number.NaN])
      expect(() => a.election('jobs', { priority })).toThrow(`priority is ${priority}`);
  });
});
