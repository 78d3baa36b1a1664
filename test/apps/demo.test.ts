import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually, Processes } from './processes.ts';

const processes = new Processes();
/** The demo's own temporary folders lie in here, and the command lines of its processes name them. */
let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'synod-demo-test-'));
});
afterEach(async () => {
  await processes.endAll();
  for (const pid of await pidsOfDemo()) process.kill(pid, 'SIGKILL');
  await rm(temporary, { recursive: true, force: true });
});

const demo = (...args: string[]) => processes.start('cli', ['demo', ...args], { env: { TMPDIR: temporary } });

const STEPS = ['workers start', 'kill -9', 'returns', 'resigns', 'SIGSTOP', 'SIGCONT', 'NATS server'];

/** Workers and server of this test's demo that still run. */
async function pidsOfDemo(): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const commandLine = await readFile(join('/proc', name, 'cmdline'), 'utf8').catch(() => '');
    if (commandLine.includes(`${temporary}/`)) pids.push(Number(name));
  }
  return pids;
}

it('shows every step, prints the table, and leaves nothing behind', { timeout: 120_000 }, async () => {
  const shown = demo();
  const { code } = await shown.ended;
  expect({ code, err: code === 0 ? '' : shown.stderr }).toEqual({ code: 0, err: '' });
  const rows = shown.stdout.trim().split('\n');
  expect(rows[0]).toMatch(/^step +master +term +took ms +ms with two masters$/);
  for (const [index, step] of STEPS.entries()) {
    expect(rows[index + 1]).toContain(step);
    expect(rows[index + 1]).toMatch(/ n[123] +\d+ +[\d.]+ +0$/);
  }
  expect(rows.at(-1)).toMatch(/^in all +0$/);
  expect(shown.stdout + shown.stderr).not.toContain('\u001b');
  expect(await pidsOfDemo()).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

it('is interrupted by Ctrl-C, and leaves nothing behind', { timeout: 120_000 }, async () => {
  const shown = demo();
  await shown.until('the first master', ({ stderr }) => stderr.includes('is master with term 1'));
  expect(await pidsOfDemo()).not.toEqual([]);
  shown.kill('SIGINT');
  expect(await shown.ended).toEqual({ code: 130, signal: null });
  expect(await pidsOfDemo()).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

it('--keep leaves the group running, and says how to talk to it and how to stop it', { timeout: 120_000 }, async () => {
  const shown = demo('--keep');
  expect((await shown.ended).code).toBe(0);
  const whois = /npm run synod -- (whois .*)/.exec(shown.stdout)?.[1]?.split(' ') ?? [];
  expect(await processes.synod(whois)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^n[123] \(term \d+/) });
  const [, pids = '', folder] = /kill ([\d ]+); rm -r (\S+)/.exec(shown.stdout) ?? [];
  expect(await readdir(temporary)).toEqual([folder?.split('/').at(-1)]);
  for (const pid of pids.split(' ')) process.kill(Number(pid), 'SIGTERM');
  await eventually('all to end', async () => (await pidsOfDemo()).length === 0);
});

it('says why, and ends non-zero, when a step is not seen', { timeout: 120_000 }, async () => {
  const shown = demo();
  await shown.until('the first master', ({ stderr }) => stderr.includes('is master with term 1'));
  // Somebody else kills the watcher: no event arrives any more.
  const watcher = await eventually('the watcher', async () => {
    for (const name of await readdir('/proc')) {
      const parent = /^PPid:\t(\d+)$/m.exec(await readFile(join('/proc', name, 'status'), 'utf8').catch(() => ''))?.[1];
      const commandLine = await readFile(join('/proc', name, 'cmdline'), 'utf8').catch(() => '');
      if (Number(parent) === shown.pid && commandLine.includes('master-watch')) return Number(name);
    }
    return undefined;
  });
  process.kill(watcher, 'SIGKILL');
  expect((await shown.ended).code).toBe(1);
  expect(shown.stderr).toContain('master-watch');
  expect(shown.stderr).toContain('✘');
  expect(await pidsOfDemo()).toEqual([]);
});
