/** A value that changes. Followers get the present, then the newest each time they ask: what was overtaken is left out. */
export class Latest<T> {
  readonly #followers = new Set<Follower<T>>();
  #isClosed = false;

  push(value: T): void {
    for (const follower of this.#followers) follower.push(value);
  }

  close(): void {
    this.#isClosed = true;
    for (const follower of this.#followers) follower.end();
    this.#followers.clear();
  }

  follow(present: T, signal?: AbortSignal): AsyncIterableIterator<T> {
    const follower = new Follower<T>(() => {
      this.#followers.delete(follower);
      signal?.removeEventListener('abort', stop);
    });
    const stop = () => follower.end();
    follower.push(present);
    if (this.#isClosed || signal?.aborted) {
      follower.end();
    } else {
      this.#followers.add(follower);
      signal?.addEventListener('abort', stop, { once: true });
    }
    return follower;
  }
}

class Follower<T> implements AsyncIterableIterator<T> {
  readonly #onEnd: () => void;
  #newest: { readonly value: T } | null = null;
  #waiting: ((result: IteratorResult<T>) => void) | null = null;
  #hasEnded = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(value: T): void {
    if (this.#waiting) {
      this.#waiting({ done: false, value });
      this.#waiting = null;
    } else {
      this.#newest = { value };
    }
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd();
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = null;
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.#newest) {
      const { value } = this.#newest;
      this.#newest = null;
      return { done: false, value };
    }
    if (this.#hasEnded) return { done: true, value: undefined };
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async return(): Promise<IteratorResult<T>> {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this;
  }
}
