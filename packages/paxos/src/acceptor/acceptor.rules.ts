import {
  type Accept,
  type AcceptedEntry,
  type Ballot,
  compareBallots,
  invariant,
  isSameBallot,
  type JournalRecord,
  MAX_BATCH_BYTES,
  MAX_ROUND,
  type Message,
  NO_BALLOT,
  type NodeId,
  type Prepare,
  type Promised,
  type Received,
  type Store,
  type Value,
} from '@synod/protocol';
import { sameBytes } from '../same-bytes.ts';

/** What was accepted in a slot: only the highest ballot is kept (P2). */
export interface AcceptedValue {
  readonly ballot: Ballot;
  readonly value: Value;
}

/** What an acceptor must not forget. One object, owned by its machine and changed by its rules alone. */
export interface AcceptorState {
  /** No lower ballot is answered again (P1). */
  promised: Ballot;
  readonly accepted: Map<number, AcceptedValue>;
  /** Slots up to here are chosen and stand in a durable snapshot of our own (P6). */
  trimmedThrough: number;
  /** Every slot up to here is known chosen. A hint to proposers: nothing rests on it. */
  chosenThrough: number;
}

/** What goes to the journal, and what may leave only when that is durable (P3). */
export interface Bundle {
  readonly type: 'bundle';
  readonly records: readonly JournalRecord[];
  readonly replies: readonly Reply[];
}

/** A message to the one who asked. */
export interface Reply {
  readonly to: NodeId;
  readonly message: Message;
}

/** What the acceptor machine is given. */
export interface AcceptorInput {
  readonly self: NodeId;
  /** Which store votes: stands in every vote (I2). */
  readonly store: Store;
  /** Folded from the journal; the machine owns it from here on. */
  readonly recovered: AcceptorState;
  /** False for a store that may not vote (yet): I2, I5, P5. */
  readonly mayVote: boolean;
  /** All slots up to here are learned at this node, at this instant: asked when a promise is made, for it says so. */
  learnedThrough(): number;
}

export type AcceptorEvent =
  | { readonly type: 'prepares'; readonly messages: readonly Received<Prepare>[] }
  | { readonly type: 'accepts'; readonly messages: readonly Received<Accept>[] }
  /** A snapshot of our own up to here is durable (P6). */
  | { readonly type: 'trim'; readonly through: number }
  | { readonly type: 'vote' }
  | { readonly type: 'abstain'; readonly reason: string }
  /** A write or fsync failed: final (P3). */
  | { readonly type: 'journal.failed'; readonly reason: string };

export type AcceptorEmitted = Bundle;

/** What answers to a batch of messages is gathered in: one bundle per event. */
export interface Draft {
  readonly records: JournalRecord[];
  readonly replies: Reply[];
}

/** An acceptor that has promised nothing. */
export const freshAcceptor = (): AcceptorState => ({
  promised: NO_BALLOT,
  accepted: new Map(),
  trimmedThrough: 0,
  chosenThrough: 0,
});

/** The value accepted in `slot` at exactly `ballot`: the only one a learner may take for chosen (B3). */
export function heldValue(state: AcceptorState, slot: number, ballot: Ballot): Value | undefined {
  const held = state.accepted.get(slot);
  return held && isSameBallot(held.ballot, ballot) ? held.value : undefined;
}

/** What an entry adds to a page besides its value, bytes, no less. */
const ENTRY_BYTES = 256;

/** The rules of the acceptor. Each changes `state` and adds to `draft`; none reads anything else. */
export interface AcceptorRules {
  prepare(state: AcceptorState, store: Store, message: Received<Prepare>, draft: Draft): void;
  accept(state: AcceptorState, store: Store, message: Received<Accept>, draft: Draft): void;
  learned(state: AcceptorState, through: number): void;
  trim(state: AcceptorState, through: number): void;
}

export const acceptorRules: AcceptorRules = { prepare, accept, learned, trim };

