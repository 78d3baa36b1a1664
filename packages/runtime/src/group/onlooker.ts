import type { MasterView } from '@synod/mastership';
import type { Clock, MasterNews, Message, Received } from '@synod/protocol';

export interface OnlookerOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly heard: MasterView;
  /** Asks all members for the present. */
  readonly ask: () => void;
  /** News that were not known; the view shows them already. */
  readonly onNews: (news: MasterNews) => void;
  readonly onError: (error: unknown) => void;
}

/** A node outside the log: what it hears of masters, and how it asks when it may have missed something. */
export class Onlooker {
  readonly heard: MasterView;
  readonly #options: OnlookerOptions;
  readonly #listening = new Set<() => void>();
  readonly #asking = new Set<() => void>();
  #askAgainAtMs = 0;

  constructor(options: OnlookerOptions) {
    this.#options = options;
    this.heard = options.heard;
  }

  /** News of the fold; lower versions are dropped. */
  hear(messages: readonly Received<Message>[]): void {
    for (const message of messages) {
      if (message.type !== 'news' && message.type !== 'outcomes') continue;
      for (const news of message.changes) {
        const changes = this.heard.hear(news);
        if (changes) this.#options.onNews(changes);
      }
      if (message.type === 'news' && this.heard.misses(message)) this.#askAgain();
    }
    for (const onHeard of this.#listening) onHeard();
  }

  /** Asks the members, and listens for a fiftieth of a lease after the first answer, at most half a lease. */
  async askPresent(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { clock, leaseMs, ask } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timers = [clock.setTimeout(resolve, leaseMs / 2)];
    const onHeard = () => {
      this.#listening.delete(onHeard);
      timers.push(clock.setTimeout(resolve, leaseMs / 50));
    };
    this.#listening.add(onHeard);
    this.#asking.add(resolve);
    const onAbort = () => resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    ask();
    await promise;
    signal?.removeEventListener('abort', onAbort);
    this.#listening.delete(onHeard);
    this.#asking.delete(resolve);
    for (const timer of timers) clock.clearTimeout(timer);
    signal?.throwIfAborted();
  }

  /** Whoever still asks has its answer: what was heard so far. */
  close(): void {
    for (const resolve of this.#asking) resolve();
  }

  /** Four times a lease at most. */
  #askAgain(): void {
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#askAgainAtMs) return;
    this.#askAgainAtMs = nowMs + this.#options.leaseMs / 4;
    void this.askPresent().catch(this.#options.onError);
  }
}
