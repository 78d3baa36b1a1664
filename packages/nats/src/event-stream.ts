import { setTimeout as delay } from 'node:timers/promises';
import { PermissionError, type SynodError, type SynodErrorOptions, TimeoutError } from '@synod/protocol';
import { parseEvent, sourceOf } from './events.ts';
import { askJetStream, type JetStreamAnswer, type Lacking } from './jetstream-api.ts';
import type { NatsConnectionLike } from './nats-connection.ts';
import type { MasterEvent } from './schemas/events.ts';
import { EVENT_STREAM, EVENT_STREAM_SUBJECTS, eventStreamApi, parseSubject, patternOf } from './subjects.ts';

export interface EventStreamOptions {
  /** Longest wait for JetStream, which has to find its own leader when servers and members start together. Default 15 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Whether the history of events is kept. Whatever it is, events are published and elections go on. */
export interface EventStreamState {
  readonly state: 'ready' | 'no-jetstream' | 'no-permission' | 'failed';
  /** In words, for a log line. */
  readonly detail: string;
}

const DAY_NS = 86_400e9;
const DEFAULT_TIMEOUT_MS = 15_000;
/** An unanswered request was lost, or met a server that does not know JetStream's leader yet: asked again. */
const ATTEMPT_MS = 2_000;
const PAUSE_MS = 200;

const config = {
  name: EVENT_STREAM,
  description: 'Changes of mastership of all Synod groups, CloudEvents 1.0',
  subjects: [EVENT_STREAM_SUBJECTS],
  retention: 'limits',
  storage: 'file',
  discard: 'old',
  max_age: 7 * DAY_NS,
  // Every member publishes what it applied; their ids are the same, and the first one stays.
  duplicate_window: 120e9,
};

/**
 * Sees to it that the stream of events exists: called by each member, created by the first that may. An operator's own
 * settings of it stay. Never rejects.
 */
export async function ensureEventStream(
  connection: NatsConnectionLike,
  options: EventStreamOptions = {},
): Promise<EventStreamState> {
  const found = await ask(connection, 'INFO', {}, options);
  if (found.state === 'ok') return checked(found.data);
  if (found.state !== 'not-found' && found.state !== 'no-permission') return lacking(found);
  const made = connection.info?.cluster ? await create(connection, 3, options) : undefined;
  if (made?.state === 'ok') return checked(made.data);
  if (made && !TOO_FEW_SERVERS.has(made.errorCode)) return lacking(made);
  const single = await create(connection, 1, options);
  return single.state === 'ok' ? checked(single.data) : lacking(single);
}

/** No suitable peers; not enough resources; replicas need a cluster. */
const TOO_FEW_SERVERS: ReadonlySet<number | undefined> = new Set([10005, 10023, 10074]);

const create = (
  connection: NatsConnectionLike,
  replicas: number,
  options: EventStreamOptions,
): Promise<JetStreamAnswer> => ask(connection, 'CREATE', { ...config, num_replicas: replicas }, options);

/**
 * Highest version of any event of the group in the stream: above it terms are new (I5). `null` when the stream holds none,
 * or there is no stream, or no JetStream.
 *
 * @throws {@link PermissionError} when NATS does not let us ask.
 * @throws {@link TimeoutError} when JetStream did not answer, or not with what was asked: unknown, which is not none.
 */
export async function lastEventVersion(
  connection: NatsConnectionLike,
  group: string,
  options: EventStreamOptions = {},
): Promise<number | null> {
  const events = await lastEvents(connection, group, '*', options);
  if (events.length === 0) return null;
  return Math.max(...events.map((event) => event.data.version));
}

/**
 * The newest event of each election that the stream holds. The order in the stream says nothing: a member that was stopped
 * at its publishing comes late (fault 54), so the last of each member is asked for, and versions are compared.
 *
 * @throws as {@link lastEventVersion}.
 */
export async function lastEvents(
  connection: NatsConnectionLike,
  group: string,
  election: string,
  options: EventStreamOptions = {},
): Promise<MasterEvent[]> {
  const filter = patternOf(group, { role: 'event', to: election });
  const info = await ask(connection, 'INFO', { subjects_filter: filter }, options);
  if (info.state === 'not-found' || info.state === 'no-jetstream') return [];
  if (info.state !== 'ok') throw unanswered(info, group);
  const subjects = (info.data as { state?: { subjects?: Record<string, number> } }).state?.subjects ?? {};
  const newest = new Map<string, MasterEvent>();
  for (const batch of batchesOf(Object.keys(subjects), 32)) {
    const events = await Promise.all(batch.map((subject) => lastEventOf(connection, subject, options)));
    for (const event of events) {
      if (!event) continue;
      const known = newest.get(event.data.election);
      if (!known || known.data.version <= event.data.version) newest.set(event.data.election, event);
    }
  }
  return [...newest.values()];
}

async function lastEventOf(
  connection: NatsConnectionLike,
  subject: string,
  options: EventStreamOptions,
): Promise<MasterEvent | null> {
  const answer = await ask(connection, 'MSG.GET', { last_by_subj: subject }, options);
  if (answer.state === 'not-found') return null; // Aged out meanwhile.
  const { group = '', from = '' } = parseSubject(subject) ?? {};
  if (answer.state !== 'ok') throw unanswered(answer, group);
  const { data } = (answer.data as { message?: { data?: unknown } }).message ?? {};
  const event = typeof data === 'string' ? parseEvent(Buffer.from(data, 'base64')) : null;
  return event?.source === sourceOf(group, from) ? event : null;
}

/** Asks until there is an answer, a refusal or no more time. */
async function ask(
  connection: NatsConnectionLike,
  verb: 'INFO' | 'CREATE' | 'MSG.GET',
  body: unknown,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: EventStreamOptions,
): Promise<JetStreamAnswer> {
  const endsAtMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.ceil(endsAtMs - performance.now());
    const answer = await askJetStream(
      connection,
      eventStreamApi(verb),
      body,
      Math.max(1, Math.min(ATTEMPT_MS, leftMs)),
    );
    const isLast = answer.state !== 'unanswered' || performance.now() + PAUSE_MS >= endsAtMs;
    if (isLast || signal?.aborted || connection.isClosed()) return answer;
    await delay(PAUSE_MS);
  }
}

function checked(stream: unknown): EventStreamState {
  const { subjects } = (stream as { config?: { subjects?: unknown } }).config ?? {};
  if (Array.isArray(subjects) && subjects.includes(EVENT_STREAM_SUBJECTS)) {
    return { state: 'ready', detail: `Events are kept in the stream ${EVENT_STREAM}` };
  }
  const detail = `A stream ${EVENT_STREAM} exists that does not hold ${EVENT_STREAM_SUBJECTS}`;
  return { state: 'failed', detail };
}

const lacking = ({ state, detail }: Lacking): EventStreamState => ({
  state: state === 'no-jetstream' || state === 'no-permission' ? state : 'failed',
  detail,
});

function unanswered({ state, detail, cause }: Lacking, group: string): SynodError {
  const options: SynodErrorOptions = { cause };
  const what = `the newest event of group "${group}" is unknown: ${detail}`;
  return state === 'no-permission' ? new PermissionError(what, options) : new TimeoutError(what, options);
}

function* batchesOf<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
