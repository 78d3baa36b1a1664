import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, glob, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './blocks.ts';

const run = promisify(execFile);

/** The packages as a user gets them. */
export interface Packed {
  /** Holds `node_modules` with all of them installed, and nothing of this workspace. */
  readonly project: string;
  readonly packages: readonly { readonly name: string; readonly tarball: string }[];
}

/** What the blocks import that is not ours: a user installs it beside. */
const beside = ['@nats-io/jetstream', '@nats-io/transport-node', 'xstate'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
}

/**
 * Compiles every public package, packs it, and installs all into an empty project. Kept in the user's cache, outside of this
 * workspace, for as long as nothing of what is packed changes.
 */
export async function packAndInstall(): Promise<Packed> {
  const folders = (await readdir(join(root, 'packages'))).map((name) => join(root, 'packages', name));
  const found = await Promise.all(folders.map(async (folder) => ({ folder, manifest: await manifestOf(folder) })));
  const all = found.filter(({ manifest }) => manifest.private !== true);
  await compile(all.map(({ folder }) => folder));

  const besides = await Promise.all(beside.map(async (name) => `${name}@${await versionOf(name)}`));
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'synod', 'readme');
  const project = join(
    cache,
    await digestOf(
      all.map(({ folder }) => folder),
      besides,
    ),
  );
  const packages = all.map(({ manifest: { name, version } }) => ({
    name,
    tarball: join(project, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
  }));
  if (!(await exists(project))) {
    await mkdir(cache, { recursive: true });
    const fresh = await mkdtemp(join(cache, '.fresh-'));
    try {
      await install(
        all.map(({ folder }) => folder),
        besides,
        fresh,
      );
      // Appears whole, whoever else does the same at this moment.
      await rename(fresh, project).catch(async (error) => {
        if (!(await exists(project))) throw error;
      });
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }
  await utimes(project, new Date(), new Date());
  await forgetUnused(cache);
  return { project, packages };
}

async function install(folders: readonly string[], besides: readonly string[], project: string): Promise<void> {
  await Promise.all(folders.map((folder) => pnpm(['pack', '--pack-destination', project], folder)));
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  const tarballs = (await readdir(project)).filter((name) => name.endsWith('.tgz')).map((name) => `./${name}`);
  const quietly = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline', '--ignore-scripts'];
  await run('npm', ['install', ...quietly, ...tarballs, ...besides], { cwd: project });
}

/** What no run has used for an hour; other runs may use theirs now. */
async function forgetUnused(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const { mtimeMs } = await stat(join(cache, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > 3_600_000) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function compile(folders: readonly string[]): Promise<void> {
  // The compiler believes its own notes of what it wrote, even when that is gone.
  const isThere = await Promise.all(folders.map((folder) => exists(join(folder, 'dist', 'index.js'))));
  const force = isThere.every(Boolean) ? [] : ['--force'];
  await run(join(root, 'node_modules', '.bin', 'tsc'), ['-b', ...force, ...folders]).catch((error) => {
    throw new Error(`tsc -b: ${error.stdout}`);
  });
}

async function pnpm(args: readonly string[], cwd: string): Promise<void> {
  await run('sh', [join(root, '.tools', 'pnpm'), ...args], { cwd });
}

/** Of everything that decides what gets installed. */
async function digestOf(folders: readonly string[], more: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([more, process.version]));
  hash.update(await readFile(join(root, 'pnpm-workspace.yaml')));
  for (const folder of [...folders].sort()) {
    const files: string[] = [];
    for await (const file of glob(['package.json', '*.md', 'LICENSE', 'dist/**/*.*'], { cwd: folder }))
      files.push(file);
    for (const file of files.sort()) hash.update(`${folder}/${file}\n`).update(await readFile(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));

const versionOf = async (name: string): Promise<string> =>
  (await manifestOf(join(root, 'test', 'node_modules', name))).version;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
