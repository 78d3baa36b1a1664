import { crc32 } from 'node:zlib';
import { ForeignJournalError, type JournalOwner } from '@synod/protocol';
import { type Files, writeAll } from './files.ts';
import { FORMAT } from './frame.ts';

/** Whose journal the folder holds, and how often it was opened (I2). A file of two lines: JSON, and its checksum. */
export interface Identity {
  readonly format: number;
  readonly group: string;
  readonly node: string;
  readonly storeId: string;
  /** 0 while the folder is being set up for the first time: whatever segments it has hold nothing yet. */
  readonly incarnations: number;
}

/** Bytes of the identity's file. */
export function encodeIdentity({ format, group, node, storeId, incarnations }: Identity): Buffer {
  const json = JSON.stringify({ format, group, node, storeId, incarnations });
  return Buffer.from(`${json}\n${checksum(json)}\n`);
}

/** `null` for bytes that no version of this program wrote. */
export function decodeIdentity(bytes: Uint8Array): Identity | null {
  const text = Buffer.from(bytes).toString();
  const json = text.slice(0, text.indexOf('\n'));
  if (text !== `${json}\n${checksum(json)}\n`) return null;
  try {
    return JSON.parse(json) as Identity;
  } catch {
    return null;
  }
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');

/**
 * Refuses a folder of another group, node or format, naming both sides (fault 47).
 * @throws ForeignJournalError
 */
export function demandOwner(folder: string, found: Identity, owner: JournalOwner): void {
  if (found.format !== FORMAT) {
    throw new ForeignJournalError(
      `${folder} holds a journal of format ${found.format}, this program reads format ${FORMAT}`,
    );
  }
  if (found.group === owner.group && found.node === owner.node) return;
  throw new ForeignJournalError(
    `${folder} holds the journal of node "${found.node}" of group "${found.group}", not of node "${owner.node}" of group "${owner.group}"`,
    { hint: 'Give each node of each group a folder of its own' },
  );
}

/** Puts the identity in place of the old one; a crash leaves one of the two. Durable when it resolves. */
export async function writeIdentity(files: Files, folder: string, identity: Identity): Promise<void> {
  const file = files.create(`${folder}/identity.new`);
  try {
    writeAll(file, encodeIdentity(identity), 0);
    await file.sync();
  } finally {
    file.close();
  }
  files.rename(`${folder}/identity.new`, `${folder}/identity`);
  await files.syncFolder(folder);
}
