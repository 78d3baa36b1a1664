import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ConfigError,
  ForeignJournalError,
  type Journal,
  JournalFailedError,
  JournalLockedError,
} from '@synod/protocol';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { diskJournal } from './disk-journal.ts';
import { encodeIdentity } from './identity.ts';

const owner = { group: 'orders', node: 'n1' };
const record = (number: number, bytes = 200): Uint8Array => Uint8Array.from(Buffer.from(`${number}`.padEnd(bytes)));
const numbers = (records: readonly Uint8Array[]): number[] => records.map((bytes) => Number(Buffer.from(bytes)));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

let root: string;
let mounted: string[];
let children: ChildProcess[];

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'synod-journal-'));
  mounted = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  for (const path of mounted) execFileSync('umount', ['-l', path]);
  fs.rmSync(root, { recursive: true, force: true });
});

/** A file system of its own, so small that it fills up. Skips the test where this user may not mount. */
function smallDisk(context: TestContext, size: string): string {
  const path = join(root, 'disk');
  fs.mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'pipe' });
  } catch {
    context.skip('a file system cannot be mounted here: that takes root on Linux');
  }
  mounted.push(path);
  return path;
}

const remount = (path: string, options: string): unknown =>
  execFileSync('mount', ['-o', `remount,${options}`, path], { stdio: 'pipe' });

/** Runs a script in another process, in which `journal` is one of `folder` and `owner` its owner. */
function run(script: string, folder: string, limits = ''): ChildProcess {
  const program = `
    import * as fs from 'node:fs';
    import { diskJournal } from '@synod/storage';
    const owner = ${JSON.stringify(owner)};
    const journal = diskJournal(${JSON.stringify(folder)});
    ${script}`;
  const node = [process.execPath, '--no-warnings', '--conditions=@synod/source', '--input-type=module', '-e', program];
  const child = spawn('sh', ['-c', `${limits} exec "$@"`, 'sh', ...node], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

/** The next thing the process prints. */
async function said(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer];
  return chunk.toString().trim();
}

/** Everything the process prints until it ends. */
async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text.trim();
}

/** Writes records one by one until that fails. */
async function writeUntilFull(journal: Journal): Promise<{ acknowledged: number; error: unknown }> {
  for (let acknowledged = 0; ; acknowledged++) {
    journal.append(record(acknowledged, 2000));
    try {
      await journal.flush();
    } catch (error) {
      return { acknowledged, error };
    }
  }
}

describe('fault 46: the lock', () => {
  it('is held by another process, and free when that process is killed', async () => {
    const folder = join(root, 'journal');
    const holder = run(
      `await journal.open(owner);
       journal.append(Buffer.from('0'));
       await journal.flush();
       console.log('open');
       process.stdin.resume();`,
      folder,
    );
    expect(await said(holder)).toBe('open');
    const journal = diskJournal(folder);
    await expect(journal.open(owner)).rejects.toBeInstanceOf(JournalLockedError);
    await expect(journal.open(owner)).rejects.toThrow(`has ${folder} open`);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    // The same object may ask again: a lock is worth waiting for.
    const contents = await journal.open(owner);
    expect(contents).toMatchObject({ incarnations: 2, damage: null });
    expect(numbers(contents.records)).toEqual([0]);
    await journal.close();
  });

  it('is refused to a second process while this one has it', async () => {
    const folder = join(root, 'journal');
    const journal = diskJournal(folder);
    await journal.open(owner);
    const other = run(`await journal.open(owner).catch((error) => console.log(error.code));`, folder);
    expect(await output(other)).toBe('ERR_SYNOD_JOURNAL_LOCKED');
    await journal.close();
  });
});

