import { expect, it } from 'vitest';
import { join, optionProblems } from './join.ts';
import type { JoinOptions } from './options.ts';

const options: JoinOptions = {
  group: 'orders',
  node: 'n1',
  membership: { role: 'member', voters: ['n1', 'n2', 'n3'], journal: 'journal' },
};

it('finds nothing wrong with good options', () => {
  expect(optionProblems(options)).toEqual([]);
  expect(optionProblems({ ...options, node: 'watcher', membership: { role: 'observer' } })).toEqual([]);
});

it('lists every problem at once, whichever layer minds it', async () => {
  const wrong: JoinOptions = {
    group: 'a.b',
    node: 'n9',
    membership: { role: 'member', voters: ['n1', 'n1'], journal: '' },
    leaseMs: 5,
  };
  expect(optionProblems(wrong)).toEqual([
    expect.stringContaining('group is "a.b"'),
    expect.stringContaining('membership.journal'),
    expect.stringContaining('leaseMs is 5'),
    expect.stringContaining('names a node twice'),
    expect.stringContaining('n9 is not among the voters'),
  ]);
  // Before it touches the connection.
  await expect(join({} as never, wrong)).rejects.toMatchObject({ code: 'ERR_SYNOD_CONFIG', problems: { length: 5 } });
});

it('says nothing of the voters for want of a node', () => {
  expect(optionProblems({ ...options, node: '' })).toEqual([expect.stringContaining('node (or SYNOD_NODE, HOSTNAME)')]);
});

it('honours its signal while it rehearses, before it touches the connection', async () => {
  const reason = new Error('not any more');
  const joining = new AbortController();
  setTimeout(() => joining.abort(reason));
  await expect(join({} as never, { ...options, signal: joining.signal })).rejects.toBe(reason);
  await expect(join({} as never, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
