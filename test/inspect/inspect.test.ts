import { MemoryDisk, MemoryJournal, MemoryNetwork, seededRandom, VirtualClock } from '@synod/protocol/testing';
import { type JsonView, joinOver, jsonView } from '@synod/runtime';
import { afterEach, expect, it } from 'vitest';

const voters = ['a', 'b', 'c'];
const leaseMs = 1000;

/** One inspection event of XState, as far as it is looked at. */
interface Inspected {
  readonly type: string;
  readonly actorRef: { readonly id: string };
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Three members in one process. They elect a master; it falls silent for a lease, and another follows. */
async function run(inspect: (event: unknown) => void): Promise<void> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork({
    clock,
    random: seededRandom(1),
    faults: { delayMinMs: 1, delayMaxMs: 2, loss: 0.01 },
  });
  const joining = voters.map((node, index) =>
    joinOver(
      { bus: network.bus(node), clock, random: seededRandom(index + 2), process: { host: 'test', pid: index } },
      { membership: { role: 'member', voters, journal: new MemoryJournal(new MemoryDisk()) }, leaseMs, inspect },
    ),
  );
  closing.push(async () => {
    for (const group of await Promise.all(joining)) void group.close();
    await clock.advanceAsync(5 * leaseMs);
  });
  await clock.advanceAsync(5 * leaseMs);
  const groups = await Promise.all(joining);
  const masters = () => groups.filter((group) => group.election().isMaster());
  for (const group of groups) {
    const { promise, resolve } = Promise.withResolvers<void>();
    void group.election().runWhileMaster(({ signal }) => {
      signal.addEventListener('abort', () => resolve());
      return promise;
    });
  }
  await clock.advanceAsync(3 * leaseMs);
  const [first] = masters();
  expect(first).toBeDefined();
  network.disconnect(first?.node as string);
  await clock.advanceAsync(2 * leaseMs);
  network.reconnect(first?.node as string);
  await clock.advanceAsync(2 * leaseMs);
  expect(masters()).toHaveLength(1);
  expect(masters()[0]).not.toBe(first);
}

it("shows a user's inspector every event of the root and the four role machines, as JSON", async () => {
  const seen = new Map<string, number>();
  await run((event) => {
    const shown = jsonView(event);
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
    const { type, actorRef } = event as Inspected;
    expect(shown).toMatchObject({ type, actorRef: { id: actorRef.id } });
    const key = `${actorRef.id.replace(/^x:\d+$/, 'root')} ${type}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  });
  const actors = ['acceptor', 'learner', 'proposer', 'lease', 'root'];
  for (const type of ['@xstate.event', '@xstate.snapshot', '@xstate.microstep']) {
    for (const actor of actors) expect(seen.get(`${actor} ${type}`), `${actor} ${type}`).toBeGreaterThan(0);
  }
});

it('shows the sets, maps and bytes that the machines hold', async () => {
  const snapshots: JsonView[] = [];
  await run((event) => {
    if ((event as Inspected).type === '@xstate.snapshot') snapshots.push(jsonView(event));
  });
  const text = JSON.stringify(snapshots);
  expect(text).toMatch(/"bytes":"[0-9a-f]{8}/);
  // Who promised: a set in the proposer's state.
  expect(text).toMatch(/\["[abc]","[abc]"\]/);
});

it('goes on when the inspector throws', async () => {
  await run(() => {
    throw new Error('of the inspector');
  });
});
