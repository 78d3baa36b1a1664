import { type Decoded, decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.ts';
import { decodeRecord, encodeRecord } from './journal-records.ts';
import type { JournalRecord } from './schemas/journal-record.ts';

/**
 * How messages and journal records become bytes, and bytes what they were. There is one way; a simulator hands in one that
 * remembers what it encoded, because reading the same bytes at every node is most of its work.
 */
export interface Codec {
  encodeEnvelope(envelope: Envelope): Uint8Array;
  decodeEnvelope(payload: Uint8Array): Decoded;
  encodeRecord(record: JournalRecord): Uint8Array;
  decodeRecord(data: Uint8Array): JournalRecord | null;
}

export const wireCodec: Codec = { encodeEnvelope, decodeEnvelope, encodeRecord, decodeRecord };
