import Type, { type Static } from 'typebox';
import { count, name } from './types.ts';

export const configurationSchema = Type.Object({
  group: name,
  /** Grows with each change of the members (section 8). */
  epoch: count,
  /** A voter is a node with its store: a wiped folder is another voter (I2). Sorted by node. */
  voters: Type.Array(Type.Object({ node: name, storeId: name }), { minItems: 1, maxItems: 9 }),
  quorum: Type.Literal('majority'),
  maxDriftPpm: Type.Integer({ minimum: 0, maximum: 200_000 }),
  /** Part of leaseMs that a holder gives up at its end: guardMs = max(5, leaseMs / guardDivisor) (T1). */
  guardDivisor: Type.Integer({ minimum: 2, maximum: 1000 }),
  /** Position of the first command: above every term of a group of this name that lived before (I5). */
  firstPosition: Type.Integer({ minimum: 1, maximum: 2 ** 52 }),
});

/** What all voters of a group must agree on before they vote (I3, I5). */
export type Configuration = Readonly<Static<typeof configurationSchema>>;
