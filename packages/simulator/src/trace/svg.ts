/** The few shapes that a drawing is made of, as text of an SVG. */

export interface TextStyle {
  readonly anchor?: 'middle' | 'end';
  readonly fill?: string;
  readonly size?: number;
  readonly weight?: 'bold';
}

export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { anchor, fill = '#222222', size = 12, weight } = style;
  const more = `${anchor ? ` text-anchor="${anchor}"` : ''}${weight ? ` font-weight="${weight}"` : ''}`;
  return `<text x="${n(x)}" y="${n(y)}" fill="${fill}" font-size="${size}"${more}>${escaped(words)}</text>`;
}

export interface LineStyle {
  readonly stroke: string;
  readonly width?: number;
  readonly dashes?: string;
  /** Id of a marker for its end. */
  readonly marker?: string;
  readonly opacity?: number;
}

export function line(x1: number, y1: number, x2: number, y2: number, style: LineStyle): string {
  const { stroke, width = 1, dashes, marker, opacity } = style;
  const more = [
    dashes ? ` stroke-dasharray="${dashes}"` : '',
    marker ? ` marker-end="url(#${marker})"` : '',
    opacity ? ` opacity="${opacity}"` : '',
  ].join('');
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${stroke}" stroke-width="${width}"${more}/>`;
}

export interface BoxStyle {
  readonly fill: string;
  readonly radius?: number;
  readonly opacity?: number;
  /** Shown by viewers that the pointer rests on. */
  readonly hint?: string;
}

export function box(x: number, y: number, width: number, height: number, style: BoxStyle): string {
  const { fill, radius = 0, opacity = 1, hint } = style;
  const more = `${radius ? ` rx="${radius}"` : ''}${opacity < 1 ? ` opacity="${opacity}"` : ''}`;
  const head = `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" fill="${fill}"${more}`;
  return hint ? `${head}><title>${escaped(hint)}</title></rect>` : `${head}/>`;
}

/** Head of an arrow in this colour. */
export const arrowHead = (id: string, fill: string): string =>
  `<marker id="${id}" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0.6L5 3L0 5.4z" fill="${fill}"/></marker>`;

export const cross = (x: number, y: number, stroke: string): string =>
  `<path d="M${n(x - 2.5)} ${n(y - 2.5)}l5 5m0 -5l-5 5" stroke="${stroke}" stroke-width="1"/>`;

/** Helvetica and its kin, on the generous side. */
export const widthOf = (words: string, size: number): number => words.length * size * 0.54;

export const n = (value: number): string => String(Math.round(value * 10) / 10);

export const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
