import type { Claim, Claimed, Message } from '@synod/protocol';
import { type Life, mustLeave } from './identity.rules.ts';

export interface IdentityOptions {
  readonly life: () => Life;
  readonly say: (message: Claim | Claimed) => void;
  /** Another life of this node id goes on; this one must not. */
  readonly leave: (other: Life) => void;
  readonly leaseMs: number;
}

/** I1 at work: one node id, one live incarnation. Only messages of this node id's other lives come here. */
export class Identity {
  readonly #options: IdentityOptions;
  #isClaiming = true;

  constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /** Asks on this node's own subject whether it lives already. */
  claim(): void {
    this.#options.say({ type: 'claim', ...this.#options.life() });
  }

  /** Nobody answered in time: from now on this life answers for the id. */
  settle(): void {
    this.#isClaiming = false;
  }

  heard(message: Message): void {
    if (message.type === 'claimed' && this.#isClaiming) return this.#options.leave(message);
    if (message.type !== 'claim' && message.type !== 'claimed') return this.claim();
    const own = this.#options.life();
    if (mustLeave(own, message, this.#options.leaseMs)) return this.#options.leave(message);
    if (message.type === 'claim') this.#options.say({ type: 'claimed', ...own });
  }
}
