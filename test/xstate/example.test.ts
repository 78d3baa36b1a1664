import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsServer } from '@synod/cli/internal';
import { expect, it, onTestFinished } from 'vitest';
import { until } from '../nats/support.ts';

const program = join(import.meta.dirname, '../../packages/xstate/examples/ledger-writer.ts');

/** A replica, as a reader starts it. */
function start(url: string, folder: string, ...args: string[]): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, ['--conditions=@synod/source', program, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], NATS_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  return { child, said: () => said };
}

it('the example writes at one replica, and at another when that one is interrupted', async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const folder = await mkdtemp(join(tmpdir(), 'synod-example-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const replicas = ['n1', 'n2'].map((node) => ({ node, ...start(server.url, folder, node, 'n1,n2,n3') }));
  const third = start(server.url, folder, 'n3', 'n1,n2,n3');
  const all = [...replicas, { node: 'n3', ...third }];
  const writers = () => all.filter(({ said }) => said().includes('writes with term'));
  await until(() => expect(writers()).toHaveLength(1));
  const [first] = writers();
  const ended = new Promise((resolve) => first?.child.once('exit', resolve));
  first?.child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(first?.said()).toContain(`${first?.node} is left`);
  await until(() => expect(writers()).toHaveLength(2));
});
