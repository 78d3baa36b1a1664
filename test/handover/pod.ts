// Run as a process of its own: `pod.ts <nats url> <node> <role> <journal> <priority> <client>`. It does what it is told by its parent.
import { connect } from '@nats-io/transport-node';
import { connect as connect2 } from 'nats';
import { type JoinMembership, join, type Mastership } from 'synod';
import { type Client, ELECTION, LEASE_MS, type PodHears, type PodSays, VOTERS } from './messages.ts';

const [servers = '', node = '', role = '', journal = '', priority = '0', client = ''] = process.argv.slice(2);

/** Instants on one clock for all processes of the machine. */
const say = (event: Omit<PodSays, 'node' | 'atNs'>): void =>
  void process.send?.({ ...event, node, atNs: String(process.hrtime.bigint()) } satisfies PodSays);
process.on('disconnect', () => process.exit(1));

const nats = await (client === ('nats 2' satisfies Client) ? connect2 : connect)({
  servers,
  name: node,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 20,
  reconnectJitter: 0,
});
const membership: JoinMembership = role === 'member' ? { role, voters: [...VOTERS], journal } : { role: 'candidate' };
const group = await join(nats, {
  group: 'orders',
  node,
  membership,
  leaseMs: LEASE_MS,
  priority: Number(priority),
  events: false,
});
const election = group.election(ELECTION);
group.addEventListener('lost', ({ detail }) => {
  if (detail.election === ELECTION) say({ type: 'lost', term: detail.term, reason: detail.lostBy });
});
let held: Mastership | null = null;

const deeds: Record<PodHears['type'], (told: PodHears) => Promise<void> | void> = {
  campaign: async () => {
    held = await election.campaign();
    say({ type: 'elected', term: held.term });
  },
  resign: async ({ to }) => {
    await held?.resign(to === undefined ? {} : { to });
    say({ type: 'resigned', term: held?.term ?? 0 });
  },
  transfer: async ({ to = '' }) => {
    const { term } = await election.transfer(to);
    say({ type: 'resigned', term });
  },
  status: () =>
    say({
      type: 'status',
      term: election.master?.term ?? 0,
      isMaster: election.isMaster(),
      leader: group.status().leader,
      isConnected: group.status().isConnected,
    }),
};
process.on('message', (told: PodHears) => {
  void (async () => deeds[told.type](told))().catch((error: Error) =>
    say({ type: 'failed', term: 0, reason: error.message }),
  );
});
say({ type: 'joined', term: 0 });
