import { MemoryDisk, MemoryJournal, MemoryNetwork, seededRandom, settle, VirtualClock } from '@synod/protocol/testing';
import { type Group, joinOver } from '@synod/runtime';

export const leaseMs = 1000;
const voters = ['a', 'b', 'c'];

/** Three members in one process, under one virtual clock. */
export async function world() {
  const clock = new VirtualClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(1), faults: { delayMinMs: 1, delayMaxMs: 2 } });
  const joining = voters.map((node, index) =>
    joinOver(
      { bus: network.bus(node), clock, random: seededRandom(index + 2), process: { host: 'test', pid: index } },
      { membership: { role: 'member', voters, journal: new MemoryJournal(new MemoryDisk()) }, leaseMs },
    ),
  );
  await clock.advanceAsync(2 * leaseMs);
  const [a, b, c] = (await Promise.all(joining)) as [Group, Group, Group];
  return {
    clock,
    network,
    groups: { a, b, c },
    /** One that only looks on. */
    async observer(): Promise<Group> {
      const joined = joinOver(
        { bus: network.bus('watcher'), clock, random: seededRandom(9), process: { host: 'test', pid: 9 } },
        { membership: { role: 'observer' }, leaseMs },
      );
      await clock.advanceAsync(leaseMs);
      return joined;
    },
    /** Lets time pass, and what it woke come to rest. */
    async pass(ms: number): Promise<void> {
      await clock.advanceAsync(ms);
      await settle();
    },
    async close(): Promise<void> {
      for (const group of [a, b, c]) void group.close();
      await clock.advanceAsync(5 * leaseMs);
    },
  };
}

export type World = Awaited<ReturnType<typeof world>>;
