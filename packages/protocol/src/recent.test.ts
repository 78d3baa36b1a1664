import { expect, it } from 'vitest';
import { Recent } from './recent.ts';

it('knows things by identity, and as many as it is told to', () => {
  const recent = new Recent<object, number>(3);
  const things = Array.from({ length: 5 }, () => ({}));
  for (const [i, thing] of things.entries()) recent.set(thing, i);
  expect(things.slice(-3).map((thing) => recent.get(thing))).toEqual([2, 3, 4]);
  expect(recent.get({})).toBe(undefined);
});

it('forgets what was not met for long', () => {
  const recent = new Recent<object, number>(3);
  const first = {};
  recent.set(first, 1);
  for (let i = 0; i < 6; i++) recent.set({}, i);
  expect(recent.get(first)).toBe(undefined);
});

it('tells what it was told last', () => {
  const recent = new Recent<object, number>(1);
  const thing = {};
  recent.set(thing, 1);
  recent.set({}, 2);
  recent.set(thing, 3);
  expect(recent.get(thing)).toBe(3);
});
