import { setImmediate as turn } from 'node:timers/promises';
import { createInbox, headers } from '@nats-io/nats-core';
import type { Role } from '@synod/protocol';
import type { NatsConnectionLike, NatsSubscriptionLike } from './nats-connection.ts';
import { INBOXES, type PermissionsOptions, permissionsOf } from './permissions.ts';
import { refusalOf } from './refusal.ts';
import { patternOf, SERVICE, subjectOf } from './subjects.ts';

/** One rule of {@link permissionsOf}, and whether NATS keeps to it for the user of a connection. */
export interface PermissionFinding {
  /** As a server's configuration says it: `publish allow "synod.orders.*.*.from.n1"`. */
  readonly rule: string;
  /** `missing`: the node cannot do its part. `excess`: the user may do what no node of its kind needs. */
  readonly state: 'granted' | 'missing' | 'excess';
  /** Subject that was tried and does not keep to the rule. */
  readonly subject?: string;
}

/**
 * Tries each rule that a node of this kind needs, and what it should not be able to do. Nobody is disturbed: subjects of the
 * group are tried with a recipient that nobody is, and a stream of events refuses what is tried on it.
 *
 * @param options - Of one group, not of `*`.
 * @returns the rules in the order of {@link permissionsOf}. Rejects when the connection breaks.
 */
export async function probePermissions(
  connection: NatsConnectionLike,
  options: PermissionsOptions,
): Promise<PermissionFinding[]> {
  const trial = new Trial(connection);
  try {
    const probes = probesOf(options);
    for (const probe of probes) trial.begin(probe);
    await trial.settle();
    const findings = probes.map((probe) => judge(probe, (subject) => trial.isRefused(probe.operation, subject)));
    // Who may say anything needs no such way round.
    const isPinned = findings.every(({ state }) => state !== 'excess');
    const wayRound = isPinned ? await trial.answerAsAnother(options) : null;
    const rule = 'no allow_responses';
    return [...findings, wayRound === null ? { rule, state: 'granted' } : { rule, state: 'excess', subject: wayRound }];
  } finally {
    trial.close();
  }
}

/** Subjects that a rule is about; the user may use all of them, or none. */
interface Probe {
  readonly rule: string;
  readonly operation: 'publish' | 'subscription';
  readonly subjects: readonly string[];
  readonly isWanted: boolean;
}

function judge({ rule, subjects, isWanted }: Probe, isRefused: (subject: string) => boolean): PermissionFinding {
  const subject = subjects.find((each) => isRefused(each) === isWanted);
  if (subject === undefined) return { rule, state: 'granted' };
  return { rule, state: isWanted ? 'missing' : 'excess', subject };
}

/** What no node is called, and nobody subscribes to by name. */
const NOBODY = `nobody-${crypto.randomUUID().slice(0, 8)}`;

const CANDIDATE: readonly Role[] = ['proposer', 'learner', 'log', 'identity', 'whois', 'candidate'];
const MEMBER: readonly Role[] = [...CANDIDATE, 'acceptor', 'formation', 'news'];
const SAYS: Readonly<Record<PermissionsOptions['kind'], readonly Role[]>> = {
  member: [...MEMBER, 'event'],
  candidate: CANDIDATE,
  observer: ['learner', 'identity', 'whois'],
  operator: ['whois', 'admin'],
};
const HEARS: Readonly<Record<PermissionsOptions['kind'], readonly Role[]>> = {
  member: [...MEMBER, 'event', 'admin'],
  candidate: ['news', 'identity', 'candidate', 'event'],
  observer: ['news', 'identity', 'event'],
  operator: ['event'],
};

