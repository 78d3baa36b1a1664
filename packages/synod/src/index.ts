export {
  FencedPublisher,
  type FencedPublisherOptions,
  type FencedPublishOptions,
  type NatsConnectionLike,
  type Published,
  publishJson,
  subscribeJson,
} from '@synod/nats';
export {
  ClosedError,
  ConfigError,
  ELECTION_HEADER,
  type FenceToken,
  ForeignJournalError,
  FormationError,
  fenceHeaders,
  type HeadersLike,
  InternalError,
  JournalFailedError,
  JournalLockedError,
  MastershipLostError,
  NodeIdInUseError,
  NoQuorumError,
  OutcomeUnknownError,
  PermissionError,
  readFenceHeaders,
  StaleFenceError,
  SynodError,
  type SynodErrorCode,
  TERM_HEADER,
  TimeoutError,
  VersionConflictError,
} from '@synod/protocol';
export type {
  CampaignOptions,
  Election,
  Fence,
  Group,
  GroupEvents,
  GroupStatus,
  LoggerLike,
  Master,
  MasterChange,
  Mastership,
  MemoryFence,
  NodeState,
  RunWhileMasterOptions,
  Shard,
  Shards,
  ShardsOptions,
  SqlFenceOptions,
  SqlQuery,
} from '@synod/runtime';
export {
  groupMachine,
  type JsonView,
  jsonView,
  memoryFence,
  nameProblems,
  roleMachines,
  sqlFence,
  sqlFenceTable,
} from '@synod/runtime';
export { type HistoryLine, recordHistory } from './history.ts';
export { join, optionProblems } from './join.ts';
export type { JoinMembership, JoinOptions } from './options.ts';
export { prepare } from './rehearsals.ts';
export { systemClock, systemRandom } from './system-clock.ts';
