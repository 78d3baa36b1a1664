import {
  type Accepted,
  type Ballot,
  type Chosen,
  type Fetch,
  type Learned,
  MAX_BATCH_BYTES,
  type NodeId,
  type Received,
  type Snapshot,
  type Value,
} from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameBytes } from '../same-bytes.ts';
import { ballot, from, LEASE_MS, learnerInput, play, store, value } from '../testing/fixtures.ts';
import { learnerMachine } from './learner.machine.ts';
import type { LearnerEmitted, LearnerInput, SnapshotState } from './learner.rules.ts';

const B1 = ballot(1, 'n2');
const B2 = ballot(2, 'n3');

const chosen = (sender: NodeId, slot: number, by: Ballot = B1): Received<Chosen> =>
  from(sender, { type: 'chosen', ballot: by, slot });

const accepted = (sender: NodeId, slot: number, by: Ballot = B1): Received<Accepted> =>
  from(sender, { type: 'accepted', ballot: by, slot, store });

const learned = (sender: NodeId, slots: readonly number[], learnedThrough = 0): Received<Learned> =>
  from(sender, { type: 'learned', entries: slots.map((slot) => ({ slot, value: value(`v${slot}`) })), learnedThrough });

const fetch = (sender: NodeId, fromSlot: number, toSlot: number): Received<Fetch> =>
  from(sender, { type: 'fetch', fromSlot, toSlot });

/** A learner whose acceptor holds v1, v2 … as they are accepted at B1. */
function learner(overrides: Partial<LearnerInput> = {}) {
  const clock = new VirtualClock();
  const accepted = new Map<string, Value>();
  const held = (slot: number, by: Ballot) => accepted.get(`${slot} ${by.round}`);
  const played = play(learnerMachine(), learnerInput(clock, { held, ...overrides }), clock);
  const { actor, take } = played;
  return {
    ...played,
    hold: (...slots: number[]) => {
      for (const slot of slots) accepted.set(`${slot} 1`, value(`v${slot}`));
    },
    choose: (...messages: Received<Chosen>[]) => actor.send({ type: 'chosens', messages }),
    count: (...messages: Received<Accepted>[]) => actor.send({ type: 'accepteds', messages }),
    learn: (...messages: Received<Learned>[]) => actor.send({ type: 'learneds', messages }),
    fetch: (...messages: Received<Fetch>[]) => actor.send({ type: 'fetches', messages }),
    install: (...messages: Received<Snapshot>[]) => actor.send({ type: 'snapshots', messages }),
    state: () => actor.getSnapshot().context.state,
    mode: () => JSON.stringify(actor.getSnapshot().value),
    /** What was emitted since the last look, in short. */
    told: () => take().map(inShort),
  };
}

function inShort(emitted: LearnerEmitted): string {
  switch (emitted.type) {
    case 'apply':
      return `apply ${emitted.slot}`;
    case 'record':
      return `record ${emitted.record.type}`;
    case 'install':
      return `install ${emitted.snapshot.through}`;
    case 'progress':
      return `progress ${emitted.through}/${emitted.known}`;
    case 'stuck':
      return `stuck ${emitted.slot}`;
    case 'send': {
      const { to, message } = emitted;
      if (message.type === 'fetch') return `fetch ${message.fromSlot}-${message.toSlot} of ${to}`;
      if (message.type === 'learned') return `learned ${message.entries.map(({ slot }) => slot)} to ${to}`;
      if (message.type === 'snapshot') return `snapshot ${message.through}+${message.offset} to ${to}`;
      return `chosen ${message.slot} to ${to}`;
    }
  }
}

