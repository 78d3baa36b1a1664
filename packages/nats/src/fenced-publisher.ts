import { headers, type MsgHdrs } from '@nats-io/nats-core';
import {
  ConfigError,
  type FenceToken,
  fenceHeaders,
  isTerm,
  OutcomeUnknownError,
  PermissionError,
  readFenceHeaders,
  StaleFenceError,
  TimeoutError,
  VersionConflictError,
} from '@synod/protocol';
import { answerOf, askJetStream, type Lacking } from './jetstream-api.ts';
import { isLive, type NatsConnectionLike } from './nats-connection.ts';
import { messageApi, STREAM_NAMES_API } from './subjects.ts';

export interface FencedPublisherOptions {
  /** One subject that a stream keeps; masters of one election write it, nobody else. */
  readonly subject: string;
  /** Longest wait for JetStream, a request. Default 5000. */
  readonly timeoutMs?: number;
}

export interface FencedPublishOptions {
  /**
   * Sequence of the last message of the subject that the caller has read, 0 for none: the message is refused with a
   * VersionConflictError when another is there already. Default: whatever the last one is.
   */
  readonly after?: number;
  /**
   * JetStream drops a second message of this id within its duplicate window: with it a call may be repeated as it was, `after`
   * included: what comes right after that message is then looked at, window or not.
   */
  readonly messageId?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where JetStream keeps a message. */
export interface Published {
  readonly stream: string;
  readonly sequence: number;
  /** True when a message of this id was there before. */
  readonly isDuplicate: boolean;
}

/** Last message of the subject. */
interface Last {
  /** 0 when there is none. */
  readonly sequence: number;
  readonly token: FenceToken | null;
}

/** A message as the stream keeps it. */
interface Kept {
  readonly stream: string;
  readonly sequence: number;
  readonly headers: Record<string, string | string[]>;
}

const MESSAGE_ID = 'Nats-Msg-Id';

/** JetStream's refusal of an expected sequence, as the versions of the server number it. */
const WRONG_SEQUENCE: ReadonlySet<number | undefined> = new Set([10071, 10164]);

/** Each refusal means that another wrote meanwhile; masters of one term are few. */
const MAX_ATTEMPTS = 16;

/**
 * Publishes into a stream behind a fence (F2): each message carries its term and names the last one before it, and JetStream
 * takes it only if that is still the last. So a master that was replaced is refused as soon as its successor has written.
 *
 * The fence is the last message of the subject: **the stream must keep it**, so no `max_age`, and `max_msgs_per_subject` or
 * none of the limits that drop old messages. Calls of one publisher are sent one after the other.
 */
export class FencedPublisher {
  readonly subject: string;
  readonly #connection: NatsConnectionLike;
  readonly #timeoutMs: number;
  #stream: string | null = null;
  /** As far as it is known without asking. */
  #last: Last | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws ConfigError when `subject` is not exactly one. */
  constructor(connection: NatsConnectionLike, { subject, timeoutMs = 5000 }: FencedPublisherOptions) {
    if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) throw new ConfigError([`subject is "${subject}": one is wanted`]);
    this.#connection = connection;
    this.subject = subject;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param token - A `Mastership`, or what came with a request.
   * @throws StaleFenceError a newer master has written: this one is over.
   * @throws VersionConflictError there is a message after `after`.
   * @throws OutcomeUnknownError no answer came: the message may be there, now or later.
   * @throws TimeoutError, PermissionError, ConfigError it was not sent.
   */
  publish(token: FenceToken, payload: Uint8Array, options: FencedPublishOptions = {}): Promise<Published> {
    const published = this.#turn.then(() => this.#publish(token, payload, options));
    this.#turn = published.catch(() => {});
    return published;
  }

  /** Sequence of the last message of the subject, 0 for none: what `after` is compared with. */
  async lastSequence(): Promise<number> {
    return (await this.#read()).sequence;
  }

  async #publish(token: FenceToken, payload: Uint8Array, options: FencedPublishOptions): Promise<Published> {
    if (!isTerm(token.term)) throw new StaleFenceError(token.election, token.term, 'it is no term');
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const last = await this.#lastFor(options.after);
      this.#admit(token, last);
      const { after = last.sequence } = options;
      if (after !== last.sequence) return this.#repeated(last, after, options.messageId);
      // A client would keep it and send it later.
      if (!isLive(this.#connection)) throw new TimeoutError(`"${this.subject}" is not written: NATS is not connected`);
      // What the outcome is nobody knows before it is here.
      this.#last = null;
      const headers = headersOf(token, last.sequence, options);
      const answer = await answerOf(() =>
        this.#connection.request(this.subject, payload, { timeout: this.#timeoutMs, headers }),
      );
      if (answer.state === 'ok') return this.#published(token, answer.data);
      if (!WRONG_SEQUENCE.has(answer.errorCode)) throw this.#failed(answer);
      if (options.after !== undefined) {
        const present = await this.#read();
        this.#admit(token, present);
        return this.#repeated(present, after, options.messageId);
      }
    }
    throw new VersionConflictError(
      `others write "${this.subject}" all the time: ${MAX_ATTEMPTS} attempts were refused`,
    );
  }

  #admit({ election, term }: FenceToken, last: Last): void {
    if (last.sequence === 0) return;
    const where = `message ${last.sequence} of "${this.subject}"`;
    if (last.token === null) throw new ConfigError([`${where} carries no term: only masters may write it`]);
    if (last.token.election !== election) {
      throw new ConfigError([`${where} is of the election "${last.token.election}", not of "${election}"`]);
    }
    if (last.token.term > term)
      throw new StaleFenceError(election, term, `term ${last.token.term} has written ${where}`);
  }

