import { isTerm, StaleFenceError } from '@synod/protocol';
import type { Fence } from './fence.ts';

/** A fence that lives as long as its process: for a resource whose state does so too. */
export class MemoryFence implements Fence {
  readonly #highest = new Map<string, number>();

  async check(election: string, term: number): Promise<void> {
    if (this.admits(election, term)) return;
    const seen = this.#highest.get(election);
    throw new StaleFenceError(election, term, isTerm(term) ? `term ${seen} has been seen` : 'it is no term');
  }

  /** The same as {@link check} without a promise: for a resource that must not wait between the check and the write. */
  admits(election: string, term: number): boolean {
    if (!isTerm(term) || term < (this.#highest.get(election) ?? 0)) return false;
    this.#highest.set(election, term);
    return true;
  }
}

/** @see MemoryFence */
export const memoryFence = (): MemoryFence => new MemoryFence();
