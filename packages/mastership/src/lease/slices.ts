export interface SlicesOptions<Item> {
  readonly tell: (item: Item) => void;
  /** Whether there is room for one more; who was kept back is told on {@link Slices.resume}. Default: always. */
  readonly mayTell?: () => boolean;
  /** Calls `work` after so long. */
  readonly later: (work: () => void, delayMs: number) => void;
}

/** How many are told in one turn: messages of the log are waiting too. */
export const AT_ONCE = 32;

/** Those who are to be told something, each once, a few of them in a turn. */
export class Slices<Item> {
  readonly #options: SlicesOptions<Item>;
  readonly #waiting = new Set<Item>();
  #isDue = false;

  constructor(options: SlicesOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(item: Item): boolean {
    return this.#waiting.has(item);
  }

  /** @param delayMs - Until the first of them is told. */
  add(item: Item, delayMs = 1): void {
    this.#waiting.add(item);
    this.#arm(delayMs);
  }

  /** @returns true when it was still to be told. */
  delete(item: Item): boolean {
    return this.#waiting.delete(item);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** There is room again. */
  resume(): void {
    if (this.#waiting.size > 0) this.#arm(1);
  }

  /** Tells all who are left, in this turn. */
  flush(): void {
    for (const item of this.#waiting) this.#tell(item);
  }

  #arm(delayMs: number): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.later(this.#next, delayMs);
  }

  readonly #next = (): void => {
    this.#isDue = false;
    let told = 0;
    for (const item of this.#waiting) {
      if (this.#options.mayTell?.() === false) return;
      if (++told > AT_ONCE) return this.#arm(1);
      this.#tell(item);
    }
  };

  #tell(item: Item): void {
    this.#waiting.delete(item);
    this.#options.tell(item);
  }
}
