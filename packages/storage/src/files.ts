import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import { lockFile } from './lock.ts';

/** A file open for writing. */
export interface OpenFile {
  /** One write: may be short (fault 42), and then says how many bytes it took. */
  write(bytes: Uint8Array, at: number): number;
  /** Resolves when everything written is on the disk. A failure says nothing about what is there (fault 45). */
  sync(): Promise<void>;
  close(): void;
}

/**
 * All the journal wants of a file system: the seam at which tests tear, flip and fill disks. Errors are those of node:fs.
 */
export interface Files {
  /** Makes the folder and those above it, durably. */
  makeFolder(folder: string): void;
  list(folder: string): readonly string[];
  /** The whole file, or its first `length` bytes; `null` when there is none. */
  read(path: string, length?: number): Buffer | null;
  /** Opens an empty file for writing, in place of whatever was there. */
  create(path: string): OpenFile;
  /** Opens what is there for writing. */
  open(path: string): OpenFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes names that came, changed or went durable: without it a new file may be gone after a power failure. */
  syncFolder(folder: string): Promise<void>;
  /** Takes the exclusive lock, or returns `null` while another holds it. The result gives it back. */
  lock(path: string): (() => void) | null;
}

/** The file system of this machine. */
export const nodeFiles: Files = {
  makeFolder: (folder) => makeFolder(resolve(folder)),
  list: (folder) => fs.readdirSync(folder),
  read(path, length) {
    try {
      return length === undefined ? fs.readFileSync(path) : readHead(path, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  },
  create: (path) => openFile(path, 'w'),
  open: (path) => openFile(path, 'r+'),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { force: true }),
  async syncFolder(folder) {
    const fd = fs.openSync(folder, 'r');
    try {
      await new Promise<void>((done, failed) => fs.fsync(fd, (error) => (error ? failed(error) : done())));
    } finally {
      fs.closeSync(fd);
    }
  },
  lock: lockFile,
};

/** One by one: with `recursive`, node calls a read-only file system a path that does not exist. */
function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  const parent = dirname(folder);
  makeFolder(parent);
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error; // another process was faster
  }
  syncFolderNow(parent);
}

const isFolder = (path: string): boolean => fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function syncFolderNow(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function readHead(path: string, length: number): Buffer {
  const fd = fs.openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    let read = 0;
    while (read < length) {
      const count = fs.readSync(fd, bytes, read, length - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } finally {
    fs.closeSync(fd);
  }
}

function openFile(path: string, flags: string): OpenFile {
  const fd = fs.openSync(path, flags, 0o600);
  return {
    write: (bytes, at) => fs.writeSync(fd, bytes, 0, bytes.length, at),
    sync: () => new Promise((done, failed) => fs.fdatasync(fd, (error) => (error ? failed(error) : done()))),
    close: () => fs.closeSync(fd),
  };
}

/** Writes all of it: a short write is followed by the rest, and then by the error that stopped it (fault 42). */
export function writeAll(file: OpenFile, bytes: Uint8Array, at: number): void {
  let written = 0;
  while (written < bytes.length) {
    const count = file.write(written === 0 ? bytes : bytes.subarray(written), at + written);
    if (count <= 0) throw Object.assign(new Error('ENOSPC: the disk took no byte of a write'), { code: 'ENOSPC' });
    written += count;
  }
}
