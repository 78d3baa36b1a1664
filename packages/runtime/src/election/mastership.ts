import type { Heir } from '@synod/mastership';
import { fenceHeaders, MastershipLostError, type NodeId } from '@synod/protocol';
import type { Scope } from './scope.ts';
import type { Mastership, ResignOptions } from './types.ts';

/** What a mastership asks of its election. */
export interface Holder {
  readonly election: string;
  holds(term: number): boolean;
  remainingMs(term: number): number;
  version(): number;
  /** Resolves when the record does not name the term any more, or the lease behind it is over. */
  resign(mastership: HeldMastership, reason: string, heir?: Heir | null): Promise<void>;
  /** T11: the taking of that node is here already, and follows the Resign. */
  isStandingBy(node: NodeId): boolean;
  /** T8: a session of that node which would take over; `null` when it gives none in time. */
  heir(mastership: HeldMastership, to: NodeId): Promise<Heir | null>;
}

/** A piece of work of a mastership, and the one it was begun in. */
interface Deed {
  readonly of: HeldMastership;
  readonly within: Deed | null;
  isUnderWay: boolean;
}

/** @see Mastership */
export class HeldMastership implements Mastership {
  readonly election: string;
  readonly term: number;
  readonly #holder: Holder;
  readonly #scope: Scope | null;
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #lostBy: string | null = null;
  /** T7: how long its work may take to stop. */
  graceMs = 0;

  constructor(holder: Holder, term: number, scope: Scope | null = null) {
    this.#holder = holder;
    this.#scope = scope;
    this.election = holder.election;
    this.term = term;
  }

  get version(): number {
    return this.#holder.version();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.#lostBy !== null;
  }

  remainingMs(): number {
    return this.isOver ? 0 : this.#holder.remainingMs(this.term);
  }

  assert(): void {
    if (this.#lostBy !== null) throw this.#lost(this.#lostBy);
    if (!this.#holder.holds(this.term)) throw this.#lost('expired');
  }

  async run<T>(effect: (term: number) => Promise<T> | T): Promise<T> {
    this.assert();
    const result = await this.track(async () => effect(this.term));
    this.assert();
    return result;
  }

  headers(): Record<string, string> {
    return fenceHeaders(this);
  }

  async resign(options: ResignOptions = {}): Promise<void> {
    const { to, reason = 'resigned' } = options;
    const isOwnWork = this.isAskedByWork();
    const heir = to === undefined || this.#holder.isStandingBy(to) ? null : await this.#holder.heir(this, to);
    const released = this.#holder.resign(this, reason, heir);
    // Work that waited here for its own end would wait for ever: the record is freed when it has returned.
    if (!isOwnWork) await released;
  }

  /**
   * Whether this is called by work or an effect of this mastership that is still under way. Where nothing tells who calls, it
   * is taken for so while anything of this mastership is under way: whoever asks from elsewhere waits less than it might, and
   * nobody for ever.
   */
  isAskedByWork(): boolean {
    if (this.#scope === null) return !this.isIdle;
    let deed = (this.#scope.getStore() ?? null) as Deed | null;
    while (deed !== null && !(deed.of === this && deed.isUnderWay)) deed = deed.within;
    return deed !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign();
  }

  /** Runs the work of `runWhileMaster`. */
  async work(work: () => Promise<void> | void): Promise<void> {
    await this.track(work);
  }

  /** Runs something whose end `settled` waits for. It is at work from its first line on, which may resign. */
  async track<T>(work: () => Promise<T> | T): Promise<T> {
    const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
    const deed: Deed = { of: this, within: (this.#scope?.getStore() ?? null) as Deed | null, isUnderWay: true };
    this.#running.add(stopped);
    try {
      return await (this.#scope ? this.#scope.run(deed, work) : work());
    } finally {
      deed.isUnderWay = false;
      this.#running.delete(stopped);
      stop();
    }
  }

  /** T7: from here on no effect of this term begins. The signal is the notice of it. */
  end(lostBy: string): void {
    if (this.isOver) return;
    this.#lostBy = lostBy;
    this.#controller.abort(this.#lost(lostBy));
  }

  /** Nothing works by this mastership. Once it is over, nothing will. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** Resolves when all work and effects of this mastership have stopped, whatever they threw. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #lost(lostBy: string): MastershipLostError {
    return new MastershipLostError(this.election, this.term, lostBy);
  }
}
