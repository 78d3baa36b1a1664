import type { MemberProcess } from './member-process.ts';

/** How many masterships each member holds now, and how many it has lost, as it says. */
export class Holdings {
  readonly #held = new Map<string, { readonly held: number; readonly lost: number }>();

  readonly #looking = new Set<() => void>();

  constructor(members: readonly Pick<MemberProcess, 'node' | 'hear'>[]) {
    for (const member of members) {
      member.hear('holds', (holds) => {
        this.#held.set(member.node, holds);
        for (const look of this.#looking) look();
      });
    }
  }

  sum(what: 'held' | 'lost', except?: string): number {
    return [...this.#held].reduce((sum, [node, holds]) => sum + (node === except ? 0 : holds[what]), 0);
  }

  /** Resolves when so many are held. */
  async reach(count: number, except?: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => this.sum('held', except) >= count && resolve();
    this.#looking.add(look);
    look();
    await promise;
    this.#looking.delete(look);
  }
}
