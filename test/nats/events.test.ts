import { jetstreamManager } from '@nats-io/jetstream';
import { type NatsServer, startNatsCluster, startNatsServer } from '@synod/cli/internal';
import {
  electionState,
  encodeEvent,
  ensureEventStream,
  lastEventVersion,
  type MasterEvent,
  type NatsConnectionLike,
  natsBus,
  respondWhois,
  subjectOf,
  watchMasterChanges,
} from '@synod/nats';
import { type Bus, type MasterRecord, PermissionError, TimeoutError } from '@synod/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bytes, type ConnectOptions, cleanups, clients, connectTo, eventOf, recordOf, until } from './support.ts';
import { tcpLink } from './tcp-link.ts';

const STREAM = 'SYNOD_EVENTS';

const after = cleanups();
afterEach(after.run);

const busOf = (connection: NatsConnectionLike, node: string, group = 'orders'): Bus =>
  natsBus(connection, { group, node });

function tell(bus: Bus, record: MasterRecord): MasterEvent {
  const event = eventOf(bus.node, record, bus.group);
  const isSent = bus.publish({ role: 'event', to: record.election }, encodeEvent(event), { messageId: event.id });
  expect(isSent).toBe(true);
  return event;
}

describe.each(clients)('over %s', (_client, connect) => {
  async function connected(url: string | readonly string[], options: ConnectOptions = {}) {
    const connection = await connect(url, options);
    after.add(() => connection.close());
    return connection;
  }

  describe('with JetStream', () => {
    let server: NatsServer;
    beforeAll(async () => {
      server = await startNatsServer({ jetstream: true });
    });
    afterAll(() => server?.stop());
    beforeEach(async () => {
      manager = await lookingOn();
      // Purged first: a stream made anew right after its name was deleted sometimes began with the old messages (2.15.1).
      await manager.streams.purge(STREAM).catch(() => {});
      await manager.streams.delete(STREAM).catch(() => {});
    });

    /** JetStream as the server's own client sees it, whichever client is tested. */
    const lookingOn = async () => {
      const connection = await connectTo(server.url);
      after.add(() => connection.close());
      return jetstreamManager(connection);
    };
    let manager: Awaited<ReturnType<typeof lookingOn>>;
    const stored = async (): Promise<number> => (await manager.streams.info(STREAM)).state.messages;

    it('makes the stream once, by whoever comes first, and leaves the settings of an operator', async () => {
      const [first, second] = [await connected(server.url), await connected(server.url)];
      const made = await Promise.all([first, second].map((connection) => ensureEventStream(connection)));
      expect(made.map(({ state }) => state)).toEqual(['ready', 'ready']);
      expect((await manager.streams.info(STREAM)).config).toMatchObject({
        subjects: ['synod.*.event.>'],
        num_replicas: 1,
        max_age: 7 * 86_400e9,
        duplicate_window: 120e9,
      });
      await manager.streams.update(STREAM, { max_age: 86_400e9, duplicate_window: 60e9 });
      expect(await ensureEventStream(second)).toMatchObject({ state: 'ready' });
      expect((await manager.streams.info(STREAM)).config.max_age).toBe(86_400e9);
    });

    it('says when the name is taken, or the subjects are', async () => {
      const connection = await connected(server.url);
      await manager.streams.add({ name: STREAM, subjects: ['other'] });
      expect(await ensureEventStream(connection)).toMatchObject({
        state: 'failed',
        detail: expect.stringContaining(STREAM),
      });
      await manager.streams.delete(STREAM);
      await manager.streams.add({ name: 'OTHER', subjects: ['synod.orders.>'] });
      after.add(() => manager.streams.delete('OTHER'));
      expect(await ensureEventStream(connection)).toMatchObject({
        state: 'failed',
        detail: expect.stringContaining('overlap'),
      });
    });

    it('keeps one of what every member publishes', async () => {
      const connection = await connected(server.url);
      await ensureEventStream(connection);
      for (const node of ['n1', 'n2', 'n3']) {
        const bus = busOf(connection, node);
        tell(bus, recordOf('n1', 45));
        tell(bus, recordOf('n2', 120));
      }
      await connection.flush();
      await until(async () => expect(await stored()).toBe(2));
    });

    it('I5: finds the highest version of a group, late events of an old master included', async () => {
      const connection = await connected(server.url);
      expect(await lastEventVersion(connection, 'orders')).toBeNull();
      await ensureEventStream(connection);
      expect(await lastEventVersion(connection, 'orders')).toBeNull();
      tell(busOf(connection, 'n1'), recordOf('n1', 120));
      tell(busOf(connection, 'n2'), recordOf('n2', 300, { election: 'shard-7' }));
      tell(busOf(connection, 'n3'), recordOf('n3', 45));
      tell(busOf(connection, 'n1', 'payments'), recordOf('n1', 999));
      connection.publish(subjectOf('orders', { role: 'event', to: 'group' }, 'n4'), bytes('garbage'));
      await connection.flush();
      await until(async () => expect(await stored()).toBe(5));
      expect(await lastEventVersion(connection, 'orders')).toBe(300);
      expect(await lastEventVersion(connection, 'nobody')).toBeNull();
    });

    it('begins a watch at the newest event of each election, then tells each change once, in order', async () => {
      const connection = await connected(server.url);
      await ensureEventStream(connection);
      const [n1, n2] = [busOf(connection, 'n1'), busOf(connection, 'n2')];
      tell(n1, recordOf('n1', 120));
      tell(n2, recordOf('n2', 45));
      tell(n2, recordOf('n2', 7, { election: 'shard-7' }));
      await until(async () => expect(await stored()).toBe(3));

      const told: string[] = [];
      const watch = await watchMasterChanges(await connected(server.url), {
        group: 'orders',
        onEvent: ({ id }) => told.push(id),
        refreshMs: 0,
      });
      after.add(() => watch.close());
      expect(told.toSorted()).toEqual(['orders/group/elected/120', 'orders/shard-7/elected/7']);
      expect(watch.current()?.data.current?.node).toBe('n1');

      told.length = 0;
      tell(n2, recordOf('n1', 120)); // Again, by another member.
      tell(n2, recordOf('n2', 45)); // 54: late.
      connection.publish(subjectOf('orders', { role: 'event', to: 'group' }, 'n1'), bytes('garbage'));
      // I4: as n2 and as from n1.
      connection.publish(
        subjectOf('orders', { role: 'event', to: 'group' }, 'n2'),
        encodeEvent(eventOf('n1', recordOf('n9', 900))),
      );
      tell(n1, recordOf('n1', 120, { master: null, version: 130, cause: 'resigned' }));
      tell(n2, recordOf('n1', 120, { master: null, version: 130, cause: 'resigned' }));
      tell(n2, recordOf('n2', 131, { cause: 'resigned' }));
      await until(() => expect(told).toEqual(['orders/group/resigned/130', 'orders/group/elected/131']));
      await watch.close();
      tell(n2, recordOf('n3', 140));
      await connection.flush();
      expect(told).toHaveLength(2);
    });

    it('begins with the newest of what the stream and the members say', async () => {
      const connection = await connected(server.url);
      await ensureEventStream(connection);
      const n1 = busOf(connection, 'n1');
      tell(n1, recordOf('n1', 45));
      await until(async () => expect(await stored()).toBe(1));
      const newest = electionState('orders', recordOf('n2', 120), null);
      respondWhois(n1, () => ({ voters: ['n1'], position: 120, elections: [newest] }));
      const told: string[] = [];
      const watch = await watchMasterChanges(connection, {
        group: 'orders',
        onEvent: ({ id }) => told.push(id),
        refreshMs: 0,
      });
      after.add(() => watch.close());
      expect(told).toEqual(['orders/group/elected/120']);
    });

    it('tells after a reconnect what it missed, and no event twice', async () => {
      const members = await connected(server.url);
      await ensureEventStream(members);
      const n1 = busOf(members, 'n1');
      tell(n1, recordOf('n1', 120));
      await until(async () => expect(await stored()).toBe(1));
      const link = await tcpLink({ host: '127.0.0.1', port: server.port });
      after.add(() => link.close());
      const told: string[] = [];
      const watch = await watchMasterChanges(await connected(link.url), {
        group: 'orders',
        election: 'group',
        onEvent: ({ id }) => told.push(id),
        refreshMs: 0,
      });
      after.add(() => watch.close());
      expect(told).toEqual(['orders/group/elected/120']);
      await link.cut();
      tell(n1, recordOf('n2', 150));
      await until(async () => expect(await stored()).toBe(2));
      await link.mend();
      await until(() => expect(told).toEqual(['orders/group/elected/120', 'orders/group/elected/150']));
      tell(n1, recordOf('n3', 160));
      await until(() => expect(told.slice(2)).toEqual(['orders/group/elected/160']));
    });
  });

  describe('without a stream', () => {
    let server: NatsServer;
    const user = (name: string, publish: readonly string[]): string =>
      JSON.stringify({ user: name, password: 'x', permissions: { publish: { allow: publish }, subscribe: '>' } });
    beforeAll(async () => {
      const users = [user('n1', ['>']), user('poor', ['synod.orders.*.*.from.poor'])];
      server = await startNatsServer({ extraConfig: `authorization { users: [${users.join(', ')}] }` });
    });
    afterAll(() => server?.stop());

    it('a server without JetStream is no error, and a watch asks the members', async () => {
      const connection = await connected(server.url, { user: 'n1', pass: 'x' });
      expect(await ensureEventStream(connection)).toMatchObject({ state: 'no-jetstream' });
      expect(await lastEventVersion(connection, 'orders')).toBeNull();
      const voters = ['n1', 'n2', 'n3'];
      const views: Record<string, MasterRecord> = {
        n1: recordOf('n1', 45),
        n2: recordOf('n2', 120),
        n3: recordOf('n1', 45),
      };
      for (const node of voters.slice(0, 2)) {
        respondWhois(busOf(connection, node), () => {
          const record = views[node] as MasterRecord;
          return { voters, position: record.version, elections: [electionState('orders', record, null)] };
        });
      }
      const told: string[] = [];
      const watch = await watchMasterChanges(connection, {
        group: 'orders',
        onEvent: ({ id }) => told.push(id),
        refreshMs: 0,
      });
      after.add(() => watch.close());
      expect(told).toEqual(['orders/group/elected/120']);
      tell(busOf(connection, 'n3'), recordOf('n3', 130));
      await until(() => expect(told).toEqual(['orders/group/elected/120', 'orders/group/elected/130']));
      // 33: an event that was lost without a sign is found by asking.
      views['n1'] = recordOf('n1', 140);
      await watch.refresh();
      expect(told.at(-1)).toBe('orders/group/elected/140');
    });

    it('54: what a member repeats before the present is known is not told: it is the past', async () => {
      const connection = await connected(server.url, { user: 'n1', pass: 'x' });
      const [n1, n2] = [busOf(connection, 'n1'), busOf(connection, 'n2')];
      const [past, present, next] = [recordOf('n1', 45), recordOf('n2', 120), recordOf('n3', 130)];
      respondWhois(n1, () => {
        // Published before the answer, so they are heard before it.
        for (const record of [past, next]) tell(n2, record);
        return { voters: ['n1'], position: 120, elections: [electionState('orders', present, null)] };
      });
      const told: string[] = [];
      const watch = await watchMasterChanges(await connected(server.url, { user: 'n1', pass: 'x' }), {
        group: 'orders',
        onEvent: ({ id }) => told.push(id),
        refreshMs: 0,
      });
      after.add(() => watch.close());
      expect(told).toEqual(['orders/group/elected/120', 'orders/group/elected/130']);
    });

    it('without permission it says so, and a watch works as far as it may', async () => {
      const poor = await connected(server.url, { user: 'poor', pass: 'x' });
      expect(await ensureEventStream(poor)).toMatchObject({ state: 'no-permission' });
      await expect(lastEventVersion(poor, 'orders')).rejects.toThrow(PermissionError);
      const told: string[] = [];
      const watch = await watchMasterChanges(poor, {
        group: 'orders',
        node: 'poor',
        onEvent: ({ id }) => told.push(id),
      });
      after.add(() => watch.close());
      expect(told).toEqual([]);
      tell(busOf(await connected(server.url, { user: 'n1', pass: 'x' }), 'n1'), recordOf('n1', 2));
      await until(() => expect(told).toEqual(['orders/group/elected/2']));
    });

    it('I5: an answer that does not come is not the answer none', async () => {
      const connection = await connected(server.url, { user: 'n1', pass: 'x' });
      const silent = connection.subscribe('$JS.API.>', { callback: () => {} });
      after.add(async () => silent.unsubscribe());
      await connection.flush();
      expect(await ensureEventStream(connection, { timeoutMs: 1 })).toMatchObject({ state: 'failed' });
      await expect(lastEventVersion(connection, 'orders', { timeoutMs: 1 })).rejects.toThrow(TimeoutError);
    });
  });

  describe('in a cluster of three', () => {
    it('keeps the stream three times', async () => {
      const cluster = await startNatsCluster(3, { jetstream: true });
      after.add(() => cluster.stop());
      const connection = await connected(cluster.urls);
      expect(await ensureEventStream(connection)).toMatchObject({ state: 'ready' });
      const looking = await connectTo(cluster.urls);
      after.add(() => looking.close());
      const manager = await jetstreamManager(looking);
      expect((await manager.streams.info(STREAM)).config.num_replicas).toBe(3);
    });
  });
});
