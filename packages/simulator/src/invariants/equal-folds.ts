import type { FoldRows } from '@synod/mastership';
import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/** Between two looks at one node lie so many positions: a look costs more than the command. */
const EVERY = 8;

/** Whoever has applied the same commands holds the same sessions and records, in the order in which a snapshot packs them. */
export const equalFolds: Invariant = {
  name: 'folds are equal everywhere',
  source: 'S1, protocol.md section 1; P6, section 2',
  watch: ({ group }, fail) => {
    const states = new Map<number, FoldRows>();
    const compare = (life: Life, position: number): void => {
      const state = life.fold.rows();
      const known = states.get(position);
      if (!known) states.set(position, state);
      else if (!packsAlike(known, state)) fail(`${life.node} holds another state after position ${position}`);
    };
    return {
      applied: (life, { position }) => {
        if (position % EVERY === 0) compare(life, position);
      },
      restored: (life, position) => compare(life, position),
      finished: () => {
        for (const life of group.lives) compare(life, life.fold.position);
      },
    };
  },
};

/** Whether two pieces of plain data become the same bytes: the order of fields counts. */
export function packsAlike(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (!Array.isArray(a)) return !Array.isArray(b) && packsAlike(Object.entries(a), Object.entries(b));
  if (!Array.isArray(b) || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!packsAlike(a[i], b[i])) return false;
  return true;
}
