import type { HistoryLine } from 'synod';
import { LineTail } from '../lab/line-tail.ts';
import { parseHistory } from '../lab/overlap.ts';

/** A worker says that it has joined. */
export interface Joined {
  readonly node: string;
  /** How often its journal has been opened: more than once when it came back. */
  readonly incarnations: number;
}

/** A worker says that it has done a piece of work. */
export interface Work {
  readonly node: string;
  readonly term: number;
  readonly atNs: bigint;
}

/** master-watch says that it has heard an event. */
export interface Heard {
  readonly id: string;
  readonly type: string;
  readonly master: string | null;
  readonly term: number;
  readonly version: number;
}

/** Something did not happen that had to, or happened that must not. The sentence is the reason. */
export class NotSeenError extends Error {
  override readonly name = 'NotSeenError';
}

const POLL_MS = 5;

/**
 * Everything the demo knows about its processes: their histories and what they log. It asks nobody and trusts nobody, it
 * reads what they wrote.
 */
export class Observations {
  readonly history: HistoryLine[] = [];
  readonly joined: Joined[] = [];
  readonly work: Work[] = [];
  readonly heard: Heard[] = [];
  readonly #tails: { readonly tail: LineTail; readonly take: (line: string) => void }[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #checks = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #mishap: () => string | undefined;
  /** Instant 0 of the wall clock on the monotonic one: logs are dated by the one, histories by the other. */
  readonly #wallZeroNs = process.hrtime.bigint() - BigInt(Date.now()) * 1_000_000n;

  /** @param mishap - Why nothing more will be seen, if so. */
  constructor(signal: AbortSignal, mishap: () => string | undefined) {
    this.#signal = signal;
    this.#mishap = mishap;
    this.#timer = setInterval(() => this.look(), POLL_MS);
  }

  followHistory(file: string): void {
    this.#follow(file, (line) => this.history.push(...parseHistory(`${line}\n`, file)));
  }

  followWorker(node: string, file: string): void {
    this.#follow(file, (line) => {
      const { msg, term, time, incarnations } = fieldsOf(line);
      if (msg === 'work' && typeof term === 'number') {
        this.work.push({ node, term, atNs: BigInt(Number(time)) * 1_000_000n + this.#wallZeroNs });
      } else if (typeof msg === 'string' && msg.startsWith('joined')) {
        this.joined.push({ node, incarnations: Number(incarnations) });
      }
    });
  }

  followWatcher(file: string): void {
    this.#follow(file, (line) => {
      const { id, type, master, term, version } = fieldsOf(line);
      if (typeof id === 'string') this.heard.push({ id, type, master, term, version } as Heard);
    });
  }

  /** Reads what is new. Done all the time; called to be sure that nothing written until now is missed. */
  look(): void {
    for (const { tail, take } of this.#tails) for (const line of tail.read()) take(line);
    for (const check of this.#checks) check();
  }

  /**
   * Waits until `probe` finds something.
   * @param what - For the sentence when it does not: "n2 to be master".
   * @throws NotSeenError in time, or the reason of the demo's signal.
   */
  async until<T>(what: string, timeoutMs: number, probe: () => T | undefined | false): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = (): void => {
      const found = probe();
      if (found !== undefined && found !== false) return resolve(found);
      const mishap = this.#mishap();
      if (mishap !== undefined) reject(new NotSeenError(`waited for ${what}, and ${mishap}`));
    };
    const timer = setTimeout(() => reject(new NotSeenError(`waited ${timeoutMs} ms in vain for ${what}`)), timeoutMs);
    const onAbort = () => reject(this.#signal.reason);
    this.#signal.addEventListener('abort', onAbort, { once: true });
    if (this.#signal.aborted) onAbort();
    this.#checks.add(check);
    try {
      this.look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', onAbort);
      this.#checks.delete(check);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { tail } of this.#tails) tail.close();
  }

  #follow(file: string, take: (line: string) => void): void {
    this.#tails.push({ tail: new LineTail(file), take });
  }
}

/** Fields of a line of pino; none for what is not one, such as a warning of Node. */
function fieldsOf(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
