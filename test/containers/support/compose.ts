import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');
const run = promisify(execFile);

/** Why docker-compose.yml cannot be started here, in words; `undefined` if it can. */
export async function whyNoCompose(): Promise<string | undefined> {
  try {
    await run('docker', ['compose', 'version']);
  } catch {
    return 'docker compose is not installed';
  }
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 });
  } catch {
    return 'no container engine answers';
  }
  const named = ['SYNOD_IMAGE', 'SYNOD_MASTER_WATCH_IMAGE'].filter((name) => !process.env[name]);
  return named.length === 0 ? undefined : `${named.join(' and ')} name no image: .ci/images makes them`;
}

/** A line of master-watch. */
export interface WatchLine {
  readonly type?: string;
  readonly master?: string | null;
  readonly term?: number;
  readonly msg: string;
}

/** docker-compose.yml, started under a name and on ports of its own. */
export class Compose {
  readonly #project = `synod-test-${randomBytes(4).toString('hex')}`;
  readonly #env: NodeJS.ProcessEnv;
  /** What master-watch has said so far. */
  readonly lines: WatchLine[] = [];
  #follower: ChildProcess | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...process.env, NATS_PORT: '0', NATS_MONITOR_PORT: '0', MASTER_WATCH_PORT: '0', ...env };
  }

  /** Resolves when all are healthy, those too that were killed before. */
  async up(): Promise<void> {
    await this.#call(['up', '--detach', '--wait', '--no-build', '--quiet-pull']);
    this.#follower ??= this.#follow('master-watch');
  }

  async kill(service: string): Promise<void> {
    await this.#call(['kill', service]);
  }

  /** Runs a command of the CLI inside a member. */
  async synod(service: string, ...args: string[]): Promise<string> {
    return this.#call(['exec', '--no-TTY', service, 'node', '/app/dist/main.js', ...args]);
  }

  /** Where a port of a container is on this machine: `127.0.0.1:32768`. */
  async port(service: string, port: number): Promise<string> {
    return (await this.#call(['port', service, String(port)])).trim();
  }

  async logs(): Promise<string> {
    return this.#call(['logs', '--tail', '20']);
  }

  async down(): Promise<void> {
    this.#follower?.kill();
    await this.#call(['down', '--volumes', '--timeout', '5']);
  }

  async #call(args: readonly string[]): Promise<string> {
    const options = { cwd: root, env: this.#env, timeout: 110_000, maxBuffer: 1 << 26 };
    const { stdout } = await run('docker', ['compose', '--project-name', this.#project, ...args], options);
    return stdout;
  }

  #follow(service: string): ChildProcess {
    const args = ['compose', '--project-name', this.#project, 'logs', '--follow', '--no-log-prefix', service];
    const child = spawn('docker', args, { cwd: root, env: this.#env, stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    });
    return child;
  }
}
