import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { rehearse } from './rehearsal.ts';

it('comes to its end long before it is given up, and leaves no timer behind', async () => {
  const clock = new VirtualClock();
  const startMs = clock.now();
  let isOver = false;
  const rehearsal = rehearse(clock, seededRandom(1)).finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.advanceAsync(1);
  expect(await rehearsal).toBe(2);
  expect(clock.now() - startMs).toBeLessThan(200);
  expect(clock.nextAtMs()).toBeUndefined();
});
