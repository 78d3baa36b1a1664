import { MasterFold } from '@synod/mastership';
import type { MasterNews, MasterRecord } from '@synod/protocol';
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
