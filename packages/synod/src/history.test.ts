import type { Group, GroupEvents } from '@synod/runtime';
import { expect, it } from 'vitest';
import { type HistoryLine, recordHistory } from './history.ts';
import { systemClock } from './system-clock.ts';

/** A group that says what it is told to say. */
function recorded() {
  const target = new EventTarget();
  const lines: HistoryLine[] = [];
  const group = { name: 'g', node: 'n1', addEventListener: target.addEventListener.bind(target) };
  recordHistory(group as unknown as Group, (line) => lines.push(line));
  const say = <K extends keyof GroupEvents>(type: K, detail: GroupEvents[K]): HistoryLine => {
    target.dispatchEvent(new CustomEvent(type, { detail }));
    return lines.at(-1) as HistoryLine;
  };
  return { say };
}

const leftMs = ({ at_ns, until_ns }: HistoryLine): number => Number(BigInt(until_ns) - BigInt(at_ns)) / 1e6;

it('writes the deadline on the clock that all processes of a machine share', () => {
  const { say } = recorded();
  const before = process.hrtime.bigint();
  const line = say('elected', {
    election: 'group',
    term: 7,
    version: 7,
    deadlineAtMs: systemClock.now() + 500,
    leaseMs: 500,
  });
  expect(line).toMatchObject({ node: 'n1', event: 'acquired', group: 'g', election: 'group', term: 7 });
  expect(BigInt(line.at_ns)).toBeGreaterThanOrEqual(before);
  expect(leftMs(line)).toBeLessThanOrEqual(500);
  expect(leftMs(line)).toBeGreaterThan(400);
});

it('a notice that comes late, as after a pause, prolongs nothing', () => {
  const { say } = recorded();
  const deadlineAtMs = systemClock.now() - 250;
  const line = say('renewed', { election: 'group', term: 7, version: 9, deadlineAtMs });
  expect(leftMs(line)).toBeLessThan(-249);
});

it('what is lost is over at that instant', () => {
  const { say } = recorded();
  const line = say('lost', { election: 'group', term: 7, lostBy: 'expired' });
  expect(line.until_ns).toBe(line.at_ns);
});
