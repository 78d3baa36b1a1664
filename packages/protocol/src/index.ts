export { type Ballot, compareBallots, formatBallot, isSameBallot, MAX_ROUND, NO_BALLOT } from './ballot.ts';
export { type Codec, wireCodec } from './codec.ts';
export {
  batchCount,
  commandBytes,
  decodeBatch,
  encodeBatch,
  MAX_BATCH_BYTES,
  MAX_COMMAND_BYTES,
  MAX_MESSAGE_BYTES,
  NO_OP,
  type Value,
} from './command.ts';
export { COMMAND_ID_PATTERN, type CommandId, commandId, incarnationOf } from './command-id.ts';
export { configurationDigest, DEFAULT_MAX_DRIFT_PPM, quorumSystemOf } from './configuration.ts';
export {
  type Decoded,
  type DropReason,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  WIRE_VERSION,
} from './envelope.ts';
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
  type SynodErrorOptions,
  TimeoutError,
  VersionConflictError,
} from './errors.ts';
export {
  ELECTION_HEADER,
  type FenceToken,
  fenceHeaders,
  type HeadersLike,
  isTerm,
  readFenceHeaders,
  TERM_HEADER,
} from './fence.ts';
export { InvariantError, invariant } from './invariant.ts';
export { decodeRecord, encodeRecord } from './journal-records.ts';
export { type Drift, guardMs, holdMs, MAX_LEASE_MS, MIN_LEASE_MS, waitMs } from './lease-time.ts';
export { pack, unpack } from './msgpack.ts';
export { EVERYBODY, type Incarnation, isName, NAME_PATTERN, type NodeId } from './node-id.ts';
export type {
  Address,
  Bus,
  MessageHandler,
  PublishOptions,
  RequestHandler,
  Role,
  Subscription,
} from './ports/bus.ts';
export type { Clock, TimerHandle } from './ports/clock.ts';
export type { ConsensusLog, LogObserver, ProposeOptions } from './ports/consensus-log.ts';
export type { Journal, JournalContents, JournalOwner } from './ports/journal.ts';
export { between, type Random } from './ports/random.ts';
export type { StateMachine } from './ports/state-machine.ts';
export { checkedQuorumSystem, majority, type QuorumSystem } from './quorum.ts';
export { Recent } from './recent.ts';
export type { Command } from './schemas/command.ts';
export type { Configuration } from './schemas/configuration.ts';
export type { JournalRecord } from './schemas/journal-record.ts';
export type { Cause, MasterNews, MasterRecord, Session } from './schemas/master-view.ts';
export type {
  Accept,
  Accepted,
  AcceptedEntry,
  Append,
  AwaitingLearner,
  Chosen,
  Claim,
  Claimed,
  Consent,
  Fetch,
  Formation,
  Learned,
  LearnedEntry,
  Message,
  MessageType,
  News,
  Offer,
  Outcomes,
  Prepare,
  Present,
  Promised,
  Received,
  Reject,
  Share,
  Snapshot,
  Standby,
  Store,
  Trimmed,
  Wish,
} from './schemas/messages.ts';
export { soon } from './soon.ts';
