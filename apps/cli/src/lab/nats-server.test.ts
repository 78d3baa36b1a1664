import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { startNatsCluster } from './nats-cluster.ts';
import { startNatsServer } from './nats-server.ts';

const started: { stop(): Promise<void> }[] = [];
const ours = <T extends { stop(): Promise<void> }>(server: T): T => {
  started.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('startNatsServer', { timeout: 60_000 }, () => {
  it('serves clients on a port of its own, and ends with stop', async () => {
    const servers = await Promise.all([startNatsServer().then(ours), startNatsServer().then(ours)]);
    const [a, b] = servers;
    expect(a.port).not.toBe(b.port);
    const connection = await connect({ servers: a.url });
    await connection.flush();
    await connection.close();
    expect(await (await fetch(`${a.monitorUrl}/varz`)).json()).toMatchObject({ port: a.port });
    await a.stop();
    expect(isAlive(a.pid)).toBe(false);
    expect(isAlive(b.pid)).toBe(true);
    await a.stop();
  });

  it('comes back from kill -9 on the same port with its streams', async () => {
    const server = ours(await startNatsServer({ jetstream: true }));
    const before = await connect({ servers: server.url });
    await (await jetstreamManager(before)).streams.add({ name: 'events', subjects: ['events'] });
    await jetstream(before).publish('events', 'first');
    await before.close();
    const { pid, port } = server;

    await server.kill('SIGKILL');
    expect(isAlive(pid)).toBe(false);
    await server.restart();

    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    const after = await connect({ servers: server.url });
    expect((await (await jetstreamManager(after)).streams.info('events')).state.messages).toBe(1);
    await after.close();
  });

  it('stops a server that a signal has paused', async () => {
    const server = ours(await startNatsServer());
    await server.kill('SIGSTOP');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  it('starts on the port it is told, with the lines of configuration it is given', async () => {
    const first = await startNatsServer();
    await first.stop();
    ours(await startNatsServer({ port: first.port, extraConfig: 'server_name: "here"' }));
    const connection = await connect({ servers: `127.0.0.1:${first.port}` });
    expect(connection.info?.server_name).toBe('here');
    await connection.close();
  });

  it('works in a folder of the caller, and leaves it there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'synod-own-'));
    try {
      const server = ours(await startNatsServer({ jetstream: true, folder }));
      const { port } = server;
      await server.kill();
      await server.restart();
      expect(server.port).toBe(port);
      server.release();
      await server.stop();
      expect(isAlive(server.pid)).toBe(false);
      expect((await readFile(join(folder, 'nats-server.log'), 'utf8')).match(/Server is ready/g)).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('cannot outlive this process with a log that goes to it', async () => {
    const server = ours(await startNatsServer());
    expect(() => server.release()).toThrow('give it a folder');
  });

  it('reports the words of a server that does not start', async () => {
    await expect(startNatsServer({ extraConfig: 'nonsense: {' })).rejects.toThrow(/ended before it was ready.*exit 1/s);
  });
});

describe('startNatsCluster', { timeout: 60_000 }, () => {
  it('carries a message from one server to another', async () => {
    const cluster = ours(await startNatsCluster(3, { jetstream: true }));
    const [here, there] = await Promise.all(cluster.urls.slice(0, 2).map((servers) => connect({ servers })));
    const subscription = there?.subscribe('news', { max: 1 });
    await there?.flush();
    // Interest travels between servers after the flush; asking until someone answers needs no guess about how long.
    const heard = (async () => {
      for await (const message of subscription ?? []) return message.string();
      return undefined;
    })();
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    while (!isHeard) {
      here?.publish('news', 'hello');
      await here?.flush();
    }
    expect(await heard).toBe('hello');
    await Promise.all([here?.close(), there?.close()]);
    const pids = cluster.servers.map((server) => server.pid);
    await cluster.stop();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
