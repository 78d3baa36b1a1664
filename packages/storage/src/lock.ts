import * as fs from 'node:fs';
import { createRequire } from 'node:module';

/** The part of `fs-native-extensions` that is used; it has no types of its own. */
interface NativeLocks {
  tryLock(fd: number): boolean;
}

let native: NativeLocks | null = null;

/** Loaded at the first use: who has no journal needs no native code. */
function nativeLocks(): NativeLocks {
  try {
    native ??= createRequire(import.meta.url)('fs-native-extensions') as NativeLocks;
  } catch (cause) {
    const message = `file locks do not work on ${process.platform} ${process.arch}: ${(cause as Error).message}`;
    throw new Error(message, { cause });
  }
  return native;
}

/**
 * Takes the exclusive lock of a file (fault 46). The lock belongs to the open file, not to the process or its number: the
 * kernel frees it when the process dies in whatever way, processes of two containers on one volume see each other, and a
 * second opener inside this process is refused like any other. The file stays: a lock on a removed file guards nothing.
 * @returns What gives the lock back, or `null` while another holds it.
 */
export function lockFile(path: string): (() => void) | null {
  const locks = nativeLocks();
  const fd = fs.openSync(path, 'a+', 0o600);
  let isLocked = false;
  try {
    isLocked = locks.tryLock(fd);
  } finally {
    if (!isLocked) fs.closeSync(fd);
  }
  return isLocked ? () => fs.closeSync(fd) : null;
}
