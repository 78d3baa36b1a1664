import { type Bus, isName, type NodeId, type Subscription } from '@synod/protocol';
import { lastEvents } from './event-stream.ts';
import { eventOfState, parseEvent, sourceOf } from './events.ts';
import { natsBus } from './nats-bus.ts';
import type { NatsConnectionLike } from './nats-connection.ts';
import type { MasterEvent, MasterEventType } from './schemas/events.ts';
import { askWhois } from './whois.ts';

/**
 * Keeps the present out of events that come twice, late and out of order (fault 54): drops an event whose version is
 * lower than that of its election, or equal with a type it has had.
 */
export class MasterEvents {
  readonly #elections = new Map<string, { event: MasterEvent; types: Set<MasterEventType> }>();

  /** @returns true when it is news. */
  accept(event: MasterEvent): boolean {
    const { election, version } = event.data;
    const known = this.#elections.get(election);
    if (!known || version > known.event.data.version) {
      this.#elections.set(election, { event, types: new Set([event.type]) });
      return true;
    }
    if (version < known.event.data.version || known.types.has(event.type)) return false;
    known.types.add(event.type);
    known.event = event;
    return true;
  }

  /** The last event of an election. */
  get(election: string): MasterEvent | undefined {
    return this.#elections.get(election)?.event;
  }

  [Symbol.iterator](): IterableIterator<MasterEvent> {
    return [...this.#elections.values()].map(({ event }) => event).values();
  }
}

export interface WatchOptions {
  readonly group: string;
  /** Default: every election of the group. */
  readonly election?: string;
  /** Called for the present first, then for each change. News, not a licence: the master itself may know better. */
  readonly onEvent: (event: MasterEvent) => void;
  /** NATS refuses a subject, or `onEvent` threw. Default: a process warning. */
  readonly onError?: (error: Error) => void;
  /** Name under which the group is asked; what a permission may pin. Default: a random one. */
  readonly node?: NodeId;
  /**
   * How often the present is asked for besides, because an event may be lost without a sign, as between servers that lost
   * each other (fault 33). Default 30 000; 0: never.
   */
  readonly refreshMs?: number;
}

/** A running watch. Ends with {@link MasterWatch.close}; the connection stays its owner's. */
export interface MasterWatch extends AsyncDisposable {
  /** The last event of an election; default the watched one, or the group's own. */
  current(election?: string): MasterEvent | undefined;
  /** Asks the present again; resolves when it has been told. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Tells who is master, now and at each change: the newest events of the stream if there is one, and what the members say;
 * then the events as they come. After a reconnect it asks the present again.
 *
 * @returns once the present has been told, or nobody answered.
 */
export async function watchMasterChanges(connection: NatsConnectionLike, options: WatchOptions): Promise<MasterWatch> {
  const { group, election, onEvent, refreshMs = 30_000 } = options;
  const node = options.node ?? `watch-${crypto.randomUUID().slice(0, 8)}`;
  const onError = options.onError ?? ((error) => process.emitWarning(error));
  const bus = natsBus(connection, { group, node, kind: 'observer', onError, needsEcho: false });
  const events = new MasterEvents();
  const tell = (event: MasterEvent): void => {
    const isAsked = event.data.group === group && (election === undefined || event.data.election === election);
    if (!isAsked || !events.accept(event)) return;
    try {
      onEvent(event);
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
  };

  const refresh = async (): Promise<void> => {
    const present = await Promise.all([inStream(connection, group, election), atMembers(bus, election)]);
    // The newest first: the stream and the members may be behind each other, and the past is nobody's present.
    const newestFirst = present.flat().sort((a, b) => b.data.version - a.data.version);
    if (!isClosed) for (const event of newestFirst) tell(event);
  };
  let isClosed = false;
  // What is heard before the present is known may be older than it: members repeat an event for a while.
  const early: MasterEvent[] = [];
  let hear = (event: MasterEvent): void => void early.push(event);
  const subscriptions: Subscription[] = [
    bus.subscribe({ role: 'event', to: election ?? '*' }, (payload, from) => {
      const event = parseEvent(payload);
      if (event?.source === sourceOf(group, from)) hear(event);
    }),
    bus.onConnection((isConnected) => {
      if (isConnected) void refresh();
    }),
  ];
  const timer = refreshMs > 0 ? setInterval(() => void refresh(), refreshMs).unref() : undefined;
  const close = async (): Promise<void> => {
    isClosed = true;
    clearInterval(timer);
    for (const subscription of subscriptions) subscription.close();
    await bus.close();
  };
  // Subscribed first, so that nothing is missed between the present and the first change.
  await bus.flush().catch(() => {});
  await refresh();
  hear = tell;
  for (const event of early) tell(event);
  return { current: (name = election ?? 'group') => events.get(name), refresh, close, [Symbol.asyncDispose]: close };
}

/** Members are asked besides, so a slow JetStream must not hold the present back. */
const STREAM_TIMEOUT_MS = 2_000;

/** Without stream, permission or answer the members alone tell. */
async function inStream(
  connection: NatsConnectionLike,
  group: string,
  election: string | undefined,
): Promise<MasterEvent[]> {
  return lastEvents(connection, group, election ?? '*', { timeoutMs: STREAM_TIMEOUT_MS }).catch(() => []);
}

async function atMembers(bus: Bus, election: string | undefined): Promise<MasterEvent[]> {
  const whois = await askWhois(bus, election === undefined ? {} : { election });
  const teller = whois?.nodes.find(isName);
  if (!whois || teller === undefined) return [];
  const states = [...whois.elections.values()].filter(({ version }) => version > 0);
  return states.map((state) => eventOfState(state, teller, Date.now()));
}
