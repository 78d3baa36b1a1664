import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { type RehearsalOptions, rehearse } from './rehearsal.ts';

async function rehearsed(options: Pick<RehearsalOptions, 'masterships' | 'signal'>) {
  const clock = new VirtualClock();
  const startMs = clock.now();
  let isOver = false;
  const rehearsal = rehearse({ clock, random: seededRandom(1), ...options }).finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.advanceAsync(1);
  return { held: await rehearsal, tookMs: clock.now() - startMs, clock };
}

it('comes to its end long before it is given up, and leaves no timer behind', async () => {
  const { held, tookMs, clock } = await rehearsed({ masterships: 2 });
  expect(held).toBe(2);
  expect(tookMs).toBeLessThan(200);
  expect(clock.nextAtMs()).toBeUndefined();
});

it('each mastership but the first is a hand-over: a few messages, no lease is waited for', async () => {
  const [few, many] = [await rehearsed({ masterships: 2 }), await rehearsed({ masterships: 22 })];
  expect(many.held).toBe(22);
  expect(many.tookMs - few.tookMs).toBeLessThan(20 * 20);
  expect(many.clock.nextAtMs()).toBeUndefined();
});

it('ends when it is told to', async () => {
  const leaving = new AbortController();
  leaving.abort();
  const { held, clock } = await rehearsed({ masterships: 40, signal: leaving.signal });
  expect(held).toBe(0);
  expect(clock.nextAtMs()).toBeUndefined();
});
