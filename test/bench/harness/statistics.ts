export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Between two runs the quantile is interpolated, so that p50 of an even number is their middle. */
export function quantile(runs: readonly number[], q: number): number {
  const sorted = [...runs].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (runs: readonly number[]): number => quantile(runs, 0.5);

export const summarize = (runs: readonly number[]): Summary => ({
  p50: rounded(median(runs)),
  p99: rounded(quantile(runs, 0.99)),
  max: rounded(Math.max(...runs)),
});

/** Three decimals: microseconds of a figure in ms. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000;
