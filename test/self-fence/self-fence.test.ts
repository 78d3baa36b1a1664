import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { afterEach, describe, expect, it } from 'vitest';

const started: ChildProcess[] = [];
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const close of closing.splice(0)) await close();
});

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** By `process.hrtime.bigint()`, which all processes share. */
  readonly atNs: bigint;
  readonly stderr: string;
  readonly facts: readonly Record<string, string>[];
}

async function natsServer(): Promise<NatsServer> {
  const server = await startNatsServer();
  closing.push(() => server.stop());
  return server;
}

/** A process that is master and then does `deed`. */
async function hold(
  server: NatsServer,
  onOverrun: string,
  deed: string,
  on: Readonly<Record<string, () => unknown>> = {},
): Promise<Ending> {
  const journal = await mkdtemp(join(tmpdir(), 'synod-stuck-'));
  closing.push(() => rm(journal, { recursive: true, force: true }));
  const program = join(import.meta.dirname, 'holder.ts');
  const args = ['--conditions=@synod/source', program, server.url, journal, onOverrun, deed];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let stdout = '';
  let stderr = '';
  const awaited = new Map(Object.entries(on));
  child.stdout.on('data', (data) => {
    stdout += data;
    for (const [event, act] of awaited) {
      if (stdout.includes(`"${event}"`) && awaited.delete(event)) act();
    }
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    let atNs = 0n;
    child.once('exit', () => {
      atNs = process.hrtime.bigint();
    });
    child.once('close', (code, signal) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      resolve({ code, signal, atNs, stderr, facts: lines.map((line) => JSON.parse(line)) });
    });
  });
}

const events = ({ facts }: Ending): unknown[] => facts.map(({ event }) => event);

describe('F3: onOverrun', () => {
  it('abort: a process whose main thread is stuck past its mastership is killed, and says why', async () => {
    const ending = await hold(await natsServer(), 'abort', 'stick');
    expect(ending).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(events(ending)).toEqual(['master']);
    expect(ending.stderr).toContain('the main thread is stuck past the end of a mastership of group "orders"');
    const lateMs = Number(ending.atNs - BigInt(ending.facts[0]?.['untilNs'] ?? 0)) / 1e6;
    // Not before its end. A renewal that was on its way may have come before it was stuck, so a lease more at most.
    expect(lateMs).toBeGreaterThan(0);
    expect(lateMs).toBeLessThan(3 * 300);
  });

  it('notify: it goes on, and finds that it is over', async () => {
    const ending = await hold(await natsServer(), 'notify', 'stick');
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(ending.facts.slice(1)).toEqual([{ event: 'lost', lostBy: 'expired' }, { event: 'went on' }]);
  });

  it('abort: who is never stuck for a whole lease lives', async () => {
    const ending = await hold(await natsServer(), 'abort', 'stutter');
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(events(ending)).toEqual(['master', 'lost', 'went on']);
  });

  it('abort: who gave its mastership back may be stuck', async () => {
    const ending = await hold(await natsServer(), 'abort', 'resign-then-stick');
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(events(ending)).toContain('went on');
  });

  it('abort: whose work is stuck past its lease while it stops is killed, though it has resigned', async () => {
    const ending = await hold(await natsServer(), 'abort', 'stick-while-it-resigns');
    expect(ending).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(events(ending)).toEqual(['master', 'lost']);
  });

  it('abort: whose work takes less than its lease to stop lives', async () => {
    const ending = await hold(await natsServer(), 'abort', 'stop-slowly');
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(events(ending)).toContain('went on');
  });

  it('abort: a lease that ends in order kills nobody', async () => {
    const server = await natsServer();
    const ending = await hold(server, 'abort', 'hold', {
      master: () => server.kill('SIGKILL'),
      lost: () => server.restart(),
    });
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(ending.facts).toContainEqual({ event: 'lost', lostBy: 'expired' });
    expect(events(ending)).toContain('went on');
  });
});
