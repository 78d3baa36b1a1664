import { expect, it } from 'vitest';
import { table } from './terminal.ts';

it('aligns columns, and counts no colours', () => {
  const rows = [
    ['NODE', 'TERM', 'NOTE'],
    ['\u001b[32mn1\u001b[39m', '7', ''],
    ['longer', '120', 'x'],
  ];
  expect(table(rows, [1])).toEqual(['NODE    TERM  NOTE', '\u001b[32mn1\u001b[39m         7', 'longer   120  x']);
});