  /**
   * What comes right after `after` may be this very message, sent before: JetStream looks at the sequence before it looks for
   * the id.
   */
  async #repeated(last: Last, after: number, messageId: string | undefined): Promise<Published> {
    if (messageId !== undefined && after < last.sequence) {
      const next = await this.#readMessage({ seq: after + 1, next_by_subj: this.subject });
      if (next !== null && next.headers[MESSAGE_ID] === messageId)
        return { stream: next.stream, sequence: next.sequence, isDuplicate: true };
    }
    throw new VersionConflictError(`the last message of "${this.subject}" is ${last.sequence}, not ${after}`);
  }

  #published({ election, term }: FenceToken, data: unknown): Published {
    const { stream, seq, duplicate = false } = data as { stream: string; seq: number; duplicate?: boolean };
    if (!duplicate) this.#last = { sequence: seq, token: { election, term } };
    return { stream, sequence: seq, isDuplicate: duplicate };
  }

  /** What is remembered may be older than what the caller has read. */
  async #lastFor(after: number | undefined): Promise<Last> {
    const known = this.#last;
    return known !== null && (after === undefined || after === known.sequence) ? known : this.#read();
  }

  async #read(): Promise<Last> {
    const last = await this.#readMessage({ last_by_subj: this.subject });
    return last === null ? { sequence: 0, token: null } : { ...last, token: readFenceHeaders(last.headers) };
  }

  async #readMessage(which: object): Promise<Kept | null> {
    const stream = this.#stream ?? (await this.#findStream());
    this.#stream = stream;
    const answer = await askJetStream(this.#connection, messageApi(stream), which, this.#timeoutMs);
    if (answer.state === 'not-found') return null;
    if (answer.state !== 'ok') throw this.#unread(answer);
    const { message } = answer.data as { message: { seq: number; hdrs?: string } };
    return { stream, sequence: message.seq, headers: parseHeaders(message.hdrs ?? '') };
  }

  async #findStream(): Promise<string> {
    const answer = await askJetStream(this.#connection, STREAM_NAMES_API, { subject: this.subject }, this.#timeoutMs);
    if (answer.state !== 'ok') throw this.#unread(answer);
    const [stream] = (answer.data as { streams?: string[] | null }).streams ?? [];
    if (stream === undefined) throw new ConfigError([`no stream keeps "${this.subject}"`]);
    return stream;
  }

  /** Nothing was sent but a question. */
  #unread({ state, detail, cause }: Lacking): Error {
    const what = `the last message of "${this.subject}" is unknown: ${detail}`;
    if (state === 'no-permission') return new PermissionError(what, { cause });
    return state === 'no-jetstream' ? new ConfigError([what]) : new TimeoutError(what, { cause });
  }

  #failed({ state, detail, cause }: Lacking): Error {
    const what = `"${this.subject}": ${detail}`;
    if (state === 'no-permission') return new PermissionError(what, { cause });
    if (state === 'unanswered') return new OutcomeUnknownError(`the message may be there, or come: ${what}`, { cause });
    return new ConfigError([what]);
  }
}

function headersOf(token: FenceToken, last: number, { messageId, headers: more = {} }: FencedPublishOptions): MsgHdrs {
  const made = headers();
  for (const [name, value] of Object.entries({ ...more, ...fenceHeaders(token) })) made.set(name, value);
  made.set('Nats-Expected-Last-Subject-Sequence', String(last));
  if (messageId !== undefined) made.set(MESSAGE_ID, messageId);
  return made;
}

/** Headers of a kept message: a version line, then `Name: value` lines, in base64. */
function parseHeaders(base64: string): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  for (const line of Buffer.from(base64, 'base64').toString().split('\r\n').slice(1)) {
    const at = line.indexOf(':');
    if (at < 1) continue;
    const name = line.slice(0, at);
    const value = line.slice(at + 1).trim();
    found[name] = name in found ? [found[name] as string, value].flat() : value;
  }
  return found;
}
