import { memoryFence } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import type { GroupWatcher } from '../group/watcher.ts';
import type { World } from '../world/world.ts';

/**
 * What masters work on: for each election one resource behind the fence that users get (F2), and one that takes everything. A
 * write is decided at its master and arrives later: what is in between no lease can take back (fault 28).
 */
export class Resources {
  readonly #world: World;
  readonly #watcher: GroupWatcher;
  readonly #fence = memoryFence();
  readonly #unfencedHighest = new Map<string, number>();
  accepted = 0;
  refused = 0;
  /** Writes of an older term after those of a newer one: what the fence is for. */
  interleaved = 0;

  constructor(world: World, watcher: GroupWatcher) {
    this.#world = world;
    this.#watcher = watcher;
  }

  /** A master decides to write to both. */
  write(life: Life, election: string, term: number, delayMs: number): void {
    const { process } = life;
    // What a dead process had not sent is never sent.
    if (!process.touch()) return;
    const decidedMs = process.nowMs;
    this.#world.plan(decidedMs + delayMs, () => this.#arrive(life, election, term, decidedMs));
  }

  #arrive(life: Life, election: string, term: number, decidedMs: number): void {
    const isAccepted = this.#fence.admits(election, term);
    if (isAccepted) this.accepted++;
    else this.refused++;
    this.#watcher.acted?.({ life, election, term, decidedMs, isFenced: true, isAccepted });
    const highest = this.#unfencedHighest.get(election) ?? 0;
    if (term < highest) this.interleaved++;
    this.#unfencedHighest.set(election, Math.max(highest, term));
    this.#watcher.acted?.({ life, election, term, decidedMs, isFenced: false, isAccepted: true });
  }
}
