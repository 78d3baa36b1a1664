import type { LeaseContext } from './lease.rules.ts';
import type { Licence } from './lease.types.ts';

/** T5: may this node act as master at this very instant? Compares the clock at each call; allocates nothing. */
export const isMaster = (_context: LeaseContext): boolean => false;

/** What is left of the mastership in force, ms; 0 when there is none. */
export const remainingMs = (_context: LeaseContext): number => 0;

/** The mastership in force at this instant, or `null`. */
export const licence = (_context: LeaseContext): Licence | null => null;
