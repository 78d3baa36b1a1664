import { describe, expect, it } from 'vitest';
import type { Fault } from '../faults/fault.ts';
import { minimise } from './minimise.ts';

const resigns = (count: number): Fault[] => Array.from({ length: count }, (_, i) => ({ kind: 'resign', atMs: i }));

/** Fails while all of these are there. */
const needs =
  (...atMs: number[]) =>
  async (faults: readonly Fault[]): Promise<boolean> =>
    atMs.every((at) => faults.some((fault) => fault.atMs === at));

describe('making a failure smaller', () => {
  it.each([[[3]], [[0, 19]], [[4, 5, 6]], [[]]])('leaves what is needed: %j', async (needed) => {
    const left = await minimise(resigns(20), needs(...needed));
    expect(left.map(({ atMs }) => atMs)).toEqual(needed);
  });

  it('leaves all that a failure needs together', async () => {
    expect(await minimise(resigns(3), needs(0, 1, 2))).toHaveLength(3);
  });
});
