import { join } from 'node:path';
import * as nats from '@synod/nats/schemas';
import * as protocol from '@synod/protocol/schemas';
import { type Module, sourceOf } from './source.ts';

const root = join(import.meta.dirname, '../..');

/** All that is checked by a schema when Synod runs. */
export const modules: readonly Module[] = [
  {
    file: 'packages/protocol/src/validators.generated.ts',
    guards: {
      isCommand: 'commandSchema',
      isEnvelopeHead: 'envelopeHeadSchema',
      isJournalRecord: 'journalRecordSchema',
    },
    records: { messageValidators: 'messageSchemas' },
    schemas: protocol,
    refinements: new Map([[protocol.isBytes, 'isBytes']]),
    imports: ["import { isBytes } from './is-bytes.ts';"],
  },
  {
    file: 'packages/nats/src/validators.generated.ts',
    guards: {
      isAdminAnswer: 'adminAnswerSchema',
      isMasterEvent: 'masterEventSchema',
      isWhoisAnswer: 'whoisAnswerSchema',
      isWhoisRequest: 'whoisRequestSchema',
    },
    records: {},
    schemas: nats,
    refinements: new Map(),
    imports: [],
  },
];

/** Where each module stands, and what it must say, by the schemas of this moment. */
export const wanted = (): { file: string; path: string; text: string }[] =>
  modules.map((module) => ({ file: module.file, path: join(root, module.file), text: sourceOf(module) }));
