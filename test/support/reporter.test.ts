import { expect, it } from 'vitest';
import { lines, noReason } from './reporter.ts';

it('ends with one line of counts', () => {
  expect(lines({ passed: 3, failed: 1, skipped: new Map() })).toEqual(['3 passed, 1 failed, 0 skipped']);
});

it('says why tests were skipped, one line a reason', () => {
  const skipped = new Map([
    ['no engine answers', ['a', 'b', 'c', 'd']],
    [noReason, ['e']],
  ]);
  expect(lines({ passed: 0, failed: 0, skipped })).toEqual([
    'skipped 4: no engine answers (a; b; c; …)',
    `skipped 1: ${noReason} (e)`,
    '0 passed, 0 failed, 5 skipped',
  ]);
});
