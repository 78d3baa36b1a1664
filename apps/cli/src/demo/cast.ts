import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** How a process ended: by itself with a code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that the demo started, and the only kind that it ever signals. */
export interface Player {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Undefined while it runs. */
  readonly ending: Ending | undefined;
  /** It has ended, and nobody here had told it to. */
  readonly hasFailed: boolean;
  readonly ended: Promise<Ending>;
  kill(signal: NodeJS.Signals): void;
  /** From now on it does not end with this process. */
  release(): void;
}

// Run from the sources it starts the sources, built it starts what is built.
const isSource = import.meta.url.endsWith('.ts');
const programOf = (app: string): string =>
  fileURLToPath(new URL(isSource ? `../../../${app}/src/main.ts` : `../../../${app}/dist/main.js`, import.meta.url));

/** The programs of other apps that the demo runs. */
export const PROGRAMS = { worker: programOf('worker'), masterWatch: programOf('master-watch') };

const running = new Set<ChildProcess>();

/** Starts a program of this workspace in a process of its own. Its output goes to a file, so that it can outlive us. */
export function start(name: string, program: string, args: readonly string[], logFile: string): Player {
  const log = openSync(logFile, 'a');
  const nodeArgs = isSource ? ['--conditions=@synod/source'] : [];
  const child = spawn(process.execPath, [...nodeArgs, program, ...args], {
    stdio: ['ignore', log, log],
    // A process group of its own: Ctrl-C at the terminal is for the demo alone, which then ends what it started.
    detached: true,
    env: environment(),
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started: ${program}`);
  endWithThisProcess(child);
  let ending: Ending | undefined;
  let isToldToEnd = false;
  const ended = new Promise<Ending>((resolve) => {
    child.once('exit', (code, signal) => {
      ending = { code, signal };
      resolve(ending);
    });
  });
  return {
    name,
    pid,
    logFile,
    get ending() {
      return ending;
    },
    get hasFailed() {
      return ending !== undefined && !isToldToEnd;
    },
    ended,
    kill: (signal) => {
      isToldToEnd ||= signal === 'SIGTERM' || signal === 'SIGKILL';
      child.kill(signal);
    },
    release: () => {
      running.delete(child);
      child.unref();
    },
  };
}

/** What the user set for his own groups is not meant for the demo's. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SYNOD|NATS)_|^PORT$/.test(name)));

function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', killRunning);
  running.add(child);
  child.once('exit', () => {
    running.delete(child);
    if (running.size === 0) process.off('exit', killRunning);
  });
}

function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
}
