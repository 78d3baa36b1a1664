import { expect, it } from 'vitest';
import { parseHistory } from '../lab/overlap.ts';
import { judgeRun } from './judgement.ts';
import type { Heard, Work } from './observations.ts';

const ms = (value: number): bigint => BigInt(value) * 1_000_000n;

const acquired = (node: string, term: number, from: number, until: number) =>
  `${JSON.stringify({ node, event: 'acquired', group: 'demo', election: 'group', term, at_ns: String(ms(from)), until_ns: String(ms(until)) })}\n`;

const work = (node: string, term: number, at: number): Work => ({ node, term, atNs: ms(at) });

const heard = (version: number, name = 'elected'): Heard => ({
  id: `demo/group/${name}/${version}`,
  type: `synod.master.${name}.v1`,
  master: 'n1',
  term: version,
  version,
});

const good = {
  history: parseHistory(acquired('n1', 1, 1000, 2000) + acquired('n2', 5, 2000, 3000)),
  work: [work('n1', 1, 1000), work('n1', 1, 1990), work('n2', 5, 2001)],
  heard: [heard(1), heard(5, 'expired'), heard(5)],
};

it('finds nothing against a run in which one followed another', () => {
  expect(judgeRun(good)).toEqual([]);
});

it('sees two masters', () => {
  const history = parseHistory(acquired('n1', 1, 1000, 2000) + acquired('n2', 5, 1900, 3000));
  expect(judgeRun({ ...good, history })).toEqual(['n1 (term 1) and n2 (term 5) were both master for 100 ms']);
});

it('sees terms that fall', () => {
  const history = parseHistory(acquired('n1', 5, 1000, 2000) + acquired('n2', 1, 2000, 3000));
  expect(judgeRun({ history, work: [], heard: [] })).toEqual(['term 1 of n2 came after term 5 of n1 in demo/group']);
});

it('sees work of one who is not master: never, not yet, not any more, not with this term', () => {
  const wrong = [work('n3', 1, 1500), work('n2', 5, 1900), work('n1', 1, 2100), work('n1', 2, 1500)];
  const sentences = wrong.map(({ node, term }) => `${node} worked with term ${term} while it was not master`);
  expect(judgeRun({ ...good, work: wrong })).toEqual(sentences);
});

it('sees an event that comes twice, and one that comes late', () => {
  expect(judgeRun({ ...good, heard: [heard(1), heard(1)] })).toEqual(['master-watch told demo/group/elected/1 twice']);
  expect(judgeRun({ ...good, heard: [heard(5), heard(1)] })).toEqual(['master-watch told old news: versions 5, 1']);
});
