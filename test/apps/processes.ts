import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const apps = join(import.meta.dirname, '../../apps');

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** A process of an app, started from its sources. */
export class AppProcess {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #checks = new Set<() => void>();
  #isRunning = true;

  constructor(app: string, args: readonly string[], { env = {} }: StartOptions = {}) {
    this.name = [app, ...args.slice(0, 1)].join(' ');
    const program = join(apps, app, 'src/main.ts');
    this.#child = spawn(process.execPath, ['--conditions=@synod/source', program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(), ...env },
    });
    this.pid = this.#child.pid as number;
    this.#child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data;
      this.#check();
    });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data;
      this.#check();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#isRunning = false;
        resolve({ code, signal });
        this.#check();
      });
    });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What it printed as JSON lines; other lines are left out. */
  get lines(): readonly Record<string, unknown>[] {
    return this.stdout.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
  }

  /** Resolves when `probe` finds something in what the process has printed. */
  async until<T>(what: string, probe: (process: this) => T | undefined | false, withinMs = 30_000): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const fail = (why: string): void =>
      reject(new Error(`${this.name}: ${why} before ${what}\n${this.stdout.slice(-4000)}${this.stderr.slice(-4000)}`));
    const check = (): void => {
      const found = probe(this);
      if (found !== undefined && found !== false) resolve(found);
      else if (!this.#isRunning) fail('ended');
    };
    const timer = setTimeout(() => fail(`waited ${withinMs} ms`), withinMs);
    this.#checks.add(check);
    try {
      check();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#checks.delete(check);
    }
  }

  #check(): void {
    for (const check of this.#checks) check();
  }
}

/** Processes of one test: whatever it comes to, all of them end with it. */
export class Processes {
  readonly #started: AppProcess[] = [];

  start(app: string, args: readonly string[], options: StartOptions = {}): AppProcess {
    const started = new AppProcess(app, args, options);
    this.#started.push(started);
    return started;
  }

  /** Runs the command line to its end. */
  async synod(
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
    const process = this.start('cli', args, options);
    const { code } = await process.ended;
    return { code, stdout: process.stdout, stderr: process.stderr };
  }

  async endAll(): Promise<void> {
    const running = this.#started.splice(0).filter(({ isRunning }) => isRunning);
    for (const process of running) process.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
  }
}

/** Nothing that the machine or another test has set for Synod, and no colours unless asked for. */
function environment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, NO_COLOR: __, ...rest } = process.env;
  const kept = Object.entries(rest).filter(([name]) => !/^SYNOD_|^NATS_(URL|CREDS)$|^PORT$|^HOSTNAME$/.test(name));
  return Object.fromEntries(kept);
}

/** Repeats a question that no event answers. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  const endsAtMs = performance.now() + withinMs;
  for (;;) {
    const found = await ask();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endsAtMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
  }
}
