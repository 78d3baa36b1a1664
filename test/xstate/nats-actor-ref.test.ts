import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { natsActorRef, serveActor } from '@synod/xstate';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { assign, createActor, sendTo, setup } from 'xstate';
import { cleanups, clients, until } from '../nats/support.ts';
import { tcpLink } from '../nats/tcp-link.ts';

type Order = { type: 'order'; id: number } | { type: 'close' };
const subject = 'orders.billing';

/** Counts orders until it is closed. */
const billing = setup({
  types: {} as { events: Order; context: { ids: number[] } },
}).createMachine({
  context: { ids: [] },
  initial: 'open',
  states: {
    open: {
      on: {
        order: { actions: assign({ ids: ({ context, event }) => [...context.ids, event.id] }) },
        close: 'closed',
      },
    },
    closed: { type: 'final' },
  },
});

describe.each(clients)('natsActorRef over %s', (_client, connect) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server?.stop());
  const after = cleanups();
  afterEach(after.run);

  async function connected(url = server.url) {
    const connection = await connect(url);
    after.add(() => connection.close());
    return connection;
  }

  async function served() {
    const errors: unknown[] = [];
    const connection = await connected();
    const actor = createActor(billing).start();
    const serving = serveActor<Order>(connection, subject, actor, { onError: (error) => errors.push(error) });
    await connection.flush();
    return { actor, connection, serving, errors };
  }

  it('is sent to by a machine like an actor of its own', async () => {
    const { actor } = await served();
    const remote = natsActorRef<Order>(await connected(), subject);
    const shop = setup({ types: {} as { events: { type: 'sell'; id: number } | { type: 'shut' } } }).createMachine({
      on: {
        sell: { actions: sendTo(remote, ({ event }) => ({ type: 'order', id: event.id })) },
        shut: { actions: sendTo(remote, { type: 'close' }) },
      },
    });
    const selling = createActor(shop).start();
    for (const id of [1, 2, 3]) selling.send({ type: 'sell', id });
    await until(() => expect(actor.getSnapshot().context.ids).toEqual([1, 2, 3]));
    selling.send({ type: 'shut' });
    await until(() => expect(actor.getSnapshot().status).toBe('done'));
    expect(remote.getSnapshot().context).toEqual({ sent: 4, dropped: 0 });
  });

  it('lets nothing through that is no event of the actor', async () => {
    const { actor, connection, serving, errors } = await served();
    const publish = (text: string) => connection.publish(subject, new TextEncoder().encode(text));
    for (const text of ['', 'garbage', 'null', '[]', '"order"', '{"id":1}', '{"type":1}', '{"type":"xstate.stop"}'])
      publish(text);
    publish('{"type":"order","id":7}');
    await until(() => expect(actor.getSnapshot().context.ids).toEqual([7]));
    expect([actor.getSnapshot().status, errors]).toEqual(['active', []]);
    serving[Symbol.dispose]();
    publish('{"type":"order","id":8}');
    await connection.flush();
    expect(actor.getSnapshot().context.ids).toEqual([7]);
  });

  it('asks whoever serves the actor what to accept', async () => {
    const connection = await connected();
    const actor = createActor(billing).start();
    const accept = (event: { type: string }): event is Order =>
      event.type === 'order' && 'id' in event && event.id === 2;
    serveActor<Order>(connection, subject, actor, { accept });
    const remote = natsActorRef<Order>(connection, subject);
    for (const id of [1, 2, 3]) remote.send({ type: 'order', id });
    await until(() => expect(actor.getSnapshot().context.ids).toEqual([2]));
  });

  it('30: an event that is sent while disconnected is dropped, not kept for later', async () => {
    const { actor } = await served();
    const link = await tcpLink({ host: '127.0.0.1', port: server.port });
    after.add(() => link.close());
    const remote = natsActorRef<Order>(await connected(link.url), subject);
    remote.send({ type: 'order', id: 1 });
    await until(() => expect(actor.getSnapshot().context.ids).toEqual([1]));
    await link.cut();
    await until(() => {
      remote.send({ type: 'order', id: 2 });
      expect(remote.getSnapshot().context.dropped).toBeGreaterThan(0);
    });
    const { sent } = remote.getSnapshot().context;
    await link.mend();
    await until(() => {
      remote.send({ type: 'order', id: 3 });
      expect(remote.getSnapshot().context.sent).toBeGreaterThan(sent);
    });
    await until(() => expect(actor.getSnapshot().context.ids.at(-1)).toBe(3));
    expect(actor.getSnapshot().context.ids).not.toContain(2);
  });
});
