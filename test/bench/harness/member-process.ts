import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HistoryLine } from 'synod';
import type { Lab } from './lab.ts';
import type { MemberHears, MemberOptions, MemberSays } from './member-messages.ts';

const PROGRAM = fileURLToPath(new URL('../member.ts', import.meta.url));
/** The same as {@link build} leaves it. */
const BUILT_PROGRAM = fileURLToPath(new URL('../../dist/bench/member.js', import.meta.url));
const CLOSE_WITHIN_MS = 10_000;

export type Status = Extract<MemberSays, { readonly type: 'status' }>;

export interface MemberProcessOptions extends MemberOptions {
  readonly isBuilt: boolean;
  readonly onHistory: (line: HistoryLine, sinceSightMs: number | null) => void;
}

/** A member in a process of its own, as its bench sees it. */
export class MemberProcess {
  readonly node: string;
  readonly #lab: Lab;
  readonly #child: ChildProcess;
  readonly #lastWords: string[] = [];
  readonly #ended: Promise<unknown>;
  readonly #said = new EventTarget();
  #mayEnd = false;

  /**
   * Starts it. When it ends without having been told to, the bench fails with its last words.
   *
   * @param onHistory - Called with each line of its history as it happens.
   */
  constructor(lab: Lab, options: MemberProcessOptions) {
    const { onHistory, isBuilt, ...member } = options;
    this.node = options.node;
    this.#lab = lab;
    // Flags of a profiler are handed on.
    const execArgv = process.execArgv.filter((flag) => !isBuilt || !flag.startsWith('--conditions'));
    this.#child = fork(isBuilt ? BUILT_PROGRAM : PROGRAM, [JSON.stringify(member satisfies MemberOptions)], {
      execArgv,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#ended = once(this.#child, 'exit');
    this.#child.on('message', (message: MemberSays) => {
      if (message.type === 'history') onHistory(message.line, message.sinceSightMs);
      else this.#said.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    });
    if (this.#child.stderr) createInterface({ input: this.#child.stderr }).on('line', (line) => this.#hearWords(line));
    this.#child.once('close', (code, signal) => {
      if (this.#mayEnd) return;
      lab.fail(new Error(`${this.node} ended by itself (${signal ?? `exit ${code}`}):\n${this.#lastWords.join('\n')}`));
    });
    lab.onClose(() => this.kill());
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.node} could not be started`);
    return pid;
  }

  /** The next message of this type. Ask before it can have come; await it when it is needed. */
  said<Type extends MemberSays['type']>(type: Type): Promise<Extract<MemberSays, { readonly type: Type }>> {
    const heard = once(this.#said, type).then(([event]) => (event as CustomEvent).detail);
    const expected = this.#lab.expect(`"${type}" of ${this.node}`, heard);
    // What ended the bench may come before anybody awaits this; it is told once, by the lab.
    expected.catch(() => {});
    return expected;
  }

  /** Each message of this type. Several may come in one turn: who asks for the next one after each misses some. */
  hear<Type extends MemberSays['type']>(
    type: Type,
    listener: (message: Extract<MemberSays, { readonly type: Type }>) => void,
  ): void {
    this.#said.addEventListener(type, (event) => listener((event as CustomEvent).detail));
  }

  tell(message: MemberHears): void {
    this.#child.send(message);
  }

  async status(): Promise<Status> {
    const status = this.said('status');
    this.tell({ type: 'status' });
    return status;
  }

  /** It asks for mastership no more, and has given back what it held. */
  async rest(): Promise<void> {
    const resting = this.said('resting');
    this.tell({ type: 'rest' });
    await resting;
  }

  /** As a crash: no signal handler runs. The instant of the signal is that of the call. */
  async kill(): Promise<void> {
    this.#mayEnd = true;
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#ended;
  }

  /** Lets it resign, leave and end. */
  async close(): Promise<void> {
    this.#mayEnd = true;
    this.tell({ type: 'close' });
    await this.#lab.expect(`end of ${this.node}`, this.#ended, CLOSE_WITHIN_MS);
  }

  #hearWords(line: string): void {
    this.#lastWords.push(line);
    if (this.#lastWords.length > 40) this.#lastWords.shift();
  }
}
