import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findNatsServer, NatsServerNotFoundError } from './find-nats-server.ts';
import type { NatsServerSource } from './nats-server-sources.ts';

let folder: string;
let cacheDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synod-find-'));
  cacheDir = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A program that says this version and can do nothing else. */
async function fake(path: string, version: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "nats-server: v${version}"\n`, { mode: 0o755 });
  return path;
}

const inCache = (version: string) =>
  join(cacheDir, `nats-server-${version}-${process.platform}-${process.arch}`, 'nats-server');

const giving = (path: string): NatsServerSource => ({ title: 'giving', fetch: async () => path });
const refusing: NatsServerSource = {
  title: 'refusing',
  fetch: () => Promise.reject(new Error('no engine answers')),
};

describe('findNatsServer', () => {
  it('takes the one that NATS_SERVER names before any other', async () => {
    const named = await fake(join(folder, 'mine'), '2.9.0');
    await fake(join(folder, 'bin', 'nats-server'), '2.15.0');
    const env = { NATS_SERVER: named, PATH: join(folder, 'bin') };
    expect(await findNatsServer({ env, cacheDir, sources: [] })).toEqual({ path: named, version: '2.9.0' });
  });

  it('refuses a NATS_SERVER that does not run, rather than take another', async () => {
    const env = { NATS_SERVER: join(folder, 'absent'), PATH: join(folder, 'bin') };
    await fake(join(folder, 'bin', 'nats-server'), '2.15.0');
    await expect(findNatsServer({ env, cacheDir, sources: [] })).rejects.toThrow(/NATS_SERVER=.*absent: .*not found/);
  });

  it('takes the one on PATH before the cache', async () => {
    const path = await fake(join(folder, 'bin', 'nats-server'), '2.10.0');
    await fake(inCache('2.15.0'), '2.15.0');
    const env = { PATH: `${join(folder, 'empty')}:${join(folder, 'bin')}` };
    expect(await findNatsServer({ env, cacheDir, sources: [] })).toEqual({ path, version: '2.10.0' });
  });

  it('takes the newest of the cache when the one on PATH is too old', async () => {
    await fake(join(folder, 'bin', 'nats-server'), '2.9.10');
    await fake(inCache('2.10.2'), '2.10.2');
    const newest = await fake(inCache('2.10.11'), '2.10.11');
    const env = { PATH: join(folder, 'bin') };
    expect(await findNatsServer({ env, cacheDir, sources: [] })).toEqual({ path: newest, version: '2.10.11' });
  });

  it('asks the sources in order until one gives a server', async () => {
    const path = await fake(join(folder, 'fetched'), '2.15.1');
    const program = await findNatsServer({ env: { PATH: '' }, cacheDir, sources: [refusing, giving(path)] });
    expect(program).toEqual({ path, version: '2.15.1' });
  });

  it('falls back to an old one when nothing newer can be had, and says so', async () => {
    const old = await fake(join(folder, 'bin', 'nats-server'), '2.9.10');
    const said: string[] = [];
    const options = {
      env: { PATH: join(folder, 'bin') },
      cacheDir,
      sources: [refusing],
      log: (m: string) => said.push(m),
    };
    expect(await findNatsServer(options)).toEqual({ path: old, version: '2.9.10' });
    expect(said).toEqual(['using nats-server 2.9.10: nothing newer could be had']);
  });

  it('says what it tried and how to get one when there is none', async () => {
    const error = await findNatsServer({ env: { PATH: '' }, cacheDir, sources: [refusing] }).catch((e: Error) => e);
    expect(error).toBeInstanceOf(NatsServerNotFoundError);
    expect((error as Error).message).toContain('  - refusing: no engine answers\n');
    expect((error as Error).message).toContain('set NATS_SERVER to the path');
  });
});
