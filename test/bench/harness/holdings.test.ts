import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { Holdings } from './holdings.ts';
import type { MemberProcess } from './member-process.ts';

/** Says what it is told to say, as a process does whose messages are read from its pipe together. */
class Member extends EventEmitter {
  readonly node: string;

  constructor(node: string) {
    super();
    this.node = node;
  }

  readonly hear: MemberProcess['hear'] = (type, listener) => void this.on(type, listener);

  holds(held: number, lost = 0): void {
    this.emit('holds', { type: 'holds', held, lost });
  }
}

it('knows the last word of each member, also when several come in one turn', async () => {
  const members = [new Member('n1'), new Member('n2')] as const;
  const holdings = new Holdings(members);
  members[0].holds(2);
  members[0].holds(10);
  members[1].holds(9, 1);
  members[1].holds(10, 2);
  await holdings.reach(20);
  expect(holdings.sum('held')).toBe(20);
  expect(holdings.sum('lost')).toBe(2);
  expect(holdings.sum('held', 'n1')).toBe(10);
});

it('waits until as many are held as asked for', async () => {
  const member = new Member('n1');
  const holdings = new Holdings([member]);
  let isReached = false;
  const reached = holdings.reach(4).then(() => {
    isReached = true;
  });
  member.holds(3);
  await Promise.resolve();
  expect(isReached).toBe(false);
  member.holds(4);
  await reached;
});
