import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Processes } from './processes.ts';

const processes = new Processes();
afterEach(() => processes.endAll());

it('a worker tells all that is wrong with its options, and does not wait for NATS', async () => {
  const args = ['--node', 'n 1', '--lease-ms', 'soon', '--nats-url', 'nats://nowhere.invalid'];
  const worker = processes.start('worker', args);
  expect(await worker.ended).toEqual({ code: 1, signal: null });
  const problems = [
    'group is ""',
    'is "n 1"',
    'membership.journal',
    'leaseMs is NaN',
    'a voter is ""',
    'n 1 is not among',
  ];
  const said = worker.lines.map(({ msg }) => msg);
  expect(said).toHaveLength(problems.length);
  for (const problem of problems) expect(said).toContainEqual(expect.stringContaining(problem));
});

it.each([
  ['worker', 80],
  ['master-watch', 150],
])('%s is copied to begin with: under %i lines', (app, most) => {
  const main = readFileSync(join(import.meta.dirname, '../../apps', app, 'src/main.ts'), 'utf8');
  expect(main.trimEnd().split('\n').length).toBeLessThan(most);
});
