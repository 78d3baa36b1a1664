import type { Heir } from '@synod/mastership';
import {
  type Clock,
  ClosedError,
  type MasterRecord,
  MastershipLostError,
  type NodeId,
  type Session,
  TimeoutError,
} from '@synod/protocol';
import { Latest } from './latest.ts';
import { HeldMastership, type Holder } from './mastership.ts';
import { demandTime, isForEver } from './patience.ts';
import type { Scope } from './scope.ts';
import type {
  CampaignOptions,
  Election,
  Master,
  MasterChange,
  Mastership,
  RunWhileMasterOptions,
  TransferOptions,
} from './types.ts';

/** The candidate behind an election: the lease machine of this node, or nothing where the node cannot be master. */
export interface Candidate {
  /** T5: a comparison of clocks. */
  isMaster(): boolean;
  /** Term the lease holds by its own reckoning; `null` when it holds none. */
  term(): number | null;
  remainingMs(): number;
  want(): void;
  unwant(reason: string): void;
  /**
   * Gives the mastership up at once; tells the others when it is settled: at once, or after {@link settled} (T7). With `to` it
   * is handed over (T8).
   */
  resign(reason: string, isSettled: boolean, to?: Heir): void;
  /** T11: the taking of that node would follow our Resign. */
  isStandingBy(node: NodeId): boolean;
  /** T8: asks a node for a session that would take over; `null` when it gives none in time. */
  heir(node: NodeId, term: number, options: HeirOptions): Promise<Heir | null>;
  /** How long the work of the mastership in force may take to stop, where that is longer than a lease (T7). */
  grace(graceMs: number): void;
  /** All work of the mastership that ended has stopped (T6, T7). */
  settled(): void;
}

export interface HeirOptions {
  readonly timeoutMs?: number;
  /** Of the mastership that is offered. */
  readonly signal: AbortSignal;
  /** Resolves when it is given back, whoever has it then. */
  readonly givenBack: Promise<void>;
}

export interface ElectionPorts {
  readonly name: string;
  /** The length in force now (T12), ms. */
  readonly leaseMs: () => number;
  readonly clock: Clock;
  /** `null` where the node may only look on: campaigning is then refused with this error. */
  readonly candidate: Candidate | null;
  readonly refusal: () => Error;
  /** Why nobody can be elected now, where it is known. */
  readonly noQuorum: () => Error | null;
  readonly record: () => { readonly record: MasterRecord; readonly session: Session | null };
  readonly isSelf: (session: Session) => boolean;
  readonly askPresent: (signal?: AbortSignal) => Promise<void>;
  /** Nothing works by that mastership any more, or its lease is over; told once. */
  readonly onEnded: (term: number) => void;
  readonly onError: (error: unknown) => void;
  readonly scope?: Scope | undefined;
}

interface Waiter {
  readonly resolve: (mastership: HeldMastership) => void;
  readonly reject: (reason: unknown) => void;
}

/** What whoever gives a mastership back waits for. */
interface Release {
  readonly term: number;
  readonly resolve: () => void;
  readonly done: Promise<void>;
  /** Nobody holds by it any more, whatever the record says. */
  isLeaseOver: boolean;
}

/** Turns what the lease machine says into masterships that users hold, one at a time. */
export class GroupElection implements Election, Holder {
  readonly name: string;
  readonly #ports: ElectionPorts;
  readonly #waiters = new Set<Waiter>();
  readonly #news = new Latest<MasterChange>();
  #current: HeldMastership | null = null;
  #released: Release | null = null;
  #endedTerm = 0;
  #closedBy: unknown = null;

  constructor(ports: ElectionPorts) {
    this.#ports = ports;
    this.name = ports.name;
  }

  get election(): string {
    return this.name;
  }

  isMaster(): boolean {
    const { candidate } = this.#ports;
    if (candidate === null || !candidate.isMaster()) return false;
    // T7: a term given up here is over here, whether or not the lease machine has had its turn yet.
    return this.#current === null || !this.#current.isOver;
  }

  holds(term: number): boolean {
    return this.isMaster() && this.#ports.candidate?.term() === term;
  }

