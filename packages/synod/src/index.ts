export {
  ClosedError,
  ConfigError,
  ForeignJournalError,
  FormationError,
  InternalError,
  JournalFailedError,
  JournalLockedError,
  MastershipLostError,
  NodeIdInUseError,
  NoQuorumError,
  OutcomeUnknownError,
  PermissionError,
  StaleFenceError,
  SynodError,
  type SynodErrorCode,
  TimeoutError,
  VersionConflictError,
} from '@synod/protocol';
export type {
  CampaignOptions,
  Election,
  Group,
  GroupEvents,
  GroupStatus,
  LoggerLike,
  Master,
  MasterChange,
  Mastership,
  NodeState,
  RunWhileMasterOptions,
} from '@synod/runtime';
export { type JsonView, jsonView, nameProblems } from '@synod/runtime';
export { type HistoryLine, recordHistory } from './history.ts';
export { join, optionProblems } from './join.ts';
export type { JoinMembership, JoinOptions } from './options.ts';
export { systemClock, systemRandom } from './system-clock.ts';
