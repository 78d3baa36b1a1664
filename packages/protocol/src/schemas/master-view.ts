import Type, { type Static } from 'typebox';
import { MAX_LEASE_MS, MIN_LEASE_MS } from '../lease-time.ts';
import { commandIdSchema as id } from './command.ts';
import { count, metadata, name } from './types.ts';

export const leaseMs = Type.Integer({ minimum: MIN_LEASE_MS, maximum: MAX_LEASE_MS });

export const sessionSchema = Type.Object({
  /** Position of the command that opened it. */
  id: count,
  node: name,
  /** Only this life of the node holds by the session (T3). */
  incarnation: name,
  /** Of the command in `setBy` (T2, T12). */
  leaseMs,
  /** Position of the last command that changed the session. */
  version: count,
  /** Id of the command that set `version`: what others wait for (T2). */
  setBy: id,
  openedBy: id,
});

/** One incarnation's lease, as the fold holds it (protocol.md, section 3). */
export type Session = Readonly<Static<typeof sessionSchema>>;

/** Why the mastership before this one ended. */
export const causeSchema = Type.Union([
  Type.Literal('vacant'),
  Type.Literal('resigned'),
  Type.Literal('transferred'),
  Type.Literal('ended'),
  Type.Literal('expired'),
]);
export type Cause = Static<typeof causeSchema>;

export const recordSchema = Type.Object({
  election: name,
  /** Session of the master, `null` when there is none. */
  master: Type.Union([count, Type.Null()]),
  /** Position of the BeMaster or Transfer that began the present or last mastership: the fencing token. */
  term: count,
  /** Position of the last command that changed the record. */
  version: count,
  /** Id of the command that set `version`; empty before the first. */
  setBy: Type.Union([id, Type.Literal('')]),
  /** Of the present master. */
  metadata,
  /** Node of the present master, or of the last one; empty before the first. */
  node: Type.Union([name, Type.Literal('')]),
  /** How the record came to its present state from the one before. */
  cause: causeSchema,
});

/** One election, as the fold holds it. */
export type MasterRecord = Readonly<Static<typeof recordSchema>>;

/** What the fold changed at one position: news for nodes outside the log, and what events are made of. */
export const masterNewsSchema = Type.Object({
  /** Position of the command that changed it. */
  position: count,
  sessions: Type.Array(sessionSchema),
  /** Ids of sessions that ended. */
  ended: Type.Array(count),
  records: Type.Array(recordSchema),
  /** All there is at this position, not only what changed: a session of before that it does not name has ended. */
  isWhole: Type.Optional(Type.Literal(true)),
});
export type MasterNews = Readonly<Static<typeof masterNewsSchema>>;
