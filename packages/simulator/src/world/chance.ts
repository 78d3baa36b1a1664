import type { Random } from '@synod/protocol';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Chance of one purpose, with the drawings a world needs. The same seed and purpose give the same drawings. */
export interface Chance extends Random {
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  /** True with this probability. */
  happens(probability: number): boolean;
  /** One of them, each as likely. */
  one<T>(items: readonly T[]): T;
  /** As many of them as asked for, in a random order. */
  some<T>(items: readonly T[], count: number): T[];
}

/**
 * @param seed - Of the run.
 * @param purpose - Streams of different purposes are independent: taking a fault away leaves the chance of everything else.
 */
export function chanceOf(seed: number, purpose: string): Chance {
  const generator = xoroshiro128plus(mixed(seed, purpose));
  const next = () => uniformFloat64(generator);
  /** Five letters or digits. */
  const word = () => uniformInt(generator, 36 ** 4, 36 ** 5 - 1).toString(36);
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    id: () => word() + word() + word() + word(),
    between: (low, high) => low + (high - low) * next(),
    whole,
    happens: (probability) => probability > 0 && next() < probability,
    one: (items) => items[whole(0, items.length - 1)] as (typeof items)[number],
    some: (items, count) => {
      const rest = [...items];
      const taken: (typeof rest)[number][] = [];
      while (taken.length < count && rest.length > 0) taken.push(...rest.splice(whole(0, rest.length - 1), 1));
      return taken;
    },
  };
}

/** FNV-1a over seed and words: neighbouring seeds begin far apart. */
function mixed(seed: number, words: string): number {
  let hash = 0x811c9dc5;
  const add = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193);
  };
  for (let rest = seed; rest > 0; rest = Math.floor(rest / 256)) add(rest % 256);
  for (let i = 0; i < words.length; i++) add(words.charCodeAt(i));
  return hash | 0;
}
