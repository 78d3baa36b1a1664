import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonView } from './json-view.ts';

describe('jsonView', () => {
  it('shows what JSON would lose', () => {
    const value = {
      voters: new Set(['a', 'b']),
      slots: new Map([[7, { value: Uint8Array.of(10, 255) }]]),
      pairs: new Map([[{ round: 1 }, 2n]]),
      endless: [Number.POSITIVE_INFINITY, Number.NaN],
      error: new TypeError('so'),
      clock: { now: () => 1 },
      nothing: undefined,
      holes: [undefined, null],
    };
    expect(jsonView(value)).toEqual({
      voters: ['a', 'b'],
      slots: { 7: { value: { bytes: '0aff' } } },
      pairs: [[{ round: 1 }, '2']],
      endless: ['Infinity', 'NaN'],
      error: { name: 'TypeError', message: 'so' },
      clock: {},
      holes: [null, null],
    });
  });

  it('asks what an object says of itself, and bears one that throws', () => {
    const shown = { toJSON: () => ({ a: new Set([1]), toJSON: () => 'never asked' }) };
    const broken = {
      get context(): unknown {
        throw new Error('gone');
      },
    };
    expect(jsonView({ shown, broken })).toEqual({ shown: { a: [1] }, broken: '(Error: gone)' });
  });

  it('names a circle, and shows twice what only stands twice', () => {
    const shared = { x: 1 };
    const circle: { self?: unknown; first: object; second: object } = { first: shared, second: shared };
    circle.self = [circle];
    expect(jsonView(circle)).toEqual({ first: { x: 1 }, second: { x: 1 }, self: ['(circular)'] });
  });

  it('never throws, and survives a round trip through JSON', () => {
    const anything = fc.anything({
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withDate: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const seen = jsonView(value);
        // JSON knows no negative zero.
        expect(JSON.stringify(JSON.parse(JSON.stringify(seen)))).toBe(JSON.stringify(seen));
      }),
    );
  });
});
