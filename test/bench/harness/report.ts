import { cpus, platform, release } from 'node:os';
import { rounded, summarize } from './statistics.ts';

/** What a bench measured. */
export interface Measured {
  readonly figure: string;
  readonly unit: string;
  /** One number a run, in the order of the runs. */
  readonly runs: readonly number[];
  /** The figure itself, where it is not one of p50, p99 and max. */
  readonly value?: number;
  /** What it must reach, in words, and whether it did. */
  readonly bar?: string;
  readonly ok?: boolean;
  /** What else belongs to it: lease, mode, count, and figures derived from the runs. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** One line of the output. */
export type FigureLine = Readonly<Record<string, unknown>> & { readonly bench: string; readonly figure: string };

export interface Surroundings {
  readonly bench: string;
  readonly overlapMs: number;
  readonly natsServer: string | null;
}

export function figureLine(measured: Measured, { bench, overlapMs, natsServer }: Surroundings): FigureLine {
  const { figure, unit, value, bar, ok, parameters } = measured;
  const runs = measured.runs.map(rounded);
  return {
    bench,
    figure,
    unit,
    ...summarize(runs),
    runs,
    ...(value === undefined ? {} : { value: rounded(value) }),
    overlapMs: rounded(overlapMs),
    ...parameters,
    ...(bar === undefined ? {} : { bar, ok }),
    machine: machine(natsServer),
  };
}

/** The same for a reader: `failover  p50 181.2 ms, p99 …, max … (lease 200) ok: p50 ≤ …`. */
export function inWords({ figure, unit, p50, p99, max, runs, machine, bench, bar, ok, ...rest }: FigureLine): string {
  const verdict = bar === undefined ? '' : `, ${ok ? 'ok' : 'MISSED'}: ${bar}`;
  const parameters = Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const count = (runs as readonly number[]).length;
  return `${bench} ${figure}: p50 ${p50}, p99 ${p99}, max ${max} ${unit} over ${count} runs (${parameters.join(', ')})${verdict}`;
}

function machine(natsServer: string | null): string {
  const cores = cpus();
  const parts = [
    `${cores.length} x ${cores[0]?.model ?? 'unknown'}`,
    `${platform()} ${release()}`,
    `node ${process.versions.node}`,
  ];
  if (natsServer !== null) parts.push(`nats-server ${natsServer}`);
  return parts.join(', ');
}
