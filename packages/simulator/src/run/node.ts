import type { NodeId } from '@synod/protocol';
import type { NodeSettings } from '../group/sim-group.ts';
import type { Chance } from '../world/chance.ts';
import { type Drift, rateOf } from '../world/drift.ts';

export interface NodeDrawing {
  readonly leaseMs: number;
  /** The longest lease of the group. */
  readonly longestMs: number;
  readonly drift: Drift;
  readonly maxDriftPpm: number;
}

/** Draws how one node is set up, and what its machine is like. */
export const drawNode = (
  chance: Chance,
  node: NodeId,
  { leaseMs, longestMs, drift, maxDriftPpm }: NodeDrawing,
): NodeSettings => ({
  node,
  leaseMs,
  priority: chance.one([0, 0, 0, 50, 100]),
  rate: rateOf(chance, drift, maxDriftPpm),
  bootStepMs: chance.one([null, 1, 10]),
  timers: {
    earlyMs: chance.one([0, 1, 1]),
    late: chance.one([0, 0.05]),
    lateMs: longestMs * chance.one([0.05, 0.3]),
  },
});
