/**
 * The part of a NATS connection that Synod uses. A `NatsConnection` of `@nats-io/transport-node` 3 and one of `nats` 2
 * are both assignable to it, so a user need not have the same client, or the same copy of it, as this package.
 */
export interface NatsConnectionLike {
  /** What the server said of itself; `undefined` while no server is connected. */
  readonly info?: { readonly max_payload: number; readonly headers?: boolean; readonly cluster?: string } | undefined;
  publish(subject: string, payload?: Uint8Array, options?: NatsPublishOptions): void;
  subscribe(subject: string, options?: { callback?: NatsCallback }): NatsSubscriptionLike;
  request(subject: string, payload?: Uint8Array, options?: NatsRequestOptions): Promise<NatsMessageLike>;
  flush(): Promise<void>;
  status(): AsyncIterable<NatsStatusLike>;
  closed(): Promise<unknown>;
  isClosed(): boolean;
  isDraining(): boolean;
}

export interface NatsPublishOptions {
  reply?: string;
  // Made by `headers()` of nats-core 3; version 2 only calls its `encode()`, which is the same.
  headers?: NatsHeadersLike;
}

export interface NatsRequestOptions {
  timeout: number;
  headers?: NatsHeadersLike;
}

export interface NatsHeadersLike {
  readonly code: number;
  get(key: string): string;
  set(key: string, value: string): void;
}

export interface NatsMessageLike {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: { readonly code: number } | undefined;
}

export type NatsCallback = (error: Error | null, message: NatsMessageLike) => void;

export interface NatsSubscriptionLike {
  unsubscribe(): void;
  isClosed(): boolean;
}

/** Version 3 has `error` in a status of type `error`; version 2 has `data` and `permissionContext`. */
export interface NatsStatusLike {
  readonly type: string;
}

/**
 * What is published while a client is between two connections it sends afterwards, or loses (fault 30). `protocol` is private
 * in both clients, and where it is reachable it knows of a dead socket first.
 */
export function isLive(connection: NatsConnectionLike): boolean {
  if (connection.isClosed() || connection.isDraining() || connection.info === undefined) return false;
  return (connection as { protocol?: { connected?: boolean } }).protocol?.connected !== false;
}
