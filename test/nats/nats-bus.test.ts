import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { askWhois, natsBus, permissionsOf, respondWhois } from '@synod/nats';
import { type Address, type Bus, PermissionError } from '@synod/protocol';
import { busContract, seededRandom } from '@synod/protocol/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bytes, type ConnectOptions, cleanups, clients, type TestConnection, text, until } from './support.ts';
import { type TcpLink, tcpLink } from './tcp-link.ts';

const acceptor = (to: string): Address => ({ role: 'acceptor', to });
const whois: Address = { role: 'whois', to: 'all' };

describe.each(clients)('natsBus over %s', (client, connectTo) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server?.stop());

  const after = cleanups();
  afterEach(after.run);

  async function open(url: string, node: string, options: ConnectOptions = {}, group = 'orders') {
    const connection = await connectTo(url, options);
    after.add(() => connection.close());
    const errors: Error[] = [];
    const bus = natsBus(connection, { group, node, onError: (error) => errors.push(error) });
    return { connection, bus, errors };
  }

  busContract(`natsBus over ${client}`, () => {
    const errors: unknown[] = [];
    const nodes = new Map<string, { link: TcpLink; connection: TestConnection; bus: Bus }>();
    const of = (node: string) => nodes.get(node) as { link: TcpLink; connection: TestConnection; bus: Bus };
    return {
      errors,
      bus: async (node, group = 'test') => {
        const link = await tcpLink({ host: '127.0.0.1', port: server.port });
        const connection = await connectTo(link.url);
        const bus = natsBus(connection, { group, node, onError: (error) => errors.push(error) });
        nodes.set(node, { link, connection, bus });
        return bus;
      },
      disconnect: async (node) => {
        await of(node).link.cut();
        await until(() => expect(of(node).bus.isConnected).toBe(false));
      },
      reconnect: async (node) => {
        await of(node).link.mend();
        await until(() => expect(of(node).bus.isConnected).toBe(true));
      },
      isConnectionOpen: (node) => !of(node).connection.isClosed(),
      close: async () => {
        for (const { link, connection, bus } of nodes.values()) {
          await bus.close();
          await connection.close();
          await link.close();
        }
      },
    };
  });

  it('30: nothing published while the server is dead arrives when it is back, and subscriptions live on', async () => {
    const mortal = await startNatsServer();
    after.add(() => mortal.stop());
    const { bus: n1 } = await open(mortal.url, 'n1');
    const { bus: n2 } = await open(mortal.url, 'n2');
    const heard: string[] = [];
    n2.subscribe(acceptor('n2'), (payload, from) => heard.push(`${from}:${text(payload)}`));
    n2.respond(whois, (_, from, answer) => answer(bytes(`hello ${from}`)));
    await n2.flush();
    n1.publish(acceptor('n2'), bytes('before'));
    await until(() => expect(heard).toEqual(['n1:before']));

    // Publishes in every turn of the event loop across the death and the way back: the windows are between statuses.
    const sent: string[] = [];
    let number = 0;
    let isPublishing = true;
    const publishing = (async () => {
      while (isPublishing) {
        const name = `${++number}`;
        if (n1.publish(acceptor('n2'), bytes(name))) sent.push(`n1:${name}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 2; round++) {
      await mortal.kill('SIGKILL');
      await until(() => expect([n1.isConnected, n2.isConnected]).toEqual([false, false]));
      const during = number;
      await until(() => expect(number).toBeGreaterThan(during + 100));
      expect(n1.publish(acceptor('n2'), bytes('stale'))).toBe(false);
      await mortal.restart();
      await until(() => expect([n1.isConnected, n2.isConnected]).toEqual([true, true]));
    }
    isPublishing = false;
    await publishing;
    n1.publish(acceptor('n2'), bytes('after'));
    await until(() => expect(heard.at(-1)).toBe('n1:after'));
    expect(heard.slice(1, -1).filter((name) => !sent.includes(name))).toEqual([]);

    const answers: string[] = [];
    n1.request(whois, bytes(''), (payload) => answers.push(text(payload)));
    await until(() => expect(answers).toEqual(['hello n1']));
  });

  it('knows when its owner closes the connection', async () => {
    const { connection, bus } = await open(server.url, 'n1');
    const changes: boolean[] = [];
    bus.onConnection((isConnected) => changes.push(isConnected));
    await connection.drain();
    expect([bus.isConnected, bus.publish(acceptor('n1'), bytes('a'))]).toEqual([false, false]);
    await until(() => expect(changes).toEqual([false]));
    bus.subscribe(acceptor('n1'), () => {}).close();
    await bus.close();
  });

  it('39: survives garbage of every size, and hears what comes after it', async () => {
    const generous = await startNatsServer({ extraConfig: 'max_payload: 4MB' });
    after.add(() => generous.stop());
    const { bus: n1, errors } = await open(generous.url, 'n1');
    const { connection: stranger, bus: n2 } = await open(generous.url, 'n2');
    expect(n1.maxPayloadBytes).toBe(4 * 1024 * 1024);
    const sizes: number[] = [];
    n1.subscribe(acceptor('n1'), (payload) => sizes.push(payload.length));
    respondWhois(n1, () => ({ voters: ['n1'], position: 1, elections: [] }));
    await n1.flush();
    const random = seededRandom(1);
    const garbage = [0, 1, 100, 70_000, 2 ** 20 + 1, 4 * 2 ** 20].map((size) =>
      Uint8Array.from({ length: size }, () => random.next() * 256),
    );
    for (const payload of [...garbage, bytes('['.repeat(2 ** 20)), bytes('{"__proto__":{"v":1}}')]) {
      stranger.publish('synod.orders.acceptor.n1.from.n2', payload);
      stranger.publish('synod.orders.whois.all.from.n2', payload, { reply: 'x' });
      stranger.publish('synod.orders.whois.all.from.n2', payload, { reply: 'synod.orders.acceptor.n1.from.n1' });
    }
    expect(n2.publish(acceptor('n1'), new Uint8Array(4 * 2 ** 20 + 1))).toBe(false);
    expect(await askWhois(n2, { timeoutMs: 15_000 })).toMatchObject({ nodes: ['n1'] });
    expect(sizes).toEqual([...garbage.map(({ length }) => length), 2 ** 20, 21]);
    expect([errors, n1.isConnected, n2.isConnected]).toEqual([[], true, true]);
  });

  describe('under permissions', () => {
    let guarded: NatsServer;
    const user = (node: string, kind: Parameters<typeof permissionsOf>[0]['kind']): string => {
      const permissions = permissionsOf({ group: 'orders', node, kind });
      return JSON.stringify({ user: node, password: 'x', permissions });
    };
    beforeAll(async () => {
      const users = [user('n1', 'member'), user('n2', 'member'), user('web', 'observer'), user('ops', 'operator')];
      guarded = await startNatsServer({ extraConfig: `authorization { users: [${users.join(', ')}] }` });
    });
    afterAll(() => guarded?.stop());
    const openAs = (node: string, name = node, group = 'orders') =>
      open(guarded.url, name, { user: node, pass: 'x' }, group);

    it('a node can do its part under the rules that permissionsOf gives it', async () => {
      const [n1, n2, web, ops] = [await openAs('n1'), await openAs('n2'), await openAs('web'), await openAs('ops')];
      const heard: string[] = [];
      const nobody: Address[] = [];
      n2.bus.subscribe(acceptor('all'), (_, from) => heard.push(`acceptor ${from}`));
      n2.bus.subscribe({ role: 'log', to: 'append' }, (_, from) => heard.push(`log ${from}`));
      web.bus.subscribe({ role: 'event', to: '*' }, (_, from) => heard.push(`event ${from}`));
      n2.bus.respond({ role: 'admin', to: 'resign' }, (_, from, answer) => answer(bytes(`resign ${from}`)));
      respondWhois(n2.bus, () => ({ voters: ['n2'], position: 1, elections: [] }));
      n1.bus.onNoResponders((address) => nobody.push(address));
      await Promise.all([n2.bus.flush(), web.bus.flush()]);
      n1.bus.publish(acceptor('all'), bytes(''));
      n1.bus.publish({ role: 'event', to: 'group' }, bytes(''), { messageId: 'x' });
      n1.bus.publish(acceptor('n9'), bytes(''), { expectResponder: true });
      web.bus.publish({ role: 'log', to: 'append' }, bytes(''), { expectResponder: true });
      ops.bus.request({ role: 'admin', to: 'resign' }, bytes(''), (payload) => heard.push(text(payload)));
      expect(await askWhois(web.bus, { timeoutMs: 15_000 })).toMatchObject({ nodes: ['n2'] });
      await until(() => expect(heard.toSorted()).toEqual(['acceptor n1', 'event n1', 'log web', 'resign ops']));
      await until(() => expect(nobody).toEqual([acceptor('n9')]));
      expect([n1, n2, web, ops].flatMap(({ errors }) => errors)).toEqual([]);
    });

    it('I4: tells that a subject is refused, once and by name, and goes on', async () => {
      const { bus: n1 } = await openAs('n1');
      const heard: string[] = [];
      n1.subscribe(acceptor('n1'), (_, from) => heard.push(from));
      n1.subscribe({ role: 'event', to: '*' }, (_, from) => heard.push(`event ${from}`));
      n1.respond({ role: 'admin', to: 'resign' }, (_, from) => heard.push(`admin ${from}`));
      await n1.flush();

      const web = await openAs('web');
      const asN1 = natsBus(web.connection, { group: 'orders', node: 'n1', onError: (error) => web.errors.push(error) });
      const other = await openAs('web', 'web', 'payments');
      other.bus.subscribe(acceptor('all'), () => heard.push('payments'));
      for (let time = 0; time < 3; time++) {
        asN1.publish(acceptor('n1'), bytes('forged'));
        web.bus.publish({ role: 'event', to: 'group' }, bytes('forged'));
        web.bus.request({ role: 'admin', to: 'resign' }, bytes('{}'), () => heard.push('answer'));
      }
      web.bus.publish(acceptor('n1'), bytes('honest'));
      await until(() => expect(heard).toEqual(['web']));
      await until(() => expect(web.errors.length + other.errors.length).toBeGreaterThanOrEqual(5));
      expect([...web.errors, ...other.errors].every((error) => error instanceof PermissionError)).toBe(true);
      // Two buses share one connection, and each tells what is refused in its group.
      expect(new Set(web.errors.map(({ message }) => /(publish|subscribe) to "[^"]*"/.exec(message)?.[0]))).toEqual(
        new Set([
          'publish to "synod.orders.acceptor.n1.from.n1"',
          'publish to "synod.orders.event.group.from.web"',
          'publish to "synod.orders.admin.resign.from.web"',
        ]),
      );
      expect(other.errors.map(({ message }) => message)).toEqual([
        expect.stringContaining('subscribe to "synod.payments.acceptor.all.from.*"'),
      ]);
      expect(heard).toEqual(['web']);
    });
  });
});
