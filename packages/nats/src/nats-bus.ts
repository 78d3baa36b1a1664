import { createInbox, headers, type MsgHdrs } from '@nats-io/nats-core';
import {
  type Address,
  type Bus,
  ConfigError,
  isName,
  type MessageHandler,
  type NodeId,
  PermissionError,
  type PublishOptions,
  type RequestHandler,
  type Subscription,
} from '@synod/protocol';
import { optionsOf } from './connection-advice.ts';
import {
  isLive,
  type NatsConnectionLike,
  type NatsMessageLike,
  type NatsPublishOptions,
  type NatsStatusLike,
  type NatsSubscriptionLike,
} from './nats-connection.ts';
import type { PermissionsOptions } from './permissions.ts';
import { refusalOf } from './refusal.ts';
import {
  isPublicReply,
  isSubjectOfGroup,
  noRespondersSubjectOf,
  parseSubject,
  patternOf,
  subjectOf,
} from './subjects.ts';

export interface NatsBusOptions {
  readonly group: string;
  readonly node: NodeId;
  /** Whose rules it needs, for the hint of a {@link PermissionError}. Default: those of a member. */
  readonly kind?: PermissionsOptions['kind'];
  /** False for a bus that only asks and listens: then a connection with `noEcho` will do. Default true. */
  readonly needsEcho?: boolean;
  /**
   * A {@link PermissionError} that names the subject NATS refuses, or whatever a handler threw. The bus goes on.
   * Default: a process warning.
   */
  readonly onError?: (error: Error) => void;
}

/** Largest payload of a server that has not said its own. */
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;

/** The server's answer to a message with a reply subject that nobody subscribes to. */
const NO_RESPONDERS = 503;

/** Reply subjects of the last public answers, by which a refused one is known as ours. */
const MAX_REMEMBERED_REPLIES = 64;

/**
 * Bus over a connection of `@nats-io/transport-node` 3 or of `nats` 2. The connection stays its owner's: it is neither
 * configured nor closed here.
 *
 * @throws {@link ConfigError} when group or node cannot be a token of a subject, or the connection does not echo.
 */
