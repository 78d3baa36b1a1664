import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import {
  adviseConnection,
  electionState,
  encodeEvent,
  ensureEventStream,
  eventsOf,
  lastEventVersion,
  type NatsConnectionLike,
  natsBus,
  RequestStatistics,
  respondService,
  respondWhois,
} from '@synod/nats';
import { type Bus, ConfigError, DEFAULT_MAX_DRIFT_PPM, guardMs } from '@synod/protocol';
import {
  DEFAULT_LEASE_MS,
  type Group,
  GUARD_DIVISOR,
  joinOver,
  type Membership,
  type NodeOptions,
  type NodePorts,
  nameProblems,
  settingProblems,
} from '@synod/runtime';
import { diskJournal } from '@synod/storage';
import type { JoinOptions } from './options.ts';
import { PacedQueue } from './paced-queue.ts';
import { goOnRehearsing, prepare } from './rehearsals.ts';
import { SelfFence } from './self-fence/self-fence.ts';
import { systemClock, systemRandom } from './system-clock.ts';
import { VERSION } from './version.ts';

/**
 * Joins a group over a NATS connection of `@nats-io/transport-node` 3 or `nats` 2, or over another {@link Bus}. The
 * connection stays yours: it is neither configured nor closed here. Resolves when this process plays its part; a member of a
 * new group waits for all voters, saying so.
 *
 * @throws ConfigError with every problem of the options at once.
 * @throws NodeIdInUseError another process lives under this node id.
 * @throws ForeignJournalError, JournalLockedError, JournalFailedError the journal's folder cannot be used.
 * @throws the reason of `options.signal` when it aborts first.
 */
export async function join(nats: NatsConnectionLike | Bus, options: JoinOptions): Promise<Group> {
  const problems = optionProblems(options);
  const node = nodeOf(options);
  if (problems.length > 0 || node === undefined) throw new ConfigError(problems);
  if (!isBus(nats) && options.membership.role !== 'observer') await unlessAborted(prepare(), options.signal);
  const { group: name, node: _node, membership, events = true, onOverrun, ...rest } = options;
  const connection = isBus(nats) ? null : nats;
  const bus = isBus(nats)
    ? nats
    : natsBus(nats, { group: name, node, kind: membership.role, onError: (error) => warn(options, error.message) });
  const ports: NodePorts = {
    bus,
    clock: systemClock,
    random: systemRandom,
    process: { host: hostname(), pid: process.pid },
    scope: callers,
  };
  if (connection)
    for (const advice of adviseConnection(connection, options.leaseMs ?? DEFAULT_LEASE_MS)) warn(options, advice);
  let selfFence: SelfFence | null = null;
  try {
    if (onOverrun === 'abort') selfFence = await startSelfFence(options);
    const group = await joinOver(ports, {
      ...rest,
      membership: withJournal(membership),
      livedThrough: () => livedThrough(connection, options),
      onJoining: (joining) => {
        selfFence?.guard(joining);
        if (membership.role === 'observer') return;
        const whois = membership.role === 'member' ? new RequestStatistics() : null;
        if (connection) beVisible(joining, { connection, bus, whois }, options);
        if (whois === null) return;
        answerWhois(joining, bus, whois);
        if (events) publishEvents(joining, bus, options.leaseMs ?? DEFAULT_LEASE_MS);
      },
    });
    if (connection && events && membership.role === 'member') keepEvents(connection, bus, options);
    if (connection) void group.closed.then(() => bus.close());
    if (connection && membership.role !== 'observer') goOnRehearsing(group, options.leaseMs ?? DEFAULT_LEASE_MS);
    return group;
  } catch (error) {
    await selfFence?.stop();
    if (connection) await bus.close();
    throw error;
  }
}

/** By which work something of a mastership is called. */
const callers = new AsyncLocalStorage<unknown>();

/** Whoever does not want to join any more does not wait for it. */
async function unlessAborted(work: Promise<void>, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  await Promise.race([work, aborted]);
  signal?.removeEventListener('abort', onAbort);
}

/**
 * Everything that is wrong with the options of {@link join}, a sentence each; nothing when it would take them. For a program
 * that wants to know before it has a connection.
 */
export function optionProblems(options: JoinOptions): readonly string[] {
  const node = nodeOf(options);
  return [
    ...nameProblems('group', options.group),
    ...nameProblems('node (or SYNOD_NODE, HOSTNAME)', node),
    ...journalProblems(options.membership),
    ...overrunProblems(options.onOverrun),
    ...settingProblems(node ?? '', options as NodeOptions),
  ];
}

const nodeOf = (options: JoinOptions): string | undefined =>
  options.node ?? process.env['SYNOD_NODE'] ?? process.env['HOSTNAME'];

const isBus = (nats: NatsConnectionLike | Bus): nats is Bus => 'respond' in nats;

const warn = (options: JoinOptions, message: string): void =>
  options.logger?.warn({ group: options.group, node: options.node }, message);

