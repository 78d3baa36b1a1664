import { type Clock, MIN_LEASE_MS, type Random } from '@synod/protocol';
import { GroupNode } from '../group/group-node.ts';
import { blankJournal, Stage } from './stage.ts';

export interface RehearsalOptions {
  /** Of the process: with another one, what is compiled here would have to expect both. */
  readonly clock: Clock;
  readonly random: Random;
  /** How many masterships are held before it ends. */
  readonly masterships: number;
  /** Ends it before. */
  readonly signal?: AbortSignal;
}

const VOTERS = ['a', 'b', 'c'];
const LEASE_MS = MIN_LEASE_MS;
/** How long each mastership is held: the next in turn stands by meanwhile (T11). */
const HOLD_MS = LEASE_MS / 20;

/**
 * Plays the life of a group of three, in memory: it forms, elects, hands over again and again. JavaScript that has seldom run
 * is slow, and a member runs its paths a few times a lease: the first election of a process would be the slowest, and the
 * first hand-over, or the first after a crash of another, comes when it matters. Touches nothing but itself.
 *
 * @returns how many masterships were held.
 */
export async function rehearse({ clock, random, masterships, signal }: RehearsalOptions): Promise<number> {
  const stage = new Stage(clock);
  const nodes = VOTERS.map(
    (node) =>
      new GroupNode(
        { bus: stage.bus(node), clock, random, process: { host: '', pid: 0 } },
        { membership: { role: 'member', voters: VOTERS, journal: blankJournal(node) }, leaseMs: LEASE_MS },
      ),
  );
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  // Many times as long as it takes: a rehearsal that does not come to its end is given up.
  const timer = clock.setTimeout(end, (10 + masterships) * LEASE_MS);
  signal?.addEventListener('abort', () => end(), { once: true });
  if (signal?.aborted) end();
  let held = 0;
  const onHeld = () => {
    if (++held === masterships) end();
  };
  for (const node of nodes) play(node, clock, onHeld).catch(() => {}); // It ends as it is killed.
  await over;
  clock.clearTimeout(timer);
  for (const node of nodes) node.kill();
  return held;
}

async function play(node: GroupNode, clock: Clock, onHeld: () => void): Promise<void> {
  await node.start();
  for (;;) {
    const mastership = await node.election().campaign();
    await mastership.run(() => mastership.remainingMs());
    await new Promise<void>((resolve) => clock.setTimeout(resolve, HOLD_MS));
    onHeld();
    await mastership.resign();
  }
}
