import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import type { NatsServer } from '@synod/cli/internal';
import { encodeEvent, type MasterEvent, natsBus, subjectOf, watchMasterChanges } from '@synod/nats';
import { type Address, type Message, PermissionError, wireCodec } from '@synod/protocol';
import { type Group, type GroupStatus, join } from 'synod';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bytes, cleanups, clients, eventOf, recordOf, until } from '../nats/support.ts';
import { startGuarded, userOf } from './accounts.ts';

const voters = ['n1', 'n2', 'n3'];

describe.each(clients)('a group whose every node is a user of its own, over %s', (_client, connect) => {
  let server: NatsServer;
  beforeAll(async () => {
    const users = [
      ...voters.map((node) => userOf(node, 'member')),
      userOf('web', 'candidate'),
      userOf('watcher', 'observer'),
      userOf('ops', 'operator'),
    ];
    server = await startGuarded(users, { jetstream: true });
  });
  afterAll(() => server?.stop());
  const after = cleanups();
  afterEach(after.run);

  async function connected(user: string, at = server) {
    const connection = await connect(at.url, { user, pass: 'x' });
    after.add(() => connection.close());
    return connection;
  }

  async function started(at = server): Promise<{ groups: readonly Group[]; warnings: string[] }> {
    const warnings: string[] = [];
    const silent = () => {};
    const hear = (_fields: object, message: string) => void warnings.push(message);
    const logger = { debug: silent, info: silent, warn: hear, error: hear };
    const joining = voters.map(async (node) => {
      const journal = await mkdtemp(pathOf(tmpdir(), 'synod-guarded-'));
      after.add(() => rm(journal, { recursive: true, force: true }));
      const membership = { role: 'member', voters, journal } as const;
      return join(await connected(node, at), { group: 'orders', node, membership, leaseMs: 1000, logger });
    });
    const groups = await Promise.all(joining);
    after.add(() => Promise.all(groups.map((group) => group.close())));
    return { groups, warnings };
  }

  /** What must not change whatever a stranger says. */
  const settled = ({ state, configuration, ballot, leader, position, elections, sessions }: GroupStatus) => ({
    ...{ state, configuration, ballot, leader, position },
    elections: elections.map(({ term, master, node }) => ({ term, master, node })),
    sessions: sessions.map(({ id, node }) => ({ id, node })),
  });

  it('works, and its watcher hears of it; what others say in its name changes nothing', async () => {
    const { groups, warnings } = await started();
    const [first] = groups as [Group];
    const mastership = await first.election().campaign({ timeoutMs: 10_000 });
    const told: MasterEvent[] = [];
    const watcher = await connected('watcher');
    const watch = await watchMasterChanges(watcher, {
      group: 'orders',
      node: 'watcher',
      onEvent: (event) => told.push(event),
      refreshMs: 0,
      // What it may not say below is told here too: one connection carries both.
      onError: () => {},
    });
    after.add(() => watch.close());
    await until(() => expect(told.map(({ data }) => data.term)).toEqual([mastership.term]));
    expect(warnings.filter((warning) => warning.includes('NATS does not let'))).toEqual([]);

    const before = groups.map((group) => settled(group.status()));
    const ballot = { round: 1_000_000, nodeId: 'n2', incarnation: 'forged' };
    const messages: readonly (readonly [Address, Message])[] = [
      [
        { role: 'acceptor', to: 'all' },
        { type: 'prepare', ballot, fromSlot: 1 },
      ],
      [
        { role: 'acceptor', to: 'all' },
        { type: 'accept', ballot, slot: 1, value: new Uint8Array() } as unknown as Message,
      ],
    ];
    const { configuration } = first.status();
    for (const user of ['n3', 'watcher', 'ops', 'stranger']) {
      const errors: Error[] = [];
      const connection = await connected(user);
      const forged = natsBus(connection, { group: 'orders', node: 'n2', onError: (error) => errors.push(error) });
      after.add(() => forged.close());
      for (const [to, message] of messages) {
        forged.publish(to, wireCodec.encodeEnvelope({ config: configuration, incarnation: 'forged', message }));
      }
      forged.publish({ role: 'event', to: 'group' }, encodeEvent(eventOf('n2', recordOf('n2', 9999))));
      forged.request(
        { role: 'admin', to: 'resign' },
        bytes(JSON.stringify({ election: 'group', term: mastership.term })),
        () => {},
      );
      await forged.flush();
      // Three subjects, each told once. To a stranger's account the group does not exist.
      if (user !== 'stranger') await until(() => expect(errors).toHaveLength(3));
      expect(errors.every((error) => error instanceof PermissionError)).toBe(true);
    }
    // In its own name the watcher tells no events, and only an operator may ask for what operators ask.
    const own: Error[] = [];
    const asWatcher = natsBus(watcher, { group: 'orders', node: 'watcher', onError: (error) => own.push(error) });
    after.add(() => asWatcher.close());
    asWatcher.publish({ role: 'event', to: 'group' }, encodeEvent(eventOf('watcher', recordOf('n2', 9999))));
    asWatcher.request({ role: 'admin', to: 'status' }, bytes('{}'), () => {});
    await until(() =>
      expect(own.map(({ message }) => /to "([^"]*)"/.exec(message)?.[1])).toEqual([
        subjectOf('orders', { role: 'event', to: 'group' }, 'watcher'),
        subjectOf('orders', { role: 'admin', to: 'status' }, 'watcher'),
      ]),
    );
    // Two leases of nothing but renewals.
    const { version } = mastership;
    await until(() => expect(first.status().position).toBeGreaterThan((before[0]?.position ?? 0) + 4));
    expect(mastership.signal.aborted).toBe(false);
    const ignoring = (status: ReturnType<typeof settled> | undefined) => ({ ...status, position: 0 });
    expect(groups.map((group) => ignoring(settled(group.status())))).toEqual(before.map(ignoring));
    expect(groups.flatMap((group) => Object.values(group.status().dropped))).toEqual([]);
    expect([told.length, mastership.version]).toEqual([1, version]);
  });

  it.each(['n3', 'web'])('I4: %s cannot speak as another by asking itself to answer there', async (user) => {
    const connection = await connected(user);
    const [heard, listening] = [[] as string[], await connected('n1')];
    const forged = subjectOf('orders', { role: 'acceptor', to: 'all' }, 'n2');
    const theirs = '$JS.API.STREAM.DELETE.SYNOD_EVENTS';
    listening.subscribe('synod.orders.acceptor.*.from.*', {
      callback: (_error, { subject }) => void heard.push(subject),
    });
    await listening.flush();
    const own = subjectOf('orders', { role: 'whois', to: 'all' }, user);
    const asked: string[] = [];
    connection.subscribe('synod.orders.whois.all.from.*', {
      callback: (_error, { reply = '' }) => {
        asked.push(reply);
        connection.publish(reply, bytes('forged'));
      },
    });
    for (const reply of [forged, theirs]) connection.publish(own, bytes('{}'), { reply });
    await until(() => expect(asked).toEqual([forged, theirs]));
    await connection.flush();
    connection.publish(subjectOf('orders', { role: 'acceptor', to: 'all' }, user), bytes('own'));
    await connection.flush();
    await until(() => expect(heard).not.toEqual([]));
    // Whoever heard the later message has heard the earlier ones.
    expect(heard).toEqual([subjectOf('orders', { role: 'acceptor', to: 'all' }, user)]);
  });

  it('T8: hands a mastership over to a candidate that has the rules of one', async () => {
    // Where no stream remembers the group of the test before (I5).
    const bare = await startGuarded([...voters.map((node) => userOf(node, 'member')), userOf('web', 'candidate')]);
    after.add(() => bare.stop());
    const { groups, warnings } = await started(bare);
    const [first] = groups as [Group];
    const membership = { role: 'candidate' } as const;
    const hear = (_fields: object, message: string) => void warnings.push(message);
    const logger = { debug: () => {}, info: () => {}, warn: hear, error: hear };
    const web = await join(await connected('web', bare), {
      group: 'orders',
      node: 'web',
      membership,
      leaseMs: 1000,
      logger,
    });
    after.add(() => web.close());
    await first.election('shard-7').campaign({ timeoutMs: 10_000 });
    const waiting = web.election('shard-7').campaign({ timeoutMs: 10_000 });
    const transferred = async () => first.election('shard-7').transfer('web');
    // Until the candidate has said that it waits, nobody agrees.
    await until(() => expect(transferred()).resolves.toMatchObject({ node: 'web' }));
    expect((await waiting).term).toBe(web.election('shard-7').master?.term);
    expect(warnings.filter((warning) => warning.includes('NATS does not let'))).toEqual([]);
  });
});
