import {
  type Accepted,
  type Ballot,
  type Chosen,
  type Clock,
  compareBallots,
  type Fetch,
  invariant,
  type JournalRecord,
  type Learned,
  type LearnedEntry,
  MAX_BATCH_BYTES,
  type NodeId,
  type QuorumSystem,
  type Random,
  type Received,
  type Snapshot,
  type Value,
} from '@synod/protocol';
import { sameBytes } from '../same-bytes.ts';

/** State of all state machines after slot `through`, whole: on the wire it may travel in parts. */
export interface SnapshotState {
  readonly through: number;
  /** Position of the last command up to `through`. */
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** What the learner machine is given. */
export interface LearnerInput {
  readonly self: NodeId;
  /** Everybody else who learns: whom to ask. */
  readonly others: readonly NodeId[];
  /** By which answers of acceptors are counted here (N4). */
  readonly quorum: QuorumSystem;
  /** The length in force (T12), ms. */
  leaseMs(): number;
  readonly clock: Clock;
  readonly random: Random;
  /** The value accepted here at exactly this ballot (B3). */
  held(slot: number, ballot: Ballot): Value | undefined;
  /** Highest slot that was seen proposed by others, told of or not. */
  proposedThrough(): number;
  /** Our last durable snapshot, for nodes behind it. */
  snapshot(): SnapshotState | null;
  readonly recovered: LearnerRecovered;
}

export interface LearnerRecovered {
  /** Last slot of our snapshot: state machines stand there. */
  readonly through: number;
  /** Learned values after it. */
  readonly learned: ReadonlyMap<number, Value>;
}

export type LearnerEvent =
  | { readonly type: 'chosens'; readonly messages: readonly Received<Chosen>[] }
  /** Acceptors answered an Accept that names this node as the one that waits (N4). */
  | { readonly type: 'accepteds'; readonly messages: readonly Received<Accepted>[] }
  /** Our own proposer counted an accept quorum. */
  | { readonly type: 'decided'; readonly ballot: Ballot; readonly slot: number; readonly value: Value }
  | { readonly type: 'learneds'; readonly messages: readonly Received<Learned>[] }
  | { readonly type: 'fetches'; readonly messages: readonly Received<Fetch>[] }
  | { readonly type: 'snapshots'; readonly messages: readonly Received<Snapshot>[] }
  /** Accepts for these slots were seen here. Needs no telling while `expecting`: that looks by itself, at its end. */
  | { readonly type: 'proposed'; readonly slots: readonly number[]; readonly from: NodeId }
  /** Slots up to here are chosen: a Promise or Trimmed said so. */
  | { readonly type: 'behind'; readonly through: number; readonly from: NodeId }
  /** A snapshot of our own up to here is durable (P6). */
  | { readonly type: 'trim'; readonly through: number }
  /** After join: apply what the journal held, and ask everybody for what is after it. */
  | { readonly type: 'start' };

export type LearnerEmitted =
  | { readonly type: 'send'; readonly to: NodeId | 'all'; readonly message: Chosen | Fetch | Learned | Snapshot }
  /** For the journal, lazily: nothing waits for it. */
  | { readonly type: 'record'; readonly record: JournalRecord }
  /** The next slot in order; each slot once. */
  | { readonly type: 'apply'; readonly slot: number; readonly value: Value }
  /** Put this state in place of the present one; slots after it follow by `apply`. */
  | { readonly type: 'install'; readonly snapshot: SnapshotState }
  /** Once after all an event brought: slots applied, and the highest known chosen. */
  | { readonly type: 'progress'; readonly through: number; readonly known: number }
  /** B1c: still unlearned a third of a lease after everybody was asked; slots up to `through` are waited for. */
  | { readonly type: 'stuck'; readonly slot: number; readonly through: number };

/** What a learner knows. One object, owned by its machine and changed by its rules alone. */
export interface LearnerState {
  /** Every slot up to here is applied. */
  through: number;
  /** Values up to here are gone: they stand in a snapshot. */
  trimmedThrough: number;
  /** Chosen values after `trimmedThrough`, applied or not. */
  readonly learned: Map<number, Value>;
  /** Highest slot in `learned`. */
  highest: number;
  /** Chosen at this ballot, but we do not hold that value: it is fetched, or its Accept comes late. */
  readonly unheld: Map<number, Ballot>;
  /** Who accepted at which ballot, in slots whose acceptors tell us themselves (N4). */
  readonly votes: Map<number, { readonly ballot: Ballot; readonly voters: Set<NodeId> }>;
  /** Highest slot known chosen. */
  known: number;
  /** Highest slot seen proposed. */
  proposed: number;
  /** Slots up to here are asked for: some of them is known chosen, or was proposed long ago. */
  wanted: number;
  /** What `proposed` was when we began to wait for it. */
  watched: number;
  /** First unlearned slot when everybody was asked. */
  stuckAt: number;
  /** Who brought the last news: whom to ask first (N2). */
  source: NodeId | null;
  /** A snapshot of which some parts came. */
  part: PartialSnapshot | null;
}

/** The beginning of a snapshot: parts follow each other without a hole. */
export interface PartialSnapshot {
  readonly from: NodeId;
  readonly through: number;
  readonly position: number;
  readonly size: number;
  readonly chunks: Uint8Array[];
  received: number;
}

/** What the learner knows before it hears anything. */
export const initialLearner = ({ recovered: { through, learned } }: LearnerInput): LearnerState => {
  const highest = Math.max(through, ...learned.keys());
  return {
    through,
    trimmedThrough: through,
    learned: new Map([...learned].filter(([slot]) => slot > through)),
    highest,
    unheld: new Map(),
    votes: new Map(),
    known: highest,
    proposed: 0,
    wanted: through,
    watched: 0,
    stuckAt: 0,
    source: null,
    part: null,
  };
};

/** What an entry adds to an answer besides its value, bytes, no less. */
const ENTRY_BYTES = 32;

/** Slots beyond what is applied here whose votes are counted (N4): twice what a proposer may be ahead (B3). */
const MAX_COUNTED = 64;

/** The last slot there can be. */
const LAST_SLOT = 2 ** 52;

/** The rules of the learner. Each changes `state` and adds to `out`. */
export interface LearnerRules {
  chosen(state: LearnerState, input: LearnerInput, message: Received<Chosen>, out: LearnerEmitted[]): void;
  accepted(state: LearnerState, input: LearnerInput, message: Received<Accepted>, out: LearnerEmitted[]): void;
  decided(
    state: LearnerState,
    input: LearnerInput,
    ballot: Ballot,
    slot: number,
    value: Value,
    out: LearnerEmitted[],
  ): void;
  learned(state: LearnerState, message: Received<Learned>, out: LearnerEmitted[]): void;
  snapshot(state: LearnerState, message: Received<Snapshot>, out: LearnerEmitted[]): void;
  proposed(state: LearnerState, input: LearnerInput, slots: readonly number[], out: LearnerEmitted[]): void;
  behind(state: LearnerState, through: number, from: NodeId): void;
  trim(state: LearnerState, through: number): void;
  answer(state: LearnerState, input: LearnerInput, message: Received<Fetch>, out: LearnerEmitted[]): void;
  applyInOrder(state: LearnerState, out: LearnerEmitted[]): void;
}

export const learnerRules: LearnerRules = {
  chosen,
  accepted,
  decided,
  learned,
  snapshot,
  proposed,
  behind,
  trim,
  answer,
  applyInOrder,
};

/** B3: a value held here counts only if it was accepted at exactly the ballot of the news; otherwise it is fetched. */
function chosen(state: LearnerState, input: LearnerInput, message: Received<Chosen>, out: LearnerEmitted[]): void {
  const { slot, ballot, from } = message;
  state.known = Math.max(state.known, slot);
  if (slot <= state.through) return;
  if (from !== input.self) {
    state.wanted = Math.max(state.wanted, slot);
    state.source = from;
  }
  const value = input.held(slot, ballot);
  if (value) learn(state, slot, value, { type: 'chosen', slot, ballot }, out);
  else if (!state.learned.has(slot)) waitFor(state, slot, ballot);
}

/**
 * N4: with an accept quorum of one ballot, counted in a set of voters, the slot is chosen, whoever counts. Votes of an older
 * ballot than the newest heard of are not kept: one ballot is waited for, and the proposer tells all the same.
 */
function accepted(state: LearnerState, input: LearnerInput, message: Received<Accepted>, out: LearnerEmitted[]): void {
  const { slot, ballot, from } = message;
  if (slot <= state.through || slot > state.through + MAX_COUNTED || state.learned.has(slot)) return;
  if (!input.quorum.voters.has(from)) return;
  let votes = state.votes.get(slot);
  const order = votes ? compareBallots(ballot, votes.ballot) : 1;
  if (order < 0) return;
  if (!votes || order > 0) {
    votes = { ballot, voters: new Set() };
    state.votes.set(slot, votes);
  }
  votes.voters.add(from);
  if (!input.quorum.isAcceptQuorum(votes.voters)) return;
  chosen(state, input, { type: 'chosen', slot, ballot, from: ballot.nodeId }, out);
}

/** B3: an accept quorum was counted here. The others are told (ballot, slot) alone: they hold the value, or fetch it. */
function decided(
  state: LearnerState,
  input: LearnerInput,
  ballot: Ballot,
  slot: number,
  value: Value,
  out: LearnerEmitted[],
): void {
  out.push({ type: 'send', to: 'all', message: { type: 'chosen', ballot, slot } });
  state.known = Math.max(state.known, slot);
  // Slots before it may be open still at our own proposer: they are watched, not fetched.
  state.proposed = Math.max(state.proposed, slot);
  if (slot <= state.through) return;
  const isHeld = input.held(slot, ballot) !== undefined;
  learn(state, slot, value, isHeld ? { type: 'chosen', slot, ballot } : { type: 'learned', slot, value }, out);
}

/** N2: an answer to a fetch, or what somebody pushed. */
function learned(state: LearnerState, message: Received<Learned>, out: LearnerEmitted[]): void {
  if (bringsNews(state, message)) state.source = message.from;
  for (const { slot, value } of message.entries) {
    state.known = Math.max(state.known, slot);
    if (slot > state.through) learn(state, slot, value, { type: 'learned', slot, value }, out);
  }
  behind(state, message.learnedThrough, message.from);
}

/** N2: behind somebody's trimmedThrough. A snapshot that does not reach beyond what is applied here is ignored. */
function snapshot(state: LearnerState, message: Received<Snapshot>, out: LearnerEmitted[]): void {
  const { from, through, position, size, offset, bytes } = message;
  behind(state, through, from);
  // Parts of one snapshot of one sender, in order; whatever else comes is a repeat, or another sender's.
  if (!bringsPart(state, message)) return;
  const part = offset > 0 && state.part ? state.part : { from, through, position, size, chunks: [], received: 0 };
  part.chunks.push(bytes);
  part.received += bytes.byteLength;
  state.part = part;
  state.source = from;
  if (part.received < part.size) return;
  state.part = null;
  state.through = through;
  state.known = Math.max(state.known, through);
  forget(state, through);
  out.push({ type: 'install', snapshot: { through, position, bytes: concat(part.chunks, part.received) } });
}

/** An Accept was seen. If the news of its choice came before it, the value is held only now. */
function proposed(state: LearnerState, input: LearnerInput, slots: readonly number[], out: LearnerEmitted[]): void {
  for (const slot of slots) {
    state.proposed = Math.max(state.proposed, slot);
    const ballot = state.unheld.get(slot);
    const value = ballot && input.held(slot, ballot);
    if (value) learn(state, slot, value, { type: 'chosen', slot, ballot }, out);
  }
}

/** All slots up to `through` are chosen, and `from` can tell them. */
function behind(state: LearnerState, through: number, from: NodeId): void {
  state.known = Math.max(state.known, through);
  if (through <= state.wanted) return;
  state.wanted = through;
  if (through > state.through) state.source = from;
}

/** P6: values up to `through` stand in a snapshot of our own. */
function trim(state: LearnerState, through: number): void {
  invariant(through <= state.through, 'P6 only applied slots are trimmed');
  if (through > state.trimmedThrough) forget(state, through);
}

/** N2: learned values only. What was merely accepted here may lose to another value. */
function answer(state: LearnerState, input: LearnerInput, message: Received<Fetch>, out: LearnerEmitted[]): void {
  const to = message.from;
  let fromSlot = Math.max(1, message.fromSlot);
  if (fromSlot <= state.trimmedThrough) {
    const snapshot = input.snapshot();
    if (snapshot && snapshot.through >= fromSlot) {
      const { through, position, bytes } = snapshot;
      const offset = message.part?.through === through ? Math.min(message.part.offset, bytes.byteLength) : 0;
      const part = bytes.subarray(offset, offset + MAX_BATCH_BYTES);
      const size = bytes.byteLength;
      out.push({ type: 'send', to, message: { type: 'snapshot', through, position, size, offset, bytes: part } });
      // The tail follows the last part.
      if (offset + part.byteLength < size) return;
      fromSlot = through + 1;
    }
  }
  const entries: LearnedEntry[] = [];
  let bytes = 0;
  for (let slot = fromSlot; slot <= Math.min(message.toSlot, state.highest); slot++) {
    const value = state.learned.get(slot);
    if (value === undefined) continue;
    bytes += value.byteLength + ENTRY_BYTES;
    if (bytes > MAX_BATCH_BYTES && entries.length > 0) break;
    entries.push({ slot, value });
  }
  // An empty answer is one too: the asker turns to the others at once.
  out.push({ type: 'send', to, message: { type: 'learned', entries, learnedThrough: state.through } });
}

/** N1: chosen slots in order, each once; nothing is skipped. */
function applyInOrder(state: LearnerState, out: LearnerEmitted[]): void {
  for (let slot = state.through + 1; ; slot++) {
    const value = state.learned.get(slot);
    if (value === undefined) return;
    state.through = slot;
    out.push({ type: 'apply', slot, value });
  }
}

/** Some slot that is known chosen, or has been waited for, is not learned here. */
export const isBehind = (state: LearnerState): boolean => state.through < state.wanted;

/** Some slot was proposed and is not learned here: in a moment it will be, or its proposer is in trouble. */
export const isExpecting = (state: LearnerState, input: LearnerInput): boolean =>
  state.through < proposedThrough(state, input);

/** Highest slot seen proposed: what was told here, or is known without. */
export const proposedThrough = (state: LearnerState, input: LearnerInput): number =>
  Math.max(state.proposed, input.proposedThrough());

/** True when the message holds a value we do not have. */
export const bringsNews = (state: LearnerState, message: Learned): boolean =>
  message.entries.some(({ slot }) => slot > state.through && !state.learned.has(slot));

/** True when the message is the next part of a snapshot we need, or its sender begins a newer one. */
export function bringsPart({ through, part }: LearnerState, message: Received<Snapshot>): boolean {
  if (message.through <= through) return false;
  if (part === null) return message.offset === 0;
  if (part.from !== message.from) return false;
  if (message.through > part.through) return message.offset === 0;
  return part.through === message.through && part.received === message.offset;
}

/** The next fetch: everything we miss, going on with a snapshot that `to` has begun to send. */
export function fetchFrom(state: LearnerState, to: NodeId | 'all', isOpenEnded = false): LearnerEmitted {
  const range = { fromSlot: state.through + 1, toSlot: isOpenEnded ? LAST_SLOT : state.wanted };
  const part = state.part?.from === to ? { part: { through: state.part.through, offset: state.part.received } } : {};
  return { type: 'send', to, message: { type: 'fetch', ...range, ...part } };
}

function learn(state: LearnerState, slot: number, value: Value, record: JournalRecord, out: LearnerEmitted[]): void {
  const before = state.learned.get(slot);
  if (before !== undefined) {
    invariant(sameBytes(before, value), 'S1 a chosen value never changes');
    return;
  }
  state.learned.set(slot, value);
  state.unheld.delete(slot);
  state.votes.delete(slot);
  state.highest = Math.max(state.highest, slot);
  out.push({ type: 'record', record });
}

/** A slot may be chosen at several ballots, with one value: the newest is the likeliest to be held. */
function waitFor(state: LearnerState, slot: number, ballot: Ballot): void {
  const before = state.unheld.get(slot);
  if (!before || compareBallots(before, ballot) < 0) state.unheld.set(slot, ballot);
}

/** Values up to `through` are gone. */
function forget(state: LearnerState, through: number): void {
  state.trimmedThrough = through;
  for (const slot of state.learned.keys()) if (slot <= through) state.learned.delete(slot);
  for (const slot of state.unheld.keys()) if (slot <= through) state.unheld.delete(slot);
  for (const slot of state.votes.keys()) if (slot <= through) state.votes.delete(slot);
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const first = chunks[0];
  if (chunks.length === 1 && first) return first;
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
