import { ConfigError, type Journal } from '@synod/protocol';
import { nodeFiles } from './files.ts';
import { DiskJournal } from './journal.ts';

/** Options of {@link diskJournal}. */
export interface DiskJournalOptions {
  /**
   * Largest file made for ordinary records, 64 KiB to 1 GiB. Default 4 MiB. Segments begin small and grow with what is
   * written; a record or checkpoint that is larger gets a file of its own.
   */
  readonly segmentBytes?: number;
}

const DEFAULT_SEGMENT_BYTES = 4 * 1024 * 1024;

/**
 * The journal of an acceptor in a folder of its own. Nothing is touched before `open`.
 *
 * @param folder - Made if need be. One node of one group alone may use it.
 * @returns A Journal for one life: after `close`, make another.
 * @throws ConfigError when an option cannot be used.
 */
export function diskJournal(folder: string, options: DiskJournalOptions = {}): Journal {
  const { segmentBytes = DEFAULT_SEGMENT_BYTES } = options;
  const problems: string[] = [];
  if (typeof folder !== 'string' || folder === '') problems.push('the journal needs the path of a folder');
  if (!Number.isInteger(segmentBytes) || segmentBytes < 64 * 1024 || segmentBytes > 1024 ** 3) {
    problems.push(`segmentBytes is ${segmentBytes}, and should be a whole number from 65536 to 1073741824`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new DiskJournal(folder, { segmentBytes }, nodeFiles);
}
