import { styleText } from 'node:util';

/** Where a command writes. Data goes to stdout, everything else to stderr. */
export interface Terminal {
  /** One line of data. */
  readonly out: (line: string) => void;
  /** One line for the person at the terminal. */
  readonly say: (line: string) => void;
  /** Colours a text of stdout, unless NO_COLOR says no or nobody sees it. */
  readonly paint: Paint;
  /** The same for stderr. */
  readonly paintSay: Paint;
  readonly isInteractive: boolean;
}

export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** The streams of this process. */
export const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  say: (line) => void process.stderr.write(`${line}\n`),
  paint: (style, text) => styleText(style, text, { stream: process.stdout }),
  paintSay: (style, text) => styleText(style, text, { stream: process.stderr }),
  isInteractive: process.stdout.isTTY === true,
};

/** Columns as wide as their widest cell. Colours count for nothing. */
export function table(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, visible(cell));
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - visible(cell));
        return rightAligned.includes(column) ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a colour begins with.
const visible = (cell: string): number => cell.replace(/\u001b\[[0-9;]*m/g, '').length;
