export { type Applied, MasterFold, type MasterFoldOptions, type Refusal } from './fold/master-fold.ts';
export type { MasterReader } from './fold/master-reader.ts';
export { MasterView } from './fold/master-view.ts';
export { HolderClock, type HolderClockOptions, type Stamp } from './holder-clock.ts';
export { leaseMachine } from './lease/lease.machine.ts';
export { type LeaseContext, type LeaseRules, leaseRules } from './lease/lease.rules.ts';
export type { LeaseEmitted, LeaseEvent, LeaseInput, Licence, LostBy } from './lease/lease.types.ts';
export { isMaster, licence, remainingMs } from './lease/licence.ts';
