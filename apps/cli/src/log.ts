import { type DestinationStream, pino } from 'pino';
import type { LoggerLike } from 'synod';
import type { Style, Terminal } from './terminal.ts';

export interface LogOptions {
  readonly node: string;
  /** For a person: time, level and sentence. Otherwise pino's JSON lines. */
  readonly isPretty: boolean;
  readonly terminal: Terminal;
}

/** A daemon's log is its data: it goes to stdout. The level is SYNOD_LOG_LEVEL, `info` by default. */
export function createLogger({ node, isPretty, terminal }: LogOptions): LoggerLike {
  const level = process.env['SYNOD_LOG_LEVEL'] || 'info';
  const options = { name: node, base: {}, level: level in pino.levels.values || level === 'silent' ? level : 'info' };
  return isPretty ? pino(options, prettyStream(terminal)) : pino(options);
}

const LEVELS: Readonly<Record<number, readonly [string, Style]>> = {
  10: ['TRACE', 'dim'],
  20: ['DEBUG', 'dim'],
  30: ['INFO ', 'green'],
  40: ['WARN ', 'yellow'],
  50: ['ERROR', 'red'],
  60: ['FATAL', 'red'],
};

/** Turns pino's lines into lines for a person. What its fields say the sentences say too. */
function prettyStream({ out, paint }: Terminal): DestinationStream {
  return {
    write: (text) => {
      const { level, time, msg, err } = JSON.parse(text) as {
        level: number;
        time: number;
        msg?: string;
        err?: { stack?: string };
      };
      const [name, style] = LEVELS[level] ?? [String(level), 'dim'];
      const clock = new Date(time).toISOString().slice(11, 23);
      out(`${paint('dim', clock)} ${paint(style, name)} ${msg ?? ''}`);
      if (err?.stack) out(paint('dim', err.stack));
    },
  };
}
