import type { Message, NodeId } from '@synod/protocol';
import { type Fault, faultInWords } from '../faults/fault.ts';
import type { Plan } from '../run/plan.ts';
import type { FaultSpan, HeldSpan, Recorder, Sent } from './recorder.ts';
import type { Window } from './transcript.ts';

const WIDTH = 1200;
const LEFT = 44;
const RIGHT = 16;
const TOP = 64;
const LANE = 92;
const BAR = 22;
const LEGEND_LINE = 18;

/** Terms take these in turn: neighbours differ. */
const TERM_COLOURS = ['#2f6fb4', '#b4552f', '#4f8a3d', '#8a4fa3', '#a3822a', '#2f8a8a', '#a33f6b', '#5a5f9e'];

const MESSAGE_COLOURS: Partial<Record<Message['type'], string>> = {
  prepare: '#b8860b',
  promise: '#b8860b',
  reject: '#c0392b',
  accept: '#3b6ea5',
  accepted: '#7aa6d6',
  chosen: '#3f8f4f',
};
const OTHER_MESSAGES = '#b5b5b5';

/**
 * A run as a drawing: a lane per node, masterships as bars coloured by term, messages as arrows, faults as marks. Plain SVG
 * without scripts or fonts of its own.
 */
export function picture(plan: Plan, recorder: Recorder, window: Partial<Window> = {}, title?: string): string {
  const fromMs = window.fromMs ?? 0;
  const untilMs = Math.min(window.untilMs ?? Number.POSITIVE_INFINITY, recorder.endMs);
  const view = new View(recorder, fromMs, Math.max(untilMs, fromMs + 1));
  const faults = recorder.faults.filter((span) => view.sees(span.fromMs, span.untilMs));
  const height = view.bottom + 44 + LEGEND_LINE * Math.ceil(faults.length / 2);
  const name = title ?? `seed ${plan.seed}: ${plan.settings.nodes.length} members, lease ${plan.leaseMs} ms`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="12">`,
    `<title>${escaped(name)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<defs>${markers()}</defs>`,
    text(LEFT, 20, name, { size: 14, weight: 'bold' }),
    ...key(),
    ...axis(view),
    ...healing(view, recorder),
    ...recorder.names.map((node) => lane(view, node)),
    ...recorder.lives.filter((span) => view.sees(span.fromMs, span.untilMs)).map((span) => view.life(span)),
    ...recorder.sent.flatMap((sent) => arrow(view, sent)),
    ...recorder.held.flatMap((held) => bar(view, held)),
    ...faults.flatMap((span, i) => mark(view, span, i + 1)),
    ...faults.map((span, i) => legend(view, span, i)),
    '</svg>',
    '',
  ].join('\n');
}

/** Where things stand. */
class View {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly #names: readonly NodeId[];

  constructor({ names }: Recorder, fromMs: number, untilMs: number) {
    this.fromMs = fromMs;
    this.untilMs = untilMs;
    this.#names = names;
  }

  get bottom(): number {
    return TOP + LANE * this.#names.length;
  }

  x(atMs: number): number {
    const clipped = Math.min(Math.max(atMs, this.fromMs), this.untilMs);
    return LEFT + ((clipped - this.fromMs) / (this.untilMs - this.fromMs)) * (WIDTH - LEFT - RIGHT);
  }

  y(node: NodeId): number {
    return TOP + LANE * (this.#names.indexOf(node) + 0.5);
  }

  sees(fromMs: number, untilMs: number | null): boolean {
    return fromMs <= this.untilMs && (untilMs ?? Number.POSITIVE_INFINITY) >= this.fromMs;
  }

  /** A thick line while the process lives. */
  life({ node, fromMs, untilMs }: { node: NodeId; fromMs: number; untilMs: number | null }): string {
    const y = this.y(node);
    return line(this.x(fromMs), y, this.x(untilMs ?? this.untilMs), y, '#8d8d8d', 2.5);
  }
}

function axis(view: View): string[] {
  const stepMs = niceStep((view.untilMs - view.fromMs) / 10);
  const parts: string[] = [];
  for (let atMs = Math.ceil(view.fromMs / stepMs) * stepMs; atMs <= view.untilMs; atMs += stepMs) {
    const x = view.x(atMs);
    parts.push(
      line(x, TOP - 8, x, view.bottom, '#ececec', 1),
      text(x, TOP - 12, `${round(atMs)} ms`, { anchor: 'middle', fill: '#777777', size: 10 }),
    );
  }
  return parts;
}

function niceStep(roughMs: number): number {
  const power = 10 ** Math.floor(Math.log10(roughMs));
  return ([1, 2, 5, 10].find((factor) => factor * power >= roughMs) ?? 10) * power;
}

function healing(view: View, { healedMs, healedNodes }: Recorder): string[] {
  if (healedMs === null || healedMs > view.untilMs || healedMs < view.fromMs) return [];
  const x = view.x(healedMs);
  return [
    `<rect x="${n(x)}" y="${TOP - 6}" width="${n(view.x(view.untilMs) - x)}" height="${view.bottom - TOP + 6}" fill="#eef7ee"/>`,
    text(x + 4, view.bottom + 14, `healed: ${healedNodes.join(' ')}`, { fill: '#3f8f4f', size: 11 }),
  ];
}

const lane = (view: View, node: NodeId): string =>
  [
    text(14, view.y(node) + 5, node, { size: 15, weight: 'bold' }),
    line(LEFT, view.y(node), WIDTH - RIGHT, view.y(node), '#dddddd', 1, '2 4'),
  ].join('');

function bar(view: View, held: HeldSpan): string[] {
  if (!view.sees(held.fromMs, held.untilMs)) return [];
  const left = view.x(held.fromMs);
  const width = Math.max(2, view.x(held.untilMs ?? view.untilMs) - left);
  const y = view.y(held.node) - BAR / 2;
  const words = `${held.node} master, term ${held.term}, ${round(held.fromMs)} to ${held.untilMs === null ? 'the end' : `${round(held.untilMs)} ms (${held.endedBy})`}`;
  const label = width > 70 ? `term ${held.term}` : width > 18 ? `${held.term}` : '';
  return [
    `<rect x="${n(left)}" y="${n(y)}" width="${n(width)}" height="${BAR}" rx="3" fill="${colourOf(held.term)}"><title>${escaped(words)}</title></rect>`,
    ...(label ? [text(left + width / 2, y + 15, label, { anchor: 'middle', fill: '#ffffff', size: 11 })] : []),
  ];
}

/** Neighbouring terms are far apart in the list, however much their numbers differ. */
const colourOf = (term: number): string => TERM_COLOURS[(term * 5) % TERM_COLOURS.length] ?? '#333333';

function arrow(view: View, { from, to, type, sentMs, arrivedMs }: Sent): string[] {
  if (from === to || sentMs > view.untilMs || (arrivedMs ?? sentMs) < view.fromMs) return [];
  const isDown = view.y(to) > view.y(from);
  const gap = (BAR / 2 + 1) * (isDown ? 1 : -1);
  const x1 = view.x(sentMs);
  const y1 = view.y(from) + gap;
  const colour = MESSAGE_COLOURS[type] ?? OTHER_MESSAGES;
  if (arrivedMs === null) {
    const y2 = y1 + (view.y(to) - gap - y1) * 0.35;
    return [`${line(x1, y1, x1, y2, colour, 0.8, '2 2')}${cross(x1, y2)}`];
  }
  return [
    `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(view.x(arrivedMs))}" y2="${n(view.y(to) - gap)}" stroke="${colour}" stroke-width="0.9" marker-end="url(#${markerOf(colour)})"/>`,
  ];
}

