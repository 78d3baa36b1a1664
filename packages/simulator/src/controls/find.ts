import { explore } from '../explorer/explore.ts';
import { planOf } from '../run/plan.ts';
import { run } from '../run/run.ts';
import type { Drain } from '../world/world.ts';
import type { Control, Engine, SeedsEngine } from './control.ts';

/** What one engine made of a broken rule. */
export interface Finding {
  readonly control: string;
  readonly engine: Engine['kind'];
  readonly isFound: boolean;
  /** The invariant that was broken, in words; of a search that went on, the last. */
  readonly what: string | null;
  /** The seed that found it; `null` where no chance is in it. */
  readonly seed: number | null;
  /** The shortest way there. */
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
  /** First seed of a search; left out, the recorded one is run, and a search begins where that does not find it (any more). */
  readonly fromSeed?: number;
}

/** How long a control may take to be found, one core. */
export const FIND_WITHIN_MS = 20_000;

/** Lets each engine of a control look for what was broken. */
export async function find(control: Control, options: FindOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const engine of control.engines) {
    findings.push(
      await (engine.kind === 'seeds' ? sought(control, engine, options) : explored(control, engine, options)),
    );
  }
  return findings;
}

function explored(control: Control, engine: Engine & { kind: 'explorer' }, options: FindOptions): Finding {
  const { now, withinMs = FIND_WITHIN_MS } = options;
  const { violation, states, ms } = explore(engine.world(), { now, withinMs });
  const what = violation?.what ?? null;
  const isFound = what !== null && control.finds.test(what);
  const steps = violation?.steps ?? [];
  return { control: control.name, engine: 'explorer', isFound, what, seed: null, steps, looked: states, ms };
}

async function sought({ name, finds }: Control, engine: SeedsEngine, options: FindOptions): Promise<Finding> {
  const { now, drain, withinMs = FIND_WITHIN_MS } = options;
  const startMs = now();
  const rules = engine.rules();
  let looked = 0;
  let last: string | null = null;
  const isFoundBy = async (seed: number): Promise<boolean> => {
    const plan = planOf(seed);
    if (engine.concerns?.(plan) === false) return false;
    looked++;
    const { violation } = await run(plan, { drain, rules });
    if (violation) last = `${violation.invariant}: ${violation.what}`;
    return violation !== null && last !== null && finds.test(last);
  };
  const finding = (seed: number, isFound: boolean): Finding => {
    return { control: name, engine: 'seeds', isFound, what: last, seed, steps: [], looked, ms: now() - startMs };
  };
  if (options.fromSeed === undefined && (await isFoundBy(engine.seed))) return finding(engine.seed, true);
  for (let seed = options.fromSeed ?? 1; ; seed++) {
    if (await isFoundBy(seed)) return finding(seed, true);
    if (now() - startMs > withinMs) return finding(seed, false);
  }
}