export function natsBus(connection: NatsConnectionLike, options: NatsBusOptions): Bus {
  const problems = Object.entries({ group: options.group, node: options.node })
    .filter(([, name]) => !isName(name))
    .map(([what, name]) => `${what} is "${name}": 1 to 64 of A-Z a-z 0-9 _ -, and not "all"`);
  if (options.needsEcho !== false && optionsOf(connection).noEcho) {
    problems.push('the NATS connection has noEcho: a node would not hear its own votes');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new NatsBus(connection, options);
}

/** All that subscribes to one subject here: one NATS subscription, any number of handlers. */
interface Channel {
  readonly subject: string;
  readonly handlers: Set<(message: NatsMessageLike) => void>;
  natsSubscription: NatsSubscriptionLike | undefined;
}

class NatsBus implements Bus {
  readonly group: string;
  readonly node: NodeId;
  readonly #connection: NatsConnectionLike;
  readonly #onError: (error: Error) => void;
  /** Command that prints what this node may do. */
  readonly #permissions: string;
  readonly #channels = new Map<string, Channel>();
  /** Subjects where the server tells that nobody subscribes, each opened once and kept. */
  readonly #noResponderSubjects = new Map<string, string>();
  readonly #noResponders = new Set<(address: Address) => void>();
  readonly #connectionListeners = new Set<(isConnected: boolean) => void>();
  readonly #answered = new Set<string>();
  /** Refusals told since the last reconnect: one line each, not one per renewal. */
  readonly #told = new Set<string>();
  readonly #statuses: AsyncIterable<NatsStatusLike>;
  /** As far as statuses tell; `isConnected` asks the connection too. */
  #isUp: boolean;
  #wasConnected: boolean;
  #isClosed = false;
  #maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES;

  constructor(connection: NatsConnectionLike, options: NatsBusOptions) {
    this.#connection = connection;
    this.group = options.group;
    this.node = options.node;
    this.#onError = options.onError ?? ((error) => process.emitWarning(error));
    const { group, node, kind = 'member' } = options;
    this.#permissions = `synod permissions --group ${group} --node ${node} --kind ${kind}`;
    this.#isUp = connection.info !== undefined;
    this.#wasConnected = this.isConnected;
    this.#statuses = connection.status();
    void this.#followStatus();
    // Not every client says in a status that it was closed.
    void connection.closed().then(
      () => this.#setUp(false),
      () => this.#setUp(false),
    );
  }

  get maxPayloadBytes(): number {
    this.#maxPayloadBytes = this.#connection.info?.max_payload ?? this.#maxPayloadBytes;
    return this.#maxPayloadBytes;
  }

  /**
   * A client keeps what is published between two connections and sends it afterwards (fault 30). The status that tells of
   * a break is seen some microtasks late; the connection itself knows at once: it forgets the server's info when it dials.
   */
  get isConnected(): boolean {
    return this.#isUp && !this.#isClosed && isLive(this.#connection);
  }

  publish(to: Address, payload: Uint8Array, options: PublishOptions = {}): boolean {
    const subject = subjectOf(this.group, to, this.node);
    if (!this.isConnected) return false;
    const natsOptions: NatsPublishOptions = {};
    if (options.expectResponder) natsOptions.reply = this.#noRespondersSubject(to, subject);
    if (options.messageId !== undefined && this.#connection.info?.headers) {
      natsOptions.headers = messageIdHeader(options.messageId);
    }
    return this.#send(subject, payload, natsOptions);
  }

  subscribe(address: Address, handler: MessageHandler): Subscription {
    return this.#open(patternOf(this.group, address), (message) => {
      const from = parseSubject(message.subject)?.from;
      if (from !== undefined) handler(message.data, from);
    });
  }

  respond(address: Address, handler: RequestHandler): Subscription {
    return this.#open(patternOf(this.group, address), (message) => {
      const from = parseSubject(message.subject)?.from;
      if (from === undefined) return;
      const { reply } = message;
      handler(message.data, from, (payload) => {
        if (reply && isPublicReply(reply) && this.isConnected) {
          this.#remember(reply);
          this.#send(reply, payload, {});
        }
      });
    });
  }

  request(to: Address, payload: Uint8Array, onAnswer: (payload: Uint8Array) => void): Subscription {
    const subject = subjectOf(this.group, to, this.node);
    if (!this.isConnected) return { close: () => {} };
    const reply = createInbox(optionsOf(this.#connection).inboxPrefix);
    const subscription = this.#open(reply, (message) => {
      if (isNoResponders(message)) this.#tellNoResponders(to);
      else onAnswer(message.data);
    });
    this.#send(subject, payload, { reply });
    return subscription;
  }

  onNoResponders(listener: (address: Address) => void): Subscription {
    return this.#add(this.#noResponders, listener);
  }

  onConnection(listener: (isConnected: boolean) => void): Subscription {
    return this.#add(this.#connectionListeners, listener);
  }

  flush(): Promise<void> {
    return this.#connection.flush();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const channel of this.#channels.values()) this.#unsubscribe(channel);
    this.#channels.clear();
    this.#noResponders.clear();
    this.#connectionListeners.clear();
    // An iterator that waits for its next status cannot be returned from; both clients can stop theirs.
    (this.#statuses as { stop?: () => void }).stop?.();
  }

  async #followStatus(): Promise<void> {
    try {
      for await (const status of this.#statuses) {
        if (this.#isClosed) return;
        switch (status.type) {
          case 'disconnect':
          case 'reconnecting':
          case 'staleConnection':
          case 'forceReconnect':
          case 'close':
            this.#setUp(false);
            break;
          case 'reconnect':
            this.#told.clear();
            this.#reopen();
            this.#setUp(true);
            break;
          case 'error':
            this.#tellRefusal(status);
            break;
        }
      }
    } catch (error) {
      this.#tell(error);
    }
  }

  #setUp(isUp: boolean): void {
    this.#isUp = isUp;
    const { isConnected } = this;
    if (isConnected === this.#wasConnected) return;
    this.#wasConnected = isConnected;
    for (const listener of [...this.#connectionListeners]) this.#guard(() => listener(isConnected));
  }

  #send(subject: string, payload: Uint8Array, options: NatsPublishOptions): boolean {
    const headerBytes = (options.headers as { encode?: () => Uint8Array } | undefined)?.encode?.().length ?? 0;
    if (payload.length + headerBytes > this.maxPayloadBytes) return false;
    try {
      this.#connection.publish(subject, payload.slice(), options);
      return true;
    } catch (error) {
      this.#tell(error);
      return false;
    }
  }

  #open(subject: string, handler: (message: NatsMessageLike) => void): Subscription {
    if (this.#isClosed) return { close: () => {} };
    const channel = this.#channels.get(subject) ?? { subject, handlers: new Set(), natsSubscription: undefined };
    channel.handlers.add(handler);
    this.#channels.set(subject, channel);
    this.#subscribe(channel);
    return {
      close: () => {
        if (!channel.handlers.delete(handler) || channel.handlers.size > 0) return;
        if (this.#channels.get(subject) === channel) this.#channels.delete(subject);
        this.#unsubscribe(channel);
      },
    };
  }

  #subscribe(channel: Channel): void {
    if (channel.natsSubscription?.isClosed() === false) return;
    try {
      channel.natsSubscription = this.#connection.subscribe(channel.subject, {
        callback: (error, message) => {
          // An error is a refused subscription; the status tells it with its subject.
          if (error) return;
          // A throw would end the client's reader, and with it the whole connection.
          // A copy: a handler may subscribe anew here, and would then hear this message again, without end.
          for (const handler of [...channel.handlers]) {
            if (channel.handlers.has(handler)) this.#guard(() => handler(message));
          }
        },
      });
    } catch (error) {
      if (!this.#connection.isClosed() && !this.#connection.isDraining()) this.#tell(error);
    }
  }

  /** A client drops a refused subscription; the server may have been told better since. */
  #reopen(): void {
    for (const channel of this.#channels.values()) this.#subscribe(channel);
  }

  #unsubscribe(channel: Channel): void {
    try {
      channel.natsSubscription?.unsubscribe();
    } catch {
      // The connection is closed, and its subscriptions with it.
    }
  }

  #noRespondersSubject(to: Address, subject: string): string {
    const known = this.#noResponderSubjects.get(subject);
    if (known !== undefined) return known;
    const reply = noRespondersSubjectOf(this.group, to, this.node);
    const address = { role: to.role, to: to.to };
    // Kept open: the server sees it before the message it is the reply subject of.
    this.#open(reply, (message) => {
      if (isNoResponders(message)) this.#tellNoResponders(address);
    });
    this.#noResponderSubjects.set(subject, reply);
    return reply;
  }

  #tellNoResponders(address: Address): void {
    for (const listener of [...this.#noResponders]) this.#guard(() => listener(address));
  }

  #remember(reply: string): void {
    this.#answered.add(reply);
    if (this.#answered.size <= MAX_REMEMBERED_REPLIES) return;
    for (const oldest of this.#answered) {
      this.#answered.delete(oldest);
      return;
    }
  }

  /** The connection may be shared with its owner's own work: only what is Synod's is told. */
  #tellRefusal(status: NatsStatusLike): void {
    const refusal = refusalOf(status);
    if (!refusal) return;
    const { operation, subject, cause } = refusal;
    const isOurs = isSubjectOfGroup(subject, this.group) || this.#channels.has(subject) || this.#answered.has(subject);
    const key = `${operation} ${subject}`;
    if (!isOurs || this.#told.has(key)) return;
    this.#told.add(key);
    const verb = operation === 'publish' ? 'publish' : 'subscribe';
    this.#tell(
      new PermissionError(`NATS does not let node "${this.node}" of group "${this.group}" ${verb} to "${subject}"`, {
        hint: `Give its user the permissions that this prints: ${this.#permissions}`,
        cause,
      }),
    );
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    try {
      this.#onError(error instanceof Error ? error : new Error(String(error)));
    } catch {
      // A listener for errors that throws has nobody left to tell.
    }
  }

  #add<Listener>(listeners: Set<Listener>, listener: Listener): Subscription {
    if (!this.#isClosed) listeners.add(listener);
    return { close: () => void listeners.delete(listener) };
  }
}

const isNoResponders = (message: NatsMessageLike): boolean =>
  message.data.length === 0 && message.headers?.code === NO_RESPONDERS;

function messageIdHeader(messageId: string): MsgHdrs {
  const made = headers();
  made.set('Nats-Msg-Id', messageId);
  return made;
}
