import { type Exploration, explore } from '../explorer/explore.ts';
import { planOf } from '../run/plan.ts';
import { run } from '../run/run.ts';
import type { Drain } from '../world/world.ts';
import type { Control } from './control.ts';

/** What a search for a broken rule came to. */
export interface Finding {
  readonly control: string;
  readonly isFound: boolean;
  /** The invariant that found it, in words. */
  readonly what: string | null;
  /** The seed, or the number of steps of the shortest way there. */
  readonly seed: number | null;
  readonly steps: readonly string[];
  /** States or schedules that were looked at. */
  readonly looked: number;
  readonly ms: number;
}

export interface FindOptions {
  readonly now: () => number;
  readonly drain: Drain;
  /** A search gives up after this long. */
  readonly withinMs?: number;
  /** First seed of a search; left out, the recorded one is run alone. */
  readonly fromSeed?: number;
}

/** How long a control may take to be found, one core. */
export const FIND_WITHIN_MS = 20_000;

/** Lets the engine of a control look for what it broke. */
export async function find(control: Control, options: FindOptions): Promise<Finding> {
  const { engine } = control;
  const { now, withinMs = FIND_WITHIN_MS } = options;
  if (engine.kind === 'explorer') return told(control, explore(engine.world(), { now, withinMs }));
  const startMs = now();
  const first = options.fromSeed ?? engine.seed;
  for (let seed = first; ; seed++) {
    const { violation } = await run(planOf(seed), { drain: options.drain, rules: engine.rules() });
    const what = violation && `${violation.invariant}: ${violation.what}`;
    const isFound = what !== null && control.finds.test(what);
    const ms = now() - startMs;
    const isOver = options.fromSeed === undefined || ms > withinMs;
    if (isFound || isOver) {
      return { control: control.name, isFound, what, seed, steps: [], looked: seed - first + 1, ms };
    }
  }
}

function told({ name, finds }: Control, { violation, states, ms }: Exploration): Finding {
  const what = violation?.what ?? null;
  const isFound = what !== null && finds.test(what);
  const steps = violation?.steps ?? [];
  return { control: name, isFound, what, seed: null, steps, looked: states, ms };
}
