import type { HistoryLine } from 'synod';
import { describe, expect, it } from 'vitest';
import { judgeHistory, overlapMs, parseHistory } from './overlap.ts';

/** `n1 acquired 5 at 100 until 1100`, in ms. */
function line(text: string, election = 'group'): HistoryLine {
  const [node = '', event, term, , at, , until] = text.split(' ');
  return {
    node,
    event: event as HistoryLine['event'],
    group: 'g',
    election,
    term: Number(term),
    at_ns: `${at}000000`,
    until_ns: `${until ?? at}000000`,
  };
}

const judge = (...lines: string[]) => judgeHistory(lines.map((text) => line(text)));

describe('judgeHistory', () => {
  it('finds nothing where one master follows another', () => {
    const verdict = judge(
      'n1 acquired 1 at 0 until 1000',
      'n1 renewed 1 at 250 until 1250',
      'n2 acquired 9 at 1250 until 2250',
      'n2 lost 9 at 1900',
      'n1 acquired 12 at 1901 until 2900',
    );
    expect(verdict).toMatchObject({ overlapMs: 0, overlaps: [], problems: [] });
    expect(verdict.tenures.map(({ node, term }) => `${node} ${term}`)).toEqual(['n1 1', 'n2 9', 'n1 12']);
  });

  it('finds two masters at once, for as long as they were', () => {
    const { overlapMs, overlaps } = judge('n1 acquired 1 at 0 until 1000', 'n2 acquired 5 at 900 until 1900');
    expect(overlapMs).toBe(100);
    expect(overlaps).toMatchObject([{ first: { node: 'n1' }, second: { node: 'n2' }, ms: 100 }]);
  });

  it('counts a master that was killed until its last lease ends: it said nothing more', () => {
    const lines = ['n1 acquired 1 at 0 until 1000', 'n1 renewed 1 at 250 until 1250'];
    expect(judge(...lines, 'n2 acquired 5 at 1249 until 2000').overlapMs).toBe(1);
    expect(judge(...lines, 'n2 acquired 5 at 1250 until 2000').overlapMs).toBe(0);
  });

  it('lets "lost" end a mastership early, but never late', () => {
    const resigned = judge('n1 acquired 1 at 0 until 1000', 'n1 lost 1 at 300', 'n2 acquired 5 at 301 until 1000');
    expect(resigned.overlapMs).toBe(0);
    // Paused past its lease, it says "lost" when it wakes: the lease had ended all the same.
    const paused = judge('n1 acquired 1 at 0 until 1000', 'n2 acquired 5 at 1010 until 2000', 'n1 lost 1 at 1500');
    expect(paused.overlapMs).toBe(0);
    const early = judge('n1 acquired 1 at 0 until 1000', 'n2 acquired 5 at 990 until 2000', 'n1 lost 1 at 1500');
    expect(early.overlapMs).toBe(10);
  });

  it('takes the last promise, not the longest: a renewal may shorten a lease', () => {
    const lines = ['n1 acquired 1 at 0 until 3000', 'n1 renewed 1 at 100 until 600'];
    expect(judge(...lines, 'n2 acquired 5 at 700 until 1700').overlapMs).toBe(0);
  });

  it('counts three masters at once as time, not thrice, and lists every pair', () => {
    const { overlapMs, overlaps } = judge(
      'n1 acquired 1 at 0 until 1000',
      'n2 acquired 5 at 900 until 2000',
      'n3 acquired 6 at 950 until 2000',
    );
    expect(overlapMs).toBe(1100);
    expect(overlaps.map(({ first, second, ms }) => `${first.node} ${second.node} ${ms}`)).toEqual([
      'n1 n2 100',
      'n1 n3 50',
      'n2 n3 1050',
    ]);
  });

  it('judges each election by itself', () => {
    const one = line('n1 acquired 1 at 0 until 1000', 'a');
    const other = line('n2 acquired 1 at 0 until 1000', 'b');
    expect(judgeHistory([one, other])).toMatchObject({ overlapMs: 0, overlaps: [], problems: [] });
  });

  it('needs no order: every process wrote its own file', () => {
    const lines = ['n2 acquired 5 at 900 until 1900', 'n1 renewed 1 at 250 until 1000', 'n1 acquired 1 at 0 until 750'];
    expect(judge(...lines)).toMatchObject({ overlapMs: 100, problems: [] });
  });

  it('sees terms that fall', () => {
    const { problems } = judge('n1 acquired 9 at 0 until 100', 'n2 acquired 5 at 200 until 300');
    expect(problems).toEqual(['term 5 of n2 came after term 9 of n1 in g/group']);
  });

  it('sees a term of two nodes', () => {
    const { problems } = judge('n1 acquired 9 at 0 until 100', 'n2 acquired 9 at 200 until 300');
    expect(problems).toEqual(['term 9 of g/group has n1 and n2']);
  });

  it('sees a term that is acquired again', () => {
    const { problems } = judge('n1 acquired 9 at 0 until 100', 'n1 lost 9 at 50', 'n1 acquired 9 at 60 until 160');
    expect(problems).toEqual(['term 9 of n1 in g/group was acquired twice']);
  });

  it('sees a renewal of what was never acquired', () => {
    const { problems } = judge('n1 renewed 9 at 0 until 100');
    expect(problems).toEqual(['term 9 of n1 in g/group was renewed before it was acquired']);
  });

  it('sees two lives of one node that are master at once', () => {
    expect(judge('n1 acquired 1 at 0 until 1000', 'n1 acquired 5 at 500 until 1500').overlapMs).toBe(500);
  });
});

describe('overlapMs', () => {
  it('counts within a span', () => {
    const { tenures } = judge('n1 acquired 1 at 0 until 1000', 'n2 acquired 5 at 400 until 1400');
    expect(overlapMs(tenures, 500_000_000n, 700_000_000n)).toBe(200);
    expect(overlapMs(tenures, 1_000_000_000n)).toBe(0);
    expect(overlapMs(tenures, undefined, 400_000_000n)).toBe(0);
  });
});

describe('parseHistory', () => {
  it('reads lines, and leaves out one that is not whole', () => {
    const whole = line('n1 acquired 1 at 0 until 1000');
    expect(parseHistory(`${JSON.stringify(whole)}\n{"node":"n1","eve`)).toEqual([whole]);
    expect(parseHistory('')).toEqual([]);
  });

  it.each([
    '{"node":',
    '{}',
    '{"node":"n1","event":"won","group":"g","election":"group","term":1,"at_ns":"1","until_ns":"2"}',
  ])('names a line that is none: %s', (text) => {
    expect(() => parseHistory(`${text}\n`, 'n1.jsonl')).toThrow('n1.jsonl:1 is no line of a history');
  });
});
