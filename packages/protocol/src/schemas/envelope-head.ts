import Type from 'typebox';
import { storeSchema } from './messages.ts';
import { name } from './types.ts';

/** An envelope as it travels, before it is known what message is in it: of what major version, of what kind. */
export const envelopeHeadSchema = Type.Object({
  v: Type.Integer(),
  kind: Type.String({ maxLength: 64 }),
  config: Type.String({ maxLength: 64 }),
  inc: name,
  store: Type.Optional(storeSchema),
  m: Type.Object({}),
});
