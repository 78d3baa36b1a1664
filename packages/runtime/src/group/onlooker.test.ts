import { MasterView } from '@synod/mastership';
import type { MasterNews, MasterRecord, News, NodeId, Received, Session } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { Onlooker } from './onlooker.ts';
import { answering, tellings } from './pieces.ts';

const session = (id: number): Session => ({
  id,
  node: `n${id}`,
  incarnation: `i${id}`,
  leaseMs: 1_000,
  version: id,
  setBy: `i${id}/1`,
  openedBy: `i${id}/1`,
});

const record = (i: number, master: number | null, version: number): MasterRecord => ({
  election: `shard-${i}`,
  master,
  term: version,
  version,
  setBy: 'i1/2',
  metadata: {},
  node: 'n1',
  cause: 'vacant',
});

const COUNT = 60;
const records = (master: number | null, version: number) =>
  Array.from({ length: COUNT }, (_, i) => record(i, master, version));
const change = (position: number, more: Partial<MasterNews>): MasterNews => ({
  position,
  sessions: [],
  ended: [],
  records: [],
  ...more,
});

function listening(leaseMs = () => 1_000) {
  const clock = new VirtualClock();
  const heard: MasterNews[] = [];
  let asked = 0;
  const onlooker = new Onlooker({
    clock,
    leaseMs,
    heard: new MasterView(),
    ask: () => void asked++,
    onNews: (news) => heard.push(news),
    onError: (error) => {
      throw error;
    },
  });
  const hear = (news: Omit<News, 'type'>, from: NodeId = 'a') =>
    onlooker.hear([{ type: 'news', ...news, from } as Received<News>]);
  const { view } = onlooker.heard;
  const held = () => [...view.records()].filter(({ master }) => master !== null).length;
  return { onlooker, clock, hear, heard, view, held, asked: () => asked };
}

/** All that a group knows, in pieces. */
const whole = (position: number, sessions: readonly number[], version: number): Omit<News, 'type'>[] => {
  const news = change(position, { sessions: sessions.map(session), records: records(1, version), isWhole: true });
  const pieces = [...tellings([news], 4_096)];
  expect(pieces.length).toBeGreaterThan(2);
  return pieces;
};

/** Session 1 ends, and all that hung on it is free. */
const end = (position: number, after: number): Omit<News, 'type'>[] => {
  const pieces = [...tellings([change(position, { ended: [1], records: records(null, position) })], 4_096)];
  expect(pieces.length).toBeGreaterThan(2);
  return pieces.map((piece) => ({ ...piece, after }));
};

describe('the present in pieces', () => {
  it('is what a whole is when all pieces came: what none of them names has ended', () => {
    const { hear, view, held, asked } = listening();
    hear({ changes: [change(3, { sessions: [session(1), session(2)] })] });
    for (const piece of whole(9, [1], 5)) hear(piece);
    expect(held()).toBe(COUNT);
    expect([...view.sessions()].map(({ id }) => id)).toEqual([1]);
    expect(asked()).toBe(0);
    hear({ changes: [change(10, { ended: [1] })], after: 9 });
    expect(asked()).toBe(0);
  });

  it('with a hole ends nobody, and is asked for again', () => {
    const { hear, view, asked } = listening();
    hear({ changes: [change(3, { sessions: [session(1), session(2)] })] });
    const [first, , ...rest] = whole(9, [1], 5);
    for (const piece of [first, ...rest]) if (piece) hear(piece);
    expect([...view.sessions()].map(({ id }) => id)).toEqual([1, 2]);
    expect(asked()).toBe(1);
  });

  it('of two members, mixed, is that of each of them', () => {
    const { hear, view, held } = listening();
    hear({ changes: [change(3, { sessions: [session(2)] })] });
    const [a, b] = [whole(9, [1], 5), whole(9, [1], 5)];
    for (const [i, piece] of a.entries()) {
      hear(piece, 'a');
      const other = b[i];
      if (other) hear(other, 'b');
    }
    expect(held()).toBe(COUNT);
    expect([...view.sessions()].map(({ id }) => id)).toEqual([1]);
  });

  it('is waited for as long as pieces come, not much longer', async () => {
    const { onlooker, clock, hear } = listening();
    let isOver = false;
    void onlooker.askPresent().then(() => {
      isOver = true;
    });
    for (const piece of whole(9, [1], 5)) {
      await clock.advanceAsync(15);
      expect(isOver).toBe(false);
      hear(piece);
    }
    await clock.advanceAsync(20);
    expect(isOver).toBe(true);
  });
});

describe('a change in pieces', () => {
  const before = () => {
    const it = listening();
    it.hear({ changes: [change(5, { sessions: [session(1)], records: records(1, 5), isWhole: true })] });
    return it;
  };

  it('is heard piece by piece, twice as once, and leaves no gap', () => {
    const { hear, held, asked } = before();
    for (const piece of end(7, 5)) {
      hear(piece);
      hear(piece);
    }
    expect(held()).toBe(0);
    hear({ changes: [change(8, { sessions: [session(8)] })], after: 7 });
    expect(asked()).toBe(0);
  });

  it.each([0, 1, 2])('without piece %i is missed, at the latest by the next news', (lost) => {
    const { hear, asked } = before();
    const pieces = end(7, 5);
    const gone = lost === 2 ? pieces.length - 1 : lost;
    for (const [i, piece] of pieces.entries()) if (i !== gone) hear(piece);
    hear({ changes: [change(8, { sessions: [session(8)] })], after: 7 });
    expect(asked()).toBe(1);
  });

  it('T12: what is missed is asked for by the lease in force', () => {
    let leaseMs = 60_000;
    const { hear, asked, clock } = listening(() => leaseMs);
    leaseMs = 200;
    hear({ changes: [change(5, { sessions: [session(1)], isWhole: true })] });
    hear({ changes: [change(8, {})], after: 7 });
    expect(asked()).toBe(1);
    clock.advance(leaseMs / 4);
    hear({ changes: [change(10, {})], after: 9 });
    expect(asked()).toBe(2);
  });

  it('says nothing of a gap to who knows it all from elsewhere', () => {
    const { hear, asked } = before();
    const [first, , ...rest] = end(7, 5);
    if (first) hear(first);
    hear({ changes: [change(7, { records: records(null, 7), isWhole: true })] });
    for (const piece of rest) hear(piece);
    expect(asked()).toBe(0);
  });
});

describe('outcomes in pieces', () => {
  it('come after what is told with them, each once, none larger than a message', () => {
    const answers = [
      { outcome: { id: 'i1/1', applied: true }, changes: [change(7, { ended: [1], records: records(null, 7) })] },
      {
        outcome: { id: 'i1/2', applied: false, reason: 'version' },
        changes: [change(8, { records: [record(1, 2, 8)] })],
      },
    ];
    const pieces = [...answering(answers, 4_096)];
    expect(pieces.flatMap(({ outcomes }) => outcomes)).toEqual(answers.map(({ outcome }) => outcome));
    const freed = pieces.flatMap(({ changes }) => changes).filter(({ position }) => position === 7);
    expect(freed.flatMap((part) => part.records)).toHaveLength(COUNT);
    const told = pieces.findIndex(({ outcomes }) => outcomes.length > 0);
    expect(pieces.slice(told + 1).flatMap(({ changes }) => changes.filter(({ position }) => position === 7))).toEqual(
      [],
    );
    for (const { outcomes, changes } of pieces)
      expect(JSON.stringify({ outcomes, changes }).length).toBeLessThan(8_192);
  });
});
