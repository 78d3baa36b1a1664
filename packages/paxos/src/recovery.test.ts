import { type Configuration, decodeRecord, encodeRecord, type JournalRecord, NO_BALLOT } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heldValue } from './acceptor/acceptor.rules.ts';
import { checkpointRecords, recover } from './recovery.ts';
import { ballot, value } from './testing/fixtures.ts';

const configuration: Configuration = {
  group: 'test',
  epoch: 0,
  voters: [{ node: 'n1', storeId: 's1' }],
  quorum: 'majority',
  maxDriftPpm: 10_000,
  guardDivisor: 100,
  firstPosition: 1,
};

const promised = (round: number): JournalRecord => ({ type: 'promised', ballot: ballot(round, 'n2') });
const accepted = (slot: number, round: number, text: string): JournalRecord => ({
  type: 'accepted',
  slot,
  ballot: ballot(round, 'n2'),
  value: value(text),
});
const chosen = (slot: number, round: number): JournalRecord => ({ type: 'chosen', slot, ballot: ballot(round, 'n2') });
const learned = (slot: number, text: string): JournalRecord => ({ type: 'learned', slot, value: value(text) });
const snapshot = (through: number): JournalRecord => ({
  type: 'snapshot',
  through,
  position: through,
  bytes: Uint8Array.of(through),
});

describe('the fold of a journal', () => {
  it('of nothing has promised nothing', () => {
    expect(recover([])).toEqual({
      acceptor: { promised: NO_BALLOT, accepted: new Map(), trimmedThrough: 0, chosenThrough: 0 },
      learned: new Map(),
      snapshot: null,
      lastRound: 0,
      kept: null,
      isFormed: false,
      peers: new Map(),
    });
  });

  it('P1, P2: remembers the highest promise, and an Accepted implies one', () => {
    expect(recover([promised(2), promised(5)]).acceptor.promised).toEqual(ballot(5, 'n2'));
    const { acceptor, lastRound } = recover([promised(2), accepted(1, 7, 'a')]);
    expect([acceptor.promised, lastRound]).toEqual([ballot(7, 'n2'), 7]);
  });

  it('P2: keeps the last value accepted in a slot', () => {
    const { acceptor } = recover([accepted(1, 1, 'a'), accepted(1, 3, 'b')]);
    expect(heldValue(acceptor, 1, ballot(3, 'n2'))).toEqual(value('b'));
    expect(heldValue(acceptor, 1, ballot(1, 'n2'))).toBeUndefined();
  });

  it('B3: a mark makes learned what was accepted at exactly its ballot, and nothing else', () => {
    const records = [
      accepted(1, 1, 'a'),
      accepted(2, 1, 'b'),
      chosen(1, 1),
      chosen(2, 2),
      chosen(3, 1),
      accepted(1, 4, 'a'),
    ];
    const { learned, acceptor } = recover(records);
    expect(learned).toEqual(new Map([[1, value('a')]]));
    expect(acceptor.chosenThrough).toBe(1);
  });

  it('P6: what a snapshot covers is trimmed, wherever it stands in the journal', () => {
    const {
      acceptor,
      learned: after,
      snapshot: found,
    } = recover([
      accepted(1, 1, 'a'),
      accepted(3, 1, 'c'),
      chosen(1, 1),
      snapshot(2),
      accepted(2, 1, 'b'),
      learned(1, 'a'),
      chosen(3, 1),
    ]);
    expect(found).toEqual({ through: 2, position: 2, bytes: Uint8Array.of(2) });
    expect([...acceptor.accepted.keys()]).toEqual([3]);
    expect(after).toEqual(new Map([[3, value('c')]]));
    expect([acceptor.trimmedThrough, acceptor.chosenThrough]).toEqual([2, 3]);
  });

  it('I2, I5: remembers what it keeps, that it is formed, and the highest counter of each store', () => {
    const { kept, isFormed, peers } = recover([
      { type: 'kept', configuration },
      { type: 'peer', storeId: 's2', incarnations: 4 },
      { type: 'peer', storeId: 's2', incarnations: 3 },
      { type: 'formed' },
    ]);
    expect([kept, isFormed, peers]).toEqual([configuration, true, new Map([['s2', 4]])]);
  });
});

describe('a checkpoint', () => {
  const anyRound = fc.integer({ min: 1, max: 4 });
  const anySlot = fc.integer({ min: 1, max: 8 });
  // A value is fixed by its slot: what is chosen never changes.
  const anyRecord: fc.Arbitrary<JournalRecord> = fc.oneof(
    anyRound.map(promised),
    fc.tuple(anySlot, anyRound).map(([slot, round]) => accepted(slot, round, `v${slot}`)),
    fc.tuple(anySlot, anyRound).map(([slot, round]) => chosen(slot, round)),
    anySlot.map((slot) => learned(slot, `v${slot}`)),
    fc.integer({ min: 1, max: 4 }).map(snapshot),
    fc.constant<JournalRecord>({ type: 'formed' }),
    fc.constant<JournalRecord>({ type: 'kept', configuration }),
    fc
      .integer({ min: 1, max: 9 })
      .map((incarnations): JournalRecord => ({ type: 'peer', storeId: 's2', incarnations })),
  );

  it('says again all that the fold of its journal knows', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 40 }), (records) => {
        const before = recover(records);
        const encoded = checkpointRecords(before).map(encodeRecord);
        const after = recover(encoded.map((data) => decodeRecord(data) as JournalRecord));
        const plain = (recovered: typeof before) => ({
          ...recovered,
          acceptor: { ...recovered.acceptor, accepted: [...recovered.acceptor.accepted].sort(([a], [b]) => a - b) },
          learned: [...recovered.learned].sort(([a], [b]) => a - b).map(([slot, bytes]) => [slot, [...bytes]]),
          snapshot: recovered.snapshot && { ...recovered.snapshot, bytes: [...recovered.snapshot.bytes] },
        });
        expect(JSON.stringify(plain(after))).toBe(JSON.stringify(plain(before)));
      }),
      { numRuns: 300 },
    );
  });

  it('marks what the acceptor holds, and repeats only the value it does not hold', () => {
    const state = recover([accepted(1, 1, 'a'), chosen(1, 1), accepted(2, 1, 'x'), learned(2, 'b')]);
    expect(checkpointRecords(state).map(({ type }) => type)).toEqual([
      'promised',
      'accepted',
      'accepted',
      'chosen',
      'learned',
    ]);
    expect(recover(checkpointRecords(state)).learned).toEqual(
      new Map([
        [1, value('a')],
        [2, value('b')],
      ]),
    );
  });
});
