import {
  type Ballot,
  encodeEnvelope,
  MAX_BATCH_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_ROUND,
  type Message,
  NO_BALLOT,
  type Promised,
} from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { accept, ballot, play, prepare, store, value } from '../testing/fixtures.ts';
import { acceptorMachine } from './acceptor.machine.ts';
import {
  type AcceptorState,
  acceptorRules,
  type Bundle,
  freshAcceptor,
  heldValue,
  promisePages,
} from './acceptor.rules.ts';

const input = (recovered: AcceptorState = freshAcceptor(), mayVote = true, learnedThrough = 0) => ({
  self: 'n1',
  store,
  recovered,
  mayVote,
  learnedThrough: () => learnedThrough,
});

function acceptor(recovered = freshAcceptor(), mayVote = true, learnedThrough = 0) {
  const played = play(acceptorMachine(), input(recovered, mayVote, learnedThrough));
  /** The only bundle since the last look. */
  const bundle = (): Pick<Bundle, 'records' | 'replies'> => {
    const bundles = played.take();
    expect(bundles.length).toBeLessThan(2);
    return bundles[0] ?? { records: [], replies: [] };
  };
  const answers = (): Message[] => bundle().replies.map(({ message }) => message);
  return { ...played, state: recovered, bundle, answers };
}

describe('P1: Prepare', () => {
  it('of a higher ballot is promised: recorded, and answered in the same bundle', () => {
    const { actor, bundle, state } = acceptor();
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    const { records, replies } = bundle();
    expect(records).toEqual([{ type: 'promised', ballot: ballot(3, 'n2') }]);
    expect(replies).toMatchObject([{ to: 'n2', message: { type: 'promise', ballot: ballot(3, 'n2'), store } }]);
    expect(state.promised).toEqual(ballot(3, 'n2'));
  });

  it('of a lower ballot is rejected with the ballot promised', () => {
    const { actor, bundle, state } = acceptor();
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    bundle();
    actor.send({ type: 'prepares', messages: [prepare(ballot(2, 'n3'))] });
    const { records, replies } = bundle();
    expect(records).toEqual([]);
    expect(replies).toEqual([
      { to: 'n3', message: { type: 'reject', ballot: ballot(2, 'n3'), promised: ballot(3, 'n2') } },
    ]);
    expect(state.promised).toEqual(ballot(3, 'n2'));
  });

  it('of equal rounds is decided by node and incarnation', () => {
    const { actor, answers } = acceptor();
    actor.send({
      type: 'prepares',
      messages: [prepare(ballot(3, 'n2')), prepare(ballot(3, 'n1')), prepare(ballot(3, 'n3'))],
    });
    expect(answers().map(({ type }) => type)).toEqual(['promise', 'reject', 'promise']);
  });

  it('of the promised ballot is answered again, and recorded once', () => {
    const { actor, bundle } = acceptor();
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2')), prepare(ballot(3, 'n2'))] });
    const { records, replies } = bundle();
    expect([records.length, replies.length]).toEqual([1, 2]);
  });

  it('is answered with every accepted entry from fromSlot on, trimmedThrough, and what is known chosen', () => {
    const { actor, answers, take } = acceptor(freshAcceptor(), true, 3);
    for (const slot of [1, 2, 3, 5])
      actor.send({ type: 'accepts', messages: [accept(ballot(1, 'n2'), slot, value(`v${slot}`))] });
    actor.send({ type: 'trim', through: 1 });
    take();
    actor.send({ type: 'prepares', messages: [prepare(ballot(2, 'n3'), 3)] });
    expect(answers()).toEqual([
      {
        type: 'promise',
        ballot: ballot(2, 'n3'),
        fromSlot: 3,
        to: 5,
        lastSlot: 5,
        entries: [
          { slot: 3, ballot: ballot(1, 'n2'), value: value('v3') },
          { slot: 5, ballot: ballot(1, 'n2'), value: value('v5') },
        ],
        trimmedThrough: 1,
        chosenThrough: 3,
        store,
      },
    ]);
  });

  it('a ballot outside its bounds, or of another node than the sender, is dropped (fault 21, I4)', () => {
    const { actor, bundle, state } = acceptor();
    for (const bad of [0, -1, 1.5, MAX_ROUND + 1, Number.MAX_SAFE_INTEGER + 1, Number.NaN]) {
      actor.send({ type: 'prepares', messages: [prepare(ballot(bad, 'n2'))] });
      actor.send({ type: 'accepts', messages: [accept(ballot(bad, 'n2'), 1, value('x'))] });
    }
    actor.send({ type: 'prepares', messages: [{ ...prepare(ballot(1, 'n2')), from: 'n3' }] });
    expect(bundle()).toEqual({ records: [], replies: [] });
    expect(state).toEqual(freshAcceptor());
  });
});

