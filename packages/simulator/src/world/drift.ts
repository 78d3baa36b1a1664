import type { Chance } from './chance.ts';

/** What every simulated group is configured with: ρ. */
export const MAX_DRIFT_PPM = 10_000;

/** How far the clocks of a run are from true time, against what is allowed. */
export type Drift = 'none' | 'within' | 'edge' | 'beyond';

/** The rate of one clock. */
export function rateOf(chance: Chance, drift: Drift): number {
  const allowed = MAX_DRIFT_PPM / 1e6;
  switch (drift) {
    case 'none':
      return 1;
    case 'within':
      return 1 + chance.between(-allowed, allowed);
    case 'edge':
      return 1 + chance.one([-allowed, 0, allowed]);
    case 'beyond':
      return 1 + chance.between(-15 * allowed, 15 * allowed);
  }
}
