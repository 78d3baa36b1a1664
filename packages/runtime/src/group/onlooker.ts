import type { MasterView } from '@synod/mastership';
import type { Clock, MasterNews, Message, News, NodeId, Received, Session, TimerHandle } from '@synod/protocol';

export interface OnlookerOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
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
  /** Of answers that take several messages: how many came in turn, and which sessions live by them. */
  readonly #gathered = new Map<NodeId, { pieces: number; readonly sessions: Session[] }>();
  #askAgainAtMs = 0;

  constructor(options: OnlookerOptions) {
    this.#options = options;
    this.heard = options.heard;
  }

  /** News of the fold; lower versions are dropped. */
  hear(messages: readonly Received<Message>[]): void {
    for (const message of messages) {
      if (message.type !== 'news' && message.type !== 'outcomes') continue;
      for (const news of message.changes) this.#take(news);
      if (message.type === 'outcomes') continue;
      const whole = this.#gather(message);
      if (whole) this.#take(whole);
      if (this.heard.misses(whole ? { changes: [whole] } : message)) this.#askAgain();
    }
    for (const onHeard of this.#listening) onHeard();
  }

  #take(news: MasterNews): void {
    const changes = this.heard.hear(news);
    if (changes) this.#options.onNews(changes);
  }

  /** @returns what the pieces of an answer were, when the last has come and none is missing: a session none of them names has ended. */
  #gather({ from, changes, after, piece }: Received<News>): MasterNews | null {
    if (!piece || after !== undefined) return null;
    if (piece.index === 0) this.#gathered.set(from, { pieces: 0, sessions: [] });
    const gathered = this.#gathered.get(from);
    if (gathered?.pieces !== piece.index) {
      // Said once: what follows of this answer is of use piece by piece.
      if (this.#gathered.delete(from)) this.#askAgain();
      return null;
    }
    gathered.pieces++;
    for (const { sessions } of changes) gathered.sessions.push(...sessions);
    if (!piece.isLast) return null;
    this.#gathered.delete(from);
    const { position } = changes.at(-1) ?? { position: 0 };
    return { position, sessions: gathered.sessions, ended: [], records: [], isWhole: true };
  }

  /**
   * Asks the members, and listens for a fiftieth of a lease after the first answer, and after each piece of one that is not whole
   * yet; at most half a lease.
   */
  async askPresent(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { clock, leaseMs, ask } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = clock.setTimeout(resolve, leaseMs() / 2);
    let rest: TimerHandle | null = null;
    const onHeard = () => {
      if (rest !== null && this.#gathered.size === 0) return;
      clock.clearTimeout(rest);
      rest = clock.setTimeout(resolve, leaseMs() / 50);
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
    for (const timer of [limit, rest]) clock.clearTimeout(timer);
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
    this.#askAgainAtMs = nowMs + this.#options.leaseMs() / 4;
    void this.askPresent().catch(this.#options.onError);
  }
}
