import type { NodeId } from '@synod/protocol';
import type { Life } from '../group/life.ts';
import type { SimGroup } from '../group/sim-group.ts';
import type { GroupWatcher } from '../group/watcher.ts';
import type { Process } from '../world/process.ts';

/** What an invariant may look at, besides what it is told. */
export interface Observed {
  readonly group: SimGroup;
  /** False in runs whose clocks drift beyond ρ: S2 promises nothing there, S1 and S3 all the same. */
  readonly isWithinDrift: boolean;
  /** True for a store of which peers may not believe anything more: rolled back, wiped (I2), of another group (I3). */
  isOutcast(storeId: string): boolean;
  /** Of these, one that somebody put back (I2). */
  isPutBack(storeId: string): boolean;
  /** Its machine has slept, and no clock that it has looked at since says so: it is out of the model until the next tick (T9). */
  isUnaware(life: Life): boolean;
}

/** What an invariant does with what it sees. */
export interface Watching extends GroupWatcher {
  /** After each event, when all that it caused has happened, in `stepped` alone; `null`: to anybody. */
  stepped?(stepped: Process | null): void;
  /** Faults are over, a majority is healed. */
  healed?(): void;
  /**
   * The run is over, the healed nodes have caught up.
   * @param rested - Those that nothing has happened to for two leases; nobody, where that was not looked at.
   */
  finished?(rested: ReadonlySet<NodeId>): void;
}

/** A promise of the protocol, watched from outside during a whole run. */
export interface Invariant {
  /** A few words: what a failure is listed under. */
  readonly name: string;
  /** Rule and place, as `S1, protocol.md section 1`. */
  readonly source: string;
  watch(observed: Observed, fail: (what: string) => void): Watching;
}

/** One broken invariant. */
export interface Violation {
  readonly invariant: string;
  readonly source: string;
  readonly what: string;
  readonly atMs: number;
}