const withJournal = (membership: JoinOptions['membership']): Membership =>
  membership.role === 'member' && typeof membership.journal === 'string'
    ? { ...membership, journal: diskJournal(membership.journal) }
    : (membership as Membership);

function journalProblems(membership: JoinOptions['membership'] | undefined): readonly string[] {
  if (membership?.role !== 'member') {
    return membership?.role === 'observer' || membership?.role === 'candidate'
      ? []
      : ['membership: say { role: "member", voters, journal } { role: "candidate" } or { role: "observer" }'];
  }
  const { journal } = membership;
  const isGiven = typeof journal === 'string' ? journal.length > 0 : typeof journal === 'object' && journal !== null;
  return isGiven ? [] : ['membership.journal: name a folder of this node alone'];
}

function startSelfFence(options: JoinOptions): Promise<SelfFence> {
  const { maxDriftPpm = DEFAULT_MAX_DRIFT_PPM } = options;
  const lateMs = (leaseMs: number) => guardMs(leaseMs, { maxDriftPpm, guardDivisor: GUARD_DIVISOR });
  return SelfFence.start(options.group, lateMs, (error) =>
    warn(options, `nobody watches for a stuck main thread any more: ${error.message}`),
  );
}

const overrunProblems = (onOverrun: JoinOptions['onOverrun']): readonly string[] =>
  ['notify', 'abort', undefined].includes(onOverrun) ? [] : [`onOverrun is "${onOverrun}": "notify" or "abort"`];

/**
 * I5: what the event stream remembers of a group of this name. With a first position of the operator's own, an answer that
 * cannot be had is no obstacle.
 */
async function livedThrough(connection: NatsConnectionLike | null, options: JoinOptions): Promise<number> {
  if (connection === null) return 0;
  try {
    return (await lastEventVersion(connection, options.group)) ?? 0;
  } catch (error) {
    if (options.firstPosition === undefined) throw error;
    return 0;
  }
}

/** Every member answers who is master, as far as it knows. */
function answerWhois(group: Group, bus: Bus, statistics: RequestStatistics): void {
  const subscription = respondWhois(
    bus,
    () => {
      const { voters, position } = group.status();
      const { records, sessions } = group.present();
      const elections = records.map((record) =>
        electionState(group.name, record, sessions.find((session) => session.id === record.master) ?? null),
      );
      return { voters: Object.keys(voters), position, elections };
    },
    statistics,
  );
  void group.closed.then(() => subscription.close());
}

/** `nats micro ls` shows each member and candidate, and whom it knows as master. */
function beVisible(
  group: Group,
  {
    connection,
    ...ports
  }: { readonly connection: NatsConnectionLike; readonly bus: Bus; readonly whois: RequestStatistics | null },
  options: JoinOptions,
): void {
  let hasWarned = false;
  const subscription = respondService(connection, {
    group: group.name,
    id: group.status().incarnation,
    version: VERSION,
    metadata: () => {
      const { master } = group.election();
      const { state: role } = group.status();
      return { group: group.name, node: group.node, role, master: master?.node ?? '', term: String(master?.term ?? 0) };
    },
    ...ports,
    onError: (error) => {
      if (!hasWarned) warn(options, error.message);
      hasWarned = true;
    },
  });
  void group.closed.then(() => subscription.close());
}

/**
 * Every member publishes what it applied; the ids are the same everywhere and remove the repeats. Who leads is the first to
 * know and speaks at once; the others, who speak in case he died, have an election to get on with first.
 */
function publishEvents(group: Group, bus: Bus, leaseMs: number): void {
  const publish = (change: Parameters<typeof eventsOf>[0]) => {
    for (const event of eventsOf(change)) {
      bus.publish({ role: 'event', to: event.subject }, encodeEvent(event), { messageId: event.id });
    }
  };
  // A message to the server for each would cost the others, and the server, as much as voting on the change.
  const soon = new PacedQueue({ handle: publish, clock: systemClock, companyMs: leaseMs / 20 });
  group.addEventListener('record', ({ detail }) => {
    if (!detail.isFresh) return;
    const change = { ...detail, group: group.name, node: group.node, timeMs: systemClock.wallNow() };
    soon.add(change, detail.isLeading ? 0 : leaseMs / 4);
  });
  void group.closed.then(() => soon.close());
}

/**
 * With JetStream on the server a stream keeps the events; without it everything else works. A server may get JetStream
 * later than its clients: it is asked again after each reconnect.
 */
function keepEvents(connection: NatsConnectionLike, bus: Bus, options: JoinOptions): void {
  const ensure = async () => {
    const { state, detail } = await ensureEventStream(connection);
    const fields = { group: options.group, node: options.node, state };
    if (state === 'failed') options.logger?.warn(fields, `no history of master changes: ${detail}`);
    else options.logger?.debug(fields, detail);
    if (state === 'ready') subscription.close();
  };
  const subscription = bus.onConnection((isConnected) => void (isConnected && ensure()));
  void ensure();
}
