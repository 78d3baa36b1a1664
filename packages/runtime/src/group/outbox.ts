import type { Codec, Journal, JournalRecord, Message, NodeId } from '@synod/protocol';

/** Records, and what may be said once they are durable. */
export interface Bundle {
  readonly records: readonly JournalRecord[];
  readonly replies: readonly { readonly to: NodeId; readonly message: Message }[];
}

export interface OutboxOptions {
  readonly journal: Journal;
  readonly codec: Codec;
  readonly send: (to: NodeId, message: Message) => void;
  /** Called once, with the first failure: from then on nothing is answered (P3). */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The one law of order: **persist, then send** (P3). Bundles that come while a flush is under way wait for the next one;
 * their replies leave after the flush that holds their records, in the order of the bundles.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Bundle[] = [];
  #isFlushing = false;
  #isOver = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(bundle: Bundle): void {
    if (this.#isOver) return;
    if (bundle.records.length === 0 && !this.#isFlushing && this.#waiting.length === 0) return this.#release([bundle]);
    const { journal, codec } = this.#options;
    try {
      for (const record of bundle.records) journal.append(codec.encodeRecord(record));
    } catch (error) {
      return this.#fail(error);
    }
    this.#waiting.push(bundle);
    if (!this.#isFlushing) void this.#flush();
  }

  /** A record that nothing waits for: it goes with the next flush. */
  note(record: JournalRecord): void {
    if (this.#isOver) return;
    const { journal, codec } = this.#options;
    try {
      journal.append(codec.encodeRecord(record));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Resolves when everything added so far is durable, or the journal has failed. */
  async idle(): Promise<void> {
    while (this.#isFlushing && !this.#isOver) await this.#options.journal.flush().catch(() => {});
  }

  /** The node leaves: nothing more is written or said, and that the journal is closed is no failure. */
  close(): void {
    this.#isOver = true;
    this.#waiting = [];
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    while (this.#waiting.length > 0 && !this.#isOver) {
      const bundles = this.#waiting;
      this.#waiting = [];
      try {
        await this.#options.journal.flush();
      } catch (error) {
        return this.#fail(error);
      }
      if (!this.#isOver) this.#release(bundles);
    }
    this.#isFlushing = false;
  }

  #release(bundles: readonly Bundle[]): void {
    for (const { replies } of bundles) for (const { to, message } of replies) this.#options.send(to, message);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#options.onFailure(error);
  }
}