describe('P2: Accept', () => {
  it('of the promised ballot is accepted: recorded, and answered in the same bundle', () => {
    const { actor, bundle, state } = acceptor();
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    bundle();
    actor.send({ type: 'accepts', messages: [accept(ballot(3, 'n2'), 7, value('a'))] });
    expect(bundle()).toEqual({
      type: 'bundle',
      records: [{ type: 'accepted', slot: 7, ballot: ballot(3, 'n2'), value: value('a') }],
      replies: [{ to: 'n2', message: { type: 'accepted', ballot: ballot(3, 'n2'), slot: 7, store } }],
    });
    expect(heldValue(state, 7, ballot(3, 'n2'))).toEqual(value('a'));
  });

  it('N4: is answered to whom it names as the one that waits, too', () => {
    const { actor, bundle } = acceptor();
    const asked = accept(ballot(3, 'n2'), 7, value('a'));
    const message = { type: 'accepted', ballot: ballot(3, 'n2'), slot: 7, store };
    actor.send({ type: 'accepts', messages: [{ ...asked, learner: { node: 'n3', lives: [] } }] });
    expect(bundle().replies).toEqual([
      { to: 'n3', message },
      { to: 'n2', message },
    ]);
    actor.send({ type: 'accepts', messages: [{ ...asked, learner: { node: 'n2', lives: [] } }] });
    expect(bundle().replies).toEqual([{ to: 'n2', message }]);
  });

  it('of a higher ballot is a promise too: a lower Prepare and Accept are rejected afterwards', () => {
    const { actor, bundle, answers } = acceptor();
    actor.send({ type: 'accepts', messages: [accept(ballot(5, 'n3'), 1, value('a'))] });
    bundle();
    actor.send({ type: 'prepares', messages: [prepare(ballot(4, 'n2'))] });
    expect(answers()).toEqual([{ type: 'reject', ballot: ballot(4, 'n2'), promised: ballot(5, 'n3') }]);
    actor.send({ type: 'accepts', messages: [accept(ballot(4, 'n2'), 1, value('b'))] });
    expect(answers()).toEqual([{ type: 'reject', ballot: ballot(4, 'n2'), promised: ballot(5, 'n3') }]);
  });

  it('of a lower ballot changes nothing', () => {
    const { actor, state } = acceptor();
    actor.send({ type: 'accepts', messages: [accept(ballot(5, 'n3'), 1, value('a'))] });
    actor.send({
      type: 'accepts',
      messages: [accept(ballot(4, 'n2'), 1, value('b')), accept(ballot(4, 'n2'), 2, value('b'))],
    });
    expect([...state.accepted.keys()]).toEqual([1]);
    expect(heldValue(state, 1, ballot(5, 'n3'))).toEqual(value('a'));
  });

  it('into a trimmed slot is answered Trimmed, and nothing is stored, whatever the ballot', () => {
    const { actor, bundle, state } = acceptor();
    actor.send({ type: 'trim', through: 4 });
    actor.send({ type: 'accepts', messages: [accept(ballot(9, 'n2'), 4, value('a'))] });
    expect(bundle()).toEqual({
      type: 'bundle',
      records: [],
      replies: [{ to: 'n2', message: { type: 'trimmed', ballot: ballot(9, 'n2'), slot: 4, trimmedThrough: 4 } }],
    });
    expect(state.accepted.size).toBe(0);
    expect(state.promised).toEqual(NO_BALLOT);
  });

  it('sent again is answered again, and recorded once', () => {
    const { actor, bundle } = acceptor();
    const message = accept(ballot(1, 'n2'), 1, value('a'));
    actor.send({ type: 'accepts', messages: [message, message] });
    const { records, replies } = bundle();
    expect([records.length, replies.length]).toEqual([1, 2]);
  });

  it('two values at one ballot and slot are an impossible state: the actor stops', () => {
    const { actor, error } = acceptor();
    actor.send({ type: 'accepts', messages: [accept(ballot(1, 'n2'), 1, value('a'))] });
    actor.send({ type: 'accepts', messages: [accept(ballot(1, 'n2'), 1, value('b'))] });
    expect(String(error())).toContain('B2 no (ballot, slot) is ever proposed with two values');
  });
});

