import type { Chance } from './chance.ts';

/** How far the clocks of a run are from true time, against what is allowed. */
export type Drift = 'none' | 'within' | 'edge' | 'beyond';

/** The rate of one clock in a group that allows so much drift (ρ). */
export function rateOf(chance: Chance, drift: Drift, maxDriftPpm: number): number {
  const allowed = maxDriftPpm / 1e6;
  switch (drift) {
    case 'none':
      return 1;
    case 'within':
      return 1 + chance.between(-allowed, allowed);
    case 'edge':
      return 1 + chance.one([-allowed, 0, allowed]);
    case 'beyond': {
      const far = farthest(maxDriftPpm);
      return 1 + chance.between(-far, far);
    }
  }
}

/** From true time, of a clock that runs beyond what is allowed. */
export const farthest = (maxDriftPpm: number): number => Math.min((15 * maxDriftPpm) / 1e6, 0.4);
