import Type, { type Static, type TSchema } from 'typebox';
import type { NodeId } from '../node-id.ts';
import { commandIdSchema } from './command.ts';
import { configurationSchema } from './configuration.ts';
import { masterNewsSchema } from './master-view.ts';
import { ballot, bytes, count, metadata, name, priority, slot, text } from './types.ts';

/**
 * Every message of the protocol, its shape in one place: the type, and the check that runs before a machine sees it. `type`
 * makes a decoded message a machine's event as it is. No message says who sent it: the subject does (I4).
 */

/** Which store votes, and how often it has been opened: a rolled-back folder names a lower number (I2). */
const store = Type.Object({ storeId: name, incarnations: count });
export const storeSchema = store;
export type Store = Readonly<Static<typeof store>>;

const acceptedEntry = Type.Object({ slot, ballot, value: bytes });
export type AcceptedEntry = Readonly<Static<typeof acceptedEntry>>;

const learnedEntry = Type.Object({ slot, value: bytes });
export type LearnedEntry = Readonly<Static<typeof learnedEntry>>;

const learner = Type.Object({ node: name, lives: Type.Array(name, { maxItems: 9 }) });
export type AwaitingLearner = Readonly<Static<typeof learner>>;

/** Phase 1a: asks to lead the log from `fromSlot` on (B2). */
const prepare = Type.Object({ type: Type.Literal('prepare'), ballot, fromSlot: slot });

/**
 * Phase 1b (P1), one page of it (P4): all accepted entries of slots `fromSlot` … `to`. The voter counts when its pages cover
 * fromSlot … `lastSlot` (of the first page) without a hole; slots up to the largest `trimmedThrough` are chosen.
 */
const promise = Type.Object({
  type: Type.Literal('promise'),
  ballot,
  fromSlot: slot,
  to: slot,
  lastSlot: slot,
  entries: Type.Array(acceptedEntry),
  trimmedThrough: slot,
  /** Every slot up to here is known chosen at the voter. */
  chosenThrough: slot,
  store,
});

/** Refuses Prepare or Accept of `ballot`: a higher one was promised. A message, no error. */
const reject = Type.Object({ type: Type.Literal('reject'), ballot, promised: ballot });

/**
 * Phase 2a (P2). `learner`: a voter that waits for what this comes to, and is told by the acceptors themselves (N4): a hop less
 * than by way of the proposer. `lives`: whose votes the proposer would count (I2); nobody else tells it.
 */
const accept = Type.Object({
  type: Type.Literal('accept'),
  ballot,
  slot,
  value: bytes,
  learner: Type.Optional(learner),
});

/** Phase 2b (P2): to the proposer, and to the learner that its Accept names (N4). */
const accepted = Type.Object({ type: Type.Literal('accepted'), ballot, slot, store });

/** The slot is chosen and trimmed at the voter: fetch it, do not propose in it (P2). */
const trimmed = Type.Object({ type: Type.Literal('trimmed'), ballot, slot, trimmedThrough: slot });

/** What was accepted in `slot` at exactly `ballot` is chosen (B3). */
const chosen = Type.Object({ type: Type.Literal('chosen'), ballot, slot });

/** Asks for learned values of slots `fromSlot` … `toSlot` (N2). */
const fetch = Type.Object({
  type: Type.Literal('fetch'),
  fromSlot: slot,
  toSlot: slot,
  /** How much of the answerer's snapshot has come already: it goes on from there. */
  part: Type.Optional(Type.Object({ through: slot, offset: count })),
});

/** Learned values, never merely accepted ones (N2). May hold less than was asked for. */
const learned = Type.Object({
  type: Type.Literal('learned'),
  entries: Type.Array(learnedEntry),
  /** The sender has learned every slot up to here. */
  learnedThrough: slot,
});

/**
 * State after `through`, for a learner behind the sender's trimmedThrough (N2), or a part of it: `bytes` begin at `offset` of
 * a whole of `size`. The next part is fetched from the same sender.
 */
const snapshot = Type.Object({
  type: Type.Literal('snapshot'),
  through: slot,
  /** Position of the last command up to `through`. */
  position: count,
  size: count,
  offset: count,
  bytes,
});

/** Asks whoever leads to append commands (framed as a batch). */
const append = Type.Object({ type: Type.Literal('append'), commands: bytes });

/**
 * A candidate stands by: the taking that the holder is to have appended behind its Resign, should it give the mastership back
 * (framed as a batch of one). The next one of the same sender replaces it; an empty batch takes it back.
 */
const standby = Type.Object({ type: Type.Literal('standby'), election: name, commands: bytes });

/** What the fold of `master` changed, for nodes outside the log; they drop lower versions. */
const news = Type.Object({
  type: Type.Literal('news'),
  changes: Type.Array(masterNewsSchema),
  /** Position of the news before, in what a leader tells: nothing changed in between. Who has not heard that asks for the present. */
  after: Type.Optional(count),
  /** Of news that take several messages: all of them have the same `after`, and nothing was missed by who heard each in turn. */
  piece: Type.Optional(Type.Object({ index: count, isLast: Type.Boolean() })),
  /** How a member of the group reckons with clocks: in answer to who asks for the present. */
  drift: Type.Optional(Type.Object({ maxDriftPpm: count, guardDivisor: slot })),
});