describe('P3: nothing is sent before what it says is durable', () => {
  it('records and replies of all messages of one event leave as one bundle', () => {
    const machine = acceptorMachine();
    const [voting] = initialTransition(machine, input());
    const [, actions] = transition(machine, voting, {
      type: 'accepts',
      messages: [accept(ballot(1, 'n2'), 1, value('a')), accept(ballot(1, 'n2'), 2, value('b'))],
    });
    expect(actions.map(({ type }) => type)).toEqual(['xstate.emit']);
    expect(actions).toMatchObject([
      {
        params: {
          event: { type: 'bundle', records: [{ slot: 1 }, { slot: 2 }], replies: [{ to: 'n2' }, { to: 'n2' }] },
        },
      },
    ]);
  });

  it('a Reject rides in a bundle too: it tells of a promise that may not be durable yet', () => {
    const { actor, take } = acceptor();
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    actor.send({ type: 'prepares', messages: [prepare(ballot(1, 'n2'))] });
    expect(take().map(({ type }) => type)).toEqual(['bundle', 'bundle']);
  });

  it('after a failed write the acceptor never answers again', () => {
    const { actor, bundle } = acceptor();
    actor.send({ type: 'journal.failed', reason: 'EIO' });
    actor.send({ type: 'vote' });
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    actor.send({ type: 'accepts', messages: [accept(ballot(3, 'n2'), 1, value('a'))] });
    expect(bundle().replies).toEqual([]);
    expect(actor.getSnapshot().value).toBe('stopped');
  });
});

