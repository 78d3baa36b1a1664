import type { Life } from '../group/life.ts';
import { chanceOf } from '../world/chance.ts';
import type { Invariant } from './invariant.ts';

/** In so many of the runs it is listened: that costs each change something. */
const LISTENING = 0.2;

/** What may change who is master, as far as is known outside the log. */
const TELLING: ReadonlySet<string> = new Set(['news', 'outcomes']);

/**
 * Who goes by what he is told of masters goes by what is so: of each election that anything was told of, the last change that
 * was told is what stands there, after each step that may have changed it.
 */
export const toldLast: Invariant = {
  name: 'what is told of a master last is so',
  source: 'changes(), interfaces.md; fault 33',
  watch: ({ group }, fail) => {
    if (!chanceOf(group.settings.seed, 'told last').happens(LISTENING)) return {};
    const told = new Map<Life, Map<string, string>>();
    const touched = new Set<Life>();
    const compare = (life: Life): void => {
      for (const [election, last] of told.get(life) ?? []) {
        const present = inWords(life.group?.election(election).master ?? null);
        if (present !== last)
          fail(`${life.node} was told last that ${election} is held by ${last}, it is by ${present}`);
      }
    };
    return {
      changed: (life, election, master) => {
        const elections = told.get(life) ?? new Map<string, string>();
        told.set(life, elections.set(election, inWords(master)));
      },
      heard: (life, _from, { type }) => {
        if (TELLING.has(type)) touched.add(life);
      },
      applied: (life) => void touched.add(life),
      restored: (life) => void touched.add(life),
      ended: (life) => {
        told.delete(life);
        touched.delete(life);
      },
      stepped: (stepped) => {
        const life = stepped?.owner as Life | null | undefined;
        if (life && touched.delete(life)) compare(life);
      },
    };
  },
};

const inWords = (master: { readonly node: string; readonly term: number } | null): string =>
  master === null ? 'nobody' : `${master.node} with term ${master.term}`;
