// `npm run sim -- --explore`: small worlds, every interleaving.
import { type Bounds, type Exploration, runExplorer } from '@synod/simulator';

/** Explores all worlds of these bounds. @returns true when every state was looked at and nothing is broken. */
export function explore(bounds: Bounds, json: boolean): boolean {
  const explored = runExplorer({
    bounds,
    now: () => performance.now(),
    onWorld: (world, words) => console.error(inWords(world, words)),
  });
  const { states, transitions, depth, ms, isComplete, violations } = explored;
  const seconds = Math.round(ms / 100) / 10;
  console.error(
    `${states} states, ${transitions} steps between them, depth ${depth}, ${seconds} s: ` +
      `${isComplete ? 'complete' : 'not complete'} at ${bounds} bounds, ${violations} violations`,
  );
  if (json) {
    const worlds = explored.worlds.map(({ world, states, depth, ms, isComplete }) => {
      return { world, states, depth, seconds: Math.round(ms / 100) / 10, isComplete };
    });
    console.log(JSON.stringify({ bounds, states, transitions, depth, seconds, isComplete, violations, worlds }));
  }
  return isComplete && violations === 0;
}

function inWords({ world, states, depth, ms, violation }: Exploration, bounds: string): string {
  const figures = `${world}: ${states} states, depth ${depth}, ${(ms / 1000).toFixed(1)} s (${bounds})`;
  if (!violation) return figures;
  return [`${figures}`, `  ${violation.what}, after`, ...violation.steps.map((step) => `    ${step}`)].join('\n');
}
