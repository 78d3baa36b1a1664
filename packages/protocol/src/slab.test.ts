import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Slab } from './slab.ts';

it('a slab gives each taker bytes that nobody else has', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 50 }), (sizes) => {
      const slab = new Slab(128);
      const taken = sizes.map((size) => slab.take(size));
      for (const [index, bytes] of taken.entries()) bytes.fill(index);
      expect(taken.map((bytes) => [...bytes])).toEqual(sizes.map((size, index) => new Array(size).fill(index)));
    }),
  );
});

it('what is small stands side by side, what is large alone', () => {
  const slab = new Slab(128);
  const [small, other, large] = [slab.take(16), slab.take(16), slab.take(17)];
  expect(other.buffer).toBe(small.buffer);
  expect([large.buffer === small.buffer, large.buffer.byteLength]).toEqual([false, 17]);
});
