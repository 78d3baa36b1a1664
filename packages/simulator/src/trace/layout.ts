import type { NodeId } from '@synod/protocol';
import type { FaultSpan, Recorder } from './recorder.ts';
import { widthOf } from './svg.ts';
import type { Window } from './transcript.ts';

export const WIDTH = 960;
export const LEFT = 34;
export const RIGHT = 14;
/** Title and key stand above. */
const TOP = 78;
/** Above and below the line of a lane: room for arrows. */
const ROOM = 32;
/** Height of a mastership. */
export const BAR = 22;
const STRIP_ROW = 17;
/** A fault is marked by a disc at least. */
export const DISC = 7;
const LABEL_SIZE = 11;

/** A fault where it stands: in the strip of a node, or of the network. */
export interface Mark {
  readonly span: FaultSpan;
  /** In the list below the lanes. */
  readonly number: number;
  readonly x: number;
  readonly width: number;
  readonly y: number;
  /** Said beside it, where there is room. */
  readonly label: string | null;
}

/** Where everything of a picture stands. Strips of faults are as high as they need to be, so that no two marks overlap. */
export class Layout {
  readonly window: Window;
  readonly faults: readonly FaultSpan[];
  readonly marks: readonly Mark[];
  /** Of the lanes. */
  readonly top: number;
  readonly bottom: number;
  readonly #lines = new Map<NodeId, number>();

  constructor(recorder: Recorder, window: Window) {
    this.window = window;
    this.faults = recorder.faults.filter(({ fromMs, untilMs }) => this.sees(fromMs, untilMs));
    const areLabelled = this.faults.length <= LABELLED;
    const marks: Mark[] = [];
    const strip = (node: NodeId | null, y: number): number => {
      const rows: number[] = [];
      for (const [i, span] of this.faults.entries()) {
        if (node === null ? span.nodes.length > 0 : !span.nodes.includes(node)) continue;
        const x = this.x(span.fromMs);
        const width = Math.max(0, this.x(span.untilMs ?? window.untilMs) - x);
        const label = areLabelled ? span.words : null;
        const wide = Math.max(width, DISC + (label ? 4 + widthOf(label, LABEL_SIZE) : 0));
        const free = rows.findIndex((endX) => endX + DISC + 3 < x);
        const row = free === -1 ? rows.length : free;
        rows[row] = x + wide;
        marks.push({ span, number: i + 1, x, width, y: y + DISC + STRIP_ROW * row, label });
      }
      return rows.length === 0 ? 0 : STRIP_ROW * rows.length + 4;
    };
    let y = TOP + strip(null, TOP - 6);
    this.top = y;
    for (const node of recorder.names) {
      this.#lines.set(node, y + ROOM);
      y += 2 * ROOM - 8;
      y += strip(node, y);
    }
    this.marks = marks;
    this.bottom = y + 2;
  }

  x(atMs: number): number {
    const { fromMs, untilMs } = this.window;
    const clipped = Math.min(Math.max(atMs, fromMs), untilMs);
    return LEFT + ((clipped - fromMs) / (untilMs - fromMs)) * (WIDTH - LEFT - RIGHT);
  }

  /** The middle of the node's lane. */
  y(node: NodeId): number {
    return this.#lines.get(node) ?? Number.NaN;
  }

  sees(fromMs: number, untilMs: number | null): boolean {
    return fromMs <= this.window.untilMs && (untilMs ?? Number.POSITIVE_INFINITY) >= this.window.fromMs;
  }

  /** Faults are said beside their marks, as long as they are few; else in a list. */
  get hasList(): boolean {
    return this.faults.length > LABELLED;
  }
}

const LABELLED = 6;