  remainingMs(term: number): number {
    return this.holds(term) ? (this.#ports.candidate?.remainingMs() ?? 0) : 0;
  }

  version(): number {
    return this.#ports.record().record.version;
  }

  get master(): Master | null {
    const { record, session } = this.#ports.record();
    if (record.master === null || session === null) return null;
    return {
      node: session.node,
      term: record.term,
      version: record.version,
      metadata: record.metadata,
      leaseMs: session.leaseMs,
      isSelf: this.#ports.isSelf(session),
    };
  }

  async campaign(options: CampaignOptions = {}): Promise<Mastership> {
    return this.#campaign(options);
  }

  async #campaign({ signal, timeoutMs }: CampaignOptions): Promise<HeldMastership> {
    const { candidate, clock } = this.#ports;
    if (candidate === null) throw this.#ports.refusal();
    if (this.#closedBy) throw this.#closedBy;
    demandTime('timeoutMs', timeoutMs);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<HeldMastership>();
    const waiter: Waiter = { resolve, reject };
    // At once: a mastership that comes in this very step must not be handed to somebody who has left.
    const giveUp = (reason: unknown) => {
      this.#waiters.delete(waiter);
      reject(reason);
    };
    const onAbort = () => giveUp(signal?.reason);
    const onTimeout = () => {
      const master = this.master?.node ?? 'nobody';
      const late = new TimeoutError(`not master of "${this.name}" after ${timeoutMs} ms (master: ${master})`);
      giveUp(this.#ports.noQuorum() ?? late);
    };
    const timer = timeoutMs === undefined || isForEver(timeoutMs) ? undefined : clock.setTimeout(onTimeout, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiters.add(waiter);
    candidate.want();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (timer !== undefined) clock.clearTimeout(timer);
      this.#waiters.delete(waiter);
      this.#reviewWish('nobody asks any more');
    }
  }

  async runWhileMaster(
    work: (mastership: Mastership) => Promise<void> | void,
    { signal, onError = 'recampaign', graceMs = this.#ports.leaseMs() }: RunWhileMasterOptions = {},
  ): Promise<void> {
    demandTime('graceMs', graceMs);
    for (;;) {
      const mastership = await this.#campaignUntil(signal);
      if (mastership === null) return;
      // Over before the work's turn came, told (isOver) or not (T5): nothing begins by it.
      if (!this.holds(mastership.term)) {
        void this.resign(mastership, 'over before it began');
        continue;
      }
      const stop = () => void this.resign(mastership, 'stopped');
      // T7: what is given back before the work began is free at once; nothing begins by it.
      if (signal?.aborted) {
        stop();
        return;
      }
      signal?.addEventListener('abort', stop, { once: true });
      mastership.graceMs = graceMs;
      // Infinity is not JSON, and inspectors read what the candidate is told.
      // Also one that is no longer than the lease: that may become shorter (T12).
      this.#ports.candidate?.grace(Math.min(graceMs, Number.MAX_SAFE_INTEGER));
      const unwatch = this.#watchOverrun(mastership, graceMs);
      try {
        await mastership.work(() => work(mastership));
        if (!mastership.isOver) {
          await mastership.resign({ reason: 'work done' });
          return;
        }
      } catch (error) {
        if (!isAbortOf(error, mastership)) {
          if (onError === 'throw') {
            await mastership.resign({ reason: 'work failed' });
            throw error;
          }
          this.#ports.onError(error);
          await mastership.resign({ reason: 'work failed' });
        }
      } finally {
        unwatch();
        signal?.removeEventListener('abort', stop);
      }
    }
  }

  /** `null` when the caller's signal or a clean close ended it. */
  async #campaignUntil(signal: AbortSignal | undefined): Promise<HeldMastership | null> {
    if (signal?.aborted) return null;
    try {
      return await this.#campaign(signal ? { signal } : {});
    } catch (error) {
      if (signal?.aborted || error instanceof ClosedError) return null;
      throw error;
    }
  }

  /** After a loss the work has `graceMs` to stop; then somebody must hear of it. No new term is asked for until it has ended. */
  #watchOverrun(mastership: HeldMastership, graceMs: number): () => void {
    const { clock, onError } = this.#ports;
    if (isForEver(graceMs)) return () => {};
    let timer: unknown;
    const onLost = () => {
      timer = clock.setTimeout(() => {
        onError(
          new TimeoutError(
            `work of "${this.name}" with term ${mastership.term} still runs ${graceMs} ms after its mastership ended`,
          ),
        );
      }, graceMs);
    };
    mastership.signal.addEventListener('abort', onLost, { once: true });
    return () => {
      mastership.signal.removeEventListener('abort', onLost);
      if (timer !== undefined) clock.clearTimeout(timer);
    };
  }

  changes(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MasterChange> {
    return this.#news.follow(this.#present(), options.signal);
  }

  async whois(options: { readonly signal?: AbortSignal } = {}): Promise<Master | null> {
    await this.#ports.askPresent(options.signal);
    return this.master;
  }

  async resign(mastership: HeldMastership, reason: string, heir?: Heir | null): Promise<void> {
    const { candidate } = this.#ports;
    if (mastership !== this.#current || candidate === null) return;
    if (!mastership.isOver) {
      mastership.end('resigned');
      candidate.resign(reason, mastership.isIdle, heir ?? undefined);
      this.#settle(mastership);
    }
    await this.#released?.done;
  }

  isStandingBy(node: NodeId): boolean {
    return this.#ports.candidate?.isStandingBy(node) ?? false;
  }

  /** T8: the work goes on until the other has agreed. */
  async heir(mastership: HeldMastership, to: NodeId, timeoutMs?: number): Promise<Heir | null> {
    const { candidate } = this.#ports;
    const released = this.#released;
    if (mastership !== this.#current || mastership.isOver || candidate === null || released === null) return null;
    const options = { signal: mastership.signal, givenBack: released.done };
    return candidate.heir(to, mastership.term, { ...options, ...(timeoutMs !== undefined && { timeoutMs }) });
  }

  /** Priority: it goes to that node if that agrees, and else stays where it is. */
  async cede(mastership: HeldMastership, to: NodeId, reason: string): Promise<void> {
    const heir = this.isStandingBy(to) ? undefined : await this.heir(mastership, to);
    if (heir !== null) await this.resign(mastership, reason, heir);
  }

  async transfer(to: NodeId, { timeoutMs }: TransferOptions = {}): Promise<Master> {
    demandTime('timeoutMs', timeoutMs);
    const mastership = this.#current;
    if (mastership === null || !this.holds(mastership.term)) {
      throw new MastershipLostError(this.name, this.#ports.record().record.term, 'not held by this process');
    }
    const heir = await this.heir(mastership, to, timeoutMs);
    if (heir === null && mastership.isOver) mastership.assert();
    if (heir === null) throw new TimeoutError(`${to} did not agree to take "${this.name}" over`);
    await this.resign(mastership, `transferred to ${to}`, heir);
    const { master } = this;
    if (master === null || master.node !== to || master.term <= mastership.term)
      throw new TimeoutError(`"${this.name}" went to ${master?.node ?? 'nobody'} instead of ${to}`);
    return master;
  }

  /** The candidate lives from now on: it hears who asked before. */
  begun(): void {
    if (this.#waiters.size > 0) this.#ports.candidate?.want();
  }

  /** The lease machine was elected. */
  acquired(term: number): void {
    const mastership = new HeldMastership(this, term, this.#ports.scope);
    this.#current = mastership;
    this.#release(); // Of an earlier term: a snapshot may bring the next one without the change between.
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#released = { term, resolve, done, isLeaseOver: false };
    const [waiter] = this.#waiters;
    if (waiter) {
      this.#waiters.delete(waiter);
      waiter.resolve(mastership);
    } else {
      void this.resign(mastership, 'nobody asks any more');
    }
  }

  /** The lease machine gave up, or its lease ended (T6). */
  lost(term: number, lostBy: string): void {
    const mastership = this.#current;
    if (mastership === null || mastership.term !== term || mastership.isOver) return;
    mastership.end(lostBy);
    if (lostBy !== 'resigned') {
      this.#noteLeaseOver(term);
      this.ended(term);
    }
    this.#settle(mastership);
  }

  /** T7: giving back has come to nothing, and the lease is left to its end or has ended. */
  overrun(term: number): void {
    this.#noteLeaseOver(term);
    this.ended(term);
    if (this.#current?.isIdle) this.#release();
  }

  /** Nobody acts by that mastership any more, or the lease behind it is over. */
  ended(term: number): void {
    if (term <= this.#endedTerm) return;
    this.#endedTerm = term;
    this.#ports.onEnded(term);
  }

  /** The record changed, as applied or heard here. */
  changed(): void {
    const change = this.#present();
    this.#news.push(change);
    const isStillOurs = this.#released !== null && change.current?.term === this.#released.term;
    if (this.#current?.isOver && !isStillOurs) this.#release();
  }

  /** No mastership any more, ever: `reason` is what campaigns are refused with. */
  close(reason: unknown): void {
    this.#closedBy = reason;
    if (this.#current && !this.#current.isOver) this.#current.end(reason instanceof ClosedError ? 'closed' : 'failed');
    if (this.#current) this.ended(this.#current.term);
    for (const waiter of this.#waiters) waiter.reject(reason);
    this.#waiters.clear();
    this.#release();
    this.#news.close();
  }

  /** Somebody here waits for a mastership or holds one. */
  get isWanted(): boolean {
    return this.#waiters.size > 0 || (this.#current !== null && !this.#current.isOver);
  }

  /** The mastership held now, or being given back. */
  get current(): HeldMastership | null {
    return this.#current;
  }

  #settle(mastership: HeldMastership): void {
    void mastership.settled().then(() => {
      if (this.#closedBy) return;
      this.ended(mastership.term);
      this.#ports.candidate?.settled();
      if (this.#current !== mastership) return;
      // Over by its own clock: nobody is told, the lease behind it has ended or ends by itself.
      const { record } = this.#ports.record();
      const isFree = record.master === null || record.term !== mastership.term;
      if (isFree || this.#released?.isLeaseOver) this.#release();
      this.#reviewWish('mastership over');
    });
  }

  #noteLeaseOver(term: number): void {
    if (this.#released?.term === term) this.#released.isLeaseOver = true;
  }

  #release(): void {
    this.#released?.resolve();
    this.#released = null;
  }

  /** The wish stands as long as somebody waits for a mastership or holds one. */
  #reviewWish(reason: string): void {
    if (!this.isWanted) this.#ports.candidate?.unwant(reason);
  }

  #present(): MasterChange {
    const { record } = this.#ports.record();
    return { election: this.name, current: this.master, cause: record.cause, version: record.version };
  }
}

/** The work stopped because it was told to, or because it looked at the clock before the notice came: nothing to report. */
const isAbortOf = (error: unknown, mastership: HeldMastership): boolean => {
  if (error instanceof MastershipLostError && error.term === mastership.term) return true;
  if (!mastership.isOver || !(error instanceof Error)) return false;
  return error === mastership.signal.reason || error.name === 'AbortError' || error.name === 'MastershipLostError';
};
