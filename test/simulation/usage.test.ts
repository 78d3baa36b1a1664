import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const runs =
  (program: string) =>
  (...args: string[]) => {
    const file = fileURLToPath(new URL(program, import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=@synod/source', file, ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    return { status, stdout, stderr };
  };
const sim = runs('./main.ts');
const joined = runs('./joined.ts');

it.each([
  [['--minutes', 'abc'], 'minutes'],
  [['--minutes', '-1'], 'minutes'],
  [['--seeds', '0'], 'from 1'],
  [['--seed', 'x'], 'from 0'],
  [['--nodes', '0'], 'from 1 to 9'],
  [['--nodes', '12'], 'from 1 to 9'],
  [['--control', 'nope'], 'wiped-voter-votes'],
  [['--control', 'all', '--explore'], 'cannot be used with'],
  [['--explore', '--trace'], 'cannot be used with'],
])('%j is a wrong call and ends with 2', (args, words) => {
  const { status, stdout, stderr } = sim(...args);
  expect(stderr).toContain(words);
  expect(stdout).toBe('');
  expect(status).toBe(2);
});

it('a right one ends with 0, its figures in the last line', () => {
  const { status, stdout } = sim('--seed', '3', '--json');
  expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ violations: 0, schedules: 1 });
  expect(status).toBe(0);
});

it('as one module it is the same program', () => {
  const wrong = joined('--seeds', '0');
  expect(wrong).toEqual(sim('--seeds', '0'));
  expect(wrong.status).toBe(2);
  const told = (program: typeof sim) => {
    const { status, stdout } = program('--seed', '3', '--seeds', '4', '--json');
    const { schedules, messages, masterships, commit } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    return { status, schedules, messages, masterships, commit };
  };
  expect(told(joined)).toEqual(told(sim));
});
