import type { LeaseInput } from './lease.types.ts';

/** Only the rules and the {@link licence} functions read it. */
export interface LeaseContext {
  readonly input: LeaseInput;
}

export const leaseRules = {};
export type LeaseRules = typeof leaseRules;
