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
export { eventPattern, isSynodSubject, type ParsedSubject, parseSubject, patternOf, subjectOf } from './subjects.ts';
