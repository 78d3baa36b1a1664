import type { Subscription } from '@synod/protocol';
import { encodeJson, parseJson } from './json.ts';
import { isLive, type NatsConnectionLike } from './nats-connection.ts';

/**
 * Publishes JSON on a subject of the user's own.
 * @returns false when it was surely not sent: nothing is kept for later (fault 30).
 */
export function publishJson(connection: NatsConnectionLike, subject: string, value: unknown): boolean {
  if (!isLive(connection)) return false;
  const payload = encodeJson(value);
  if (payload.length > (connection.info?.max_payload ?? 0)) return false;
  connection.publish(subject, payload);
  return true;
}

/** Hears JSON on a subject; what is none is left out, and what `handler` throws goes to `onError`. */
export function subscribeJson(
  connection: NatsConnectionLike,
  subject: string,
  handler: (value: unknown) => void,
  onError: (error: unknown) => void,
): Subscription {
  const subscription = connection.subscribe(subject, {
    callback: (error, message) => {
      // An error is a refused subscription. A throw would end the client's reader, and with it the whole connection.
      try {
        if (error) throw error;
        const value = parseJson(message.data);
        if (value !== undefined) handler(value);
      } catch (thrown) {
        onError(thrown);
      }
    },
  });
  return { close: () => subscription.unsubscribe() };
}
