import Type from 'typebox';
import { MAX_ROUND } from '../ballot.ts';
import { isBytes } from '../is-bytes.ts';
import { NAME_PATTERN } from '../node-id.ts';

export const bytes = Type.Refine(Type.Unsafe<Uint8Array>({}), isBytes);

/** 0 to 2^53 - 1: slots, positions, versions, terms. */
export const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Slots begin at 1 and stay far enough below the limit that arithmetic on them is exact. */
export const slot = Type.Integer({ minimum: 0, maximum: 2 ** 52 });

export const name = Type.String({ pattern: NAME_PATTERN });

export const ballot = Type.Object({
  round: Type.Integer({ minimum: 1, maximum: MAX_ROUND }),
  nodeId: name,
  incarnation: name,
});

/** Also the ballot of an acceptor that has promised nothing yet. */
export const anyBallot = Type.Union([
  ballot,
  Type.Object({ round: Type.Literal(0), nodeId: Type.Literal(''), incarnation: Type.Literal('') }),
]);

/** The higher, the sooner a candidate asks (T11). */
export const priority = Type.Integer({ minimum: 0, maximum: 100 });

/** Free text of a user: metadata values, reasons. */
export const text = Type.String({ maxLength: 4096 });

/** Of keys up to 256 characters. A pattern is all that TypeBox keeps of what is said of them; `.` knows no line breaks. */
const key = Type.String({ pattern: '^[\\s\\S]{0,256}$' });

export const metadata = Type.Record(key, text, { maxProperties: 64, additionalProperties: false });
