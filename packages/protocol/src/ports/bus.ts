import type { NodeId } from '../node-id.ts';

/**
 * Where a message goes: a role, and one node that plays it or `all`. For `event` the second part is the election.
 * `packages/nats` spells it as `synod.<group>.<role>.<to>.from.<node>`.
 */
export interface Address {
  readonly role: Role;
  readonly to: string;
}

export type Role =
  | 'acceptor' // Prepare, Accept
  | 'proposer' // Promise, Accepted, Reject, Trimmed
  | 'learner' // news of chosen slots, fetches and their answers
  | 'news' // what the fold of `master` changed, for nodes outside the log
  | 'log' // to 'append': requests to whoever leads
  | 'identity' // I1
  | 'formation' // I5
  | 'candidate' // T8: who would take over
  | 'event' // public, JSON
  | 'whois' // public request
  | 'admin'; // public request, operators only

/** Sender as the subject names it, never as a payload does (I4). */
export type MessageHandler = (payload: Uint8Array, from: NodeId) => void;

/** Answers a public request. May be called later, or never. */
export type RequestHandler = (payload: Uint8Array, from: NodeId, answer: (payload: Uint8Array) => void) => void;

export interface PublishOptions {
  /** JetStream drops a second message of this id within its duplicate window. */
  readonly messageId?: string;
  /** Tell {@link Bus.onNoResponders} if nobody subscribes to the address. */
  readonly expectResponder?: boolean;
}

export interface Subscription {
  close(): void;
}

/**
 * Carries bytes between the nodes of one group. May lose, repeat, delay and reorder; never changes a payload or its sender.
 * Contract: `busContract` of `@synod/protocol/testing`.
 */
export interface Bus {
  readonly group: string;
  /** Everything published here says it is from this node. */
  readonly node: NodeId;
  /** Largest payload, bytes. A larger one is not published: `publish` returns false. */
  readonly maxPayloadBytes: number;
  readonly isConnected: boolean;
  /**
   * Sends, or drops. Nothing is kept for later: while disconnected the message is lost (fault 30).
   * The sender's own subscriptions hear it too.
   * @returns false when it was surely not sent.
   */
  publish(to: Address, payload: Uint8Array, options?: PublishOptions): boolean;
  /** Hears what is sent to exactly `address`; subscribe to `all` apart. `to: '*'` hears every recipient (events). */
  subscribe(address: Address, handler: MessageHandler): Subscription;
  /** Answers public requests: whois, admin. */
  respond(address: Address, handler: RequestHandler): Subscription;
  /** Sends a public request; any number of answers may come until the subscription is closed. */
  request(to: Address, payload: Uint8Array, onAnswer: (payload: Uint8Array) => void): Subscription;
  /** This node asked with `expectResponder`, or by a public request, and nobody subscribes there. */
  onNoResponders(listener: (address: Address) => void): Subscription;
  /** Called at each change of {@link isConnected}. */
  onConnection(listener: (isConnected: boolean) => void): Subscription;
  /** Resolves when the server has processed all that was sent before: the subscriptions are in force. Rejects if it cannot. */
  flush(): Promise<void>;
  /** Ends every subscription made here. The connection under it stays its owner's. */
  close(): Promise<void>;
}
