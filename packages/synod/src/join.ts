import { hostname } from 'node:os';
import { type NatsConnectionLike, natsBus } from '@synod/nats';
import { type Bus, ConfigError } from '@synod/protocol';
import { type Group, joinOver, type Membership, type NodePorts, nameProblems } from '@synod/runtime';
import { diskJournal } from '@synod/storage';
import type { JoinOptions } from './options.ts';
import { systemClock, systemRandom } from './system-clock.ts';

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
  const node = options.node ?? process.env['SYNOD_NODE'] ?? process.env['HOSTNAME'];
  const problems = [
    ...nameProblems('group', options.group),
    ...nameProblems('node (or SYNOD_NODE, HOSTNAME)', node),
    ...journalProblems(options.membership),
  ];
  if (problems.length > 0 || node === undefined) throw new ConfigError(problems);
  const bus = isBus(nats) ? nats : natsBus(nats, { group: options.group, node });
  const ports: NodePorts = {
    bus,
    clock: systemClock,
    random: systemRandom,
    process: { host: hostname(), pid: process.pid },
  };
  const { group: _group, node: _node, membership, events: _events, ...rest } = options;
  const group = await joinOver(ports, { ...rest, membership: withJournal(membership) });
  if (!isBus(nats)) void group.closed.then(() => bus.close());
  return group;
}

const isBus = (nats: NatsConnectionLike | Bus): nats is Bus => 'respond' in nats;

const withJournal = (membership: JoinOptions['membership']): Membership =>
  membership.role === 'member' && typeof membership.journal === 'string'
    ? { ...membership, journal: diskJournal(membership.journal) }
    : (membership as Membership);

function journalProblems(membership: JoinOptions['membership'] | undefined): readonly string[] {
  if (membership?.role !== 'member') {
    return membership?.role === 'observer' ? [] : ['membership: say { role: "member", voters, journal } or { role: "observer" }'];
  }
  const { journal } = membership;
  const isGiven = typeof journal === 'string' ? journal.length > 0 : typeof journal === 'object' && journal !== null;
  return isGiven ? [] : ['membership.journal: name a folder of this node alone'];
}
