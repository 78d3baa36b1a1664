export { invariants } from './invariants/index.ts';
export type { Invariant, Observed, Violation, Watching } from './invariants/invariant.ts';
export { realRules, xstateRules } from './group/sim-group.ts';
export { type Plan, type PlanOptions, planOf } from './run/plan.ts';
export { type Outcome, type RunOptions, run } from './run/run.ts';
export type { Drain } from './world/world.ts';
