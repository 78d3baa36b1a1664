import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Random } from '../ports/random.ts';

/** Chance that is the same for the same seed. */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  return {
    next: () => uniformFloat64(generator),
    id: () => Array.from({ length: 4 }, () => uniformInt(generator, 36 ** 4, 36 ** 5 - 1).toString(36)).join(''),
  };
}
