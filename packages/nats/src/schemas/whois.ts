import { countSchema, nameSchema } from '@synod/protocol/schemas';
import Type, { type Static } from 'typebox';
import { electionStateSchema } from './events.ts';

export const whoisRequestSchema = Type.Object({
  v: Type.Literal(1),
  /** All elections of the group when there is none. */
  election: Type.Optional(nameSchema),
});

export const whoisAnswerSchema = Type.Object({
  v: Type.Literal(1),
  group: nameSchema,
  /** Member that answers; its own statement, an inbox carries no sender. */
  node: nameSchema,
  /** Voters of the group, by which the asker knows a majority. */
  voters: Type.Array(nameSchema, { maxItems: 64 }),
  /** Up to which position it has applied the log. */
  position: countSchema,
  elections: Type.Array(electionStateSchema),
  /** Of an answer that takes several messages: which one this is, from 0, and of how many. */
  piece: Type.Optional(Type.Object({ index: countSchema, of: countSchema })),
});

/** One member's view of the masterships: news, not a licence. */
export type WhoisAnswer = Readonly<Static<typeof whoisAnswerSchema>>;
