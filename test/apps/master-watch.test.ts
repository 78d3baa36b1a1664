import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { afterEach, describe, expect, it } from 'vitest';
import { type AppProcess, eventually, Processes } from './processes.ts';

const processes = new Processes();
let folder: string;
let server: NatsServer;
afterEach(async () => {
  await processes.endAll();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const options = { SYNOD_GROUP: 'orders', SYNOD_LEASE_MS: '1000' };

const work = (node: string): AppProcess =>
  processes.start('worker', ['--node', node, '--voters', 'n1,n2,n3', '--journal', join(folder, node)], {
    env: { ...options, NATS_URL: server.url },
  });

const watch = (): AppProcess => processes.start('master-watch', [], { env: { ...options, NATS_URL: server.url } });

const heard = ({ lines }: AppProcess) => lines.filter((line) => line['id'] !== undefined);

/** The last election it knows of, if it came after `version`. */
const electionAfter = (version: number) => (watcher: AppProcess) =>
  heard(watcher).find((line) => line['type'] === 'synod.master.elected.v1' && Number(line['version']) > version) as
    | { master: string; version: number }
    | undefined;

describe.each([
  ['with JetStream', true],
  ['without JetStream', false],
])('master-watch, %s', (_what, jetstream) => {
  it('hears of each change once, starts from the present, tells its health, and exits cleanly', async () => {
    folder = await mkdtemp(join(tmpdir(), 'synod-watch-'));
    server = await startNatsServer({ jetstream });
    const early = watch();
    await early.until('its health endpoint', ({ lines }) => lines.some((line) => line['port'] !== undefined));
    const workers = new Map(['n1', 'n2', 'n3'].map((node) => [node, work(node)]));
    const first = await early.until('the first master', electionAfter(0));
    await workers.get(first.master)?.until('its work', ({ lines }) => lines.some((line) => line['msg'] === 'work'));

    // Resignation: the end of one, then the beginning of the next.
    workers.get(first.master)?.kill('SIGTERM');
    expect(await workers.get(first.master)?.ended).toEqual({ code: 0, signal: null });
    const second = await early.until('the second master', electionAfter(first.version));
    expect(second.master).not.toBe(first.master);

    // One that starts now hears the present, and nothing of the past.
    const late = watch();
    const present = await late.until('the present', electionAfter(0));
    expect(present).toMatchObject({ master: second.master, version: second.version });
    expect(heard(late)).toHaveLength(1);

    const { port } = early.lines.find((line) => line['port'] !== undefined) as { port: number };
    const health = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      return { status: response.status, body: await response.json() };
    };
    expect(await health()).toEqual({
      status: 200,
      body: { isConnected: true, master: second.master, term: second.version },
    });
    await server.kill();
    await eventually('it to know that NATS is away', async () => (await health()).status === 503);
    // Away for longer than a lease: a shorter absence changes nothing.
    await workers
      .get(second.master)
      ?.until('the end of its lease', ({ lines }) => lines.some((line) => line['lostBy'] === 'expired'));
    await server.restart();
    await eventually('it to know that NATS is back', async () => (await health()).status === 200);

    // Two of three are left: one of them is master again, and both watchers hear of the same.
    const third = await early.until('a master after the outage', electionAfter(second.version));
    await late.until('the same', electionAfter(second.version));

    for (const watcher of [early, late]) {
      const ids = heard(watcher).map((line) => line['id']);
      expect(new Set(ids).size).toBe(ids.length);
      const versions = heard(watcher).map((line) => Number(line['version']));
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
      expect(versions.at(-1)).toBeGreaterThanOrEqual(third.version);
      watcher.kill('SIGTERM');
      expect(await watcher.ended).toEqual({ code: 0, signal: null });
    }
    expect(early.stdout).toContain('"msg":"stopping"');
  });
});

it('master-watch and worker that wait for NATS exit when told to stop', async () => {
  folder = await mkdtemp(join(tmpdir(), 'synod-watch-'));
  server = await startNatsServer();
  await server.kill();
  for (const waiting of [watch(), work('n1')]) {
    await waiting.until('its connecting', ({ stdout }) => stdout.includes('connecting to'));
    waiting.kill('SIGTERM');
    expect(await waiting.ended).toEqual({ code: 0, signal: null });
  }
});
