export { type AskAdminOptions, askAdmin, askHealth, respondAdmin, respondHealth } from './admin.ts';
export type { AskOptions } from './ask.ts';
export { adviseConnection } from './connection-advice.ts';
export {
  type EventStreamOptions,
  type EventStreamState,
  ensureEventStream,
  lastEvents,
  lastEventVersion,
} from './event-stream.ts';
export { electionState, encodeEvent, eventOfState, eventsOf, parseEvent, type RecordChange } from './events.ts';
export {
  FencedPublisher,
  type FencedPublisherOptions,
  type FencedPublishOptions,
  type Published,
} from './fenced-publisher.ts';
export { publishJson, subscribeJson } from './json-channel.ts';
export { MasterEvents, type MasterWatch, type WatchOptions, watchMasterChanges } from './master-watch.ts';
export { type MicroServiceOptions, respondService } from './micro-service.ts';
export { type NatsBusOptions, natsBus } from './nats-bus.ts';
export type {
  NatsCallback,
  NatsConnectionLike,
  NatsHeadersLike,
  NatsMessageLike,
  NatsPublishOptions,
  NatsStatusLike,
  NatsSubscriptionLike,
} from './nats-connection.ts';
export { type PermissionFinding, probePermissions } from './permission-probe.ts';
export { type NatsPermissions, type PermissionsOptions, permissionsOf } from './permissions.ts';
export { RequestStatistics } from './request-statistics.ts';
export type { AdminAnswer } from './schemas/admin.ts';
export type { ElectionState, MasterEvent, MasterEventType } from './schemas/events.ts';
export type { WhoisAnswer } from './schemas/whois.ts';
export {
  EVENT_STREAM,
  EVENT_STREAM_SUBJECTS,
  isSynodSubject,
  type ParsedSubject,
  parseSubject,
  patternOf,
  subjectOf,
} from './subjects.ts';
export { type AskWhoisOptions, askWhois, respondWhois, type Whois, type WhoisView } from './whois.ts';
