import { expect, it } from 'vitest';
import { readServeOptions } from './commands/serve.ts';
import { FlagReader } from './options.ts';

it('takes an empty text for none, and gathers problems', () => {
  const reader = new FlagReader({ group: '', node: 'a b', leaseMs: '1e3', voters: ' n1, ,n2 ' });
  expect(reader.text('group')).toBeUndefined();
  expect(reader.list('voters')).toEqual(['n1', 'n2']);
  reader.name('group', '--group');
  reader.name('node', '--node');
  expect(reader.whole('leaseMs', '--lease-ms')).toBeUndefined();
  expect(reader.problems).toEqual([
    '--group is missing',
    expect.stringContaining('--node is "a b"'),
    '--lease-ms is "1e3": a whole number is wanted',
  ]);
});

it('serve: reads what join wants', () => {
  const flags = { group: 'orders', node: 'n1', voters: 'n1,n2,n3', journal: 'j', leaseMs: '500', priority: '7' };
  const options = readServeOptions({ ...flags, metadata: ['address=http://a?b=c', 'zone='], natsUrl: 'a,b' });
  expect(options).toEqual({
    nats: { servers: ['a', 'b'] },
    leaseMs: 500,
    join: {
      group: 'orders',
      node: 'n1',
      membership: { role: 'member', voters: ['n1', 'n2', 'n3'], journal: 'j' },
      leaseMs: 500,
      priority: 7,
      metadata: { address: 'http://a?b=c', zone: '' },
    },
  });
});
