import type { Heir } from '@synod/mastership';
import type { Clock, Consent, NodeId, Received } from '@synod/protocol';

export interface OffersOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly offer: (to: NodeId, election: string, term: number) => void;
}

interface Open {
  readonly to: NodeId;
  readonly term: number;
  readonly settle: (heir: Heir | null) => void;
}

/** T8: elections of this node that are offered to others, until they agree or the time for it is over. */
export class Offers {
  readonly #options: OffersOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: OffersOptions) {
    this.#options = options;
  }

  /** Asks a node whether it would take an election over. @returns `null` when it does not answer in time. */
  ask(election: string, to: NodeId, term: number, timeoutMs = this.#options.leaseMs() / 4): Promise<Heir | null> {
    const { clock, offer } = this.#options;
    this.#open.get(election)?.settle(null);
    const { promise, resolve } = Promise.withResolvers<Heir | null>();
    // Messages are lost: asked again once, half-way.
    const again = clock.setTimeout(() => offer(to, election, term), timeoutMs / 2);
    const end = clock.setTimeout(() => open.settle(null), timeoutMs);
    const open: Open = {
      to,
      term,
      settle: (heir) => {
        clock.clearTimeout(again);
        clock.clearTimeout(end);
        if (this.#open.get(election) === open) this.#open.delete(election);
        resolve(heir);
      },
    };
    this.#open.set(election, open);
    offer(to, election, term);
    return promise;
  }

  isOpen(election: string): boolean {
    return this.#open.has(election);
  }

  answered({ election, from, term, session, metadata }: Received<Consent>): void {
    const open = this.#open.get(election);
    if (open && open.to === from && open.term === term) open.settle({ session, metadata });
  }

  close(): void {
    for (const { settle } of [...this.#open.values()]) settle(null);
  }
}
