import type { Message, NodeId } from '@synod/protocol';
import { BAR, DISC, Layout, LEFT, type Mark, RIGHT, WIDTH } from './layout.ts';
import type { HeldSpan, Recorder, Sent, Span } from './recorder.ts';
import { arrowHead, box, cross, escaped, line, n, text, widthOf } from './svg.ts';
import type { Window } from './transcript.ts';

const LIST_LINE = 18;
const RED = '#c0392b';
const GREY = '#777777';

/** Terms take these in turn, in the order in which they came. */
const TERM_COLOURS = ['#2f6fb4', '#b4552f', '#4f8a3d', '#8a4fa3', '#96741f', '#2f8a8a', '#a33f6b', '#5a5f9e'];

/** What is drawn as an arrow, in words and colour. */
const KINDS: readonly {
  readonly words: string;
  readonly colour: string;
  readonly types: readonly Message['type'][];
}[] = [
  { words: 'prepare, promise', colour: '#b8860b', types: ['prepare', 'promise'] },
  { words: 'accept', colour: '#2c5f94', types: ['accept'] },
  { words: 'accepted', colour: '#8fb8de', types: ['accepted'] },
  { words: 'chosen', colour: '#3f8f4f', types: ['chosen'] },
  { words: 'reject', colour: RED, types: ['reject'] },
];
const OTHER = { words: 'others', colour: '#b5b5b5' };

const colourOfType = new Map(KINDS.flatMap(({ types, colour }) => types.map((type) => [type, colour] as const)));

export interface PictureOptions extends Partial<Window> {
  readonly title: string;
  /** Of which the time is told, besides milliseconds. */
  readonly leaseMs: number;
}

/**
 * A run as a drawing: a lane per node, masterships as bars coloured by term, messages as arrows, faults as marks. Plain SVG
 * without scripts or fonts of its own.
 */
