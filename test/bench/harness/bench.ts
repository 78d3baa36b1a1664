import { InvalidArgumentError, type Option } from 'commander';
import type { Lab } from './lab.ts';

/** One bench: a subcommand of `npm run bench`. */
export interface Bench<Options extends object = object> {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  /** Measures, and hands each figure to `lab.report`. Throws when something could not be measured. */
  run(lab: Lab, options: Options): Promise<void>;
}

/** For options that are a number: `--runs 40`. */
export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('A whole number from 1.');
  return value;
}

/** For options that are several: `--leases 200,300`. */
export const wholes = (text: string): number[] => text.split(',').map(whole);
