import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { Svcm } from '@nats-io/services';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { askWhois, type NatsPermissions, natsBus, permissionsOf } from '@synod/nats';
import { serviceAnswerSchema } from '@synod/nats/schemas';
import { connect as connect2 } from 'nats';
import { type Group, join } from 'synod';
import { Compile } from 'typebox/compile';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cleanups, clients, connectTo, until } from './support.ts';

/** By what the AsyncAPI document says of it. */
const isServiceAnswer = Compile(serviceAnswerSchema);

interface Seen {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly metadata?: Record<string, string>;
  readonly endpoints?: readonly Record<string, unknown>[];
}

/** The micro-service protocol as its official clients speak it. */
interface ServiceClient {
  ping(name?: string, id?: string): Promise<AsyncIterable<Seen>>;
  info(name?: string, id?: string): Promise<AsyncIterable<Seen>>;
  stats(name?: string, id?: string): Promise<AsyncIterable<Seen>>;
}

describe.each(clients)('a member that joined over %s is seen by the micro-service protocol', (_client, connect) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server?.stop());
  const after = cleanups();
  afterEach(after.run);

  async function member(group: string, node: string, connecting = connect(server.url)): Promise<Group> {
    const connection = await connecting;
    after.add(() => connection.close());
    const journal = await mkdtemp(pathOf(tmpdir(), 'synod-micro-'));
    after.add(() => rm(journal, { recursive: true, force: true }));
    const membership = { role: 'member', voters: [node], journal } as const;
    const joined = await join(connection, { group, node, membership, leaseMs: 1000 });
    after.add(() => joined.close());
    return joined;
  }

  const options = { strategy: 'timer', maxWait: 300 } as const;
  const official: readonly (readonly [string, () => Promise<ServiceClient>])[] = [
    [
      '@nats-io/services',
      async () => {
        const connection = await connectTo(server.url);
        after.add(() => connection.close());
        // It has a core of its own, whose types of one and the same thing are others.
        return new Svcm(connection as never).client(options as never) as unknown as ServiceClient;
      },
    ],
    [
      'nats 2',
      async () => {
        const connection = await connect2({ servers: server.url });
        after.add(() => connection.close());
        return connection.services.client(options as never) as unknown as ServiceClient;
      },
    ],
  ];

  async function all(answers: Promise<AsyncIterable<Seen>>): Promise<Seen[]> {
    const seen: Seen[] = [];
    for await (const each of await answers) seen.push(each);
    return seen.sort((a, b) => (a.metadata?.['node'] ?? '').localeCompare(b.metadata?.['node'] ?? ''));
  }

  it.each(official)('as %s asks', async (_official, open) => {
    const [orders, stock] = [await member('orders', 'n1'), await member('stock', 's1')];
    const mastership = await orders.election().campaign({ timeoutMs: 10_000 });
    const asker = await connect(server.url);
    after.add(() => asker.close());
    const bus = natsBus(asker, { group: 'orders', node: 'web' });
    after.add(() => bus.close());
    for (let time = 0; time < 3; time++) expect(await askWhois(bus)).toMatchObject({ nodes: ['n1'] });
    // A question that is none gets no answer, and is told of.
    bus.request({ role: 'whois', to: 'all' }, new Uint8Array(), () => {});
    await bus.flush();

    const client = await open();
    const { incarnation: id } = orders.status();
    const metadata = { group: 'orders', node: 'n1', role: 'voter', master: 'n1', term: String(mastership.term) };
    const identity = { name: 'synod', id, version: expect.stringMatching(/^\d+\.\d+\.\d+/), metadata };
    const other = { metadata: { group: 'stock', node: 's1', role: 'voter', master: '', term: '0' } };

    const pinged = await all(client.ping('synod'));
    expect(pinged).toMatchObject([{ ...identity, type: 'io.nats.micro.v1.ping_response' }, other]);
    expect(await all(client.ping())).toHaveLength(2);
    expect(await all(client.ping('synod', id))).toHaveLength(1);

    const subject = 'synod.orders.whois.all.from.*';
    const [info] = await all(client.info('synod', id));
    expect(info).toMatchObject({
      ...identity,
      type: 'io.nats.micro.v1.info_response',
      endpoints: [{ name: 'whois', subject }],
    });
    const [stats] = await all(client.stats('synod', id));
    expect(stats).toMatchObject({
      ...identity,
      type: 'io.nats.micro.v1.stats_response',
      started: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      endpoints: [
        { name: 'whois', subject, num_requests: 4, num_errors: 1, last_error: 'not a question that whois knows' },
      ],
    });
    expect(stats?.endpoints?.[0]?.['processing_time']).toBeGreaterThan(0);
    for (const answer of [...pinged, info, stats]) expect(isServiceAnswer.Errors(answer)).toEqual([]);

    await mastership.resign();
    const [resigned] = await all(client.ping('synod', id));
    expect(resigned?.metadata).toMatchObject({ master: '', term: '0' });
    await orders.close();
    await until(async () => expect(await all(client.ping('synod'))).toMatchObject([other]));
    await stock.close();
  });

  it('a candidate too, which answers no whois', async () => {
    await member('orders', 'n1');
    const connection = await connect(server.url);
    after.add(() => connection.close());
    const candidate = await join(connection, {
      group: 'orders',
      node: 'web-7',
      membership: { role: 'candidate' },
      leaseMs: 1000,
    });
    after.add(() => candidate.close());
    const mastership = await candidate.election('shard-7').campaign({ timeoutMs: 10_000 });
    const [[, open] = []] = official;
    const client = await (open as () => Promise<ServiceClient>)();
    const seen = await all(client.info('synod', candidate.status().incarnation));
    expect(seen).toMatchObject([
      { name: 'synod', metadata: { group: 'orders', node: 'web-7', role: 'candidate' }, endpoints: [] },
    ]);
    await mastership.resign();
  });

  it('is seen from the reconnect on after which its user may be', async () => {
    const whole = permissionsOf({ group: 'orders', node: 'n1', kind: 'member' });
    const allow = whole.subscribe.allow.filter((rule) => !rule.startsWith('$SRV'));
    const guarded = async (permissions: NatsPermissions, port?: number) => {
      const users = JSON.stringify([
        { user: 'n1', password: 'x', permissions },
        { user: 'ops', password: 'x' },
      ]);
      const started = await startNatsServer({
        extraConfig: `authorization { users: ${users} }`,
        ...(port && { port }),
      });
      after.add(() => started.stop());
      return started;
    };
    const unseen = await guarded({ ...whole, subscribe: { allow } });
    const group = await member('orders', 'n1', connect(unseen.url, { user: 'n1', pass: 'x' }));
    const ops = await connectTo(unseen.url, { user: 'ops', pass: 'x' });
    after.add(() => ops.close());
    const ping = () => ops.request('$SRV.PING.synod', '', { timeout: 1000 });
    await expect(ping()).rejects.toThrow('no responders');
    await unseen.stop();
    await guarded(whole, unseen.port);
    await until(async () => expect((await ping()).json()).toMatchObject({ id: group.status().incarnation }));
  });

  it('I4: answers nobody at a subject of Synod or of the server', async () => {
    const group = await member('orders', 'n1');
    const stranger = await connectTo(server.url);
    after.add(() => stranger.close());
    const heard: string[] = [];
    for (const subject of ['synod.>', '$SYS.>', 'answers']) {
      stranger.subscribe(subject, { callback: (_, message) => void heard.push(message.subject) });
    }
    for (const reply of ['synod.orders.event.group.from.n1', '$SYS.x', 'answers']) {
      stranger.publish('$SRV.PING.synod', new Uint8Array(), { reply });
    }
    await until(() => expect(heard.filter((subject) => subject === 'answers')).toHaveLength(1));
    expect(heard.filter((subject) => subject.includes('event') || subject.startsWith('$SYS.x'))).toEqual([]);
    await group.close();
  });
});
