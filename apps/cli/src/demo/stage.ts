import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsBus } from '@synod/nats';
import { connectForLong } from '../connection.ts';
import { CommandError, EXIT } from '../exit.ts';
import { type NatsServer, startNatsServer } from '../lab/nats-server.ts';
import type { Tenure } from '../lab/overlap.ts';
import { type Player, PROGRAMS, start } from './cast.ts';
import { Observations } from './observations.ts';

export const GROUP = 'demo';
export const NODES = ['n1', 'n2', 'n3'] as const;

type Bus = ReturnType<typeof natsBus>;

export interface StageOptions {
  readonly leaseMs: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const STOP_MS = 3000;

/** The NATS server, the processes and the folder of one demo; everything on it was put there by us and goes with us. */
export class Stage {
  readonly folder: string;
  readonly seen: Observations;
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly leaseMs: number;
  /** Longest wait for anything: ample, for a machine that is busy with other things. */
  readonly patienceMs: number;
  /** The mastership whose process was stopped in its midst. */
  paused: Tenure | undefined;
  readonly #connection: NatsConnection;
  readonly #removeFolder: () => void;
  readonly #workers = new Map<string, Player>();
  #watcher: Player | undefined;

  /** Starts the server, and connects. */
  static async set(options: StageOptions): Promise<Stage> {
    const missing = Object.values(PROGRAMS).filter((program) => !existsSync(program));
    if (missing.length > 0) {
      const message = `the demo runs processes of the repository, and ${missing.join(', ')} is not there: run it from a checkout`;
      throw new CommandError(EXIT.configuration, message);
    }
    const folder = mkdtempSync(join(tmpdir(), 'synod-demo-'));
    const removeFolder = () => rmSync(folder, { recursive: true, force: true });
    process.on('exit', removeFolder);
    try {
      mkdirSync(join(folder, 'nats'));
      const server = { jetstream: true, folder: join(folder, 'nats'), log: options.say };
      const nats = await startNatsServer(server);
      const connection = await connectForLong({ servers: [nats.url] }, options.leaseMs).catch(async (error) => {
        await nats.stop();
        throw error;
      });
      return new Stage(options, folder, nats, connection, removeFolder);
    } catch (error) {
      process.off('exit', removeFolder);
      removeFolder();
      throw error;
    }
  }

  private constructor(
    { leaseMs, signal }: StageOptions,
    folder: string,
    nats: NatsServer,
    connection: NatsConnection,
    removeFolder: () => void,
  ) {
    this.leaseMs = leaseMs;
    this.patienceMs = 5 * leaseMs + 10_000;
    this.folder = folder;
    this.nats = nats;
    this.seen = new Observations(signal, () => this.#mishap());
    this.#connection = connection;
    this.bus = natsBus(connection, { group: GROUP, node: 'demo' });
    this.#removeFolder = removeFolder;
  }

  startWatcher(): void {
    const logFile = this.#newFile('master-watch.log');
    const args = ['--nats-url', this.nats.url, '--group', GROUP, '--lease-ms', String(this.leaseMs), '--port', '0'];
    this.#watcher = start('master-watch', PROGRAMS.masterWatch, args, logFile);
    this.seen.followWatcher(logFile);
  }

  /** Starts a worker, with the journal it had before if it ran before. */
  startWorker(node: string): Player {
    const isFirst = !this.#workers.has(node);
    const [logFile, history] = [`${node}.log`, `${node}.history.jsonl`].map((name) =>
      isFirst ? this.#newFile(name) : join(this.folder, name),
    ) as [string, string];
    if (isFirst) {
      this.seen.followWorker(node, logFile);
      this.seen.followHistory(history);
    }
    const options = {
      'nats-url': this.nats.url,
      group: GROUP,
      node,
      voters: NODES.join(','),
      journal: join(this.folder, `${node}.journal`),
      'lease-ms': String(this.leaseMs),
      history,
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const worker = start(node, PROGRAMS.worker, args, logFile);
    this.#workers.set(node, worker);
    return worker;
  }

  worker(node: string): Player {
    const worker = this.#workers.get(node);
    if (!worker) throw new Error(`${node} was never started`);
    return worker;
  }

  get players(): readonly Player[] {
    return [...this.#workers.values(), ...(this.#watcher ? [this.#watcher] : [])];
  }

  /** Why the play cannot go on: somebody ended who had not been told to. */
  #mishap(): string | undefined {
    const dead = this.players.find(({ hasFailed }) => hasFailed);
    return dead && `${dead.name} has ended by itself (${dead.ending?.signal ?? `exit code ${dead.ending?.code}`})`;
  }

  /** The last words of every log and history, for a person who wants to know why. */
  lastWords(lines = 4): string[] {
    const files = readdirSync(this.folder).filter((name) => /\.(log|jsonl)$/.test(name));
    return files.flatMap((name) =>
      readFileSync(join(this.folder, name), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(-lines)
        .map((line) => `${name}: ${line}`),
    );
  }

  /** Ends what runs, by pid, and removes the folder. */
  async strike(): Promise<void> {
    await this.#leave();
    for (const player of this.players) {
      player.kill('SIGCONT'); // A stopped process would keep the next signal waiting.
      player.kill('SIGTERM');
    }
    const overdue = new AbortController();
    const all = Promise.all(this.players.map(({ ended }) => ended));
    await Promise.race([all, sleep(STOP_MS, undefined, { signal: overdue.signal }).catch(() => {})]);
    overdue.abort();
    for (const { ending, kill } of this.players) if (!ending) kill('SIGKILL');
    await all;
    await this.nats.stop();
    process.off('exit', this.#removeFolder);
    this.#removeFolder();
  }

  /** Leaves everything running, and forgets it. */
  async release(): Promise<void> {
    await this.#leave();
    process.off('exit', this.#removeFolder);
    this.nats.release();
    for (const player of this.players) player.release();
  }

  async #leave(): Promise<void> {
    this.seen.close();
    await this.bus.close();
    await this.#connection.close();
  }

  /** There from now on, so that it can be read before anybody writes. */
  #newFile(name: string): string {
    const file = join(this.folder, name);
    appendFileSync(file, '');
    return file;
  }
}
