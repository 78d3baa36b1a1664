import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unpackDebianPackage } from './debian-package.ts';
import { exec } from './exec.ts';
import type { Log } from './find-nats-server.ts';

/** Somewhere a nats-server can be had from when the machine has none. */
export interface NatsServerSource {
  /** For the list of what was tried. */
  readonly title: string;
  /** @returns Path of the program in the cache. @throws Error why there is none, in words. */
  fetch(options: { readonly cacheDir: string; readonly log: Log }): Promise<string>;
}

/** Image that the program is copied out of; containers of tests run the same one. */
const image = process.env['SYNOD_NATS_IMAGE'] || 'nats:2.15';

/** The program inside the official image is static, so it runs outside a container too: no port to map, a pid to signal. */
export const fromContainerImage: NatsServerSource = {
  title: `container image ${image}`,
  async fetch({ cacheDir, log }) {
    if (process.platform !== 'linux') throw new Error('the program in the image runs on Linux only');
    await exec('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5000 });
    log(`copying nats-server out of the container image ${image} …`);
    const container = (await exec('docker', ['create', image], { timeoutMs: 120_000 })).trim();
    return inTemporaryFolder(async (folder) => {
      try {
        const file = join(folder, 'nats-server');
        await exec('docker', ['cp', `${container}:/nats-server`, file], { timeoutMs: 60_000 });
        return await keep(file, cacheDir);
      } finally {
        await exec('docker', ['rm', container], { timeoutMs: 10_000 });
      }
    });
  },
};

/** Debian's testing suite first, whose server is recent; then the machine's own suite. */
export const fromDebianPackage: NatsServerSource = {
  title: 'Debian package nats-server',
  async fetch({ cacheDir, log }) {
    return inTemporaryFolder(async (folder) => {
      const programOf = (root: string) => keep(join(root, 'usr', 'sbin', 'nats-server'), cacheDir);
      try {
        log('fetching the package nats-server of Debian testing …');
        return await programOf(await unpackDebianPackage('nats-server', folder, { suite: 'testing' }));
      } catch (error) {
        log(`${(error as Error).message}; fetching the package of this machine's own suite …`);
        return await programOf(await unpackDebianPackage('nats-server', folder));
      }
    });
  },
};

/** Puts the program into the cache under its version. The rename makes it appear whole, whoever else does the same. */
async function keep(file: string, cacheDir: string): Promise<string> {
  await chmod(file, 0o755);
  const version = /v(\d+\.\d+\.\d+)/.exec(await exec(file, ['--version'], { timeoutMs: 5000 }))?.[1] ?? '0.0.0';
  const target = join(cacheDir, `nats-server-${version}-${process.platform}-${process.arch}`, 'nats-server');
  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.${process.pid}`;
  await copyFile(file, partial);
  await rename(partial, target);
  return target;
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'synod-fetch-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
