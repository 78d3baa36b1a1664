import type { CommandId } from '@synod/protocol';
import type { MasterReader } from '../fold/master-reader.ts';

/** At the least so many sights are kept: renewals that were seen and are not applied yet. */
const KEPT = 1_024;

/**
 * When this node first saw each command id, on its own monotonic clock: where the wait of T2 begins. Never persisted, never
 * handed to another node. Forgetting makes a wait longer, not shorter; what a wait may still count by is not forgotten.
 */
export class Sights {
  readonly #view: MasterReader;
  readonly #firstAtMs = new Map<CommandId, number>();
  #limit = 2 * KEPT;

  constructor(view: MasterReader) {
    this.#view = view;
  }

  get size(): number {
    return this.#firstAtMs.size;
  }

  has(id: CommandId): boolean {
    return this.#firstAtMs.has(id);
  }

  /** First sight of `id`: `nowMs`, unless it was seen before. Hearing an id again does not restart its wait. */
  note(id: CommandId, nowMs: number): number {
    const firstAtMs = this.#firstAtMs.get(id);
    if (firstAtMs !== undefined) return firstAtMs;
    this.#firstAtMs.set(id, nowMs);
    if (this.#firstAtMs.size > this.#limit) this.#prune();
    return nowMs;
  }

  #prune(): void {
    const living = new Set(Array.from(this.#view.sessions(), ({ setBy }) => setBy));
    let surplus = this.#firstAtMs.size - KEPT;
    for (const id of this.#firstAtMs.keys()) {
      if (surplus-- <= 0) break;
      if (!living.has(id)) this.#firstAtMs.delete(id);
    }
    this.#limit = Math.max(2 * KEPT, 2 * this.#firstAtMs.size);
  }
}
