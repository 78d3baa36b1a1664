import { describe, expect, it } from 'vitest';
import { JournalFailedError } from '../errors.ts';
import { journalContract } from './journal-contract.ts';
import { MemoryDisk, MemoryJournal } from './memory-journal.ts';
import { settle, VirtualClock } from './virtual-clock.ts';

const owner = { group: 'orders', node: 'n1' };
const bytes = (...values: number[]): Uint8Array => Uint8Array.of(...values);

journalContract('MemoryJournal', () => {
  const disk = new MemoryDisk();
  return {
    journal: () => new MemoryJournal(disk),
    crash: () => disk.crash(),
    wipe: () => disk.wipe(),
    failNext: () => disk.failNext(),
    damage: () => disk.damage(2),
    flushes: () => disk.flushes,
    close: () => {},
  };
});

async function openedWith(clock: VirtualClock, flushMs: number): Promise<{ disk: MemoryDisk; journal: MemoryJournal }> {
  const disk = new MemoryDisk({ storeId: () => 's1' });
  const journal = new MemoryJournal(disk, { clock, flushMs });
  await journal.open(owner);
  return { disk, journal };
}

describe('MemoryJournal', () => {
  it('takes as long as it is told to, in virtual time', async () => {
    const clock = new VirtualClock();
    const { journal } = await openedWith(clock, 5);
    const done: string[] = [];
    journal.append(bytes(1));
    void journal.flush().then(() => done.push('first'));
    journal.append(bytes(2)); // too late for the flush under way
    void journal.flush().then(() => done.push('second'));
    await clock.advanceAsync(4);
    expect(done).toEqual([]);
    await clock.advanceAsync(1);
    expect(done).toEqual(['first']);
    await clock.advanceAsync(5);
    expect(done).toEqual(['first', 'second']);
  });

  it('a crash loses what was not flushed, and the dead process hears nothing any more', async () => {
    const clock = new VirtualClock();
    const { disk, journal } = await openedWith(clock, 5);
    let isSettled = false;
    journal.append(bytes(1));
    journal.flush().finally(() => {
      isSettled = true;
    });
    disk.crash();
    journal.append(bytes(2));
    void journal.flush();
    await clock.advanceAsync(100);
    await settle();
    expect(isSettled).toBe(false);
    expect(disk.image.records).toEqual([]);
    expect(disk.isLocked).toBe(false);
  });

  it('a crash may leave a part of the flush under way, whole records and a torn one', async () => {
    const { disk, journal } = await openedWith(new VirtualClock(), 5);
    for (const value of [1, 2, 3]) journal.append(bytes(value));
    void journal.flush();
    disk.crash({ survive: 2, tornBytes: 7 });
    const contents = await new MemoryJournal(disk).open(owner);
    expect(contents).toMatchObject({ records: [bytes(1), bytes(2)], tornBytes: 7, damage: null });
  });

  it('a crash leaves a checkpoint under way whole or not at all', async () => {
    for (const survive of [0, 1]) {
      const { disk, journal } = await openedWith(new VirtualClock(), 5);
      void journal.checkpoint([bytes(7), bytes(8)]);
      disk.crash({ survive });
      expect(disk.image.records.length).toBe(2 * survive);
    }
  });

  it('fault 6: a restored backup has the counter of its day', async () => {
    const disk = new MemoryDisk();
    await new MemoryJournal(disk).open(owner);
    const backup = disk.image;
    disk.crash();
    await new MemoryJournal(disk).open(owner);
    disk.restore(backup);
    expect(await new MemoryJournal(disk).open(owner)).toMatchObject({ incarnations: 2, storeId: backup.storeId });
  });

  it('fails the next write alone: the journal after it works', async () => {
    const disk = new MemoryDisk();
    disk.failNext('no such disk');
    await expect(new MemoryJournal(disk).open(owner)).rejects.toThrow(JournalFailedError);
    await expect(new MemoryJournal(disk).open(owner)).resolves.toMatchObject({ incarnations: 1 });
  });
});
