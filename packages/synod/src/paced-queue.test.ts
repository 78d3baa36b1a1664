import { VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { PacedQueue } from './paced-queue.ts';

function queue(companyMs = 0) {
  const clock = new VirtualClock();
  const handled: number[] = [];
  const handle = (item: number) => void handled.push(item);
  return { clock, handled, queue: new PacedQueue({ handle, clock, companyMs }) };
}

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

it('handles at once what may be handled at once', () => {
  const { queue: q, handled } = queue();
  q.add(1, 0);
  q.add(2, 0);
  expect(handled).toEqual([1, 2]);
});

it('handles many a few at a time, all of them, in their order', () => {
  const { queue: q, handled, clock } = queue();
  for (const i of numbers(100)) q.add(i, 0);
  expect(handled).toEqual(numbers(32));
  clock.advance(1);
  expect(handled).toEqual(numbers(64));
  clock.advance(10);
  expect(handled).toEqual(numbers(100));
  q.add(100, 0);
  expect(handled).toEqual(numbers(101));
});

it('what is put off waits, and what comes after it waits with it', () => {
  const { queue: q, handled, clock } = queue();
  q.add(1, 50);
  q.add(2, 0);
  clock.advance(48);
  expect(handled).toEqual([]);
  clock.advance(5);
  expect(handled).toEqual([1, 2]);
});

it('what is put off takes along what is due soon after it, in one run', () => {
  const { queue: q, handled, clock } = queue(20);
  for (const i of numbers(5)) {
    q.add(i, 50);
    clock.advance(8);
  }
  expect(handled).toEqual([]);
  clock.advance(10);
  expect(handled).toEqual([0, 1, 2]);
  clock.advance(22);
  expect(handled).toEqual([0, 1, 2]);
  clock.advance(1);
  expect(handled).toEqual(numbers(5));
});

it('loses nothing, and repeats nothing, of what is to wait for different times', () => {
  const { queue: q, handled, clock } = queue();
  for (const i of numbers(33)) q.add(i, 0);
  q.add(33, 50);
  q.add(34, 0);
  clock.advance(10);
  expect(handled).toEqual(numbers(33));
  clock.advance(50);
  expect(handled).toEqual(numbers(35));
});

it('handles nothing after it was closed', () => {
  const { queue: q, handled, clock } = queue();
  q.add(1, 50);
  q.close();
  q.add(2, 0);
  clock.advance(100);
  expect(handled).toEqual([]);
});