describe('P4: a Promise in pages', () => {
  const large = (bytes: number) => new Uint8Array(bytes).fill(1);

  it('covers fromSlot to the last slot without a hole, each page with the slots it covers', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 0, max: 20 }),
        (slots, fromSlot, trimmed) => {
          const state = freshAcceptor();
          for (const slot of slots) state.accepted.set(slot, { ballot: ballot(1, 'n2'), value: large(200 * 1024) });
          acceptorRules.trim(state, trimmed);
          const pages = promisePages(state, store, prepare(ballot(2, 'n3'), fromSlot));
          const [first] = pages as [Promised];
          expect(first.fromSlot).toBe(fromSlot);
          expect(first.lastSlot).toBeGreaterThanOrEqual(Math.max(trimmed, ...state.accepted.keys()));
          expect(pages.at(-1)?.to).toBe(first.lastSlot);
          for (const [index, page] of pages.entries()) {
            expect(page.entries.length).toBeLessThanOrEqual(1);
            if (index > 0) expect(page.fromSlot).toBe((pages[index - 1] as Promised).to + 1);
            for (const { slot } of page.entries) expect(slot >= page.fromSlot && slot <= page.to).toBe(true);
          }
          const told = pages.flatMap(({ entries }) => entries.map(({ slot }) => slot));
          expect(told).toEqual([...state.accepted.keys()].filter((slot) => slot >= fromSlot).sort((a, b) => a - b));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('every page is sent by a bus that carries a batch', () => {
    const incarnation = 'i'.repeat(16);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: MAX_BATCH_BYTES }), { maxLength: 8 }), (sizes) => {
        const state = freshAcceptor();
        for (const [i, bytes] of sizes.entries())
          state.accepted.set(i + 1, { ballot: ballot(1, 'n2'), value: large(bytes) });
        for (const message of promisePages(state, store, prepare(ballot(2, 'n3'), 1))) {
          const bytes = encodeEnvelope({ config: '0123456789abcdef', incarnation, store, message });
          expect(bytes.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('an acceptor with nothing to tell covers what was asked for', () => {
    const pages = promisePages(freshAcceptor(), store, prepare(ballot(2, 'n3'), 5));
    expect(pages).toMatchObject([{ fromSlot: 5, to: 4, lastSlot: 4, entries: [] }]);
  });
});

describe('P6: trim', () => {
  it('forgets what the snapshot covers, keeps the rest, and never goes back', () => {
    const { actor, state } = acceptor();
    for (const slot of [1, 2, 3])
      actor.send({ type: 'accepts', messages: [accept(ballot(1, 'n2'), slot, value('a'))] });
    actor.send({ type: 'trim', through: 2 });
    actor.send({ type: 'trim', through: 1 });
    expect([...state.accepted.keys()]).toEqual([3]);
    expect([state.trimmedThrough, state.chosenThrough]).toEqual([2, 2]);
  });
});

describe('I2, I5, P5: a store that may not vote', () => {
  it('answers neither Prepare nor Accept until it may', () => {
    const { actor, bundle } = acceptor(freshAcceptor(), false);
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    actor.send({ type: 'accepts', messages: [accept(ballot(3, 'n2'), 1, value('a'))] });
    expect(bundle().replies).toEqual([]);
    actor.send({ type: 'vote' });
    actor.send({ type: 'prepares', messages: [prepare(ballot(3, 'n2'))] });
    expect(bundle().replies).toHaveLength(1);
    actor.send({ type: 'abstain', reason: 'not in the configuration' });
    actor.send({ type: 'prepares', messages: [prepare(ballot(4, 'n2'))] });
    expect(bundle().replies).toEqual([]);
  });
});

it('whatever comes in any order: promises never fall, and what is accepted was promised', () => {
  const anyBallot = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('n1', 'n2', 'n3'))
    .map(([r, n]) => ballot(r, n));
  const proposedBy = (b: Ballot, slot: number) => value(`${b.round}${b.nodeId}${slot}`);
  const anyEvent = fc.oneof(
    anyBallot.map((b) => ({ type: 'prepares' as const, messages: [prepare(b)] })),
    fc
      .tuple(anyBallot, fc.integer({ min: 1, max: 4 }))
      .map(([b, slot]) => ({ type: 'accepts' as const, messages: [accept(b, slot, proposedBy(b, slot))] })),
    fc.integer({ min: 0, max: 3 }).map((through) => ({ type: 'trim' as const, through })),
  );
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
      const { actor, state, take } = acceptor();
      let before = state.promised;
      for (const event of events) {
        actor.send(event);
        expect(compare(state.promised, before)).toBeGreaterThanOrEqual(0);
        before = state.promised;
        for (const [slot, held] of state.accepted) {
          expect(compare(held.ballot, state.promised)).toBeLessThanOrEqual(0);
          expect(slot).toBeGreaterThan(state.trimmedThrough);
        }
        for (const { records, replies } of take()) {
          for (const { message } of replies) {
            if (message.type === 'reject') expect(compare(message.promised, message.ballot)).toBeGreaterThan(0);
          }
          for (const record of records) if (record.type === 'accepted') expect(record.ballot).toEqual(state.promised);
        }
      }
    }),
    { numRuns: 200 },
  );
});

const compare = (a: Ballot, b: Ballot): number =>
  a.round - b.round || (a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0);
