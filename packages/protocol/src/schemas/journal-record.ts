import Type, { type Static } from 'typebox';
import { configurationSchema } from './configuration.ts';
import { ballot, bytes, count, name, slot } from './types.ts';

/** What a member writes to its journal. The state of an acceptor and learner is a fold over these (P5). */
export const journalRecordSchema = Type.Union([
  /** P1: no lower ballot is answered again. */
  Type.Object({ type: Type.Literal('promised'), ballot }),
  /** P2: implies the promise of its ballot. */
  Type.Object({ type: Type.Literal('accepted'), slot, ballot, value: bytes }),
  /** The value accepted here at exactly this ballot is chosen. */
  Type.Object({ type: Type.Literal('chosen'), slot, ballot }),
  /** A chosen value that was fetched, not accepted at its ballot here. */
  Type.Object({ type: Type.Literal('learned'), slot, value: bytes }),
  /** State machines after `through`; slots up to there are trimmed (P6). Stands only in checkpoints. */
  Type.Object({ type: Type.Literal('snapshot'), through: slot, position: count, bytes }),
  /** I5, first step: kept once, never another. */
  Type.Object({ type: Type.Literal('kept'), configuration: configurationSchema }),
  /** I5, second step: every voter keeps the same. */
  Type.Object({ type: Type.Literal('formed') }),
  /** I2: highest incarnation counter seen of a voter's store. */
  Type.Object({ type: Type.Literal('peer'), storeId: name, incarnations: count }),
]);

export type JournalRecord = Readonly<Static<typeof journalRecordSchema>>;