/** P1. A Promise may be given again for the same ballot: a proposer never uses one ballot for two attempts (B2). */
function prepare(state: AcceptorState, store: Store, message: Received<Prepare>, draft: Draft): void {
  const { ballot, from } = message;
  if (!isBallotOf(ballot, from)) return;
  const order = compareBallots(ballot, state.promised);
  if (order < 0) {
    draft.replies.push({ to: from, message: { type: 'reject', ballot, promised: state.promised } });
    return;
  }
  if (order > 0) {
    state.promised = ballot;
    draft.records.push({ type: 'promised', ballot });
  }
  for (const page of promisePages(state, store, message)) draft.replies.push({ to: from, message: page });
}

/** P2. Trimmed comes first: such a slot is chosen, whatever the ballot. */
function accept(state: AcceptorState, store: Store, message: Received<Accept>, draft: Draft): void {
  const { ballot, slot, value, from, learner } = message;
  if (!isBallotOf(ballot, from)) return;
  if (slot <= state.trimmedThrough) {
    draft.replies.push({ to: from, message: { type: 'trimmed', ballot, slot, trimmedThrough: state.trimmedThrough } });
    return;
  }
  if (compareBallots(ballot, state.promised) < 0) {
    draft.replies.push({ to: from, message: { type: 'reject', ballot, promised: state.promised } });
    return;
  }
  const held = heldValue(state, slot, ballot);
  if (held) {
    // A resend: its record was written before. The answer still waits for the flush that holds it.
    invariant(sameBytes(held, value), 'B2 no (ballot, slot) is ever proposed with two values');
  } else {
    state.promised = ballot;
    state.accepted.set(slot, { ballot, value });
    draft.records.push({ type: 'accepted', slot, ballot, value });
  }
  const accepted = { type: 'accepted', ballot, slot, store } as const;
  // N4: whoever waits for it hears it first.
  if (learner !== undefined && learner.node !== from) draft.replies.push({ to: learner.node, message: accepted });
  draft.replies.push({ to: from, message: accepted });
}

function learned(state: AcceptorState, through: number): void {
  state.chosenThrough = Math.max(state.chosenThrough, through);
}

/** P6. What is trimmed is chosen: P2 answers Trimmed for it from now on, and a Promise names it. */
function trim(state: AcceptorState, through: number): void {
  if (through <= state.trimmedThrough) return;
  state.trimmedThrough = through;
  learned(state, through);
  for (const slot of state.accepted.keys()) if (slot <= through) state.accepted.delete(slot);
}

/**
 * P4: every accepted entry from `fromSlot` on, in pages that leave no hole between them, none larger than an Accept: what
 * cannot be sent would never be promised, and nobody could lead. All pages are of one moment here;
 * a proposer that gathers pages of several answers to one ballot must not rely on that.
 */
export function promisePages(state: AcceptorState, store: Store, prepare: Prepare): Promised[] {
  const fromSlot = Math.max(1, prepare.fromSlot);
  const { trimmedThrough, chosenThrough } = state;
  const slots = [...state.accepted.keys()].filter((slot) => slot >= fromSlot).sort((a, b) => a - b);
  const lastSlot = Math.max(fromSlot - 1, trimmedThrough, slots.at(-1) ?? 0);
  const pages: Promised[] = [];
  let entries: AcceptedEntry[] = [];
  let from = fromSlot;
  let bytes = 0;
  const close = (to: number): void => {
    const { ballot } = prepare;
    pages.push({
      type: 'promise',
      ballot,
      fromSlot: from,
      to,
      lastSlot,
      entries,
      trimmedThrough,
      chosenThrough,
      store,
    });
    entries = [];
    from = to + 1;
    bytes = 0;
  };
  for (const slot of slots) {
    const held = state.accepted.get(slot) as AcceptedValue;
    const size = held.value.byteLength + ENTRY_BYTES;
    if (bytes + size > MAX_BATCH_BYTES && entries.length > 0) close(slot - 1);
    entries.push({ slot, ballot: held.ballot, value: held.value });
    bytes += size;
  }
  close(lastSlot);
  return pages;
}

/** Ballots are bounded (fault 21), and a node asks by its own only: the subject says who it is (I4). */
const isBallotOf = (ballot: Ballot, from: NodeId): boolean =>
  ballot.nodeId === from && Number.isSafeInteger(ballot.round) && ballot.round >= 1 && ballot.round <= MAX_ROUND;
