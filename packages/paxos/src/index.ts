export { type AcceptorContext, acceptorMachine } from './acceptor/acceptor.machine.ts';
export {
  type AcceptedValue,
  type AcceptorEmitted,
  type AcceptorEvent,
  type AcceptorInput,
  type AcceptorRules,
  type AcceptorState,
  acceptorRules,
  type Bundle,
  type Draft,
  freshAcceptor,
  heldValue,
  type Reply,
} from './acceptor/acceptor.rules.ts';
export { learnerMachine } from './learner/learner.machine.ts';
export type {
  LearnerEmitted,
  LearnerEvent,
  LearnerInput,
  LearnerRecovered,
  SnapshotState,
} from './learner/learner.rules.ts';
export { PaxosLog, type PaxosLogOptions } from './log.ts';
export { proposerMachine } from './proposer/proposer.machine.ts';
export type { LeadReason, ProposerEmitted, ProposerEvent, ProposerInput } from './proposer/proposer.rules.ts';
export { type Checkpoint, checkpointRecords, type Recovered, recover } from './recovery.ts';