export function picture(recorder: Recorder, options: PictureOptions): string {
  const { title, leaseMs, fromMs = 0 } = options;
  const untilMs = Math.max(Math.min(options.untilMs ?? Number.POSITIVE_INFINITY, recorder.endMs), fromMs + 1);
  const layout = new Layout(recorder, { fromMs, untilMs });
  const seen = <T extends Omit<Span, 'node'>>(spans: readonly T[]): T[] =>
    spans.filter((span) => layout.sees(span.fromMs, span.untilMs));
  const listed = layout.hasList ? layout.faults.length : 0;
  const height = layout.bottom + 44 + LIST_LINE * Math.ceil(listed / 2);
  const colours = coloursOf(recorder.held);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${n(height)}" viewBox="0 0 ${WIDTH} ${n(height)}" font-family="Helvetica, Arial, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<defs>${[...KINDS, OTHER].map(({ colour }) => arrowHead(headOf(colour), colour)).join('')}</defs>`,
    box(0, 0, WIDTH, height, { fill: '#ffffff' }),
    text(12, 21, title, { size: 15, weight: 'bold' }),
    ...key(),
    ...healing(layout, recorder),
    ...axis(layout, leaseMs),
    ...recorder.names.map((node) => lane(layout, node)),
    ...seen(recorder.lives).map((span) => life(layout, span)),
    ...recorder.sent.flatMap((sent) => arrow(layout, sent)),
    ...seen(recorder.held).map((held) => bar(layout, held, rowOf(recorder.held, held), colours.get(held.term) ?? GREY)),
    ...layout.marks.map((mark) => fault(layout, mark)),
    ...(layout.hasList ? list(layout) : []),
    '</svg>',
    '',
  ].join('\n');
}

function key(): string[] {
  const y = 42;
  let x = 12;
  const place = (width: number): number => {
    const at = x;
    x += width + 16;
    return at;
  };
  const word = (atX: number, words: string): string => text(atX, y + 4, words, { size: 11, fill: '#444444' });
  const arrows = [...KINDS, OTHER].map(({ words, colour }) => {
    const at = place(24 + widthOf(words, 11));
    return line(at, y, at + 18, y, { stroke: colour, width: 1.6, marker: headOf(colour) }) + word(at + 23, words);
  });
  const lost = place(20 + widthOf('lost', 11));
  const master = place(32 + widthOf('master', 11));
  const late = place(32 + widthOf('over, not noticed', 11));
  const alive = place(24 + widthOf('runs', 11));
  const hurt = place(DISC * 2 + 24 + widthOf('fault', 11));
  return [
    ...arrows,
    `${line(lost, y, lost + 10, y, { stroke: GREY, dashes: '2 2' })}${cross(lost + 12, y, RED)}${word(lost + 18, 'lost')}`,
    `${box(master, y - 6, 24, 12, { fill: TERM_COLOURS[0] ?? GREY, radius: 3 })}${word(master + 29, 'master')}`,
    `${box(late, y - 6, 24, 12, { fill: TERM_COLOURS[0] ?? GREY, radius: 3, opacity: 0.3 })}${word(late + 29, 'over, not noticed')}`,
    `${line(alive, y, alive + 18, y, { stroke: '#8d8d8d', width: 2.5 })}${word(alive + 22, 'runs')}`,
    `${box(hurt + DISC, y - 5, 20, 10, { fill: RED, opacity: 0.16 })}${disc(hurt + DISC, y)}${word(hurt + DISC + 24, 'fault')}`,
  ];
}

/** Milliseconds above the lanes, leases below them. */
function axis(layout: Layout, leaseMs: number): string[] {
  const { fromMs, untilMs } = layout.window;
  const ticks = (stepMs: number): number[] => {
    const first = Math.ceil(fromMs / stepMs - 1e-9);
    return Array.from({ length: Math.floor(untilMs / stepMs + 1e-9) - first + 1 }, (_, i) => (first + i) * stepMs);
  };
  const spanMs = untilMs - fromMs;
  const label = (x: number, y: number, words: string): string => {
    const half = widthOf(words, 10) / 2;
    const middle = Math.min(Math.max(x, LEFT + half - 10), WIDTH - 4 - half);
    return text(middle, y, words, { anchor: 'middle', fill: GREY, size: 10 });
  };
  const leases = niceStep(spanMs / leaseMs / 8) * leaseMs;
  return [
    ...ticks(niceStep(spanMs / 9)).flatMap((atMs) => [
      line(layout.x(atMs), 64, layout.x(atMs), layout.bottom, { stroke: '#efefef' }),
      label(layout.x(atMs), 61, `${ms(atMs)} ms`),
    ]),
    ...ticks(leases).flatMap((atMs) => [
      line(layout.x(atMs), layout.bottom, layout.x(atMs), layout.bottom + 5, { stroke: GREY }),
      label(layout.x(atMs), layout.bottom + 16, inLeases(atMs / leaseMs)),
    ]),
    line(LEFT, layout.bottom, WIDTH - RIGHT, layout.bottom, { stroke: GREY, width: 0.8 }),
  ];
}

const inLeases = (leases: number): string => (leases === 1 ? '1 lease' : `${Number(leases.toFixed(2))} leases`);

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
}

function healing(layout: Layout, { healedMs, healedNodes }: Recorder): string[] {
  const { fromMs, untilMs } = layout.window;
  if (healedMs === null || healedMs > untilMs || healedMs < fromMs) return [];
  const x = layout.x(healedMs);
  const words = `healed: ${healedNodes.join(' ')}`;
  const right = WIDTH - RIGHT;
  return [
    box(x, 64, right - x, layout.bottom - 64, { fill: '#eef7ee' }),
    text(Math.min(x, right - widthOf(words, 11)), layout.bottom + 32, words, { fill: '#3f8f4f', size: 11 }),
  ];
}

const lane = (layout: Layout, node: NodeId): string =>
  text(12, layout.y(node) + 5, node, { size: 15, weight: 'bold' }) +
  line(LEFT, layout.y(node), WIDTH - RIGHT, layout.y(node), { stroke: '#cccccc', dashes: '2 4' });

const life = (layout: Layout, { node, fromMs, untilMs }: Span): string => {
  const y = layout.y(node);
  const until = untilMs ?? layout.window.untilMs;
  return line(layout.x(fromMs), y, layout.x(until), y, { stroke: '#8d8d8d', width: 2.5 });
};

/** Masterships of several elections lie one below the other. */
interface Row {
  readonly top: number;
  readonly height: number;
}

function rowOf(all: readonly HeldSpan[], { election }: HeldSpan): Row {
  const elections = [...new Set(all.map((held) => held.election))].sort();
  const height = BAR / elections.length;
  return { top: elections.indexOf(election) * height, height };
}

function bar(layout: Layout, held: HeldSpan, row: Row, fill: string): string {
  const { node, election, term, fromMs, overMs, untilMs, endedBy } = held;
  const x = layout.x(fromMs);
  const endX = layout.x(untilMs ?? layout.window.untilMs);
  const width = Math.max(2, (overMs === null ? endX : layout.x(overMs)) - x);
  const y = layout.y(node) - BAR / 2 + row.top;
  const { height } = row;
  const isAlone = height === BAR;
  const hint = `${node} is master${isAlone ? '' : ` of ${election}`} with term ${term} from ${ms(fromMs)} to ${untilMs === null ? 'the end' : `${ms(untilMs)} ms (${endedBy})`}`;
  const size = isAlone ? 11 : 9;
  const said = isAlone ? [`master, term ${term}`, `term ${term}`, `${term}`] : [`${election}, term ${term}`, election];
  const words = height < size ? undefined : said.find((label) => widthOf(label, size) + 6 < width);
  const label = words
    ? text(x + width / 2, y + height / 2 + (isAlone ? 4 : 3), words, { anchor: 'middle', fill: '#ffffff', size })
    : '';
  // From the end of its lease on it only has not heard yet that it is over.
  const late = endX - x - width > 1 ? box(x, y, endX - x, height, { fill, radius: 3, opacity: 0.3, hint }) : '';
  return late + box(x, y, width, height, { fill, radius: 3, hint }) + label;
}

/** Neighbours differ, however their numbers do. */
function coloursOf(held: readonly HeldSpan[]): ReadonlyMap<number, string> {
  const terms = [...new Set(held.map(({ term }) => term))].sort((a, b) => a - b);
  return new Map(terms.map((term, i) => [term, TERM_COLOURS[i % TERM_COLOURS.length] ?? GREY]));
}

function arrow(layout: Layout, { from, to, type, sentMs, arrivedMs }: Sent): string[] {
  const { window } = layout;
  if (from === to || sentMs > window.untilMs || (arrivedMs ?? sentMs) < window.fromMs) return [];
  const isDown = layout.y(to) > layout.y(from);
  const gap = (BAR / 2 + 1) * (isDown ? 1 : -1);
  const x = layout.x(sentMs);
  const y = layout.y(from) + gap;
  const stroke = colourOfType.get(type) ?? OTHER.colour;
  if (arrivedMs === null) {
    const endY = y + (isDown ? 12 : -12);
    return [line(x, y, x, endY, { stroke, dashes: '2 2' }) + cross(x, endY, RED)];
  }
  const marker = headOf(stroke);
  return [line(x, y, layout.x(arrivedMs), layout.y(to) - gap, { stroke, width: 0.9, marker, opacity: 0.85 })];
}

function fault(layout: Layout, { span, number, x, width, y, label }: Mark): string {
  const room = WIDTH - RIGHT - x;
  const isLeft = label !== null && widthOf(label, 11) + DISC + 4 > room;
  const words = label
    ? text(isLeft ? x - DISC - 4 : x + DISC + 4, y + 4, label, {
        size: 11,
        fill: RED,
        ...(isLeft ? { anchor: 'end' as const } : {}),
      })
    : '';
  const band = width > DISC ? box(x, y - 5, width, 10, { fill: RED, opacity: 0.16, hint: span.words }) : '';
  const sign = layout.hasList ? disc(x, y, number) : disc(x, y);
  return `<g><title>${escaped(span.words)}</title>${band}${sign}${words}</g>`;
}

function disc(x: number, y: number, number?: number): string {
  const circle = `<circle cx="${n(x)}" cy="${n(y)}" r="${number === undefined ? 4 : DISC}" fill="${RED}"/>`;
  if (number === undefined) return circle;
  return circle + text(x, y + 3, String(number), { anchor: 'middle', fill: '#ffffff', size: 9 });
}

function list(layout: Layout): string[] {
  const half = Math.ceil(layout.faults.length / 2);
  return layout.faults.map(({ words, fromMs }, i) => {
    const x = LEFT + Math.floor(i / half) * ((WIDTH - LEFT) / 2);
    const y = layout.bottom + 50 + LIST_LINE * (i % half);
    return disc(x, y - 4, i + 1) + text(x + 14, y, `${ms(fromMs)} ms: ${words}`, { size: 11 });
  });
}

const headOf = (colour: string): string => `to${colour.slice(1)}`;
const ms = (value: number): string => (value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1));
