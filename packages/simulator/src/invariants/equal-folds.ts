import type { Life } from '../group/life.ts';
import { isSame } from './agreement.ts';
import type { Invariant } from './invariant.ts';

/** Between two looks at one node lie so many positions: a look costs more than the command. */
const EVERY = 8;

/** Whoever has applied the same commands holds the same sessions and records, byte for byte. */
export const equalFolds: Invariant = {
  name: 'folds are equal everywhere',
  source: 'S1, protocol.md section 1; P6, section 2',
  watch: ({ group }, fail) => {
    const states = new Map<number, Uint8Array>();
    const compare = (life: Life, position: number): void => {
      const state = life.fold.snapshot();
      const known = states.get(position);
      if (!known) states.set(position, state);
      else if (!isSame(known, state)) fail(`${life.node} holds another state after position ${position}`);
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
