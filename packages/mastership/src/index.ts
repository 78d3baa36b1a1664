export {
  type BeMaster,
  decodeMasterCommand,
  type EndSession,
  type Expire,
  encodeMasterCommand,
  MASTER,
  type MasterCommand,
  type Metadata,
  type OpenSession,
  type Renew,
  type Resign,
  type SeenHolder,
  type Take,
  type Transfer,
} from './commands.ts';
export { type FoldRules, foldRules, type Refusal } from './fold/fold.rules.ts';
export { type Applied, type FoldRows, MasterFold, type MasterFoldOptions } from './fold/master-fold.ts';
export type { MasterReader } from './fold/master-reader.ts';
export { MasterView } from './fold/master-view.ts';
export { type Claim, HolderClock, type HolderClockOptions, type Stamp } from './holder-clock.ts';
export {
  Candidacies,
  type CandidaciesOptions,
  type CandidacyEvent,
  type CandidateRef,
  type SessionRef,
} from './lease/candidacies.ts';
export { candidateMachine } from './lease/candidate.machine.ts';
export type { CandidateContext, SessionContext } from './lease/lease.context.ts';
export { type LeaseRules, leaseRules } from './lease/lease.rules.ts';
export type {
  CandidateEmitted,
  CandidateEvent,
  CandidateInput,
  Heir,
  LeaseEvent,
  Licence,
  LostBy,
  SessionEmitted,
  SessionEvent,
  SessionInput,
} from './lease/lease.types.ts';
export {
  deadlineOf,
  hasSeen,
  isMaster,
  isOverdue,
  leaseInForceMs,
  licence,
  mayCount,
  remainingMs,
  shortestLeaseMs,
} from './lease/licence.ts';
export { sessionMachine } from './lease/session.machine.ts';
