import { PermissionError, type Subscription } from '@synod/protocol';
import { encodeJson } from './json.ts';
import { isLive, type NatsConnectionLike, type NatsMessageLike } from './nats-connection.ts';
import type { RequestStatistics } from './request-statistics.ts';
import { isPublicReply, patternOf, SERVICE, SERVICE_VERBS, type ServiceVerb, serviceSubjects } from './subjects.ts';

export interface MicroServiceOptions {
  readonly group: string;
  /** One life of one node: a token of a subject. */
  readonly id: string;
  /** Of the package, `1.2.3`. */
  readonly version: string;
  /** What is shown of this moment: group, node, role, master, term. */
  readonly metadata: () => Readonly<Record<string, string>>;
  /** Of the requests that {@link respondWhois} answers here; `null` where it does not. */
  readonly whois: RequestStatistics | null;
  /** NATS does not let this be heard; everything else goes on. */
  readonly onError: (error: Error) => void;
}

/**
 * Makes a node visible to the micro-service protocol of NATS (ADR-32): `nats micro ls` shows the members and candidates of every group,
 * `nats micro info synod` who is master. The one endpoint, at members, is whois.
 */
export function respondService(connection: NatsConnectionLike, options: MicroServiceOptions): Subscription {
  const { id } = options;
  const subscriptions = SERVICE_VERBS.flatMap((verb) =>
    serviceSubjects(verb, id).map((subject) =>
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error) options.onError(refused(subject, error));
          else reply(connection, message, () => answerTo(verb, options, startedAt));
        },
      }),
    ),
  );
  const startedAt = new Date().toISOString();
  return {
    close: () => {
      if (connection.isClosed()) return;
      for (const subscription of subscriptions) subscription.unsubscribe();
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

function answerTo(verb: ServiceVerb, options: MicroServiceOptions, startedAt: string): object {
  const { id, version, group, metadata, whois } = options;
  const type = `io.nats.micro.v1.${verb.toLowerCase()}_response`;
  const identity = { type, name: SERVICE, id, version, metadata: metadata() };
  const endpoint = { name: 'whois', subject: patternOf(group, { role: 'whois', to: 'all' }), queue_group: '' };
  switch (verb) {
    case 'PING':
      return identity;
    case 'INFO':
      return { ...identity, description: DESCRIPTION, endpoints: whois ? [endpoint] : [] };
    case 'STATS':
      return { ...identity, started: startedAt, endpoints: whois ? [{ ...endpoint, ...whois.toJSON() }] : [] };
  }
}

const DESCRIPTION = 'One of a group of which exactly one is master';

const refused = (subject: string, cause: Error): PermissionError =>
  new PermissionError(`NATS does not let this node be seen by "nats micro": it may not subscribe to "${subject}"`, {
    cause,
  });
