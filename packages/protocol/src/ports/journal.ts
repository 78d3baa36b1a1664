import type { NodeId } from '../node-id.ts';

/** Whose journal it is (I2). A folder of another owner is refused with ForeignJournalError. */
export interface JournalOwner {
  readonly group: string;
  readonly node: NodeId;
}

/** What a journal held when it was opened. */
export interface JournalContents {
  /** Drawn once, when the folder was first used. A wiped folder has another one (I2). */
  readonly storeId: string;
  /** How often the journal has been opened, this time included; durable before `open` resolves (I2). */
  readonly incarnations: number;
  /** Records of the last checkpoint and all after it, in order. */
  readonly records: readonly Uint8Array[];
  /** Bytes of an unfinished flush that were cut from the end (P5). They were never acknowledged. */
  readonly tornBytes: number;
  /** Set when a record that had been durable cannot be read (P5): its node may not vote; `records` are those before it. */
  readonly damage: string | null;
}

/**
 * Keeps what an acceptor has promised. One owner at a time; one flush in flight; a failure is final.
 * Contract: `journalContract` of `@synod/protocol/testing`.
 */
export interface Journal {
  /**
   * Reads everything, once, and takes the exclusive lock.
   * @throws ForeignJournalError, JournalLockedError, or the file system's error in words.
   */
  open(owner: JournalOwner): Promise<JournalContents>;
  /** Adds a record to the next flush. Copies what it must keep. */
  append(record: Uint8Array): void;
  /**
   * Resolves when all appended before this call is durable. Flushes that are asked for while one is under way are served
   * together by the next one (group commit, P3). Rejects for ever after the first failure (P3, fault 45).
   */
  flush(): Promise<void>;
  /**
   * Replaces all records appended before this call by `records`, atomically: after a crash either the old ones are read or
   * the new ones. Resolves when durable; records appended meanwhile follow the checkpoint. Frees what nobody needs (P6).
   */
  checkpoint(records: readonly Uint8Array[]): Promise<void>;
  /** Bytes written since the last checkpoint: when to make the next one. */
  readonly bytesSinceCheckpoint: number;
  /** Flushes what is appended, and gives the lock back. */
  close(): Promise<void>;
}
