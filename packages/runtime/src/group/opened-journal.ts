import type { Recovered, RecoveryRules } from '@synod/paxos';
import type { Codec, Journal, JournalContents, JournalOwner, JournalRecord, Store } from '@synod/protocol';

/** A journal that was read: what stood in it, and who it makes us (I2). */
export interface OpenedJournal {
  readonly journal: Journal;
  readonly contents: JournalContents;
  readonly store: Store;
  readonly recovered: Recovered;
}

/** Opens and reads a journal. A record that no version of this program wrote is damage (P5); those before it count. */
export async function openJournal(
  journal: Journal,
  owner: JournalOwner,
  codec: Codec,
  rules: RecoveryRules,
): Promise<OpenedJournal> {
  const contents = await journal.open(owner);
  const { storeId, incarnations } = contents;
  const records: JournalRecord[] = [];
  let { damage } = contents;
  for (const data of contents.records) {
    const record = codec.decodeRecord(data);
    if (record === null) {
      damage ??= `record ${records.length + 1} of the journal is not of this program's format`;
      break;
    }
    records.push(record);
  }
  // The bytes are not needed any more: with them gone a long journal costs no memory.
  return {
    journal,
    contents: { ...contents, records: [], damage },
    store: { storeId, incarnations },
    recovered: rules.recover(records),
  };
}
