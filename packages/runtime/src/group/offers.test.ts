import type { TimerHandle } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { Offers } from './offers.ts';

/** Its timers fire early: by as much as real ones, or by less than its instants can tell. */
class HastyClock extends VirtualClock {
  readonly #earlyMs: number;

  constructor(earlyMs: number) {
    super();
    this.#earlyMs = earlyMs;
  }

  override setTimeout(run: () => void, delayMs: number): TimerHandle {
    return super.setTimeout(run, Math.max(0, delayMs - this.#earlyMs));
  }
}

it.each([0, 1e-9, 0.9])(
  'an offer ends in its time, asked seven times at most, with timers that are %f ms early',
  async (earlyMs) => {
    const clock = new HastyClock(earlyMs);
    let offered = 0;
    const offers = new Offers({ clock, leaseMs: () => 1000, offer: () => void offered++ });
    const asked = offers.ask('jobs', 'b', 7, { timeoutMs: 700 });
    clock.advance(700);
    expect(await asked).toBeNull();
    expect(offered).toBeGreaterThan(4);
    expect(offered).toBeLessThanOrEqual(7);
    expect(offers.isOpen('jobs')).toBe(false);
  },
);

it('an offer that has no time is made once', async () => {
  const clock = new VirtualClock();
  let offered = 0;
  const offers = new Offers({ clock, leaseMs: () => 1000, offer: () => void offered++ });
  const asked = offers.ask('jobs', 'b', 7, { timeoutMs: 0 });
  clock.advance(1);
  expect(await asked).toBeNull();
  expect(offered).toBe(1);
});

it('whoever agreed hears that it still stands until it is given back, and nothing after', async () => {
  const clock = new VirtualClock();
  const offered: string[] = [];
  const offers = new Offers({ clock, leaseMs: () => 1000, offer: (to) => void offered.push(to) });
  const { promise: givenBack, resolve } = Promise.withResolvers<void>();
  const asked = offers.ask('jobs', 'b', 7, { givenBack });
  const other = offers.ask('jobs', 'c', 7, { timeoutMs: 0, givenBack });
  offers.answered({ type: 'consent', election: 'jobs', from: 'b', term: 7, session: 9, metadata: {} });
  expect(await asked).toEqual({ session: 9, metadata: {} });
  expect(offers.isOpen('jobs')).toBe(true);
  await clock.advanceAsync(1000);
  expect(await other).toBeNull();
  expect(offers.isOpen('jobs')).toBe(false);
  expect(offered.filter((to) => to === 'b')).toHaveLength(9);
  expect(offered.filter((to) => to === 'c')).toHaveLength(1);
  resolve();
  await clock.advanceAsync(1000);
  expect(offered).toHaveLength(10);
});

it('whoever agreed hears nothing more of a node that has left, whether or not it was given back', async () => {
  const clock = new VirtualClock();
  let offered = 0;
  const offers = new Offers({ clock, leaseMs: () => 1000, offer: () => void offered++ });
  const asked = offers.ask('jobs', 'b', 7, { givenBack: new Promise(() => {}) });
  offers.answered({ type: 'consent', election: 'jobs', from: 'b', term: 7, session: 9, metadata: {} });
  await asked;
  clock.advance(500);
  expect(offered).toBeGreaterThan(1);
  offers.close();
  offered = 0;
  clock.advance(5000);
  expect(offered).toBe(0);
});
