import Type, { type Static } from 'typebox';
import { COMMAND_ID_PATTERN } from '../command-id.ts';
import { bytes, name } from './types.ts';

export const commandIdSchema = Type.String({ pattern: COMMAND_ID_PATTERN });

export const commandSchema = Type.Object({
  id: commandIdSchema,
  /** Which state machine it is for: `master`, `kv`. */
  machine: name,
  /** Opaque here. */
  body: bytes,
});

/** What one state machine is asked to do. Its body is opaque to consensus. */
export type Command = Readonly<Static<typeof commandSchema>>;
