import type { Bus, Clock, Journal, Random, Subscription, TimerHandle } from '@synod/protocol';
import { GroupNode } from './group/group-node.ts';

const MASTERSHIPS = 2;
/** Many times as many as it takes: a rehearsal that does not come to its end is given up. */
const MOST_TURNS = 500;

/**
 * Plays a short life of a group of one, in memory and outside of time: it forms, elects, gives back, elects again. JavaScript
 * that has never run is slow, and a member runs its paths a few times a lease: the first election of a process would be the
 * slowest, and the first after a crash of another comes when it matters. Takes some 40 ms, and touches nothing but itself.
 *
 * @param turn - Lets the rest of the process have its turn.
 */
export async function rehearse(random: Random, turn: () => Promise<void>): Promise<void> {
  const clock = new HurriedClock();
  const node = new GroupNode(
    { bus: NOBODY, clock, random, process: { host: '', pid: 0 } },
    { membership: { role: 'member', voters: [NOBODY.node], journal: NOTHING } },
  );
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  void play(node).then(over, over);
  for (let turns = 0; turns < MOST_TURNS && !isOver; turns++) {
    await turn();
    clock.fire();
  }
  node.kill();
}

async function play(node: GroupNode): Promise<void> {
  await node.start();
  for (let i = 0; i < MASTERSHIPS; i++) {
    const mastership = await node.election().campaign();
    await mastership.run(() => mastership.remainingMs());
    await mastership.resign();
  }
}

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Goes from timer to timer. */
class HurriedClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  bootNow(): null {
    return null;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#timers.delete(handle as Timer);
  }

  /** The next timer's instant has come. */
  fire(): void {
    let next: Timer | null = null;
    for (const timer of this.#timers) if (next === null || timer.atMs < next.atMs) next = timer;
    if (next === null) return;
    this.#timers.delete(next);
    this.#nowMs = next.atMs;
    next.callback();
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
