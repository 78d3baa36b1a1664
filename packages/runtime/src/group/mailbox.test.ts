import { encodeEnvelope, type Message, type MessageType, type Role, type Store, wireCodec } from '@synod/protocol';
import { MemoryNetwork, settle } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { Mailbox, type Turn } from './mailbox.ts';
import { voteRules } from './vote.rules.ts';

const ballot = { round: 1, nodeId: 'b', incarnation: 'b1' };
const store: Store = { storeId: 'sb', incarnations: 2 };
const value = new Uint8Array(0);

const messages: readonly Message[] = [
  { type: 'prepare', ballot, fromSlot: 1 },
  { type: 'accept', ballot, slot: 1, value },
  {
    type: 'promise',
    ballot,
    fromSlot: 1,
    to: 0,
    lastSlot: 0,
    entries: [],
    trimmedThrough: 0,
    chosenThrough: 0,
    store,
  },
  { type: 'accepted', ballot, slot: 1, store },
  { type: 'reject', ballot, promised: ballot },
  { type: 'trimmed', ballot, slot: 1, trimmedThrough: 1 },
  { type: 'chosen', ballot, slot: 1 },
  { type: 'fetch', fromSlot: 1, toSlot: 1 },
  { type: 'learned', entries: [], learnedThrough: 0 },
  { type: 'snapshot', through: 1, position: 1, size: 0, offset: 0, bytes: value },
  { type: 'news', changes: [] },
  { type: 'present' },
  { type: 'append', commands: value },
  { type: 'formation', storeId: 'sb', kept: null, isFormed: false, wantsAnswer: false },
];
const VOTES = ['prepare', 'accept', 'promise', 'accepted', 'reject', 'trimmed'];
const all = messages.map(({ type }) => type);

/** What a node of configuration `ours` takes in of everything that `b` says under `theirs`. */
async function heard(ours: string, theirs: string, options: { store?: Store | null; mayVote?: boolean } = {}) {
  const network = new MemoryNetwork();
  const types: MessageType[] = [];
  const drops: string[] = [];
  const mailbox = new Mailbox({
    bus: network.bus('a'),
    codec: wireCodec,
    incarnation: 'a1',
    digest: () => ours,
    mayVote: () => options.mayVote ?? true,
    rules: voteRules,
    deliver: ({ messages: turn }: Turn) => void types.push(...turn.map(({ type }) => type)),
    onDrop: (reason) => void drops.push(reason),
    onOtherLife: () => {},
  });
  const roles: readonly Role[] = ['acceptor', 'proposer', 'learner', 'formation'];
  for (const role of roles) mailbox.listen(role);
  const bus = network.bus('b');
  for (const message of messages) {
    const envelope = { config: theirs, incarnation: 'b1', message };
    const said = options.store === null ? envelope : { ...envelope, store: options.store ?? store };
    bus.publish({ role: 'acceptor', to: 'a' }, encodeEnvelope(said));
  }
  await settle();
  return { types, drops };
}

describe('I3', () => {
  it('under one configuration everything is taken in', async () => {
    expect(await heard('x', 'x')).toEqual({ types: all, drops: [] });
  });

  it("of a stranger's configuration nothing is, but who is there and what he keeps", async () => {
    const { types, drops } = await heard('x', 'y');
    expect(types).toEqual(['formation']);
    expect(new Set(drops)).toEqual(new Set(['stranger']));
  });

  it.each([
    ['x', ''],
    ['', 'x'],
  ])('while one of two knows none ("%s", "%s") nothing is gated but votes', async (ours, theirs) => {
    expect((await heard(ours, theirs)).types).toEqual(all.filter((type) => !VOTES.includes(type)));
  });
});

describe('I2', () => {
  it.each([
    ['a store that may not vote', { mayVote: false }],
    ['no store', { store: null }],
  ])('nothing that asks for a vote or is one counts from %s; what it learned does', async (_, options) => {
    const { types, drops } = await heard('x', 'x', options);
    expect(types).toEqual(all.filter((type) => !VOTES.includes(type)));
    expect(drops).toEqual(VOTES.map(() => 'stale-store'));
  });
});
