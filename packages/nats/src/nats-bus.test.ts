import { ConfigError, PermissionError } from '@synod/protocol';
import { settle } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { natsBus } from './nats-bus.ts';
import type { NatsCallback, NatsConnectionLike, NatsMessageLike, NatsStatusLike } from './nats-connection.ts';

/** A connection whose statuses come when a test says so: what a real one does too fast, or never, to be seen. */
class FakeConnection implements NatsConnectionLike {
  info: NatsConnectionLike['info'] = { max_payload: 1_000, headers: true };
  options: object = {};
  readonly published: { subject: string; reply?: string; messageId?: string }[] = [];
  readonly subscriptions: { subject: string; callback: NatsCallback | undefined; isClosed: boolean }[] = [];
  readonly #statuses: NatsStatusLike[] = [];
  #wake: () => void = () => {};

  async tell(...statuses: NatsStatusLike[]): Promise<void> {
    this.#statuses.push(...statuses);
    this.#wake();
    await settle();
  }

  status(): AsyncIterable<NatsStatusLike> {
    const next = async (): Promise<IteratorResult<NatsStatusLike>> => {
      while (this.#statuses.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      return { done: false, value: this.#statuses.shift() as NatsStatusLike };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  publish: NatsConnectionLike['publish'] = (subject, _payload, options) => {
    const messageId = options?.headers?.get('Nats-Msg-Id');
    this.published.push({
      subject,
      ...(options?.reply && { reply: options.reply }),
      ...(messageId && { messageId }),
    });
  };

  subscribe: NatsConnectionLike['subscribe'] = (subject, options) => {
    const made = { subject, callback: options?.callback, isClosed: false };
    this.subscriptions.push(made);
    return {
      isClosed: () => made.isClosed,
      unsubscribe: () => {
        made.isClosed = true;
      },
    };
  };

  /** What the server would deliver. */
  deliver(index: number, message: Partial<NatsMessageLike> & { subject: string }): void {
    this.subscriptions[index]?.callback?.(null, { data: new Uint8Array(), ...message });
  }

  request = (): Promise<never> => Promise.reject(new Error('not used'));
  flush = (): Promise<void> => Promise.resolve();
  closed = (): Promise<void> => new Promise(() => {});
  isClosed = (): boolean => false;
  isDraining = (): boolean => false;
}

const append = { role: 'log', to: 'append' } as const;
const payload = Uint8Array.of(1);

function make(options: object = {}) {
  const connection = new FakeConnection();
  const errors: Error[] = [];
  const bus = natsBus(connection, { group: 'orders', node: 'n1', onError: (error) => errors.push(error), ...options });
  return { connection, errors, bus };
}

describe('natsBus', () => {
  it('lists every problem of its options at once', () => {
    const connection = new FakeConnection();
    connection.options = { noEcho: true };
    expect(() => natsBus(connection, { group: 'a.b', node: 'all' })).toThrow(ConfigError);
    expect(() => natsBus(connection, { group: 'a.b', node: 'all' })).toThrow(/^3 problems .*a\.b.*all.*noEcho/);
    expect(() => natsBus(connection, { group: 'g', node: 'n', needsEcho: false })).not.toThrow();
  });

  it('30: publishes nothing once the client dials anew, though no status was seen', async () => {
    const { connection, bus } = make();
    const { info } = connection;
    expect(bus.publish(append, payload)).toBe(true);
    connection.info = undefined;
    expect([bus.isConnected, bus.publish(append, payload)]).toEqual([false, false]);
    // The server has answered, and the client has not told: what is published now would wait in the client.
    await connection.tell({ type: 'disconnect' }, { type: 'reconnecting' });
    connection.info = info;
    expect([bus.isConnected, bus.publish(append, payload)]).toEqual([false, false]);
    await connection.tell({ type: 'reconnect' });
    expect([bus.isConnected, bus.publish(append, payload)]).toEqual([true, true]);
    expect(connection.published).toHaveLength(2);
  });

  it.each(['disconnect', 'reconnecting', 'staleConnection', 'forceReconnect', 'close'])(
    '30: publishes nothing after the status %s',
    async (type) => {
      const { connection, bus } = make();
      const changes: boolean[] = [];
      bus.onConnection((isConnected) => changes.push(isConnected));
      await connection.tell({ type: 'update' }, { type }, { type });
      expect(bus.publish(append, payload)).toBe(false);
      await connection.tell({ type: 'reconnect' });
      expect(bus.publish(append, payload)).toBe(true);
      expect(changes).toEqual([false, true]);
    },
  );

  it('asks for notices on a subject of its own, and gives messages an id where the server takes headers', () => {
    const { connection, bus } = make();
    bus.publish(append, payload, { expectResponder: true });
    bus.publish({ role: 'event', to: 'group' }, payload, { messageId: 'orders/group/elected/120' });
    connection.info = { max_payload: 1_000 };
    bus.publish({ role: 'event', to: 'group' }, payload, { messageId: 'orders/group/elected/121' });
    expect(connection.published).toEqual([
      { subject: 'synod.orders.log.append.from.n1', reply: 'synod.orders.no-log.append.from.n1' },
      { subject: 'synod.orders.event.group.from.n1', messageId: 'orders/group/elected/120' },
      { subject: 'synod.orders.event.group.from.n1' },
    ]);
    expect(connection.subscriptions.map(({ subject }) => subject)).toEqual(['synod.orders.no-log.append.from.n1']);
  });

  it('counts an id with the payload', () => {
    const { bus } = make();
    expect(bus.publish(append, new Uint8Array(1_000))).toBe(true);
    expect(bus.publish(append, new Uint8Array(1_000), { messageId: 'x' })).toBe(false);
  });

  it('I4: never answers to a subject that would speak for it', () => {
    const { connection, bus } = make();
    bus.respond({ role: 'whois', to: 'all' }, (_, __, answer) => answer(payload));
    const subject = 'synod.orders.whois.all.from.web';
    for (const reply of ['synod.orders.acceptor.all.from.n1', '$JS.API.STREAM.DELETE.SYNOD_EVENTS', '', '_INBOX.a']) {
      connection.deliver(0, { subject, reply });
    }
    connection.deliver(0, { subject });
    expect(connection.published.map((message) => message.subject)).toEqual(['_INBOX.a']);
  });

  it('I4: hears nobody whose subject names no sender', () => {
    const { connection, bus } = make();
    const heard: string[] = [];
    bus.subscribe(append, (_, from) => heard.push(from));
    for (const from of ['n2', 'all', 'n 2']) connection.deliver(0, { subject: `synod.orders.log.append.from.${from}` });
    expect(heard).toEqual(['n2']);
  });

  it('tells a refusal once, names the subject, and only what is its own', async () => {
    const { connection, errors, bus } = make();
    bus.subscribe(append, () => {});
    const refusal = (operation: string, subject: string) => Object.assign(new Error('refused'), { operation, subject });
    await connection.tell(
      { type: 'error', error: refusal('publish', 'synod.orders.log.append.from.n1') } as NatsStatusLike,
      { type: 'error', error: refusal('publish', 'synod.orders.log.append.from.n1') } as NatsStatusLike,
      { type: 'error', error: refusal('publish', 'of.the.owner') } as NatsStatusLike,
      { type: 'error', error: new Error('other') } as NatsStatusLike,
      // As version 2 has it.
      {
        type: 'error',
        data: 'PERMISSIONS_VIOLATION',
        permissionContext: { operation: 'subscription', subject: 'synod.orders.log.append.from.*' },
      } as NatsStatusLike,
    );
    expect(errors.map((error) => [error instanceof PermissionError, error.message.split('. ')[0]])).toEqual([
      [true, 'NATS does not let node "n1" of group "orders" publish to "synod.orders.log.append.from.n1"'],
      [true, 'NATS does not let node "n1" of group "orders" subscribe to "synod.orders.log.append.from.*"'],
    ]);
  });

  it('subscribes again after a reconnect to what was refused', async () => {
    const { connection, bus } = make();
    bus.subscribe(append, () => {});
    bus.subscribe({ role: 'learner', to: 'all' }, () => {});
    const refused = connection.subscriptions[0] as { isClosed: boolean };
    refused.isClosed = true;
    await connection.tell({ type: 'disconnect' }, { type: 'reconnect' });
    expect(connection.subscriptions.map(({ subject }) => subject)).toEqual([
      'synod.orders.log.append.from.*',
      'synod.orders.learner.all.from.*',
      'synod.orders.log.append.from.*',
    ]);
  });

  it('has one subscription for an address, and ends it with the last of its handlers', () => {
    const { connection, bus } = make();
    const [first, second] = [bus.subscribe(append, () => {}), bus.subscribe(append, () => {})];
    expect(connection.subscriptions).toHaveLength(1);
    first.close();
    expect(connection.subscriptions[0]?.isClosed).toBe(false);
    second.close();
    expect(connection.subscriptions[0]?.isClosed).toBe(true);
    bus.subscribe(append, () => {});
    expect(connection.subscriptions).toHaveLength(2);
  });
});
