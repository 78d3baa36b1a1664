import type { Election, Mastership } from 'synod';

/**
 * The mastership that an election's actor holds. Kept beside the machines, because what they know themselves can be written as
 * JSON, and a mastership cannot.
 */
const masterships = new WeakMap<Election, Mastership>();

export const heldOf = (election: Election): Mastership | null => masterships.get(election) ?? null;

export const hold = (election: Election, mastership: Mastership): void => void masterships.set(election, mastership);

export function letGo(election: Election, mastership: Mastership): void {
  if (masterships.get(election) === mastership) masterships.delete(election);
}
