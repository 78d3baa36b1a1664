import {
  type Address,
  type Bus,
  type Codec,
  type DropReason,
  EVERYBODY,
  type Incarnation,
  type Message,
  type MessageType,
  type NodeId,
  type Received,
  type Role,
  type Store,
  type Subscription,
  soon,
} from '@synod/protocol';
import type { VoteRules } from './vote.rules.ts';

/** Consecutive messages of one type that arrived in one turn of the event loop. */
export interface Turn {
  readonly type: MessageType;
  readonly messages: readonly Received<Message>[];
}

export type Drop = DropReason | 'stale-store';

export interface MailboxOptions {
  readonly bus: Bus;
  readonly codec: Codec;
  readonly incarnation: Incarnation;
  /** Digest of the newest configuration applied here; empty while none is known (I3). */
  readonly digest: () => string;
  /** I2: false for a store outside the configuration, or one that was rolled back: it may say what it learned, and not vote. */
  readonly mayVote: (from: NodeId, store: Store, incarnation: Incarnation) => boolean;
  readonly rules: VoteRules;
  readonly deliver: (turn: Turn) => void;
  readonly onDrop: (reason: Drop, from: NodeId) => void;
  /** A message of our own node id from another life of it (I1). */
  readonly onOtherLife: (message: Message, incarnation: Incarnation) => void;
}

/**
 * What comes in. Bytes are decoded and checked before a machine sees them; bad input is dropped and counted (fault 39). All
 * messages of one turn of the event loop are handed on together, runs of one type as one (limits.md).
 */
export class Mailbox {
  readonly #options: MailboxOptions;
  readonly #subscriptions: Subscription[] = [];
  #waiting: Received<Message>[] = [];

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** Hears what is sent to this node in `role`, and to everybody in it. */
  listen(role: Role): void {
    this.#subscribe({ role, to: this.#options.bus.node });
    this.#subscribe({ role, to: EVERYBODY });
  }

  /** Hears one address more, until the subscription is closed. */
  listenTo(address: Address): Subscription {
    return this.#options.bus.subscribe(address, (payload, from) => this.#receive(payload, from));
  }

  /** A message of this node to itself: it needs no bus, and arrives in the next microtask as if it had come from there. */
  deliverHere(message: Message): void {
    this.#enqueue({ ...message, from: this.#options.bus.node });
  }

  close(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.close();
    this.#waiting = [];
  }

  #subscribe(address: Address): void {
    this.#subscriptions.push(this.listenTo(address));
  }

  #receive(payload: Uint8Array, from: NodeId): void {
    const { bus, codec, incarnation, digest, mayVote, rules, onDrop, onOtherLife } = this.#options;
    const { envelope, dropped } = codec.decodeEnvelope(payload);
    if (!envelope) return onDrop(dropped, from);
    const { message } = envelope;
    if (from === bus.node) {
      if (envelope.incarnation !== incarnation) onOtherLife(message, envelope.incarnation);
      return; // Our own echo, or a stranger under our name: nothing of it counts.
    }
    if (!rules.isWelcome(message.type, envelope.config, digest())) return onDrop('stranger', from);
    const isVoter = envelope.store !== undefined && mayVote(from, envelope.store, envelope.incarnation);
    if (!isVoter && rules.isVote(message.type)) return onDrop('stale-store', from);
    this.#enqueue({ ...message, from });
  }

  #enqueue(message: Received<Message>): void {
    if (this.#waiting.push(message) === 1) void soon.then(this.#handOn);
  }

  readonly #handOn = (): void => {
    const messages = this.#waiting;
    this.#waiting = [];
    for (let start = 0, end = 0; start < messages.length; start = end) {
      const type = (messages[start] as Message).type;
      while (end < messages.length && (messages[end] as Message).type === type) end++;
      const isAll = end - start === messages.length;
      this.#options.deliver({ type, messages: isAll ? messages : messages.slice(start, end) });
    }
  };
}
