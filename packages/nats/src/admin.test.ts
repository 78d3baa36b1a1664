import { NoQuorumError } from '@synod/protocol';
import { MemoryNetwork } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { askAdmin, respondAdmin } from './admin.ts';

it('brings each node its request and its result, error or silence back', async () => {
  const network = new MemoryNetwork();
  const seen: unknown[] = [];
  respondAdmin(network.bus('n1'), 'resign', (body, from) => {
    seen.push([from, body]);
    return { resigned: true };
  });
  respondAdmin(network.bus('n2'), 'resign', () => undefined);
  respondAdmin(network.bus('n3'), 'resign', async () => {
    throw new NoQuorumError('no quorum');
  });
  respondAdmin(network.bus('n4'), 'resign', () => ({ count: 1n }));
  respondAdmin(network.bus('n5'), 'status', () => 'not asked');
  respondAdmin(network.bus('n6'), 'resign', () => 'x'.repeat(2_000_000));
  const answers = await askAdmin(network.bus('ops'), 'resign', { election: 'group' }, { expected: 4 });
  expect(seen).toEqual([['ops', { election: 'group' }]]);
  expect(answers.toSorted((a, b) => (a.node < b.node ? -1 : 1))).toEqual([
    { node: 'n1', result: { resigned: true } },
    { node: 'n3', error: { code: 'ERR_SYNOD_NO_QUORUM', message: 'no quorum' } },
    { node: 'n4', error: { code: 'ERR_SYNOD_INTERNAL', message: expect.stringContaining('BigInt') } },
    { node: 'n6', error: { code: 'ERR_SYNOD_INTERNAL', message: expect.stringContaining('2000025 bytes') } },
  ]);
});

it('brings no answers when nobody is there', async () => {
  const network = new MemoryNetwork();
  expect(await askAdmin(network.bus('ops'), 'resign', {}, { timeoutMs: 60_000 })).toEqual([]);
});
