import type { Heir } from '@synod/mastership';
import type { Clock, Consent, NodeId, Received, TimerHandle } from '@synod/protocol';

export interface OffersOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly offer: (to: NodeId, election: string, term: number) => void;
}

interface Open {
  readonly election: string;
  readonly to: NodeId;
  readonly term: number;
  readonly settle: (heir: Heir | null) => void;
}

/**
 * T8: elections of this node that are offered to others, until they agree or the time for it is over. One may be offered to
 * several at a time, and to one more than once: each who asked hears of his own offer, and the first to agree gets it.
 */
export class Offers {
  readonly #options: OffersOptions;
  readonly #open = new Set<Open>();
  /** Ends what is told to those who agreed. */
  readonly #repeating = new Set<() => void>();
  #isClosed = false;

  constructor(options: OffersOptions) {
    this.#options = options;
  }

  /**
   * Asks a node whether it would take an election over.
   * @param signal - The mastership is over: there is nothing to offer any more.
   * @param givenBack - Until then whoever agreed is told that it still stands: work may take its time to stop.
   * @returns `null` when it does not answer in time.
   */
  ask(
    election: string,
    to: NodeId,
    term: number,
    {
      timeoutMs = this.#options.leaseMs() / 4,
      signal,
      givenBack,
    }: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly givenBack?: Promise<void> } = {},
  ): Promise<Heir | null> {
    const { clock, leaseMs, offer } = this.#options;
    const { promise, resolve } = Promise.withResolvers<Heir | null>();
    const endsAtMs = clock.now() + timeoutMs;
    let timer: TimerHandle;
    const offerNow = (leftMs: number) => {
      offer(to, election, term);
      // Messages are lost, and whoever does not wait for it yet may do so later: asked again.
      // Never for less than a millisecond: a timer that is early by a trace would find that trace left, for ever.
      timer = clock.setTimeout(wake, Math.max(1, Math.min(leaseMs() / 8, leftMs)));
    };
    const wake = () => {
      const leftMs = endsAtMs - clock.now();
      // Timers fire up to 1 ms early; and what is left may be too little for a clock to tell.
      if (leftMs < 1) open.settle(null);
      else offerNow(leftMs);
    };
    const onOver = () => open.settle(null);
    const open: Open = {
      election,
      to,
      term,
      settle: (heir) => {
        clock.clearTimeout(timer);
        signal?.removeEventListener('abort', onOver);
        this.#open.delete(open);
        resolve(heir);
        if (heir !== null && givenBack) this.#repeat(() => offer(to, election, term), givenBack);
      },
    };
    this.#open.add(open);
    signal?.addEventListener('abort', onOver, { once: true });
    offerNow(timeoutMs);
    return promise;
  }

  isOpen(election: string): boolean {
    for (const open of this.#open) if (open.election === election) return true;
    return false;
  }

  answered({ election, from, term, session, metadata }: Received<Consent>): void {
    for (const open of [...this.#open]) {
      const isMeant = open.election === election && open.to === from && open.term === term;
      if (isMeant) open.settle({ session, metadata });
    }
  }

  /** Not after this node has left, whatever became of the mastership. */
  #repeat(offer: () => void, until: Promise<void>): void {
    const { clock, leaseMs } = this.#options;
    let timer: TimerHandle;
    const rest = () => {
      timer = clock.setTimeout(again, leaseMs() / 8);
    };
    const again = () => {
      offer();
      rest();
    };
    const stop = () => {
      clock.clearTimeout(timer);
      this.#repeating.delete(stop);
    };
    if (this.#isClosed) return;
    this.#repeating.add(stop);
    rest();
    void until.then(stop);
  }

  close(): void {
    this.#isClosed = true;
    for (const { settle } of [...this.#open]) settle(null);
    for (const stop of [...this.#repeating]) stop();
  }
}
