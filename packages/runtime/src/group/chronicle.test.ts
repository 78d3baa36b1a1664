import { MasterFold, MasterView } from '@synod/mastership';
import type { MasterNews, MasterRecord, Session } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { Chronicle } from './chronicle.ts';
import type { RecordChange } from './group.ts';

const news = (version: number): MasterNews => {
  const record: MasterRecord = {
    election: 'group',
    master: null,
    term: version,
    version,
    setBy: `a/${version}`,
    metadata: {},
    node: 'a',
    cause: 'resigned',
  };
  return { position: version, sessions: [], ended: [], records: [record] };
};

it('what was applied before a snapshot and is told after it takes nobody back', () => {
  const changes: RecordChange[] = [];
  const quiet = () => {};
  const chronicle = new Chronicle({
    group: 'g',
    election: 'group',
    reader: new MasterFold().view,
    clock: new VirtualClock(),
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    isLeading: () => false,
    onChange: (change) => changes.push(change),
  });
  chronicle.heard(news(5), true);
  chronicle.heard(news(9), false);
  chronicle.heard(news(7), true);
  chronicle.heard(news(12), true);
  expect(changes.map(({ previous, next }) => [previous?.version ?? null, next.version])).toEqual([
    [null, 5],
    [5, 9],
    [9, 12],
  ]);
});

it('outside the log a master may be heard of before its session is: it is told again when that is known, and said once', () => {
  const told: [number, string | null][] = [];
  const lines: string[] = [];
  const say = (_: object, line: string) => void lines.push(line);
  const chronicle = new Chronicle({
    group: 'g',
    election: 'group',
    reader: new MasterFold().view,
    clock: new VirtualClock(),
    logger: { debug: say, info: say, warn: say, error: say },
    isLeading: () => false,
    onChange: ({ next, session }) => told.push([next.version, session?.node ?? null]),
  });
  const session = (id: number, node: string): Session => ({
    id,
    node,
    incarnation: `${node}-life`,
    leaseMs: 1000,
    version: id,
    setBy: `${node}-life/1`,
    openedBy: `${node}-life/1`,
  });
  const [record] = news(7).records as [MasterRecord];
  const held: MasterNews = { ...news(7), records: [{ ...record, master: 3, node: 'b', cause: 'vacant' }] };
  chronicle.heard(held, true);
  chronicle.heard({ ...news(8), records: [], sessions: [session(4, 'c')] }, true);
  chronicle.heard({ ...news(9), records: [], sessions: [session(3, 'b')] }, true);
  // Renewed: that changes nothing.
  chronicle.heard({ ...news(10), records: [], sessions: [session(3, 'b')] }, true);
  expect(told).toEqual([
    [7, null],
    [7, 'b'],
  ]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('master elected: b (term 7');
});

it('outside the log the end of a session may be heard of before what it frees: nobody is master, and it is told', () => {
  const told: (string | null)[] = [];
  const quiet = () => {};
  const { view, ...heard } = viewing();
  const chronicle = new Chronicle({
    group: 'g',
    election: 'group',
    reader: view,
    clock: new VirtualClock(),
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    isLeading: () => false,
    onChange: ({ session }) => told.push(session?.node ?? null),
  });
  const [record] = news(7).records as [MasterRecord];
  const hear = (more: MasterNews) => chronicle.heard(heard.hear(more) as MasterNews, true);
  const opened = { id: 3, node: 'b', incarnation: 'b-life', leaseMs: 1000, version: 3, setBy: 'b/1', openedBy: 'b/1' };
  hear({ ...news(7), sessions: [opened], records: [{ ...record, master: 3, node: 'b', cause: 'vacant' }] });
  hear({ position: 9, sessions: [], ended: [3], records: [] });
  expect(told).toEqual(['b', null]);
});

function viewing() {
  const heard = new MasterView();
  return { view: heard.view, hear: (more: MasterNews) => heard.hear(more) };
}
