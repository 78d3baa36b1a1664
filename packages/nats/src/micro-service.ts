import { type Bus, PermissionError, type Subscription } from '@synod/protocol';
import { encodeJson } from './json.ts';
import { isLive, type NatsConnectionLike, type NatsMessageLike, type NatsSubscriptionLike } from './nats-connection.ts';
import type { RequestStatistics } from './request-statistics.ts';
import type { ServiceAnswer } from './schemas/service.ts';
import { isPublicReply, patternOf, SERVICE, SERVICE_VERBS, type ServiceVerb, serviceSubjects } from './subjects.ts';

export interface MicroServiceOptions {
  readonly group: string;
  /** One life of one node: a token of a subject. */
  readonly id: string;
  /** Of the package, `1.2.3`. */
  readonly version: string;
  /** What is shown of this moment: group, node, role, master, term. */
  readonly metadata: () => ServiceAnswer['metadata'];
  /** Of the requests that {@link respondWhois} answers here; `null` where it does not. */
  readonly whois: RequestStatistics | null;
  /** Over the same connection: tells when it was made anew. */
  readonly bus: Pick<Bus, 'onConnection'>;
  /** NATS does not let this be heard; everything else goes on. */
  readonly onError: (error: Error) => void;
}

/**
 * Makes a node visible to the micro-service protocol of NATS (ADR-32): `nats micro ls` shows the members and candidates of every group,
 * `nats micro info synod` who is master. The one endpoint, at members, is whois.
 */
export function respondService(connection: NatsConnectionLike, options: MicroServiceOptions): Subscription {
  const startedAt = new Date().toISOString();
  const subscriptions = new Map<string, NatsSubscriptionLike>();
  const subscribe = (verb: ServiceVerb, subject: string): void => {
    if (subscriptions.get(subject)?.isClosed() === false) return;
    const subscription = connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) options.onError(refused(subject, error));
        else reply(connection, message, () => answerTo(verb, options, startedAt));
      },
    });
    subscriptions.set(subject, subscription);
  };
  const subscribeAll = (): void => {
    for (const verb of SERVICE_VERBS) for (const subject of serviceSubjects(verb, options.id)) subscribe(verb, subject);
  };
  subscribeAll();
  // A client drops a refused subscription; the server may have been told better since.
  const reconnected = options.bus.onConnection((isConnected) => {
    if (isConnected) subscribeAll();
  });
  return {
    close: () => {
      reconnected.close();
      if (connection.isClosed()) return;
      for (const subscription of subscriptions.values()) subscription.unsubscribe();
    },
  };
}

/** A throw would end the client's reader, and with it the whole connection. */
function reply(connection: NatsConnectionLike, { reply }: NatsMessageLike, answer: () => unknown): void {
  if (!reply || !isPublicReply(reply) || !isLive(connection)) return;
  try {
    connection.publish(reply, encodeJson(answer()));
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function answerTo(verb: ServiceVerb, options: MicroServiceOptions, startedAt: string): ServiceAnswer {
  const { id, version, group, metadata, whois } = options;
  const identity = { name: SERVICE, id, version, metadata: metadata() } as const;
  const subject = patternOf(group, { role: 'whois', to: 'all' });
  const endpoint = { name: 'whois', subject, queue_group: '' } as const;
  switch (verb) {
    case 'PING':
      return { type: 'io.nats.micro.v1.ping_response', ...identity };
    case 'INFO': {
      const endpoints = whois ? [endpoint] : [];
      return { type: 'io.nats.micro.v1.info_response', ...identity, description: DESCRIPTION, endpoints };
    }
    case 'STATS': {
      const endpoints = whois ? [{ ...endpoint, ...whois.toJSON() }] : [];
      return { type: 'io.nats.micro.v1.stats_response', ...identity, started: startedAt, endpoints };
    }
  }
}

const DESCRIPTION = 'One of a group of which exactly one is master';

const refused = (subject: string, cause: Error): PermissionError =>
  new PermissionError(`NATS does not let this node be seen by "nats micro": it may not subscribe to "${subject}"`, {
    cause,
  });