describe('N1: applies chosen slots in order', () => {
  it('a value held at exactly the ballot of the news is learned, recorded as a mark, applied', () => {
    const { hold, choose, told } = learner();
    hold(1, 2);
    choose(chosen('n2', 1), chosen('n2', 2));
    expect(told()).toEqual(['record chosen', 'record chosen', 'apply 1', 'apply 2', 'progress 2/2']);
  });

  it('each slot once, however often and in whatever order it is told', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 }), (slots) => {
        const { hold, choose, take } = learner();
        hold(1, 2, 3, 4, 5, 6);
        for (const slot of slots) choose(chosen('n2', slot));
        const applied = take().flatMap((emitted) => (emitted.type === 'apply' ? [emitted.slot] : []));
        expect(applied).toEqual(applied.map((_, index) => index + 1));
        const told = new Set(slots);
        let through = 0;
        while (told.has(through + 1)) through++;
        expect(applied).toHaveLength(through);
      }),
    );
  });

  it('what our own proposer decided is told to all as (ballot, slot)', () => {
    const { hold, actor, take, told } = learner();
    hold(1);
    actor.send({ type: 'decided', ballot: B1, slot: 1, value: value('v1') });
    expect(take()[0]).toEqual({ type: 'send', to: 'all', message: { type: 'chosen', ballot: B1, slot: 1 } });
    // Our own acceptor may be slower than the others: then the value is recorded, not a mark of what is not there.
    actor.send({ type: 'decided', ballot: B1, slot: 2, value: value('v2') });
    expect(told()).toEqual(['chosen 2 to all', 'record learned', 'apply 2', 'progress 2/2']);
  });

  it('S1: another value in a slot that was learned is an impossible state', () => {
    const { actor, error } = learner();
    actor.send({ type: 'decided', ballot: B1, slot: 2, value: value('a') });
    actor.send({ type: 'decided', ballot: B2, slot: 2, value: value('b') });
    expect(String(error())).toContain('S1 a chosen value never changes');
  });

  it('what the journal held is applied at the start, and everybody is asked for what is after it', () => {
    const { actor, told } = learner({
      recovered: {
        through: 4,
        learned: new Map([
          [5, value('v5')],
          [7, value('v7')],
        ]),
      },
    });
    actor.send({ type: 'start' });
    expect(told()).toEqual(['apply 5', 'progress 5/7', `fetch 6-${2 ** 52} of all`, 'fetch 6-7 of all']);
  });
});

describe('B3: a learner may use a value it holds only if it was accepted at exactly that ballot', () => {
  it('a value held at another ballot is not used but fetched', () => {
    const { hold, choose, learn, told } = learner();
    hold(1);
    choose(chosen('n3', 1, B2));
    expect(told()).toEqual(['progress 0/1', 'fetch 1-1 of n3']);
    learn(learned('n3', [1], 1));
    expect(told()).toEqual(['record learned', 'apply 1', 'progress 1/1']);
  });

  it('the news may come before the Accept: the value is used as soon as it is held', () => {
    const { hold, choose, actor, told, mode } = learner();
    choose(chosen('n2', 1));
    told();
    hold(1);
    actor.send({ type: 'proposed', slots: [1], from: 'n2' });
    expect(told()).toEqual(['record chosen', 'apply 1', 'progress 1/1']);
    expect(mode()).not.toContain('behind');
  });
});

describe('N4: a learner that waits counts the answers of acceptors itself', () => {
  it('with an accept quorum of one ballot the slot is chosen', () => {
    const { hold, count, told } = learner();
    hold(1);
    count(accepted('n1', 1));
    expect(told()).toEqual([]);
    count(accepted('n3', 1));
    expect(told()).toEqual(['record chosen', 'apply 1', 'progress 1/1']);
    count(accepted('n2', 1));
    expect(told()).toEqual([]);
  });

  it('voters are counted in a set, and strangers not at all', () => {
    const { hold, count, told } = learner();
    hold(1);
    count(accepted('n2', 1), accepted('n2', 1), accepted('n9', 1));
    expect(told()).toEqual([]);
  });

  it('answers to different ballots are no quorum', () => {
    const { hold, count, told } = learner();
    hold(1);
    count(accepted('n1', 1, B1), accepted('n2', 1, B2), accepted('n3', 1, B1));
    expect(told()).toEqual([]);
    count(accepted('n3', 1, B2));
    expect(told()).toEqual(['progress 0/1', 'fetch 1-1 of n3']);
  });

  it('B3: a value that is not held at that ballot is fetched from its proposer', () => {
    const { count, told } = learner();
    count(accepted('n1', 1), accepted('n3', 1));
    expect(told()).toEqual(['progress 0/1', 'fetch 1-1 of n2']);
  });

  it('nothing is kept of a slot that is learned, though one before it is not', () => {
    const { hold, count, told, state } = learner();
    hold(2);
    count(accepted('n1', 2), accepted('n3', 2), accepted('n2', 2));
    expect(told()).toEqual(['record chosen', 'progress 0/2', 'fetch 1-2 of n2']);
    expect(state().votes.size).toBe(0);
  });

  it('only slots within reach are counted: whoever counts keeps no more than a window or two', () => {
    const { count, state } = learner();
    for (let slot = 1; slot < 1000; slot++) count(accepted('n2', slot));
    expect(state().votes.size).toBe(64);
  });
});

