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
export { type LearnerContext, learnerMachine } from './learner/learner.machine.ts';
export {
  type LearnerEmitted,
  type LearnerEvent,
  type LearnerInput,
  type LearnerRecovered,
  type LearnerRules,
  type LearnerState,
  learnerRules,
  type SnapshotState,
} from './learner/learner.rules.ts';
export { PaxosLog, type PaxosLogOptions } from './log.ts';
export { type ProposerContext, proposerMachine } from './proposer/proposer.machine.ts';
export {
  type LeadReason,
  type ProposerEmitted,
  type ProposerEvent,
  type ProposerInput,
  type ProposerRules,
  type ProposerState,
  proposerRules,
} from './proposer/proposer.rules.ts';
export {
  type Checkpoint,
  checkpointRecords,
  type Recovered,
  type RecoveryRules,
  recover,
  recoveryRules,
} from './recovery.ts';
