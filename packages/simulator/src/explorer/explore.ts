import { RowSet } from './rows.ts';

/** A small world: its states as rows of numbers, and everything that can happen in each. */
export interface Model {
  readonly name: string;
  /** Numbers in a row. */
  readonly width: number;
  initial(): Uint32Array;
  /**
   * Calls `reach` for everything that can happen in this state, with the state that follows; `broken` says in words which
   * rule that step itself broke. Nothing that is handed over may be kept.
   */
  expand(row: Uint32Array, reach: (next: Uint32Array, action: number, broken?: string | null) => void): void;
  /** Which invariant this state breaks, in words; `null` for none. */
  check(row: Uint32Array): string | null;
  /** An action in words. */
  describe(action: number): string;
}

/** How far an exploration may go. */
export interface ExploreOptions {
  /** Milliseconds from anywhere: only differences count. */
  readonly now: () => number;
  /** Gives up, saying so, when it is past this long. */
  readonly withinMs?: number;
  readonly maxStates?: number;
  readonly onProgress?: (states: number, depth: number) => void;
}

/** What an exploration found. */
export interface Exploration {
  readonly world: string;
  readonly states: number;
  readonly transitions: number;
  /** Steps from the first state to the farthest. */
  readonly depth: number;
  readonly ms: number;
  /** True when every state that can be reached was looked at. */
  readonly isComplete: boolean;
  readonly violation: { readonly what: string; readonly steps: readonly string[] } | null;
}

/** Between two looks at the clock lie so many states. */
const STRIDE = 1024;

/**
 * Looks at every state that a world can reach, breadth first, so that the first broken invariant is one that needs the fewest
 * steps. Ends there, or when nothing new is found.
 */
export function explore(model: Model, options: ExploreOptions): Exploration {
  const { now, withinMs = Number.POSITIVE_INFINITY, maxStates = 2 ** 31, onProgress } = options;
  const startMs = now();
  const rows = new RowSet(model.width);
  let transitions = 0;
  let depth = 0;
  let index = 0;
  let found: { readonly what: string; readonly last: string | null } | null = null;

  const finish = (isComplete: boolean): Exploration => ({
    world: model.name,
    states: rows.size,
    transitions,
    depth,
    ms: now() - startMs,
    isComplete,
    violation: found && {
      what: found.what,
      steps: [...stepsTo(model, rows, index), ...(found.last ? [found.last] : [])],
    },
  });

  const first = model.initial();
  rows.add(first, 0, 0);
  const wrong = model.check(first);
  if (wrong) {
    found = { what: wrong, last: null };
    return finish(false);
  }
  const row = new Uint32Array(model.width);
  const reach = (next: Uint32Array, action: number, broken: string | null = null): void => {
    transitions++;
    if (found) return;
    if (broken === null && !rows.add(next, index, action)) return;
    const what = broken ?? model.check(next);
    if (what !== null) found = { what, last: model.describe(action) };
  };
  let levelEnd = rows.size;
  for (; index < rows.size; index++) {
    if (index === levelEnd) {
      depth++;
      levelEnd = rows.size;
    }
    rows.read(index, row);
    model.expand(row, reach);
    if (found) {
      depth++;
      return finish(false);
    }
    if (rows.size > maxStates) return finish(false);
    if (index % STRIDE === 0) {
      if (now() - startMs > withinMs) return finish(false);
      onProgress?.(rows.size, depth);
    }
  }
  return finish(true);
}

function stepsTo(model: Model, rows: RowSet, index: number): string[] {
  const steps: string[] = [];
  for (let at = index; at !== 0; at = rows.parent(at)) steps.push(model.describe(rows.action(at)));
  return steps.reverse();
}

/**
 * The same world some steps later: for each pattern the first thing that can happen whose words match it happens. What comes
 * before a scene need not be explored to look at everything that can come of it.
 */
export function after(model: Model, patterns: readonly RegExp[]): Model {
  return {
    name: model.name,
    width: model.width,
    expand: (row, reach) => model.expand(row, reach),
    check: (row) => model.check(row),
    describe: (action) => model.describe(action),
    initial: () => {
      let row = model.initial();
      for (const pattern of patterns) {
        let found: Uint32Array | null = null;
        model.expand(row, (next, action) => {
          if (found === null && pattern.test(model.describe(action))) found = new Uint32Array(next);
        });
        if (found === null) throw new RangeError(`${model.name}: nothing that can happen matches ${pattern}`);
        row = found;
      }
      return row;
    },
  };
}
