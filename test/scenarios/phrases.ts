/** A sentence that the language of scenarios knows, and what it means. Words in capitals stand for what varies. */
export interface Phrase<Meaning> {
  readonly pattern: string;
  readonly means: Meaning;
}

/** What stood in the place of the capitals. */
export type Parts = Readonly<Record<string, string>>;

const SHAPES: Readonly<Record<string, string>> = {
  NODE: '([a-z])',
  OTHER: '([a-z])',
  NODES: '([a-z](?:(?:, | and | )[a-z])*)',
  TYPE: '([a-z]+)',
  MS: '(\\d+)',
  MIN: '(\\d+)',
  MAX: '(\\d+)',
  COUNT: '(\\d+)',
  TEXT: '(.+)',
};

/** Finds the phrase that a sentence is. @throws Error when the language has none. */
export function understand<Meaning>(
  phrases: readonly Phrase<Meaning>[],
  sentence: string,
): { readonly means: Meaning; readonly parts: Parts } {
  for (const { pattern, means } of phrases) {
    const names = pattern.match(/[A-Z]{2,}/g) ?? [];
    const found = new RegExp(`^${pattern.replaceAll(/[A-Z]{2,}/g, (name) => SHAPES[name] ?? name)}$`).exec(sentence);
    if (found) return { means, parts: Object.fromEntries(names.map((name, i) => [name, found[i + 1] ?? ''])) };
  }
  throw new Error(
    `no phrase for "${sentence}"; there are:\n${phrases.map(({ pattern }) => `  ${pattern}`).join('\n')}`,
  );
}

/** `a, b and c` are three. */
export const nodesIn = (words: string): string[] => words.split(/, | and | /);
