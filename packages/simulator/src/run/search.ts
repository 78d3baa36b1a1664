import type { Fault } from '../faults/fault.ts';
import type { Rules } from '../group/life.ts';
import type { Violation } from '../invariants/invariant.ts';
import type { Drain } from '../world/world.ts';
import { Coverage } from './coverage.ts';
import { minimise } from './minimise.ts';
import { type PlanOptions, planOf } from './plan.ts';
import { type Outcome, run } from './run.ts';

export interface SearchOptions {
  readonly drain: Drain;
  /** First seed; the others follow. */
  readonly from: number;
  /** How many. */
  readonly seeds: number;
  readonly nodes?: number;
  /** Broken ones, for a control. */
  readonly rules?: Rules;
  /** Ends the search early: asked after each run. */
  readonly isEnough?: (found: Found) => boolean;
  /** Called after each run. */
  readonly onOutcome?: (outcome: Outcome, found: Found) => void;
  /** Make failures smaller. Default true. */
  readonly isMinimising?: boolean;
}

/** A seed that fails, with what its failure needs of its faults. */
export interface Failure {
  readonly seed: number;
  readonly violation: Violation;
  readonly faults: readonly Fault[];
}

/** What a search has found so far. */
export interface Found {
  schedules: number;
  delivered: number;
  events: number;
  virtualMs: number;
  /** Masterships that began. */
  terms: number;
  /** Schedules in which no majority of good stores was left to be healed. */
  unhealed: number;
  /** Leases from the healing to a master, of each schedule that was healed. */
  readonly healedLeases: number[];
  /** Writes that the fence refused, and those that the resource without one took out of order. */
  refusedWrites: number;
  interleavedWrites: number;
  readonly failures: Failure[];
  readonly coverage: Coverage;
}

/** Runs one seed after the other. */
export async function search(options: SearchOptions): Promise<Found> {
  const { from, seeds, isEnough, onOutcome } = options;
  const found: Found = {
    schedules: 0,
    delivered: 0,
    events: 0,
    virtualMs: 0,
    terms: 0,
    unhealed: 0,
    healedLeases: [],
    refusedWrites: 0,
    interleavedWrites: 0,
    failures: [],
    coverage: new Coverage(),
  };
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await runSeed(seed, options, found.coverage);
    add(found, outcome);
    if (outcome.violation) found.failures.push(await failureOf(outcome.violation, seed, options));
    onOutcome?.(outcome, found);
    if (isEnough?.(found)) break;
  }
  return found;
}

const runSeed = (
  seed: number,
  { drain, nodes, rules }: SearchOptions,
  coverage?: Coverage,
  faults?: readonly Fault[],
): Promise<Outcome> => {
  const planOptions: PlanOptions = { ...(nodes === undefined ? {} : { nodes }), ...(faults ? { faults } : {}) };
  return run(planOf(seed, planOptions), { drain, ...(rules ? { rules } : {}), ...(coverage ? { coverage } : {}) });
};

async function failureOf(violation: Violation, seed: number, options: SearchOptions): Promise<Failure> {
  const { faults } = planOf(seed, options.nodes === undefined ? {} : { nodes: options.nodes });
  if (options.isMinimising === false) return { seed, violation, faults };
  const left = await minimise(faults, async (fewer) => {
    const outcome = await runSeed(seed, options, undefined, fewer);
    return outcome.violation?.invariant === violation.invariant;
  });
  return { seed, violation, faults: left };
}

function add(found: Found, outcome: Outcome): void {
  found.schedules++;
  found.delivered += outcome.delivered;
  found.events += outcome.events;
  found.virtualMs += outcome.virtualMs;
  found.terms += outcome.terms;
  found.refusedWrites += outcome.refusedWrites;
  found.interleavedWrites += outcome.interleavedWrites;
  if (outcome.healedLeases === null) found.unhealed++;
  else found.healedLeases.push(outcome.healedLeases);
}
