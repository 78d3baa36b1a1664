import { type Bus, type Clock, type Journal, MIN_LEASE_MS, type Random, type Subscription } from '@synod/protocol';
import { GroupNode } from './group/group-node.ts';

const MASTERSHIPS = 2;
const LEASE_MS = MIN_LEASE_MS;
/** Many times as long as it takes: a rehearsal that does not come to its end is given up. */
const MOST_MS = 10 * LEASE_MS;

/**
 * Plays a short life of a group of one, in memory: it forms, elects, gives back, elects again. JavaScript that has never run
 * is slow, and a member runs its paths a few times a lease: the first election of a process would be the slowest, and the
 * first after a crash of another comes when it matters. Takes some 80 ms, half of them waiting, and touches nothing but itself.
 *
 * @param clock - Of the process: with another one, what is compiled here would have to expect both.
 * @returns how many masterships were held.
 */
export async function rehearse(clock: Clock, random: Random): Promise<number> {
  const node = new GroupNode(
    { bus: NOBODY, clock, random, process: { host: '', pid: 0 } },
    { membership: { role: 'member', voters: [NOBODY.node], journal: NOTHING }, leaseMs: LEASE_MS },
  );
  const { promise: overdue, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimeout(resolve, MOST_MS);
  let held = 0;
  node.addEventListener('elected', () => held++);
  await Promise.race([play(node).catch(() => {}), overdue]);
  clock.clearTimeout(timer);
  node.kill();
  return held;
}

async function play(node: GroupNode): Promise<void> {
  await node.start();
  for (let i = 0; i < MASTERSHIPS; i++) {
    const mastership = await node.election().campaign();
    await mastership.run(() => mastership.remainingMs());
    await mastership.resign();
  }
}

const closed: Subscription = { close: () => {} };

/** A bus with nobody else on it. */
const NOBODY: Bus = {
  group: 'rehearsal',
  node: 'a',
  maxPayloadBytes: 1 << 20,
  isConnected: true,
  publish: () => true,
  subscribe: () => closed,
  respond: () => closed,
  request: () => closed,
  onNoResponders: () => closed,
  onConnection: () => closed,
  flush: async () => {},
  close: async () => {},
};

/** A journal that keeps nothing: whoever wrote in it is gone before it could be read. */
const NOTHING: Journal = {
  bytesSinceCheckpoint: 0,
  open: async () => ({ storeId: 'rehearsal', incarnations: 1, records: [], tornBytes: 0, damage: null }),
  append: () => {},
  flush: async () => {},
  checkpoint: async () => {},
  close: async () => {},
};
