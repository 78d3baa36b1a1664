import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  judgeHistory,
  type NatsCluster,
  type NatsServer,
  startNatsCluster,
  startNatsServer,
} from '@synod/cli/internal';
import type { HistoryLine } from 'synod';
import { machineNowMs } from './machine-clock.ts';
import { type FigureLine, figureLine, type Measured } from './report.ts';

export interface LabOptions {
  readonly bench: string;
  /** Where journals lie; by default the system's folder for temporary files. */
  readonly folder?: string;
  readonly onFigure: (line: FigureLine) => void;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

/**
 * Where one bench runs: it starts what the bench needs, knows all that must be stopped again, and judges every history that
 * was written in it.
 */
export class Lab {
  readonly #options: LabOptions;
  readonly #controller = new AbortController();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #history: HistoryLine[] = [];
  #natsServer: string | null = null;
  #isSafe = true;

  constructor(options: LabOptions) {
    this.#options = options;
  }

  /** Aborts when the bench cannot go on: Ctrl-C, or a process that ended by itself. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  fail(reason: Error): void {
    this.#controller.abort(reason);
  }

  say(line: string): void {
    this.#options.say(line);
  }

  /** `close` stops something that was started here; the last one started is stopped first. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Stops everything, whatever failed before. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      await close().catch((error: Error) => this.say(`could not be stopped: ${error.message}`));
    }
  }

  async temporaryFolder(): Promise<string> {
    const path = await mkdtemp(join(this.#options.folder ?? tmpdir(), 'synod-bench-'));
    this.onClose(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  async natsServer(): Promise<NatsServer> {
    const server = await startNatsServer({ log: (message) => this.say(message) });
    this.onClose(() => server.stop());
    this.#natsServer = server.version;
    return server;
  }

  /** Three servers that know each other. */
  async natsCluster(): Promise<NatsCluster> {
    const cluster = await startNatsCluster(3, { log: (message) => this.say(message) });
    this.onClose(() => cluster.stop());
    this.#natsServer = cluster.servers[0]?.version ?? null;
    return cluster;
  }

  /** Every line that a process of this bench writes into its history comes here. */
  record(line: HistoryLine): void {
    this.#history.push(line);
  }

  /** False once a history showed two masters at once (S2), or terms that cannot be (S1). */
  get isSafe(): boolean {
    return this.#isSafe;
  }

  /** Hands on a figure, together with the verdict over all that was recorded so far. */
  report(measured: Measured): void {
    const { bench, onFigure } = this.#options;
    const { overlapMs, overlaps, problems } = judgeHistory(this.#history);
    for (const { first, second, ms } of overlaps) {
      this.say(`TWO MASTERS for ${ms} ms: ${first.node} (term ${first.term}) and ${second.node} (term ${second.term})`);
    }
    for (const problem of problems) this.say(`IMPOSSIBLE HISTORY: ${problem}`);
    this.#isSafe &&= overlapMs === 0 && problems.length === 0;
    onFigure(figureLine(measured, { bench, overlapMs, natsServer: this.#natsServer }));
  }

  /** Waits for what must happen; an error in words when it does not, or when the bench cannot go on. */
  async expect<T>(what: string, event: Promise<T>, withinMs = 30_000): Promise<T> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const timer = setTimeout(() => reject(new Error(`${what}: not seen within ${withinMs} ms`)), withinMs);
    const onFailure = () => reject(this.signal.reason);
    this.signal.addEventListener('abort', onFailure);
    if (this.signal.aborted) onFailure();
    try {
      return await Promise.race([event, failed]);
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener('abort', onFailure);
    }
  }

  async sleepUntil(atMs: number): Promise<void> {
    try {
      await delay(Math.max(0, atMs - machineNowMs()), undefined, { signal: this.signal });
    } catch {
      throw this.signal.reason;
    }
  }
}
