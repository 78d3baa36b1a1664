import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A code block of a README that is run. */
export interface Block {
  /** From the top of the repository. */
  readonly readme: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly language: 'ts' | 'sh';
  readonly text: string;
  /** It runs until it has said this, and is interrupted then; without, it ends by itself. */
  readonly until: string | undefined;
}

/**
 * The blocks that a README wants run: all in ```` ```ts ````, but for those after a line `<!-- fragment -->`; of those in
 * ```` ```sh ```` the ones after `<!-- run -->`. After `<!-- until: WORDS -->` a block runs until it says the words.
 */
export function blocksOf(readme: string, text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const language = /^```(\S*)/.exec(lines[at] as string)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', at + 1);
    if (end === -1) throw new Error(`${readme}:${at + 1} opens a code block that nothing closes`);
    const mark = /^<!-- (.*) -->$/.exec(lines.slice(0, at).findLast((line) => line !== '') ?? '')?.[1];
    const isRun = language === 'ts' ? mark !== 'fragment' : language === 'sh' && mark === 'run';
    const code = lines.slice(at + 1, end).join('\n');
    if (isRun) {
      const until = mark?.startsWith('until: ') ? mark.slice('until: '.length) : undefined;
      blocks.push({ readme, line: at + 2, language: language as 'ts' | 'sh', text: `${code}\n`, until });
    }
    at = end;
  }
  return blocks;
}

export const root = join(import.meta.dirname, '../..');

/** Of the README at the top, and of every README and guide of a package. */
export function readmeBlocks(): Block[] {
  const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);
  return ['', ...packages].flatMap((folder) => {
    const names = readdirSync(join(root, folder)).filter((name) =>
      folder === '' ? name === 'README.md' : name.endsWith('.md'),
    );
    return names.flatMap((name) => {
      const readme = join(folder, name);
      return blocksOf(readme, readFileSync(join(root, readme), 'utf8'));
    });
  });
}
