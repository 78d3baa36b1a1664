import { MAX_MESSAGE_BYTES } from '@synod/protocol';
import type { NatsConnectionLike } from './nats-connection.ts';

/** Options of either client, where they are reachable; they are private in both. */
interface ConnectionOptions {
  readonly maxReconnectAttempts?: number;
  readonly reconnect?: boolean;
  readonly pingInterval?: number;
  readonly maxPingOut?: number;
  readonly noEcho?: boolean;
  readonly inboxPrefix?: string;
}

/** The options a connection was made with; empty where they are hidden. */
export const optionsOf = (connection: NatsConnectionLike): ConnectionOptions =>
  (connection as { options?: ConnectionOptions }).options ?? {};

/**
 * What is unwise about a connection that a lease depends on, a sentence each. Nothing is said of options that are hidden.
 */
export function adviseConnection(connection: NatsConnectionLike, leaseMs: number): string[] {
  const { reconnect, maxReconnectAttempts, pingInterval, maxPingOut } = optionsOf(connection);
  const warnings: string[] = [];
  if (reconnect === false) {
    warnings.push('The NATS connection does not reconnect: the first break is its last. Leave reconnect on');
  } else if (maxReconnectAttempts !== undefined && maxReconnectAttempts !== -1) {
    warnings.push(
      `The NATS connection gives up for good after ${maxReconnectAttempts} attempts to reconnect. Set maxReconnectAttempts: -1`,
    );
  }
  // Fault 31: a path that stalls makes no event until as many pings are unanswered.
  if (pingInterval !== undefined && maxPingOut !== undefined && pingInterval * maxPingOut > leaseMs) {
    const noticedMs = pingInterval * maxPingOut;
    warnings.push(
      `A NATS connection that stalls is noticed after ${noticedMs} ms (pingInterval ${pingInterval} ms × maxPingOut ${maxPingOut}), ` +
        `the lease is ${leaseMs} ms. Set pingInterval: ${Math.max(1, Math.floor(leaseMs / maxPingOut))} or less`,
    );
  }
  const { max_payload: maxPayload } = connection.info ?? {};
  if (maxPayload !== undefined && maxPayload < MAX_MESSAGE_BYTES) {
    warnings.push(
      `The NATS server takes messages of ${maxPayload} bytes: larger ones, which thousands of elections or a node that is behind may need, are never sent. ` +
        `Set its max_payload to ${MAX_MESSAGE_BYTES} or more; 1 MB is its default`,
    );
  }
  return warnings;
}