const cross = (x: number, y: number): string =>
  `<path d="M${n(x - 2.5)} ${n(y - 2.5)}l5 5m0 -5l-5 5" stroke="#c0392b" stroke-width="1"/>`;

/** A fault of one node stands below its line; one of the network above all lanes. */
function mark(view: View, { fault, fromMs, untilMs }: FaultSpan, number: number): string[] {
  const x = view.x(fromMs);
  const width = Math.max(0, view.x(untilMs ?? view.untilMs) - x);
  const nodes = lanesOf(fault);
  const rows = nodes.length > 0 ? nodes.map((node) => view.y(node) + 20 + 9 * (number % 3)) : [TOP - 2];
  return rows.map(
    (y) =>
      `<g><title>${escaped(`${number}: ${faultInWords(fault)}`)}</title>` +
      (width > 2
        ? `<rect x="${n(x)}" y="${n(y - 3)}" width="${n(width)}" height="6" fill="#c0392b" opacity="0.16"/>`
        : '') +
      `<circle cx="${n(x)}" cy="${n(y)}" r="6" fill="#c0392b"/>${text(x, y + 3, String(number), { anchor: 'middle', fill: '#ffffff', size: 8 })}</g>`,
  );
}

function lanesOf(fault: Fault): readonly NodeId[] {
  if ('node' in fault) return [fault.node];
  if ('sides' in fault) return fault.sides[0] ?? [];
  if ('from' in fault) return [fault.from, fault.to].filter((end) => end !== '*');
  return [];
}

