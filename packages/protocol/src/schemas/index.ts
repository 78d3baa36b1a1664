// Schemas as values: for tools and tests. What runs imports their types, and the checks that were made of them.
export { isBytes } from '../is-bytes.ts';
export { commandSchema } from './command.ts';
export { configurationSchema } from './configuration.ts';
export { envelopeHeadSchema } from './envelope-head.ts';
export { journalRecordSchema } from './journal-record.ts';
export { causeSchema, leaseMs as leaseMsSchema, masterNewsSchema, recordSchema, sessionSchema } from './master-view.ts';
export { type MessageType, messageSchemas } from './messages.ts';
export { bytes as bytesSchema, count as countSchema, metadata as metadataSchema, name as nameSchema } from './types.ts';