describe('N2: a gap is fetched at once', () => {
  it('from the sender of the news, then from others', () => {
    const { hold, choose, clock, told } = learner();
    hold(3);
    choose(chosen('n2', 3));
    expect(told()).toEqual(['record chosen', 'progress 0/3', 'fetch 1-3 of n2']);
    clock.advance(LEASE_MS / 20);
    expect(told()).toEqual(['fetch 1-3 of all']);
  });

  it('an answer without news sends us to everybody at once', () => {
    const { choose, learn, told } = learner();
    choose(chosen('n2', 3));
    told();
    learn(learned('n2', [], 0));
    expect(told()).toEqual(['fetch 1-3 of all']);
  });

  it('catch-up is paged and never polled: each page asks for the next', () => {
    const { choose, learn, clock, told, mode } = learner();
    choose(chosen('n2', 9));
    told();
    learn(learned('n2', [1, 2, 3], 9));
    expect(told().at(-1)).toBe('fetch 4-9 of n2');
    clock.advance(LEASE_MS / 20 - 1);
    learn(learned('n2', [4, 5, 6], 9));
    expect(told().at(-1)).toBe('fetch 7-9 of n2');
    clock.advance(LEASE_MS / 20 - 1);
    learn(learned('n2', [7, 8, 9], 9));
    expect(told().at(-1)).toBe('progress 9/9');
    expect(mode()).toBe('"current"');
    clock.advance(LEASE_MS);
    expect(told()).toEqual([]);
  });

  it('everybody who answers the same asks for no more than one next page', () => {
    const { actor, learn, told } = learner();
    actor.send({ type: 'start' });
    told();
    learn(learned('n2', [1, 2], 9), learned('n3', [1, 2], 9));
    expect(told().filter((line) => line.startsWith('fetch'))).toEqual(['fetch 3-9 of n2']);
    learn(learned('n3', [1, 2], 9));
    expect(told().filter((line) => line.startsWith('fetch'))).toEqual([]);
  });

  it('a Promise or Trimmed that shows chosen slots is news: fetched from its sender', () => {
    const { actor, told } = learner();
    actor.send({ type: 'behind', through: 5, from: 'n3' });
    expect(told()).toEqual(['progress 0/5', 'fetch 1-5 of n3']);
  });

  it('what our own proposer has open still is not fetched from anybody', () => {
    const { actor, told } = learner();
    actor.send({ type: 'decided', ballot: B1, slot: 2, value: value('v2') });
    expect(told()).toEqual(['chosen 2 to all', 'record learned', 'progress 0/2']);
    actor.send({ type: 'decided', ballot: B1, slot: 1, value: value('v1') });
    expect(told()).toEqual(['chosen 1 to all', 'record learned', 'apply 1', 'apply 2', 'progress 2/2']);
  });

  it('everybody is asked again for as long as it takes', () => {
    const { choose, clock, told } = learner();
    choose(chosen('n2', 1));
    told();
    clock.advance(LEASE_MS / 3);
    expect(told().filter((line) => line === 'fetch 1-1 of all').length).toBeGreaterThan(1);
  });
});

