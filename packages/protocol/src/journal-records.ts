import { pack, unpack } from './msgpack.ts';
import type { JournalRecord } from './schemas/journal-record.ts';
import { isJournalRecord } from './validators.generated.ts';

export const encodeRecord = (value: JournalRecord): Uint8Array => pack(value);

/** `null` for what no version of this program wrote: the caller treats it as damage (P5). */
export function decodeRecord(data: Uint8Array): JournalRecord | null {
  const value = unpack(data);
  return isJournalRecord(value) ? value : null;
}
