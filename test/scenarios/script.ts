/** A scenario as it is written: what happens, and what must be seen of it. */
export interface Script {
  readonly title: string;
  /** Rules that were wrong once, or must not become wrong: with them the scenario must fail, and where. */
  readonly fails: readonly Fails[];
  /** The scenario is played for each of these, in place of the word `N`. */
  readonly numbers: readonly number[];
  readonly steps: readonly Step[];
}

export interface Fails {
  /** Of the broken rules. */
  readonly name: string;
  /** The sentence that is not true with them. */
  readonly at: string;
}

export interface Step {
  readonly line: number;
  readonly words: string;
  /** What must be true when it has happened. */
  readonly seen: readonly Expectation[];
}

export interface Expectation {
  readonly line: number;
  readonly words: string;
}

/**
 * Reads a scenario. `#` begins a comment, the first of which is the title; a line is a step, a line that begins with `->` says what
 * must be seen of the step before it. `fails with NAME at: SENTENCE` and `for N from 1 to 9` speak of the
 * whole.
 */
export function parse(text: string): Script {
  const steps: { line: number; words: string; seen: Expectation[] }[] = [];
  let title = '';
  const fails: Fails[] = [];
  let numbers = [0];
  for (const [at, raw] of text.split('\n').entries()) {
    const words = raw.trim();
    const line = at + 1;
    if (words.startsWith('#')) title ||= words.slice(1).trim();
    else if (words.startsWith('fails with ')) fails.push(failsOf(words, line));
    else if (words.startsWith('for N ')) numbers = numbersOf(words, line);
    else if (words.startsWith('->')) {
      const step = steps.at(-1);
      if (!step) throw new Error(`line ${line}: nothing has happened yet`);
      step.seen.push({ line, words: words.slice(2).trim() });
    } else if (words !== '') steps.push({ line, words, seen: [] });
  }
  return { title, fails, numbers, steps };
}

function failsOf(words: string, line: number): Fails {
  const [, name, at] = /^fails with (\S+) at: (.+)$/.exec(words) ?? [];
  if (name === undefined || at === undefined) throw new Error(`line ${line}: as "fails with no-wait at: b is waiting"`);
  return { name, at };
}

function numbersOf(words: string, line: number): number[] {
  const [, first, last] = /^for N from (\d+) to (\d+)$/.exec(words) ?? [];
  if (first === undefined) throw new Error(`line ${line}: as "for N from 1 to 9"`);
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
}
