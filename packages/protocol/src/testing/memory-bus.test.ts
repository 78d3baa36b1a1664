import { describe, expect, it } from 'vitest';
import { busContract } from './bus-contract.ts';
import { type CarriedMessage, type MemoryFaults, MemoryNetwork } from './memory-bus.ts';
import { seededRandom } from './seeded-random.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

busContract('MemoryBus', () => {
  const errors: unknown[] = [];
  const network = new MemoryNetwork({ onError: (error) => errors.push(error) });
  return {
    errors,
    bus: (node, group) => network.bus(node, group),
    disconnect: (node) => network.disconnect(node),
    reconnect: (node) => network.reconnect(node),
    isConnectionOpen: (node) => network.isOnline(node),
    close: () => {},
  };
});

const address = { role: 'acceptor', to: 'all' } as const;

/** 40 messages of n1 under `faults`; what n2 heard. */
async function run(faults: MemoryFaults, seed: number): Promise<number[]> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(seed), faults });
  const [n1, n2] = [network.bus('n1'), network.bus('n2')];
  const heard: number[] = [];
  n2.subscribe(address, (payload) => heard.push(payload[0] as number));
  for (let number = 0; number < 40; number++) n1.publish(address, Uint8Array.of(number));
  await clock.advanceAsync(1_000);
  return heard;
}

const inOrder = Array.from({ length: 40 }, (_, number) => number);

describe('MemoryNetwork', () => {
  it('gives the same run for the same seed', async () => {
    const faults = { loss: 0.2, duplicate: 0.2, reorder: 0.5, delayMinMs: 1, delayMaxMs: 50 };
    expect(await run(faults, 1)).toEqual(await run(faults, 1));
    expect(await run(faults, 1)).not.toEqual(await run(faults, 2));
  });

  it('delays, and keeps the order of a link unless told to reorder', async () => {
    expect(await run({ delayMinMs: 1, delayMaxMs: 50 }, 3)).toEqual(inOrder);
    const reordered = await run({ delayMinMs: 1, delayMaxMs: 50, reorder: 1 }, 3);
    expect(reordered).not.toEqual(inOrder);
    expect(reordered.toSorted((a, b) => a - b)).toEqual(inOrder);
  });

  it('loses and duplicates by chance', async () => {
    const lossy = await run({ loss: 0.5 }, 4);
    expect(lossy.length).toBeGreaterThan(5);
    expect(lossy.length).toBeLessThan(35);
    const doubled = await run({ duplicate: 0.5 }, 4);
    expect(doubled.length).toBeGreaterThan(45);
    expect(new Set(doubled).size).toBe(40);
  });

  it('36: cuts one way, messages under way included', async () => {
    const clock = new VirtualClock();
    const network = new MemoryNetwork({ clock, random: seededRandom(5), faults: { delayMinMs: 10, delayMaxMs: 10 } });
    const [n1, n2] = [network.bus('n1'), network.bus('n2')];
    const heard: string[] = [];
    for (const bus of [n1, n2])
      bus.subscribe({ role: 'acceptor', to: bus.node }, (_, from) => heard.push(`${from}>${bus.node}`));
    n1.publish({ role: 'acceptor', to: 'n2' }, Uint8Array.of(1));
    network.cut('n1', 'n2');
    await clock.advanceAsync(10);
    n1.publish({ role: 'acceptor', to: 'n2' }, Uint8Array.of(2));
    n2.publish({ role: 'acceptor', to: 'n1' }, Uint8Array.of(3));
    await clock.advanceAsync(10);
    expect(heard).toEqual(['n2>n1']);
    network.heal('n1', 'n2');
    n1.publish({ role: 'acceptor', to: 'n2' }, Uint8Array.of(4));
    await clock.advanceAsync(10);
    expect(heard).toEqual(['n2>n1', 'n1>n2']);
  });

  it('37: a partition parts the sides only', async () => {
    const network = new MemoryNetwork();
    const buses = ['n1', 'n2', 'n3'].map((node) => network.bus(node));
    const heard: string[] = [];
    for (const bus of buses) bus.subscribe(address, (_, from) => heard.push(`${from}>${bus.node}`));
    network.partition(['n1'], ['n2']);
    for (const bus of buses) bus.publish(address, Uint8Array.of(1));
    await settle();
    expect(heard).toEqual(['n1>n1', 'n1>n3', 'n2>n2', 'n2>n3', 'n3>n1', 'n3>n2', 'n3>n3']);
    network.heal();
    heard.length = 0;
    buses[0]?.publish(address, Uint8Array.of(1));
    await settle();
    expect(heard).toEqual(['n1>n1', 'n1>n2', 'n1>n3']);
  });

  it('38: a tap sees every message, and replays it as from its sender', async () => {
    const network = new MemoryNetwork();
    const [n1, n2] = [network.bus('n1'), network.bus('n2')];
    const captured: CarriedMessage[] = [];
    const tap = network.tap((message) => captured.push(message));
    const heard: string[] = [];
    n2.subscribe(address, (payload, from) => heard.push(`${from}:${payload[0]}`));
    n1.publish(address, Uint8Array.of(7));
    tap.close();
    await n1.close();
    for (const message of captured) network.replay(message);
    await settle();
    expect(heard).toEqual(['n1:7', 'n1:7']);
  });

  it('I1: two connections of one node hear the same', async () => {
    const network = new MemoryNetwork();
    const [first, second] = [network.bus('n1'), network.bus('n1')];
    const heard: string[] = [];
    for (const [name, bus] of Object.entries({ first, second })) {
      bus.subscribe({ role: 'identity', to: 'n1' }, (_, from) => heard.push(`${name}:${from}`));
    }
    second.publish({ role: 'identity', to: 'n1' }, Uint8Array.of(1));
    await settle();
    expect(heard).toEqual(['first:n1', 'second:n1']);
  });
});
