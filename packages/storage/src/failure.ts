import { JournalFailedError, SynodError } from '@synod/protocol';

/** What a person can do about it, where that is known. */
const words: Readonly<Record<string, readonly [what: string, hint?: string]>> = {
  ENOSPC: ['the disk is full', 'Make room, then start the node again'],
  EDQUOT: ['the disk quota is used up', 'Make room, then start the node again'],
  EFBIG: ['the file would be larger than this process may write', 'Look at ulimit -f'],
  EROFS: ['the file system is read-only', 'Mount it for writing'],
  EACCES: ['this user may not do that', 'Look at owner and mode of the folder'],
  EPERM: ['this user may not do that', 'Look at owner and mode of the folder'],
  EMFILE: ['this process has too many open files', 'Look at ulimit -n'],
  ENFILE: ['the machine has too many open files'],
  ENOMEM: ['the machine is out of memory'],
  EIO: ['the disk reports an error', 'Look at the kernel log and replace the disk'],
  ENOTDIR: ['a part of the path is no folder'],
  EEXIST: ['a file lies where the folder should be'],
  EISDIR: ['a folder lies where a file should be'],
  ENOENT: ['a part of the path does not exist'],
  ELOOP: ['the path runs in a circle of links'],
  ENAMETOOLONG: ['the path is too long'],
  ESTALE: ['the network file system lost the file'],
};

/**
 * The error a caller sees: what was being done, where, and why it failed, in words (fault 48).
 * @param doing - As in "cannot flush": `flush`, `open`.
 */
export function journalFailure(folder: string, doing: string, error: unknown): SynodError {
  if (error instanceof SynodError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  const [what, hint] = words[code] ?? [];
  const why = what === undefined ? String((error as Error | null)?.message ?? error) : `${what} (${code})`;
  return new JournalFailedError(`journal in ${folder}: cannot ${doing}: ${why}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
