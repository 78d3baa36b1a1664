import { type Clock, type Subscription, TimeoutError, type TimerHandle } from '@synod/protocol';

/** The user's word whether this process may be master: unhealthy, draining, behind in its own data. */
export type Check = () => boolean | Promise<boolean>;

export interface HealthOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly onError: (error: unknown) => void;
}

interface Watch {
  readonly polls: readonly Poll[];
  readonly tell: (isEligible: boolean) => void;
  /** `null` while it begins. */
  told: boolean | null;
}

interface Poll {
  readonly check: Check;
  readonly watches: Set<Watch>;
  /** False until it has said yes. */
  isEligible: boolean;
  hasThrown: boolean;
  /** It was late the last time; said once. */
  isLate: boolean;
  timer: TimerHandle | null;
}

/**
 * Asks the user's vetoes: before anything is asked for in their name, then eight times a lease, so that each renewal has been
 * asked about since the last one. A check is asked once for all who share it, and by nobody when nobody here asks for
 * or holds what it may veto. No answer for half a lease is a no.
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #polls = new Map<Check, Poll>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Tells at once whether all of them say yes, as far as they have answered, then each change, until it is closed. */
  watch(checks: readonly Check[], tell: (isEligible: boolean) => void): Subscription {
    const fresh: Poll[] = [];
    const polls = checks.map((check) => this.#polls.get(check) ?? this.#begin(check, fresh));
    const watch: Watch = { polls, tell, told: null };
    for (const { watches } of polls) watches.add(watch);
    for (const poll of fresh) void this.#ask(poll);
    const value = isEligible(watch);
    watch.told = value;
    tell(value);
    return { close: () => this.#leave(watch) };
  }

  close(): void {
    for (const poll of this.#polls.values()) this.#end(poll);
  }

  #begin(check: Check, fresh: Poll[]): Poll {
    const poll: Poll = { check, watches: new Set(), isEligible: false, hasThrown: false, isLate: false, timer: null };
    this.#polls.set(check, poll);
    fresh.push(poll);
    return poll;
  }

  #leave(watch: Watch): void {
    for (const poll of watch.polls) {
      poll.watches.delete(watch);
      if (poll.watches.size === 0) this.#end(poll);
    }
  }

  #end(poll: Poll): void {
    this.#options.clock.clearTimeout(poll.timer);
    if (this.#polls.get(poll.check) === poll) this.#polls.delete(poll.check);
  }

  /** What answers at once counts at once: a campaign does not wait for it. */
  async #ask(poll: Poll): Promise<void> {
    const { clock, leaseMs, onError } = this.#options;
    const patienceMs = leaseMs() / 2;
    let isLate = false;
    poll.timer = clock.setTimeout(() => {
      isLate = true;
      this.#answered(poll, false);
      if (poll.isLate) return;
      poll.isLate = true;
      // It is not asked again before it answers: who hangs for good must be heard of.
      onError(new TimeoutError(`eligible() has not answered for ${patienceMs} ms: that is a no until it does`));
    }, patienceMs);
    try {
      const answer = poll.check();
      this.#answered(poll, typeof answer === 'boolean' ? answer : (await answer) === true);
      poll.hasThrown = false;
    } catch (error) {
      this.#answered(poll, false);
      if (!poll.hasThrown) onError(error);
      poll.hasThrown = true;
    }
    if (this.#polls.get(poll.check) !== poll) return;
    poll.isLate = isLate;
    clock.clearTimeout(poll.timer);
    poll.timer = clock.setTimeout(() => void this.#ask(poll), leaseMs() / 8);
  }

  #answered(poll: Poll, value: boolean): void {
    if (this.#polls.get(poll.check) !== poll || poll.isEligible === value) return;
    poll.isEligible = value;
    for (const watch of [...poll.watches]) this.#review(watch);
  }

  #review(watch: Watch): void {
    const value = isEligible(watch);
    if (watch.told === null || value === watch.told) return;
    watch.told = value;
    watch.tell(value);
  }
}

const isEligible = ({ polls }: Watch): boolean => polls.every((poll) => poll.isEligible);
