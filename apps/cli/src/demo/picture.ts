import type { Tenure } from '../lab/overlap.ts';

/** A step as the picture shows it: a column, named at its foot. */
export interface Scene {
  readonly title: string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly master: string;
  readonly term: number;
  readonly took: string;
}

export interface PictureOptions {
  readonly nodes: readonly string[];
  readonly scenes: readonly Scene[];
  readonly tenures: readonly Tenure[];
  readonly overlapMs: number;
}

const WIDTH = 960;
const LEFT = 48;
const LANE = 34;
const TOP = 30;
const ROW = 20;

/** One colour a term, so that a change of mastership is seen before it is read. */
const COLOURS = ['#2a7f9e', '#c2613f', '#5b8c3a', '#7a5aa6', '#b08a1e', '#a0446d', '#3d6fb4'];

/** Draws the demo: a lane for each worker, its masterships as bars, the steps as columns, and below them the table. */
export function drawDemo({ nodes, scenes, tenures, overlapMs }: PictureOptions): string {
  const [first] = scenes;
  const last = scenes.at(-1);
  if (!first || !last) throw new RangeError('a picture of no steps');
  const spanNs = Number(last.toNs - first.fromNs);
  const x = (atNs: bigint): number => LEFT + (Number(atNs - first.fromNs) / spanNs) * (WIDTH - LEFT - 12);
  const y = (node: string): number => TOP + nodes.indexOf(node) * LANE;
  const foot = TOP + nodes.length * LANE;
  const height = foot + 44 + (scenes.length + 1) * ROW;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, monospace" font-size="12">`,
    '<title>Masterships of three workers through every step of the demo</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
  ];
  for (const [index, scene] of scenes.entries()) {
    const left = x(scene.fromNs);
    const width = Math.max(1, x(scene.toNs) - left);
    if (index % 2 === 0) parts.push(rect(left, TOP - 22, width, foot - TOP + 22, '#f3f3ef'));
    parts.push(text(left + 4, TOP - 8, String(index + 1), '#777777'));
  }
  for (const node of nodes) {
    parts.push(text(8, y(node) + 18, node, '#222222'));
    parts.push(rect(LEFT, y(node) + 13, WIDTH - LEFT - 12, 1, '#d0d0d0'));
  }
  for (const { node, term, fromNs, toNs } of tenures) {
    const left = Math.max(LEFT, x(fromNs));
    const width = Math.max(2, Math.min(x(toNs), WIDTH - 12) - left);
    const colour = COLOURS[term % COLOURS.length] ?? '#444444';
    parts.push(rect(left, y(node) + 3, width, LANE - 12, colour));
    if (width > 28) parts.push(text(left + 4, y(node) + 18, String(term), '#ffffff'));
  }
  parts.push(...tableOf(scenes, overlapMs, foot + 28), '</svg>');
  return `${parts.join('\n')}\n`;
}

function tableOf(scenes: readonly Scene[], overlapMs: number, top: number): string[] {
  const row = (at: number, cells: readonly string[], fill: string): string[] => {
    const [title = '', master = '', term = '', took = ''] = cells;
    return [
      text(LEFT, at, title, fill),
      text(LEFT + 440, at, master, fill),
      text(LEFT + 540, at, term, fill),
      text(LEFT + 640, at, took, fill),
    ];
  };
  const lines = row(top, ['step', 'master', 'term', 'took ms'], '#777777');
  for (const [index, { title, master, term, took }] of scenes.entries()) {
    lines.push(...row(top + (index + 1) * ROW, [`${index + 1}  ${title}`, master, String(term), took], '#222222'));
  }
  const colour = overlapMs === 0 ? '#2f7d32' : '#b3261e';
  lines.push(text(LEFT + 740, top, 'two masters:', '#777777'), text(LEFT + 840, top, `${overlapMs} ms`, colour));
  return lines;
}

const rect = (x: number, y: number, width: number, height: number, fill: string): string =>
  `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${height}" fill="${fill}"/>`;

const text = (x: number, y: number, words: string, fill: string): string =>
  `<text x="${x.toFixed(1)}" y="${y}" fill="${fill}">${escaped(words)}</text>`;

const escaped = (words: string): string => words.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