describe('fault 42: a full disk', () => {
  it('P3: ends all writing, and the journal goes on when there is room again', async (context) => {
    const disk = smallDisk(context, '1m');
    const journal = diskJournal(join(disk, 'journal'));
    await journal.open(owner);
    const { acknowledged, error } = await writeUntilFull(journal);
    expect(error).toBeInstanceOf(JournalFailedError);
    expect(String(error)).toMatch(/cannot flush: the disk is full \(ENOSPC\)\. Make room/);
    expect(acknowledged).toBeGreaterThan(0);
    remount(disk, 'size=4m');
    journal.append(record(-1));
    await expect(journal.flush()).rejects.toBe(error);
    await journal.close();
    const next = diskJournal(join(disk, 'journal'));
    const contents = await next.open(owner);
    expect(contents.damage).toBe(null);
    const read = numbers(contents.records);
    expect(read).toEqual(upTo(read.length));
    expect(read.length).toBeGreaterThanOrEqual(acknowledged);
    next.append(record(read.length));
    await next.flush();
    await next.close();
  });

  it('P6: during a checkpoint leaves the old records', async (context) => {
    const disk = smallDisk(context, '1m');
    const journal = diskJournal(join(disk, 'journal'));
    await journal.open(owner);
    for (const number of upTo(5)) journal.append(record(number));
    await journal.flush();
    const checkpoint = journal.checkpoint([record(7, 900_000)]);
    await expect(checkpoint).rejects.toThrow(/cannot write a checkpoint: the disk is full \(ENOSPC\)/);
    await journal.close();
    remount(disk, 'size=4m');
    const next = diskJournal(join(disk, 'journal'));
    expect(numbers((await next.open(owner)).records)).toEqual(upTo(5));
    await next.close();
    expect(fs.readdirSync(join(disk, 'journal')).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('also when it is a limit of the process', async () => {
    const folder = join(root, 'journal');
    const child = run(
      `await journal.open(owner);
       await journal.checkpoint([Buffer.alloc(2_000_000)]).catch((error) => console.log(error.message));
       await journal.flush().catch((error) => console.log(error.code));
       await journal.close();
       console.log('closed');`,
      folder,
      'ulimit -f 1024;',
    );
    expect(await output(child)).toMatch(
      /cannot write a checkpoint: the file would be larger than this process may write \(EFBIG\)[\s\S]*ERR_SYNOD_JOURNAL_FAILED\nclosed$/,
    );
  });
});

describe('fault 48: a folder that cannot be used', () => {
  it('on a read-only file system', async (context) => {
    const disk = smallDisk(context, '1m');
    const folder = join(disk, 'journal');
    await expect(openAndClose(folder)).resolves.toBe(1);
    remount(disk, 'ro');
    const message = `journal in ${folder}: cannot open: the file system is read-only (EROFS). Mount it for writing`;
    await expect(diskJournal(folder).open(owner)).rejects.toThrow(message);
    await expect(diskJournal(join(disk, 'other')).open(owner)).rejects.toThrow('(EROFS)');
    remount(disk, 'rw');
    await expect(openAndClose(folder)).resolves.toBe(2);
  });

  it('because a file lies where the folder should be', async () => {
    const path = join(root, 'file');
    fs.writeFileSync(path, '');
    for (const folder of [path, join(path, 'deeper')]) {
      await expect(diskJournal(folder).open(owner)).rejects.toThrow('a file lies where the folder should be (EEXIST)');
    }
  });

  it('because the process has too many open files', async () => {
    const child = run(
      `await journal.open(owner);
       await journal.close();
       try { for (;;) fs.openSync('/dev/null'); } catch {}
       await diskJournal(${JSON.stringify(join(root, 'journal'))}).open(owner).catch((error) => console.log(error.message));`,
      join(root, 'journal'),
      'ulimit -n 64;',
    );
    expect(await output(child)).toMatch(
      /cannot open: this process has too many open files \(EMFILE\)\. Look at ulimit -n$/,
    );
  });

  it('because it holds a journal of another format', async () => {
    const folder = join(root, 'journal');
    fs.mkdirSync(folder);
    const identity = { format: 2, ...owner, storeId: 's1', incarnations: 3 };
    fs.writeFileSync(join(folder, 'identity'), encodeIdentity(identity));
    await expect(diskJournal(folder).open(owner)).rejects.toBeInstanceOf(ForeignJournalError);
    await expect(diskJournal(folder).open(owner)).rejects.toThrow('a journal of format 2, this program reads format 1');
  });

  it('says all that is wrong with the options at once', () => {
    expect(() => diskJournal('', { segmentBytes: 3 })).toThrow(ConfigError);
    expect(() => diskJournal('', { segmentBytes: 3 })).toThrow(/2 problems.*path of a folder.*segmentBytes is 3/);
  });
});

describe('the folder', () => {
  it('is made with those above it, and may hold files of others', async () => {
    const folder = join(root, 'a', 'b', 'journal');
    await expect(openAndClose(folder)).resolves.toBe(1);
    fs.mkdirSync(join(folder, 'lost+found'));
    fs.writeFileSync(join(folder, 'notes.txt'), 'ours');
    await expect(openAndClose(folder)).resolves.toBe(2);
    expect(fs.readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('ours');
  });

  it('is read by its owner alone', async () => {
    const folder = join(root, 'journal');
    await openAndClose(folder);
    for (const name of fs.readdirSync(folder)) expect(fs.statSync(join(folder, name)).mode & 0o077).toBe(0);
  });
});

async function openAndClose(folder: string): Promise<number> {
  const journal = diskJournal(folder);
  const { incarnations } = await journal.open(owner);
  await journal.close();
  return incarnations;
}
