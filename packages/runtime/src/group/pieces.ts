import type { MasterNews, MasterRecord, News, Outcomes, Session } from '@synod/protocol';

/** News of one message: all there is to tell, or a piece of it. */
export type Telling = Pick<News, 'changes' | 'piece'>;

/** A longer message keeps sender and hearer busy for too long in one turn. */
const PIECE_BYTES = 256 * 1024;

/** What stands in a message besides news: envelope, digest, store. */
const ENVELOPE_BYTES = 1024;

/** How much news a message of this bus may hold, bytes, about. */
export const pieceBytes = (maxPayloadBytes: number): number =>
  Math.max(ENVELOPE_BYTES, Math.min(PIECE_BYTES, maxPayloadBytes - ENVELOPE_BYTES));

/**
 * News in as many messages as it takes, made one by one. What fits into one is left as it is. A piece of what was whole is not:
 * who has heard all pieces knows it to be (`piece`).
 */
export function* tellings(changes: readonly MasterNews[], maxBytes: number): Generator<Telling> {
  if (changes.length === 0) return;
  if (sum(changes) <= maxBytes) return yield { changes: [...changes] };
  let index = 0;
  let next: MasterNews[] | null = null;
  for (const fragments of cut(changes, maxBytes)) {
    if (next) yield { changes: next, piece: { index: index++, isLast: false } };
    next = fragments;
  }
  if (next) yield index === 0 ? { changes: [...changes] } : { changes: next, piece: { index, isLast: true } };
}

/** What came of one command, and what its asker is told with it. */
export interface Answer {
  readonly outcome: Outcomes['outcomes'][number];
  readonly changes: readonly MasterNews[];
}

/** Outcomes in as many messages as it takes: none comes before what is told with it. */
export function* answering(
  answers: readonly Answer[],
  maxBytes: number,
): Generator<Pick<Outcomes, 'outcomes' | 'changes'>> {
  let outcomes: Outcomes['outcomes'] = [];
  let changes: MasterNews[] = [];
  let bytes = 0;
  for (const { outcome, changes: told } of answers) {
    const size = OUTCOME_BYTES + sum(told);
    if (bytes > 0 && bytes + size > maxBytes) {
      yield { outcomes, changes };
      outcomes = [];
      changes = [];
      bytes = 0;
    }
    if (size <= maxBytes) changes.push(...told);
    else for (const part of cut(told, maxBytes - OUTCOME_BYTES)) yield { outcomes: [], changes: part };
    outcomes.push(outcome);
    bytes += size;
  }
  if (outcomes.length > 0) yield { outcomes, changes };
}

function sum(changes: readonly MasterNews[]): number {
  let bytes = 0;
  for (const { sessions, ended, records } of changes) {
    bytes += CHANGE_BYTES + NUMBER_BYTES * ended.length;
    for (const session of sessions) bytes += sessionBytes(session);
    for (const record of records) bytes += recordBytes(record);
  }
  return bytes;
}

type Item =
  | { readonly of: 'sessions'; readonly value: Session; readonly bytes: number }
  | { readonly of: 'ended'; readonly value: number; readonly bytes: number }
  | { readonly of: 'records'; readonly value: MasterRecord; readonly bytes: number };

/** Sessions before the records that name them. */
function* itemsOf({ sessions, ended, records }: MasterNews): Generator<Item> {
  for (const value of sessions) yield { of: 'sessions', value, bytes: sessionBytes(value) };
  for (const value of ended) yield { of: 'ended', value, bytes: NUMBER_BYTES };
  for (const value of records) yield { of: 'records', value, bytes: recordBytes(value) };
}

function* cut(changes: readonly MasterNews[], maxBytes: number): Generator<MasterNews[]> {
  let piece: MasterNews[] = [];
  let bytes = 0;
  for (const change of changes) {
    const { position } = change;
    let fragment: Fragment | null = null;
    for (const item of itemsOf(change)) {
      if (bytes + item.bytes > maxBytes && bytes > 0) {
        yield piece;
        piece = [];
        bytes = 0;
        fragment = null;
      }
      if (fragment === null) {
        fragment = { position, sessions: [], ended: [], records: [] };
        piece.push(fragment);
        bytes += CHANGE_BYTES;
      }
      (fragment[item.of] as unknown[]).push(item.value);
      bytes += item.bytes;
    }
    // Nothing is news too: all there is may be nothing.
    if (fragment === null) piece.push({ position, sessions: [], ended: [], records: [] });
  }
  if (piece.length > 0) yield piece;
}

interface Fragment extends MasterNews {
  readonly sessions: Session[];
  readonly ended: number[];
  readonly records: MasterRecord[];
}

// Never less than what the codec makes of it: field names, and numbers at their longest.
const NUMBER_BYTES = 9;
const CHANGE_BYTES = 64;
const OUTCOME_BYTES = 256;
const SESSION_BYTES = 128;
const RECORD_BYTES = 128;
/** Text outside of ASCII takes up to three bytes for each unit, and a head. */
const textBytes = (text: string): number => 3 * text.length + 5;

const sessionBytes = ({ node, incarnation, setBy, openedBy }: Session): number =>
  SESSION_BYTES + node.length + incarnation.length + setBy.length + openedBy.length;

function recordBytes({ election, setBy, node, metadata }: MasterRecord): number {
  let bytes = RECORD_BYTES + election.length + setBy.length + node.length;
  for (const [key, value] of Object.entries(metadata)) bytes += textBytes(key) + textBytes(value);
  return bytes;
}
