import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findNatsServer, type Log, type NatsServerProgram } from './find-nats-server.ts';
import { LineTail } from './line-tail.ts';

export interface StartNatsServerOptions {
  readonly jetstream?: boolean;
  /** Port on 127.0.0.1; by default any free one. */
  readonly port?: number;
  /** Where JetStream keeps its streams; by default a folder that `stop` removes. */
  readonly storeDir?: string;
  /** Lines of NATS configuration, added to ours. */
  readonly extraConfig?: string;
  readonly log?: Log;
  /** By default what {@link findNatsServer} finds. */
  readonly program?: NatsServerProgram;
  /**
   * A folder of the caller's for configuration, streams and log; by default one that `stop` removes. With it the server can
   * outlive this process, see {@link NatsServer.release}: its log goes to a file, not to a pipe that would break.
   */
  readonly folder?: string;
}

/** A nats-server process that this process started. */
export interface NatsServer {
  readonly url: string;
  /** The same for the whole life of this object. */
  readonly port: number;
  /** HTTP monitoring: `/varz`, `/routez`, `/healthz`. */
  readonly monitorUrl: string;
  /** Of the process that runs now; after a restart another one. */
  readonly pid: number;
  readonly version: string;
  /** Sends a signal. Resolves when the process has ended, if it is a signal that ends it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same streams; stops it before if it runs. */
  restart(): Promise<void>;
  /** From now on the server does not end with this process. Needs a `folder` of the caller's. */
  release(): void;
  /** Ends the process and removes the temporary folder. May be called twice. */
  stop(): Promise<void>;
}

const startTimeoutMs = 15_000;
const stopTimeoutMs = 5000;
const signalsThatDoNotEnd: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1'];

let found: Promise<NatsServerProgram> | undefined;

/** Starts a NATS server on 127.0.0.1. It ends with this process, or with `stop`. */
export async function startNatsServer(options: StartNatsServerOptions = {}): Promise<NatsServer> {
  const { log = () => {} } = options;
  if (!options.program) found ??= findNatsServer({ log });
  const program = options.program ?? (await (found as Promise<NatsServerProgram>));
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'synod-nats-')));
  const configFile = join(folder, 'nats.conf');
  const logFile = options.folder && join(folder, 'nats-server.log');
  const removeFolder = async (): Promise<void> => {
    if (!options.folder) await rm(folder, { recursive: true, force: true });
  };

  const start = async (port: number, monitorPort: number): Promise<Running> => {
    await writeFile(configFile, configuration({ ...options, port, monitorPort, folder }));
    return run(program.path, ['-c', configFile], logFile);
  };

  let running: Running;
  try {
    running = await start(options.port ?? randomPort, randomPort);
  } catch (error) {
    await removeFolder();
    throw error;
  }
  const { port, monitorPort } = running;

  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    monitorUrl: `http://127.0.0.1:${monitorPort}`,
    get pid() {
      return running.pid;
    },
    version: program.version,
    async kill(signal = 'SIGKILL') {
      running.child.kill(signal);
      if (!signalsThatDoNotEnd.includes(signal)) await running.ended;
    },
    async restart() {
      await end(running);
      running = await start(port, monitorPort);
    },
    release() {
      if (!logFile) throw new Error('a server that logs to this process cannot outlive it: give it a folder');
      children.delete(running.child);
      running.child.unref();
    },
    async stop() {
      await end(running);
      await removeFolder();
    },
  };
}

/** What nats-server calls a free port of its choice. */
const randomPort = -1;

function configuration(
  options: StartNatsServerOptions & { readonly port: number; readonly monitorPort: number; readonly folder: string },
): string {
  const lines = [`listen: "127.0.0.1:${options.port}"`, `http: "127.0.0.1:${options.monitorPort}"`];
  if (options.jetstream) {
    const storeDir = options.storeDir ?? join(options.folder, 'jetstream');
    lines.push(`jetstream { store_dir: ${JSON.stringify(storeDir)} }`);
  }
  if (options.extraConfig) lines.push(options.extraConfig);
  return `${lines.join('\n')}\n`;
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly monitorPort: number;
  readonly ended: Promise<void>;
}

/** Resolves when the server says that it is ready: its log is the only place that tells both that and its ports. */
function run(path: string, args: readonly string[], logFile?: string): Promise<Running> {
  const log = logFile === undefined ? 'pipe' : openSync(logFile, 'a');
  // With a log of its own it also has a process group of its own: Ctrl-C at a terminal is not meant for it.
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', log], detached: logFile !== undefined });
  const lines = logFile === undefined ? null : new LineTail(logFile, fstatSync(log as number).size);
  if (typeof log === 'number') closeSync(log);
  endWithThisProcess(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });

  return new Promise((resolve, reject) => {
    let port = 0;
    let monitorPort = 0;
    const lastLines: string[] = [];
    const fail = (reason: string) => {
      clearTimeout(timer);
      clearInterval(reader);
      lines?.close();
      child.kill('SIGKILL');
      reject(new Error(`nats-server ${reason}${lastLines.length > 0 ? `:\n${lastLines.join('\n')}` : ''}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${startTimeoutMs} ms`), startTimeoutMs);
    child.once('error', (error) => fail(`did not start: ${error.message}`));
    child.once('close', (code, signal) => fail(`ended before it was ready (${signal ?? `exit ${code}`})`));
    const hear = (line: string): void => {
      port ||= portIn(line, 'Listening for client connections on');
      monitorPort ||= portIn(line, 'Starting http monitor on');
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      if (line.includes('Server is ready') && child.pid !== undefined) {
        clearTimeout(timer);
        clearInterval(reader);
        lines?.close();
        resolve({ child, pid: child.pid, port, monitorPort, ended });
      }
    };
    const reader = lines ? setInterval(() => lines.read().forEach(hear), 5) : undefined;
    if (child.stderr) createInterface({ input: child.stderr }).on('line', hear);
  });
}

const children = new Set<ChildProcess>();

function endWithThisProcess(child: ChildProcess): void {
  if (children.size === 0) process.on('exit', killChildren);
  children.add(child);
  child.once('exit', () => {
    children.delete(child);
    if (children.size === 0) process.off('exit', killChildren);
  });
}

function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

function portIn(line: string, sentence: string): number {
  const rest = line.split(sentence)[1];
  return rest ? Number(/:(\d+)/.exec(rest)?.[1] ?? 0) : 0;
}

async function end({ child, ended }: Running): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  child.kill('SIGCONT'); // A stopped process would keep the next signal waiting.
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}
