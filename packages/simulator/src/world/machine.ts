import type { NodeId } from '@synod/protocol';
import type { Chance } from './chance.ts';
import type { Disk } from './disk.ts';
import type { MachineClock } from './machine-clock.ts';
import type { Manners } from './manners.ts';
import type { TimerManners } from './process.ts';

/** What a node runs on: outlives its processes. */
export interface Machine {
  readonly node: NodeId;
  readonly clock: MachineClock;
  readonly disk: Disk;
  /** Of the machine: timers, delays of its disk. */
  readonly chance: Chance;
  /** Step of the boot clock, ms; `null` where there is none (T9). */
  readonly bootStepMs: number | null;
  readonly timers: Manners<TimerManners>;
}
