import { setTimeout as delay } from 'node:timers/promises';
import { machineNowMs } from './machine-clock.ts';
import type { MemberProcess } from './member-process.ts';

/** How many masterships each member holds now, and how many it has lost, as it says. */
export class Holdings {
  readonly #held = new Map<string, { readonly held: number; readonly lost: number }>();

  constructor(members: readonly Pick<MemberProcess, 'node' | 'hear'>[]) {
    for (const member of members) member.hear('holds', (holds) => this.#held.set(member.node, holds));
  }

  sum(what: 'held' | 'lost', except?: string): number {
    return [...this.#held].reduce((sum, [node, holds]) => sum + (node === except ? 0 : holds[what]), 0);
  }

  /** Resolves when so many are held. @throws when they are not in time, or the bench cannot go on. */
  async reach(count: number, withinMs: number, signal: AbortSignal, except?: string): Promise<void> {
    const untilMs = machineNowMs() + withinMs;
    while (this.sum('held', except) < count) {
      if (machineNowMs() > untilMs)
        throw new Error(`${this.sum('held', except)} of ${count} are held after ${withinMs} ms`);
      await delay(1, undefined, { signal });
    }
  }
}