describe('B1c: a slot stays unlearned for lease/3 after asking everybody', () => {
  it('is stuck, and is said again each lease/3', () => {
    const { choose, clock, told } = learner();
    choose(chosen('n2', 2));
    clock.advance(LEASE_MS / 20);
    told();
    clock.advance(LEASE_MS / 3 - 1);
    expect(told().filter((line) => line.startsWith('stuck'))).toEqual([]);
    clock.advance(1);
    expect(told().filter((line) => line.startsWith('stuck'))).toEqual(['stuck 1']);
    clock.advance(LEASE_MS / 3);
    expect(told().filter((line) => line.startsWith('stuck'))).toEqual(['stuck 1']);
  });

  it('a slot only seen to be proposed is watched, then asked for, then stuck', () => {
    const { actor, clock, told, mode } = learner();
    actor.send({ type: 'proposed', slots: [1], from: 'n2' });
    expect([told(), mode()]).toEqual([[], '"expecting"']);
    clock.advance(LEASE_MS / 20);
    expect(told()).toEqual(['fetch 1-1 of all']);
    clock.advance(LEASE_MS / 3);
    expect(told().at(-2)).toBe('stuck 1');
  });

  it('a busy log is never stuck: what is learned in time arms nothing', () => {
    const { actor, hold, choose, clock, told } = learner();
    for (let slot = 1; slot <= 200; slot++) {
      hold(slot);
      actor.send({ type: 'proposed', slots: [slot], from: 'n2' });
      clock.advance(7);
      choose(chosen('n2', slot));
      clock.advance(3);
    }
    expect(told().filter((line) => !/^(record chosen|apply|progress)/.test(line))).toEqual([]);
    clock.advance(LEASE_MS);
    expect(told()).toEqual([]);
  });

  it('what was proposed while it expected another, and was not told, is watched next', () => {
    let proposedThrough = 1;
    const { actor, hold, choose, clock, told, mode } = learner({ proposedThrough: () => proposedThrough });
    actor.send({ type: 'proposed', slots: [1], from: 'n2' });
    hold(1);
    choose(chosen('n2', 1));
    proposedThrough = 2;
    clock.advance(LEASE_MS / 20);
    told();
    expect(mode()).toBe('"expecting"');
    clock.advance(LEASE_MS / 20);
    expect(told()).toEqual(['fetch 2-2 of all']);
    clock.advance(LEASE_MS / 3);
    expect(told().at(-2)).toBe('stuck 2');
  });

  it('the wait begins anew for the next slot, however the one before was learned', () => {
    const { choose, learn, hold, clock, told } = learner();
    choose(chosen('n2', 3));
    clock.advance(LEASE_MS / 20 + LEASE_MS / 3 - 10);
    learn(learned('n3', [1], 1));
    clock.advance(LEASE_MS / 3 - 10);
    hold(2);
    choose(chosen('n2', 2));
    clock.advance(LEASE_MS / 20 + 20);
    expect(told().filter((line) => line.startsWith('stuck'))).toEqual([]);
    clock.advance(LEASE_MS / 3);
    expect(told().filter((line) => line.startsWith('stuck'))).toEqual(['stuck 3']);
  });
});

describe('N2: answers', () => {
  it('a merely accepted value is never answered to a fetch', () => {
    const { hold, choose, fetch: ask, take, told } = learner();
    hold(1, 2, 3);
    choose(chosen('n2', 2));
    told();
    ask(fetch('n3', 1, 3));
    expect(take()).toEqual([
      {
        type: 'send',
        to: 'n3',
        message: { type: 'learned', entries: [{ slot: 2, value: value('v2') }], learnedThrough: 0 },
      },
    ]);
  });

  it('who has nothing says so', () => {
    const { fetch: ask, told } = learner();
    ask(fetch('n3', 4, 2 ** 52));
    expect(told()).toEqual(['learned  to n3']);
  });

  it('a page holds what a batch does, and one value at least', () => {
    const values = new Map<number, Value>();
    for (let slot = 1; slot <= 5; slot++) values.set(slot, new Uint8Array(100 * 1024));
    values.set(6, new Uint8Array(MAX_BATCH_BYTES));
    const { actor, fetch: ask, told } = learner({ recovered: { through: 0, learned: values } });
    actor.send({ type: 'start' });
    told();
    ask(fetch('n3', 1, 6), fetch('n3', 3, 6), fetch('n3', 5, 6), fetch('n3', 6, 6));
    expect(told()).toEqual(['learned 1,2 to n3', 'learned 3,4 to n3', 'learned 5 to n3', 'learned 6 to n3']);
  });

  it('behind our trim: the snapshot, then the tail', () => {
    const snapshot: SnapshotState = { through: 3, position: 33, bytes: Uint8Array.of(1, 2, 3) };
    const { hold, choose, actor, fetch: ask, take } = learner({ snapshot: () => snapshot });
    hold(1, 2, 3, 4, 5);
    choose(...[1, 2, 3, 4, 5].map((slot) => chosen('n2', slot)));
    actor.send({ type: 'trim', through: 3 });
    take();
    ask(fetch('n3', 2, 9));
    expect(take()).toEqual([
      { type: 'send', to: 'n3', message: { type: 'snapshot', ...snapshot, size: 3, offset: 0 } },
      {
        type: 'send',
        to: 'n3',
        message: {
          type: 'learned',
          entries: [4, 5].map((slot) => ({ slot, value: value(`v${slot}`) })),
          learnedThrough: 5,
        },
      },
    ]);
  });

  it('P6: only applied slots are trimmed', () => {
    const { actor, error } = learner();
    actor.send({ type: 'trim', through: 1 });
    expect(String(error())).toContain('P6');
  });
});

