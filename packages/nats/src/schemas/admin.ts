import { nameSchema } from '@synod/protocol/schemas';
import Type, { type Static } from 'typebox';

export const adminAnswerSchema = Type.Union([
  Type.Object({ node: nameSchema, result: Type.Unknown() }),
  Type.Object({ node: nameSchema, error: Type.Object({ code: Type.String(), message: Type.String() }) }),
]);

/** What one node said to a request of an operator: a result, or why not. */
export type AdminAnswer = Readonly<Static<typeof adminAnswerSchema>>;
