import type { Fault } from '../faults/fault.ts';

/**
 * Leaves out faults, as many as it can, while the failure stays: halves, then quarters, and so on down to single ones (delta
 * debugging). What is left is needed, each for itself.
 *
 * @param fails - Runs the plan with these faults; true when it fails in the same way.
 * @see Zeller & Hildebrandt 2002, "Simplifying and Isolating Failure-Inducing Input"
 */
export async function minimise(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  if (faults.length === 0 || (await fails([]))) return [];
  let left = faults;
  let parts = 2;
  while (left.length > 1) {
    const size = Math.ceil(left.length / parts);
    let isSmaller = false;
    for (let start = 0; start < left.length; start += size) {
      const rest = [...left.slice(0, start), ...left.slice(start + size)];
      if (!(await fails(rest))) continue;
      left = rest;
      parts = Math.max(2, parts - 1);
      isSmaller = true;
      break;
    }
    if (isSmaller) continue;
    if (size === 1) break;
    parts = Math.min(left.length, 2 * parts);
  }
  return left;
}
