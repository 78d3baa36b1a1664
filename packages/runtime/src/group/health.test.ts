import { settle, VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { Health } from './health.ts';

function world() {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const health = new Health({ clock, leaseMs: () => 800, onError: (error) => errors.push(error) });
  return { clock, errors, health };
}

/** A check that says what it is told to say, and how often it was asked. */
function check(answer: () => boolean | Promise<boolean>) {
  const asked = {
    count: 0,
    check: () => {
      asked.count++;
      return answer();
    },
  };
  return asked;
}

it('who answers at once is heard at once; who does not is a no until then', async () => {
  const { health } = world();
  const told: boolean[] = [];
  health.watch([() => true], (value) => told.push(value));
  expect(told).toEqual([true]);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const later: boolean[] = [];
  health.watch([() => true, () => promise], (value) => later.push(value));
  expect(later).toEqual([false]);
  resolve(true);
  await settle();
  expect(later).toEqual([false, true]);
  health.close();
});

it('is asked eight times a lease, and each change is told once', async () => {
  const { health, clock } = world();
  const answers = [true, true, false, false, true];
  const asked = check(() => answers.shift() ?? true);
  const told: boolean[] = [];
  health.watch([asked.check], (value) => told.push(value));
  await clock.advanceAsync(800);
  expect(asked.count).toBe(9);
  expect(told).toEqual([true, false, true]);
  health.close();
});

it('what many elections share is asked once for all, and by nobody when the last has gone', async () => {
  const { health, clock } = world();
  const asked = check(() => true);
  const watches = Array.from({ length: 100 }, () => health.watch([asked.check], () => {}));
  await clock.advanceAsync(800);
  expect(asked.count).toBe(9);
  for (const watch of watches) watch.close();
  await clock.advanceAsync(800);
  expect(asked.count).toBe(9);
  expect(clock.nextAtMs()).toBeUndefined();
});

it('who comes again is asked again before it is believed', async () => {
  const { health } = world();
  let answer: boolean | Promise<boolean> = true;
  const first = health.watch([() => answer], () => {});
  first.close();
  answer = Promise.resolve(false);
  const told: boolean[] = [];
  health.watch([() => answer], (value) => told.push(value));
  await settle();
  expect(told).toEqual([false]);
  health.close();
});

it('no answer for half a lease is a no, until it answers', async () => {
  const { health, clock, errors } = world();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const answers: (boolean | Promise<boolean>)[] = [true, promise];
  const asked = check(() => answers.shift() ?? true);
  const told: boolean[] = [];
  health.watch([asked.check], (value) => told.push(value));
  await clock.advanceAsync(100 + 399);
  expect(told).toEqual([true]);
  await clock.advanceAsync(1);
  expect(told).toEqual([true, false]);
  await clock.advanceAsync(5000);
  expect(asked.count).toBe(2); // Never two at once.
  expect(errors).toMatchObject([{ code: 'ERR_SYNOD_TIMEOUT' }]);
  resolve(true);
  await settle();
  expect(told).toEqual([true, false, true]);
  health.close();
});

it('a check that throws says no, and is reported once', async () => {
  const { health, clock, errors } = world();
  const told: boolean[] = [];
  health.watch(
    [
      () => {
        throw new Error('no database');
      },
    ],
    (value) => told.push(value),
  );
  await clock.advanceAsync(800);
  expect(told).toEqual([false]);
  expect(errors).toHaveLength(1);
  health.close();
  expect(clock.nextAtMs()).toBeUndefined();
});