function probesOf(options: PermissionsOptions): readonly Probe[] {
  const { group, node, kind } = options;
  const { publish, subscribe } = permissionsOf(options);
  const say = (role: Role, from = node): string => subjectOf(group, { role, to: NOBODY }, from);
  const hear = (role: Role): string => patternOf(group, { role, to: NOBODY });
  const isOfGroup = (rule: string): boolean => rule.includes('.from.');
  const concrete = (rule: string): string =>
    rule.replace(`.${SERVICE}.*`, `.${SERVICE}.${NOBODY}`).replace('*', 'PING');
  const inbox = (rule: string): string => (rule === INBOXES ? createInbox() : concrete(rule));
  return [
    ...publish.allow.map((rule) => ({
      rule: `publish allow "${rule}"`,
      operation: 'publish' as const,
      subjects: isOfGroup(rule) ? SAYS[kind].map((role) => say(role)) : [rule === INBOXES ? createInbox() : rule],
      isWanted: true,
    })),
    ...publish.deny.map((rule) => ({
      rule: `publish deny "${rule}"`,
      operation: 'publish' as const,
      subjects: [say(rule.includes('.event.') ? 'event' : 'admin')],
      isWanted: false,
    })),
    // I4: what pins the sender is that nothing else is allowed.
    {
      rule: `publish allow nothing from others than "${node}"`,
      operation: 'publish' as const,
      subjects: MEMBER.map((role) => say(role, NOBODY)),
      isWanted: false,
    },
    ...subscribe.allow.map((rule) => ({
      rule: `subscribe allow "${rule}"`,
      operation: 'subscription' as const,
      subjects: isOfGroup(rule) ? HEARS[kind].map(hear) : [inbox(rule)],
      isWanted: true,
    })),
  ];
}

/** Tries subjects on a connection, and hears from the server what it refuses. */
class Trial {
  readonly #connection: NatsConnectionLike;
  readonly #statuses: ReturnType<NatsConnectionLike['status']>;
  readonly #refused = new Set<string>();
  readonly #subscriptions: NatsSubscriptionLike[] = [];

  constructor(connection: NatsConnectionLike) {
    this.#connection = connection;
    this.#statuses = connection.status();
    void this.#listen();
  }

  begin({ operation, subjects }: Probe): void {
    for (const subject of subjects) {
      if (operation === 'publish') this.#publish(subject);
      else this.#subscribe(subject, () => {});
    }
  }

  /**
   * I4: asks itself what nobody else hears, for an answer in the name of nobody.
   * @returns the subject of the answer, or `null` where it was refused as it should be.
   */
  async answerAsAnother({ group, node }: PermissionsOptions): Promise<string | null> {
    const another = `${NOBODY}-1`;
    const to = { role: 'whois', to: another } as const;
    const reply = subjectOf(group, to, another);
    let hasAnswered = false;
    this.#subscribe(patternOf(group, to), () => {
      if (hasAnswered) return; // What is let through is heard here too.
      hasAnswered = true;
      this.#connection.publish(reply);
    });
    this.#connection.publish(subjectOf(group, to, node), new Uint8Array(), { reply });
    await this.settle();
    // The answer left after the first flush at the latest.
    await this.settle();
    return hasAnswered && !this.isRefused('publish', reply) ? reply : null;
  }

  isRefused(operation: Probe['operation'], subject: string): boolean {
    return this.#refused.has(`${operation} ${subject}`);
  }

  /** The server says what it refuses before it answers a flush. */
  async settle(): Promise<void> {
    await this.#connection.flush();
    await turn();
  }

  close(): void {
    (this.#statuses as { stop?: () => void }).stop?.();
    if (this.#connection.isClosed()) return;
    for (const subscription of this.#subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
  }

  async #listen(): Promise<void> {
    for await (const status of this.#statuses) {
      const refusal = status.type === 'error' ? refusalOf(status) : null;
      if (refusal) this.#refused.add(`${refusal.operation} ${refusal.subject}`);
    }
  }

  #publish(subject: string): void {
    const refusing = headers();
    // JetStream keeps nothing that expects another stream.
    refusing.set('Nats-Expected-Stream', NOBODY);
    this.#connection.publish(subject, new Uint8Array(), this.#connection.info?.headers ? { headers: refusing } : {});
  }

  #subscribe(subject: string, callback: () => void): void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error) => {
        // A refused subscription; the status tells it with its subject.
        if (!error) callback();
      },
    });
    this.#subscriptions.push(subscription);
  }
}
