import type { Cause, NodeId } from '@synod/protocol';

/** Who is master, as last heard: news, not a licence. */
export interface Master {
  readonly node: NodeId;
  /** Fencing token: grows with each mastership of the election, never returns (S1). */
  readonly term: number;
  /** Position of the last command that changed the record: the greater is the newer news. */
  readonly version: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly leaseMs: number;
  /** True when it is this very process. */
  readonly isSelf: boolean;
}

/** A change of mastership, in the order of versions; some may be left out, the newest never. */
export interface MasterChange {
  readonly election: string;
  readonly current: Master | null;
  /** How the record came to its present state. */
  readonly cause: Cause;
  readonly version: number;
}

/**
 * How this process stands for one election. Counts from the first time it is given, which is to be before it campaigns: later
 * is a ConfigError.
 */
export interface ElectionOptions {
  /** 0 … 100: a higher one waits less when the mastership is free. Default: that of the group, which `configure` may change. */
  readonly priority?: number;
  /** Travels with the mastership. Default: that of the group. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * A veto of this election's own, beside that of the group: asked before it is campaigned for and before each renewal. Who
   * says no does not ask for it, and gives it back when it is master, by its next renewal; what else it holds stays. No answer
   * for half a lease is a no. Elections that share a function share its answers.
   */
  readonly eligible?: () => boolean | Promise<boolean>;
}

export interface CampaignOptions {
  readonly signal?: AbortSignal;
  /** Give up after this long, ms, with a TimeoutError, or a NoQuorumError where that is why. Default: never. */
  readonly timeoutMs?: number;
}

export interface RunWhileMasterOptions {
  /** Ends it: the work's signal aborts, the mastership is resigned, the promise resolves. */
  readonly signal?: AbortSignal;
  /** After an error of the work: ask again, later (default), or reject with it. The mastership is resigned either way. */
  readonly onError?: 'recampaign' | 'throw';
  /**
   * How long work may go on after its mastership is over before an error event says so, ms. Default: one lease. A mastership
   * that is resigned, or left by `close()`, is kept from others so long, and a lease at the least.
   */
  readonly graceMs?: number;
}

export interface ResignOptions {
  /** The node that is to be master next: it must be waiting for it. */
  readonly to?: NodeId;
  readonly reason?: string;
}

export interface TransferOptions {
  /** How long the other may take to agree, ms. Default: a quarter of a lease. */
  readonly timeoutMs?: number;
}

/** One mastership of this process: from `elected` to the end of its lease, resignation included. */
export interface Mastership extends AsyncDisposable {
  readonly election: string;
  /** Fencing token: send it with every effect (F1). */
  readonly term: number;
  /** Version of the record; grows when it changes. */
  readonly version: number;
  /** Aborts when the mastership is over, with a MastershipLostError as reason. A notice: it may come late (T5). */
  readonly signal: AbortSignal;
  /** Time left by this process's clock, ms; 0 when it is over. */
  remainingMs(): number;
  /** @throws MastershipLostError unless the lease holds at this instant. */
  assert(): void;
  /**
   * Asserts, lets `effect` act with the term, asserts again. Resigning waits for it to settle.
   * @throws MastershipLostError when the lease does not hold before or after: after, the effect may have happened.
   */
  run<T>(effect: (term: number) => Promise<T> | T): Promise<T>;
  /** `Synod-Term` and `Synod-Election`, for a message of this mastership (F1). */
  headers(): Record<string, string>;
  /**
   * Stops acting, waits for running effects to settle, then tells the others (T7). Resolves when the record is free; inside
   * the work of `runWhileMaster` or an effect of `run` at once: the record is freed when that has returned. With `to` it is handed over
   * to that node if it agrees within a quarter of a lease, and the work goes on until it has; else it is free for all.
   */
  resign(options?: ResignOptions): Promise<void>;
}

/** A named mastership of a group. */
export interface Election {
  readonly name: string;
  /** T5: the clock, at this instant. */
  isMaster(): boolean;
  /** Last known: news, not a licence. */
  readonly master: Master | null;
  /**
   * Runs `work` whenever this process is master, never twice at once. Work that returns while it is master resigns and ends
   * this. After a loss its signal aborts; when it has settled, this process asks again.
   */
  runWhileMaster(
    work: (mastership: Mastership) => Promise<void> | void,
    options?: RunWhileMasterOptions,
  ): Promise<void>;
  /** Resolves when this process is master. @throws TimeoutError, NoQuorumError, ClosedError, or the signal's reason. */
  campaign(options?: CampaignOptions): Promise<Mastership>;
  /** The present first, then each change, newest wins; `current: null` when nobody is master. */
  changes(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<MasterChange>;
  /**
   * Hands the mastership of this process over to another node, which must be waiting for it (T8). The work goes on until the
   * other agrees, then stops; resolves when the other is master. The work itself had better not wait for that, which would be
   * for its own end: it calls `resign({ to })`.
   * @throws MastershipLostError when this process does not hold it; TimeoutError when the other does not agree.
   */
  transfer(to: NodeId, options?: TransferOptions): Promise<Master>;
  /** Asks who is master: the highest version heard. */
  whois(options?: { readonly signal?: AbortSignal }): Promise<Master | null>;
}
