import { VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { Reminder } from './reminder.ts';

function reminder() {
  const clock = new VirtualClock();
  const startMs = clock.now();
  const atMs: number[] = [];
  return {
    clock,
    atMs,
    reminder: new Reminder({ clock, quietMs: () => 100, remind: () => atMs.push(clock.now() - startMs) }),
  };
}

it('reminds after each quiet of that length', () => {
  const { clock, atMs, reminder: r } = reminder();
  clock.advance(500);
  expect(atMs).toEqual([]);
  r.start();
  clock.advance(90);
  r.start(); // Changes nothing.
  clock.advance(115);
  expect(atMs).toEqual([600, 700]);
});

it('not while something happens, and so long after the last of it', () => {
  const { clock, atMs, reminder: r } = reminder();
  r.start();
  for (let i = 0; i < 10; i++) {
    clock.advance(60);
    r.noted();
  }
  expect(atMs).toEqual([]);
  clock.advance(100);
  expect(atMs).toEqual([700]);
});

it('T12: a length that changes counts from the next look on', () => {
  const clock = new VirtualClock();
  const atMs: number[] = [];
  let quietMs = 100;
  const r = new Reminder({ clock, quietMs: () => quietMs, remind: () => atMs.push(clock.now()) });
  const startMs = clock.now();
  r.start();
  quietMs = 20;
  clock.advance(150);
  expect(atMs.map((at) => at - startMs)).toEqual([100, 120, 140]);
  r.stop();
});

it('stops for good, also from within, and can be started anew', () => {
  const { clock, atMs, reminder: r } = reminder();
  r.start();
  r.stop();
  clock.advance(300);
  expect(atMs).toEqual([]);
  r.start();
  clock.advance(99);
  expect(atMs).toEqual([]);
  clock.advance(1);
  expect(atMs).toEqual([400]);
  let times = 0;
  const once = new Reminder({
    clock,
    quietMs: () => 10,
    remind: () => {
      times++;
      once.stop();
    },
  });
  once.start();
  r.stop();
  clock.advance(100);
  expect(times).toBe(1);
  expect(atMs).toEqual([400]);
});
