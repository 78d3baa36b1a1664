import { type Exploration, explore } from './explore.ts';
import { type Bounds, worlds } from './worlds.ts';

export interface ExplorerOptions {
  readonly bounds: Bounds;
  /** Milliseconds from anywhere: only differences count. */
  readonly now: () => number;
  /** Called with each world when it is explored. */
  readonly onWorld?: (explored: Exploration, bounds: string) => void;
}

/** What exploring all worlds came to. */
export interface Explored {
  readonly bounds: Bounds;
  readonly worlds: readonly Exploration[];
  readonly states: number;
  readonly transitions: number;
  /** Steps to the state that is farthest from its beginning. */
  readonly depth: number;
  readonly ms: number;
  /** True when every state of every world was looked at. */
  readonly isComplete: boolean;
  readonly violations: number;
}

/** Explores every world of these bounds, one after the other, by the rules of production. */
export function runExplorer({ bounds, now, onWorld }: ExplorerOptions): Explored {
  const startMs = now();
  const explored = worlds
    .filter(({ isSmall }) => isSmall || bounds === 'full')
    .map((world) => {
      const found = { ...explore(world.model(), { now }), world: world.name };
      onWorld?.(found, world.bounds);
      return found;
    });
  return {
    bounds,
    worlds: explored,
    states: explored.reduce((sum, { states }) => sum + states, 0),
    transitions: explored.reduce((sum, { transitions }) => sum + transitions, 0),
    depth: Math.max(...explored.map(({ depth }) => depth)),
    ms: now() - startMs,
    isComplete: explored.every(({ isComplete }) => isComplete),
    violations: explored.filter(({ violation }) => violation !== null).length,
  };
}