/**
 * What became of commands that a node outside the log asked for; `changes` hold what it is told with it: for one that was
 * refused the session and the record that it named, as they are.
 */
const outcomes = Type.Object({
  type: Type.Literal('outcomes'),
  outcomes: Type.Array(Type.Object({ id: commandIdSchema, applied: Type.Boolean(), reason: Type.Optional(name) })),
  changes: Type.Array(masterNewsSchema),
});

/** A node outside the log asks for the present; members answer with news of everything. */
const present = Type.Object({ type: Type.Literal('present') });

/** A waiting candidate of this priority is ready to take over from the holder of `term` (sent to its node). */
const wish = Type.Object({ type: Type.Literal('wish'), election: name, term: count, priority });

/** T8: the holder of `term` asks whether the node would take the election over. */
const offer = Type.Object({ type: Type.Literal('offer'), election: name, term: count });

/** T8: it would, and names a live session of its own for it. */
const consent = Type.Object({
  type: Type.Literal('consent'),
  election: name,
  term: count,
  session: count,
  /** Of the new master. */
  metadata,
});

/** A node would hold some of the shards of this name, and holds none: the others cannot see it by what it holds. */
const share = Type.Object({ type: Type.Literal('share'), shards: name });

/** I1: a node asks on its own subject whether it lives already; another incarnation answers with `claimed`. */
const life = {
  incarnation: name,
  storeId: Type.Union([name, Type.Null()]),
  /** True when the store stands in the configuration the node knows. */
  isKnown: Type.Boolean(),
  host: text,
  pid: count,
  /** ISO date, for people. */
  startedAt: text,
  /** How long it has run: the younger one leaves. Instants of two nodes are never compared, durations may be. */
  ageMs: Type.Number({ minimum: 0 }),
};
const claim = Type.Object({ type: Type.Literal('claim'), ...life });
const claimed = Type.Object({ type: Type.Literal('claimed'), ...life });

/** I5: what this store keeps. Sent to all, and to one in answer. */
const formation = Type.Object({
  type: Type.Literal('formation'),
  storeId: name,
  /** Configuration durably kept here, once and for ever; `null` before. */
  kept: Type.Union([configurationSchema, Type.Null()]),
  /** True once this store heard from every voter that it keeps the very same one. */
  isFormed: Type.Boolean(),
  /** Asks the hearer to say the same of itself. */
  wantsAnswer: Type.Boolean(),
});

const schemas = {
  prepare,
  promise,
  reject,
  accept,
  accepted,
  trimmed,
  chosen,
  fetch,
  learned,
  snapshot,
  append,
  standby,
  news,
  outcomes,
  present,
  wish,
  offer,
  consent,
  share,
  claim,
  claimed,
  formation,
} as const satisfies Record<string, TSchema>;

export const messageSchemas: Readonly<Record<MessageType, TSchema>> = schemas;
export type MessageType = keyof typeof schemas;

export type Prepare = Readonly<Static<typeof prepare>>;
export type Promised = Readonly<Static<typeof promise>>;
export type Reject = Readonly<Static<typeof reject>>;
export type Accept = Readonly<Static<typeof accept>>;
export type Accepted = Readonly<Static<typeof accepted>>;
export type Trimmed = Readonly<Static<typeof trimmed>>;
export type Chosen = Readonly<Static<typeof chosen>>;
export type Fetch = Readonly<Static<typeof fetch>>;
export type Learned = Readonly<Static<typeof learned>>;
export type Snapshot = Readonly<Static<typeof snapshot>>;
export type Append = Readonly<Static<typeof append>>;
export type Standby = Readonly<Static<typeof standby>>;
export type News = Readonly<Static<typeof news>>;
export type Outcomes = Readonly<Static<typeof outcomes>>;
export type Present = Readonly<Static<typeof present>>;
export type Wish = Readonly<Static<typeof wish>>;
export type Offer = Readonly<Static<typeof offer>>;
export type Consent = Readonly<Static<typeof consent>>;
export type Share = Readonly<Static<typeof share>>;
export type Claim = Readonly<Static<typeof claim>>;
export type Claimed = Readonly<Static<typeof claimed>>;
export type Formation = Readonly<Static<typeof formation>>;

export type Message =
  | Prepare
  | Promised
  | Reject
  | Accept
  | Accepted
  | Trimmed
  | Chosen
  | Fetch
  | Learned
  | Snapshot
  | Append
  | Standby
  | News
  | Outcomes
  | Present
  | Wish
  | Offer
  | Consent
  | Share
  | Claim
  | Claimed
  | Formation;

/** What a machine sees: the message, and its sender as the bus knows it from the subject, never from the payload. */
export type Received<M> = M & { readonly from: NodeId };
