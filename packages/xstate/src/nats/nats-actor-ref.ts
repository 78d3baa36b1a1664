import { type NatsConnectionLike, publishJson, subscribeJson } from 'synod';
import {
  type ActorRef,
  type AnyEventObject,
  createActor,
  type EventObject,
  fromTransition,
  type Snapshot,
} from 'xstate';

/** What became of the events that were sent: an event is news, and none is kept for later. */
export interface SentEvents {
  readonly sent: number;
  /** While disconnected, or too large for the server. */
  readonly dropped: number;
}

export type NatsActorRef<Event extends EventObject> = ActorRef<
  Snapshot<undefined> & { readonly context: SentEvents },
  Event
>;

/**
 * Addresses an actor of another process like one of your own: `sendTo(natsActorRef(nats, 'orders.billing'), event)`. Events
 * travel as JSON; at the other end {@link serveActor} hands them to the actor. They may be lost, repeated or come late, as
 * everything on a network: send with them what the receiver decides by, a term or a version.
 */
export function natsActorRef<Event extends EventObject = AnyEventObject>(
  connection: NatsConnectionLike,
  subject: string,
): NatsActorRef<Event> {
  const sending = fromTransition(
    ({ sent, dropped }: SentEvents, event: Event) =>
      publishJson(connection, subject, event) ? { sent: sent + 1, dropped } : { sent, dropped: dropped + 1 },
    { sent: 0, dropped: 0 },
  );
  return createActor(sending, { id: subject }).start() as unknown as NatsActorRef<Event>;
}

export interface ServeActorOptions<Event extends EventObject> {
  /** What is let through. Anybody who may publish the subject sends here: check what you rely on. Default: every event. */
  readonly accept?: (event: EventObject) => event is Event;
  /** NATS refuses the subject, or the actor threw. Default: a process warning. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Hands the events that others send to `subject` to an actor of this process, until it stops.
 *
 * @returns disposes of the subscription; the actor and the connection stay yours.
 */
export function serveActor<Event extends EventObject = AnyEventObject>(
  connection: NatsConnectionLike,
  subject: string,
  actor: Pick<ActorRef<Snapshot<unknown>, Event>, 'send' | 'getSnapshot'>,
  { accept, onError = warn }: ServeActorOptions<Event> = {},
): Disposable {
  const subscription = subscribeJson(
    connection,
    subject,
    (value) => {
      if (actor.getSnapshot().status !== 'active') return subscription.close();
      if (isEvent(value) && (accept === undefined || accept(value))) actor.send(value as Event);
    },
    onError,
  );
  return { [Symbol.dispose]: () => subscription.close() };
}

/** XState's own events begin or end actors: nobody else may send one. */
const isEvent = (value: unknown): value is EventObject =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  typeof value.type === 'string' &&
  !value.type.startsWith('xstate.');

const warn = (error: unknown): void => process.emitWarning(error instanceof Error ? error : String(error));