function legend(view: View, { fault, fromMs }: FaultSpan, i: number): string {
  const x = LEFT + (i % 2) * ((WIDTH - LEFT) / 2);
  const y = view.bottom + 40 + LEGEND_LINE * Math.floor(i / 2);
  return `<circle cx="${x + 6}" cy="${y - 4}" r="7" fill="#c0392b"/>${text(x + 6, y - 1, String(i + 1), { anchor: 'middle', fill: '#ffffff', size: 9 })}${text(x + 20, y, `${round(fromMs)} ms: ${faultInWords(fault)}`, { size: 11 })}`;
}

function key(): string[] {
  const kinds: readonly (readonly [string, string])[] = [
    ['prepare, promise', '#b8860b'],
    ['accept', '#3b6ea5'],
    ['accepted', '#7aa6d6'],
    ['chosen', '#3f8f4f'],
    ['reject', '#c0392b'],
    ['other messages', OTHER_MESSAGES],
  ];
  let x = WIDTH - RIGHT - 560;
  return kinds.map(([words, colour]) => {
    const at = x;
    x += 34 + words.length * 6.2;
    return `${line(at, 16, at + 16, 16, colour, 2)}${text(at + 20, 20, words, { size: 11, fill: '#555555' })}`;
  });
}

const markers = (): string =>
  [...new Set([...Object.values(MESSAGE_COLOURS), OTHER_MESSAGES])]
    .map(
      (colour) =>
        `<marker id="${markerOf(colour)}" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0.6L5 3L0 5.4z" fill="${colour}"/></marker>`,
    )
    .join('');

const markerOf = (colour: string): string => `to${colour.slice(1)}`;

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number, dashes = ''): string {
  const dashed = dashes ? ` stroke-dasharray="${dashes}"` : '';
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${stroke}" stroke-width="${width}"${dashed}/>`;
}

function text(
  x: number,
  y: number,
  words: string,
  style: { anchor?: 'middle' | 'end'; fill?: string; size?: number; weight?: string } = {},
): string {
  const { anchor, fill = '#222222', size = 12, weight } = style;
  const more = `${anchor ? ` text-anchor="${anchor}"` : ''}${weight ? ` font-weight="${weight}"` : ''}`;
  return `<text x="${n(x)}" y="${n(y)}" fill="${fill}" font-size="${size}"${more}>${escaped(words)}</text>`;
}

const n = (value: number): string => value.toFixed(1);
const round = (ms: number): string => (ms >= 100 ? ms.toFixed(0) : ms.toFixed(1));

const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
