import { MasterView } from '@synod/mastership';
import type { Clock, MasterNews, Message, News, Received } from '@synod/protocol';

export interface OnlookerOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Asks all members for the present. */
  readonly ask: () => void;
  /** News that were not known; the view shows them already. */
  readonly onNews: (news: MasterNews) => void;
  readonly onError: (error: unknown) => void;
}

/** A node outside the log: what it hears of masters, and how it asks when it may have missed something. */
export class Onlooker {
  readonly heard = new MasterView();
  readonly #options: OnlookerOptions;
  readonly #listening = new Set<() => void>();
  readonly #asking = new Set<() => void>();
  #askAgainAtMs = 0;
  /** All that changed up to this position was heard of. */
  #heardThrough = 0;

  constructor(options: OnlookerOptions) {
    this.#options = options;
  }

  /** News of the fold; lower versions are dropped. */
  hear(messages: readonly Received<Message>[]): void {
    for (const message of messages) {
      if (message.type !== 'news' && message.type !== 'outcomes') continue;
      for (const news of message.changes) {
        const changes = this.heard.hear(news);
        if (changes) this.#options.onNews(changes);
      }
      if (message.type === 'news') this.#follow(message);
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

  /** News that was lost without a sign (fault 33) is missed when the next comes: no later one would tell it. */
  #follow({ changes, after }: News): void {
    for (const { position, isWhole } of changes)
      if (isWhole) this.#heardThrough = Math.max(this.#heardThrough, position);
    if (after === undefined) return;
    if (after > this.#heardThrough) return this.#askAgain();
    for (const { position } of changes) this.#heardThrough = Math.max(this.#heardThrough, position);
  }

  /** Four times a lease at most. */
  #askAgain(): void {
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#askAgainAtMs) return;
    this.#askAgainAtMs = nowMs + this.#options.leaseMs / 4;
    void this.askPresent().catch(this.#options.onError);
  }
}
