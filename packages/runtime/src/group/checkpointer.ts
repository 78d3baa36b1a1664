import type { SnapshotState } from '@synod/paxos';
import type { Journal } from '@synod/protocol';

export interface CheckpointerOptions {
  readonly journal: Journal;
  /** The whole present state as records, and the snapshot among them. One cut: called in one go (P6). */
  readonly cut: () => { readonly records: readonly Uint8Array[]; readonly snapshot: SnapshotState };
  /** The snapshot is durable: slots up to its last may be forgotten (P6). */
  readonly trim: (snapshot: SnapshotState) => void;
  readonly onFailure: (error: unknown) => void;
}

/** A journal grows to this before its first checkpoint, bytes; later to as much as the last checkpoint if that was more. */
export const CHECKPOINT_BYTES = 1024 * 1024;

/** Asked at each message, and hardly ever more than this. */
export const NOTHING_TO_DO: Promise<void> = Promise.resolve();

/** Keeps the journal short: the lease alone writes four records a lease, for ever (P6). */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #isAtWork = false;
  #lastBytes = 0;
  count = 0;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** Makes a checkpoint when enough has been written since the last. */
  review(limitBytes = Math.max(CHECKPOINT_BYTES, this.#lastBytes)): Promise<void> {
    const isDue = !this.#isAtWork && this.#options.journal.bytesSinceCheckpoint >= limitBytes;
    return isDue ? this.#make() : NOTHING_TO_DO;
  }

  async #make(): Promise<void> {
    const { journal, cut, trim, onFailure } = this.#options;
    this.#isAtWork = true;
    try {
      const { records, snapshot } = cut();
      await journal.checkpoint(records);
      this.#lastBytes = records.reduce((sum, record) => sum + record.byteLength, 0);
      this.count++;
      trim(snapshot);
    } catch (error) {
      onFailure(error);
    } finally {
      this.#isAtWork = false;
    }
  }
}