describe('N2: behind somebody’s trim', () => {
  const whole = (sender: NodeId, through: number): Received<Snapshot> =>
    from(sender, { type: 'snapshot', through, position: through * 10, size: 2, offset: 0, bytes: Uint8Array.of(1, 2) });

  it('a snapshot is installed, and the tail applied after it', () => {
    const { choose, install, learn, take, told } = learner();
    choose(chosen('n2', 7));
    told();
    install(whole('n2', 5));
    const [installed, ...rest] = take();
    expect(installed).toEqual({
      type: 'install',
      snapshot: { through: 5, position: 50, bytes: Uint8Array.of(1, 2) },
    });
    expect(rest.map(inShort)).toEqual(['progress 5/7', 'fetch 6-7 of n2']);
    learn(learned('n2', [6, 7], 7));
    expect(told()).toEqual(['record learned', 'record learned', 'apply 6', 'apply 7', 'progress 7/7']);
  });

  it('values learned beyond it are applied at once', () => {
    const { hold, choose, install, told } = learner();
    hold(6);
    choose(chosen('n2', 6));
    told();
    install(whole('n2', 5));
    expect(told()).toEqual(['install 5', 'apply 6', 'progress 6/6']);
  });

  it('an older snapshot than what is applied here is ignored', () => {
    const { hold, choose, install, told, state } = learner();
    hold(1, 2, 3);
    choose(chosen('n2', 1), chosen('n2', 2), chosen('n2', 3));
    told();
    install(whole('n3', 3), whole('n3', 2));
    expect(told()).toEqual([]);
    expect(state().through).toBe(3);
  });

  it('a large one comes in parts of one sender; each part asks for the next', () => {
    const bytes = Uint8Array.from({ length: 1_200_000 }, (_, index) => index % 251);
    const giver = learner({
      snapshot: () => ({ through: 5, position: 50, bytes }),
      recovered: { through: 5, learned: new Map() },
    });
    const { actor, choose, install, learn, take } = learner();
    choose(chosen('n2', 5));
    let rounds = 0;
    for (let asks = take(); rounds < 10; rounds++) {
      const fetches = asks.flatMap((e) =>
        e.type === 'send' && e.message.type === 'fetch' ? [from('n1', e.message)] : [],
      );
      if (fetches.length === 0) break;
      giver.fetch(...fetches);
      for (const answer of giver.take()) {
        if (answer.type !== 'send') continue;
        // What another sender's snapshot holds from there on is not what ours holds.
        const offset = rounds * MAX_BATCH_BYTES;
        const size = bytes.byteLength;
        const other: Snapshot = {
          type: 'snapshot',
          through: 5,
          position: 50,
          size,
          offset,
          bytes: new Uint8Array(MAX_BATCH_BYTES),
        };
        if (rounds > 0) install(from('n3', other));
        if (answer.message.type === 'snapshot') install(from('n2', answer.message), from('n2', answer.message));
        if (answer.message.type === 'learned') learn(from('n2', answer.message));
      }
      asks = take();
      for (const installed of asks) {
        if (installed.type !== 'install') continue;
        expect([installed.snapshot.through, installed.snapshot.position]).toEqual([5, 50]);
        expect(sameBytes(installed.snapshot.bytes, bytes)).toBe(true);
      }
    }
    expect(rounds).toBe(Math.ceil(bytes.byteLength / MAX_BATCH_BYTES));
    expect(actor.getSnapshot().value).toBe('current');
  });

  it('a sender that has made a newer one meanwhile begins with that', () => {
    const { choose, install, told } = learner();
    choose(chosen('n2', 5));
    install(from('n2', { type: 'snapshot', through: 5, position: 50, size: 4, offset: 0, bytes: Uint8Array.of(1, 2) }));
    told();
    install(whole('n2', 6));
    expect(told()).toEqual(['install 6', 'progress 6/6']);
  });

  it('when the sender falls silent in the middle, another one begins anew', () => {
    const { choose, install, clock, told } = learner();
    choose(chosen('n2', 5));
    install(from('n2', { type: 'snapshot', through: 5, position: 50, size: 4, offset: 0, bytes: Uint8Array.of(1, 2) }));
    told();
    clock.advance(LEASE_MS / 20);
    expect(told()).toEqual(['fetch 1-5 of all']);
    install(whole('n3', 5));
    expect(told()).toEqual(['install 5', 'progress 5/5']);
  });
});
