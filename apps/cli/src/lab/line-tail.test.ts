import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { LineTail } from './line-tail.ts';

const folder = mkdtempSync(join(tmpdir(), 'synod-tail-'));
const file = join(folder, 'log');
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('gives each line once, when it is whole', () => {
  writeFileSync(file, 'before\n');
  const tail = new LineTail(file, 7);
  expect(tail.read()).toEqual([]);
  appendFileSync(file, 'one\ntw');
  expect(tail.read()).toEqual(['one']);
  const letter = Buffer.from('ö');
  appendFileSync(file, letter.subarray(0, 1));
  expect(tail.read()).toEqual([]);
  appendFileSync(file, letter.subarray(1));
  appendFileSync(file, `\n\n${'x'.repeat(200_000)}\n`);
  expect(tail.read()).toEqual(['twö', '', 'x'.repeat(200_000)]);
  tail.close();
  expect(tail.read()).toEqual([]);
});
