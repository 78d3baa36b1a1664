import type { Life } from '../group/life.ts';

/** The node has given it up, or heard of its end, whatever clocks say. */
export function isGivenUp(life: Life, election: string, term: number): boolean {
  if (!life.mayHold) return true;
  const held = life.actors.candidates.get(election)?.getSnapshot().context?.mastership;
  return held == null || held.term !== term || held.givenUpAtMs !== null;
}

/**
 * For how long its deadline has passed, by its monotonic clock alone: the least that it knows; negative before. Asks nothing of
 * the process: whoever reads its clocks makes it notice more than it did.
 */
export function overdueMs({ actors, machine, process }: Life): number {
  const claims = actors.lease?.getSnapshot().context?.holding?.claims ?? [];
  let firstMs = Number.POSITIVE_INFINITY;
  for (const { stamp, holdMs } of claims) firstMs = Math.min(firstMs, stamp.atMs + holdMs);
  return machine.clock.monotonic(process.nowMs) - firstMs;
}
