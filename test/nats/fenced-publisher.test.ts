import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { FencedPublisher } from '@synod/nats';
import {
  ConfigError,
  OutcomeUnknownError,
  PermissionError,
  readFenceHeaders,
  StaleFenceError,
  TimeoutError,
  VersionConflictError,
} from '@synod/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bytes, type ConnectOptions, cleanups, clients, connectTo, text } from './support.ts';
import { tcpLink } from './tcp-link.ts';

const subject = 'ledger.entries';
const token = (term: number, election = 'group') => ({ election, term });

describe.each(clients)('F2: a fence in JetStream, over %s', (_client, connect) => {
  let server: NatsServer;
  let manager: JetStreamManager;
  const after = cleanups();
  const closing = cleanups();
  beforeAll(async () => {
    const poor = { user: 'poor', password: 'x', permissions: { publish: '$JS.API.STREAM.NAMES', subscribe: '>' } };
    const users = [{ user: 'n1', password: 'x' }, poor].map((user) => JSON.stringify(user));
    server = await startNatsServer({
      jetstream: true,
      extraConfig: `authorization { users: [${users.join(', ')}] }`,
    });
    const connection = await connectTo(server.url, { user: 'n1', pass: 'x' });
    closing.add(() => connection.close());
    manager = await jetstreamManager(connection);
  });
  beforeEach(async () => {
    await manager.streams.add({ name: 'LEDGER', subjects: ['ledger.>'] });
    after.add(() => manager.streams.delete('LEDGER'));
  });
  afterEach(after.run);
  afterAll(async () => {
    await closing.run();
    await server?.stop();
  });

  async function publisher(url = server.url, options: ConnectOptions = {}, timeoutMs = 5000) {
    const connection = await connect(url, { user: 'n1', pass: 'x', ...options });
    after.add(() => connection.close());
    return new FencedPublisher(connection, { subject, timeoutMs });
  }

  /** What the stream holds, each message with its term. */
  async function stored(): Promise<string[]> {
    const { messages, first_seq } = (await manager.streams.info('LEDGER')).state;
    const found = Array.from({ length: messages }, (_, at) =>
      manager.streams.getMessage('LEDGER', { seq: first_seq + at }),
    );
    return (await Promise.all(found)).map((message) => {
      expect(message).not.toBeNull();
      return `${readFenceHeaders(message?.header as never)?.term} ${text(message?.data as Uint8Array)}`;
    });
  }

  it('refuses a master that was replaced, as soon as its successor has written', async () => {
    const [old, next] = [await publisher(), await publisher()];
    expect(await old.publish(token(5), bytes('a'))).toMatchObject({ stream: 'LEDGER', isDuplicate: false });
    await old.publish(token(5), bytes('b'));
    await next.publish(token(9), bytes('c'));
    // Once with what it remembers of the subject, once with what it reads.
    await expect(old.publish(token(5), bytes('late'))).rejects.toThrow(StaleFenceError);
    await expect(old.publish(token(5), bytes('late'))).rejects.toThrow('term 9 has written');
    await next.publish(token(9), bytes('d'));
    expect(await stored()).toEqual(['5 a', '5 b', '9 c', '9 d']);
  });

  it('lets each of two masters write what it likes as long as neither is newer, and loses nothing', async () => {
    const [one, two] = [await publisher(), await publisher()];
    const names = Array.from({ length: 8 }, (_, at) => String(at));
    await Promise.all(
      names.flatMap((name) => [one.publish(token(5), bytes(`x${name}`)), two.publish(token(5), bytes(`y${name}`))]),
    );
    const found = await stored();
    expect(found.filter((entry) => entry.includes('x'))).toEqual(names.map((name) => `5 x${name}`));
    expect(found.filter((entry) => entry.includes('y'))).toEqual(names.map((name) => `5 y${name}`));
  });

  it('refuses what rests on a message that is the last no more', async () => {
    const [one, two] = [await publisher(), await publisher()];
    expect(await one.lastSequence()).toBe(0);
    const { sequence } = await one.publish(token(5), bytes('a'), { after: 0 });
    await two.publish(token(9), bytes('b'), { after: sequence });
    expect(await two.lastSequence()).toBe(sequence + 1);
    await expect(two.publish(token(9), bytes('c'), { after: sequence })).rejects.toThrow(VersionConflictError);
    await expect(two.publish(token(9), bytes('c'), { after: 0 })).rejects.toThrow(VersionConflictError);
    expect(await stored()).toEqual(['5 a', '9 b']);
  });

  it('goes by what the caller has read, not by what it wrote itself when it was master before', async () => {
    const [one, two] = [await publisher(), await publisher()];
    await one.publish(token(5), bytes('a'));
    await two.publish(token(9), bytes('b'));
    const after = await one.lastSequence();
    await one.publish(token(12), bytes('c'), { after });
    expect(await stored()).toEqual(['5 a', '9 b', '12 c']);
  });

  it('knows a message that is repeated', async () => {
    const one = await publisher();
    await one.publish(token(5), bytes('a'), { messageId: 'a', headers: { 'Trace-Id': '7', 'Synod-Term': '99' } });
    expect(await one.publish(token(5), bytes('a'), { messageId: 'a' })).toMatchObject({ isDuplicate: true });
    await one.publish(token(5), bytes('b'), { messageId: 'b' });
    expect(await stored()).toEqual(['5 a', '5 b']);
  });

  it('knows a message that is repeated with what it rests on, and no other in its place', async () => {
    const [one, two] = [await publisher(), await publisher()];
    const { sequence } = await one.publish(token(5), bytes('a'), { after: 0, messageId: 'a' });
    expect(await one.publish(token(5), bytes('a'), { after: 0, messageId: 'a' })).toMatchObject({
      sequence,
      isDuplicate: true,
    });
    await two.publish(token(5), bytes('b'), { after: sequence, messageId: 'b' });
    expect(await one.publish(token(5), bytes('a'), { after: 0, messageId: 'a' })).toMatchObject({ isDuplicate: true });
    await expect(one.publish(token(5), bytes('c'), { after: 0, messageId: 'c' })).rejects.toThrow(VersionConflictError);
    await expect(one.publish(token(5), bytes('c'), { after: 99, messageId: 'c' })).rejects.toThrow(
      VersionConflictError,
    );
    await two.publish(token(9), bytes('d'), { after: sequence + 1, messageId: 'd' });
    await expect(one.publish(token(5), bytes('a'), { after: 0, messageId: 'a' })).rejects.toThrow(StaleFenceError);
    expect(await stored()).toEqual(['5 a', '5 b', '9 d']);
  });

  it.each([0, 4.5, Number.NaN])('refuses what is no term: %s', async (term) => {
    await expect((await publisher()).publish(token(term), bytes('a'))).rejects.toThrow(StaleFenceError);
    expect(await stored()).toEqual([]);
  });

  it('says when somebody else writes the subject, and when no stream keeps it', async () => {
    const one = await publisher();
    const stranger = await connectTo(server.url, { user: 'n1', pass: 'x' });
    after.add(() => stranger.close());
    stranger.publish(subject, 'no term');
    await stranger.flush();
    await expect(one.publish(token(5), bytes('a'))).rejects.toThrow('carries no term');
    await manager.streams.purge('LEDGER');
    await one.publish(token(5, 'shard-7'), bytes('a'));
    await expect(one.publish(token(9), bytes('b'))).rejects.toThrow('of the election "shard-7"');
    const elsewhere = new FencedPublisher(stranger, { subject: 'nowhere' });
    await expect(elsewhere.publish(token(5), bytes('a'))).rejects.toThrow('no stream keeps "nowhere"');
    for (const wrong of ['', 'ledger.*', 'ledger.>', 'a b', 'a..b']) {
      expect(() => new FencedPublisher(stranger, { subject: wrong })).toThrow(ConfigError);
    }
  });

  it('names the permission that is missing', async () => {
    const one = await publisher(server.url, { user: 'poor' });
    await expect(one.publish(token(5), bytes('a'))).rejects.toThrow(PermissionError);
  });

  it('30: sends nothing while disconnected, and an answer that does not come is an outcome unknown', async () => {
    const link = await tcpLink({ host: '127.0.0.1', port: server.port });
    after.add(() => link.close());
    const one = await publisher(link.url, {}, 500);
    await one.publish(token(5), bytes('a'));
    link.stall();
    await expect(one.publish(token(5), bytes('b'))).rejects.toThrow(OutcomeUnknownError);
    link.flow();
    await expect.poll(stored).toEqual(['5 a', '5 b']);
    await link.cut();
    await expect.poll(() => one.publish(token(5), bytes('c')).catch((error) => error)).toBeInstanceOf(TimeoutError);
    await link.mend();
    await expect
      .poll(() => one.publish(token(5), bytes('d'), { messageId: 'd' }).then(stored, () => []), { timeout: 15_000 })
      .toEqual(['5 a', '5 b', '5 d']);
  });
});
