import type { Clock } from '@synod/protocol';

/** The instant a command was asked for, on all clocks of the holder (T1, T9). */
export interface Stamp {
  readonly atMs: number;
}

export interface HolderClockOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
}

export class HolderClock {
  /** Said once, in words, when the boot clock is left out. */
  readonly notice: string | null = null;
  constructor(_options: HolderClockOptions) {}
  stamp(): Stamp {
    throw new Error('to be written');
  }
  elapsedMs(_stamp: Stamp): number {
    throw new Error('to be written');
  }
  tick(): void {}
}
