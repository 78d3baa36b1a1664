import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { exec } from './exec.ts';
import { fromContainerImage, fromDebianPackage, type NatsServerSource } from './nats-server-sources.ts';

/** Says what takes long, one sentence a call. */
export type Log = (message: string) => void;

/** A program that can be started on this machine. */
export interface NatsServerProgram {
  readonly path: string;
  /** `2.15.1` */
  readonly version: string;
}

export interface FindNatsServerOptions {
  readonly log?: Log;
  readonly env?: NodeJS.ProcessEnv;
  /** Where programs that had to be fetched are kept; by default `synod` in the user's cache folder. */
  readonly cacheDir?: string;
  /** What is tried, in order, when neither the environment, PATH nor the cache has a server. */
  readonly sources?: readonly NatsServerSource[];
}

/** Older servers still elect masters, but are no longer maintained: taken only when nothing else can be had. */
const oldestWanted = '2.10.0';

/** No nats-server on this machine, and none could be fetched. The message says what was tried and how to get one. */
export class NatsServerNotFoundError extends Error {
  override readonly name = 'NatsServerNotFoundError';

  constructor(tried: readonly string[]) {
    super(
      `no nats-server ${oldestWanted} or newer found. Tried:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
        'Install one (https://docs.nats.io/running-a-nats-service/introduction/installation; on macOS ' +
        '`brew install nats-server`), or set NATS_SERVER to the path of its program.',
    );
  }
}

/**
 * Finds a NATS server to run: `$NATS_SERVER`, PATH, the cache, then whatever {@link FindNatsServerOptions.sources} can
 * fetch into the cache.
 *
 * @throws {@link NatsServerNotFoundError}
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<NatsServerProgram> {
  const { log = () => {}, env = process.env, sources = [fromContainerImage, fromDebianPackage] } = options;
  const cacheDir = options.cacheDir ?? join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'synod');
  const tried: string[] = [];

  // Named by the user: another one would be a surprise, so a wrong name is an error.
  const named = env['NATS_SERVER'];
  if (named) {
    const program = await probe(named);
    if (typeof program === 'string') throw new NatsServerNotFoundError([`NATS_SERVER=${named}: ${program}`]);
    return program;
  }
  tried.push('NATS_SERVER: not set');

  let old: NatsServerProgram | undefined;
  const accept = (where: string, program: NatsServerProgram | string): NatsServerProgram | undefined => {
    if (typeof program === 'string') tried.push(`${where}: ${program}`);
    else if (compareVersions(program.version, oldestWanted) >= 0) return program;
    else {
      tried.push(`${where}: ${program.path} is ${program.version}`);
      old ??= program;
    }
    return undefined;
  };

  const onPath = accept('PATH', await firstOf(programsOnPath(env['PATH'] ?? '')));
  if (onPath) return onPath;
  const cached = accept(`cache ${cacheDir}`, await firstOf(await programsInCache(cacheDir)));
  if (cached) return cached;
  for (const source of sources) {
    const where = source.title;
    const fetched = await source.fetch({ cacheDir, log }).then(probe, (error: Error) => error.message);
    const program = accept(where, fetched);
    if (program) return program;
  }
  if (!old) throw new NatsServerNotFoundError(tried);
  log(`using nats-server ${old.version}: nothing newer could be had`);
  return old;
}

/** Negative when `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The program, or why it is none. */
async function probe(path: string): Promise<NatsServerProgram | string> {
  try {
    const said = await exec(path, ['--version'], { timeoutMs: 5000 });
    const version = /v(\d+\.\d+\.\d+)/.exec(said)?.[1];
    return version ? { path, version } : `${path} --version says ${JSON.stringify(said)}`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function firstOf(paths: readonly string[]): Promise<NatsServerProgram | string> {
  let reason = 'none there';
  for (const path of paths) {
    const program = await probe(path);
    if (typeof program !== 'string') return program;
    if (!program.endsWith('not found')) reason = program;
  }
  return reason;
}

function programsOnPath(path: string): string[] {
  // Debian installs servers where a user's PATH does not look.
  return [...path.split(delimiter), '/usr/sbin', '/usr/local/sbin'].map((folder) => join(folder || '.', 'nats-server'));
}

async function programsInCache(cacheDir: string): Promise<string[]> {
  const folders = await readdir(cacheDir).catch(() => []);
  return folders
    .filter((name) => name.startsWith('nats-server-') && name.endsWith(`-${process.platform}-${process.arch}`))
    .sort(compareVersions)
    .reverse()
    .map((name) => join(cacheDir, name, 'nats-server'));
}
