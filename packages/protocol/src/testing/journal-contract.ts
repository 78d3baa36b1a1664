import { afterEach, describe, expect, it } from 'vitest';
import { ClosedError, ForeignJournalError, JournalFailedError, JournalLockedError } from '../errors.ts';
import type { Journal, JournalOwner } from '../ports/journal.ts';

/** What {@link journalContract} needs of a store under test. Made anew for each test. */
export interface JournalHarness {
  /** A new Journal object over the one store, not opened yet: the next life of the process. */
  journal(): Journal;
  /** The process dies: nothing is flushed or closed, its lock is gone. Later journals see what it left. */
  crash(): Promise<void> | void;
  /** The store is emptied while nobody has it open. */
  wipe(): Promise<void> | void;
  /** The next write to the store fails; those after it would succeed. */
  failNext(): void;
  /** A durable record, not the first, becomes unreadable while nobody has the store open. */
  damage(): Promise<void> | void;
  /** How often anything was made durable so far; only differences are looked at. */
  flushes(): number;
  close(): Promise<void> | void;
}

const owner: JournalOwner = { group: 'orders', node: 'n1' };
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const texts = (records: readonly Uint8Array[]): string[] => records.map((record) => new TextDecoder().decode(record));
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `r${from + i}`);

/** Appends and flushes. */
async function write(journal: Journal, records: readonly string[]): Promise<void> {
  for (const record of records) journal.append(bytes(record));
  await journal.flush();
}

/** The suite every {@link Journal} passes. */
export function journalContract(name: string, makeHarness: () => Promise<JournalHarness> | JournalHarness): void {
  describe(`Journal contract: ${name}`, () => {
    let harness: JournalHarness;
    afterEach(async () => await harness.close());

    async function opened(): Promise<Journal> {
      const journal = harness.journal();
      await journal.open(owner);
      return journal;
    }

    /** What a next life reads. The store is free before and after. */
    async function read(): Promise<string[]> {
      const journal = harness.journal();
      const contents = await journal.open(owner);
      expect(contents.damage).toBe(null);
      await journal.close();
      return texts(contents.records);
    }

    it('is empty at first, and has an identity of its own', async () => {
      harness = await makeHarness();
      const journal = harness.journal();
      const contents = await journal.open(owner);
      expect(contents).toEqual({
        storeId: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        incarnations: 1,
        records: [],
        tornBytes: 0,
        damage: null,
      });
      await journal.close();
    });

    it('I2: keeps its storeId, and counts every opening durably', async () => {
      harness = await makeHarness();
      const first = await harness.journal().open(owner);
      await harness.crash();
      const second = await harness.journal().open(owner);
      await harness.crash();
      const journal = harness.journal();
      const third = await journal.open(owner);
      await journal.close();
      expect([first, second, third].map((contents) => contents.incarnations)).toEqual([1, 2, 3]);
      expect(new Set([first, second, third].map((contents) => contents.storeId)).size).toBe(1);
    });

    it('I2: is another store after a wipe', async () => {
      harness = await makeHarness();
      const journal = harness.journal();
      const before = await journal.open(owner);
      await write(journal, ['a']);
      await journal.close();
      await harness.wipe();
      const next = harness.journal();
      const after = await next.open(owner);
      await next.close();
      expect(after.storeId).not.toBe(before.storeId);
      expect(after).toMatchObject({ incarnations: 1, records: [], damage: null });
    });

    it('reads flushed records in the order of their appending, after a close and after a crash', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 3));
      await write(journal, numbered(4, 5));
      await journal.close();
      expect(await read()).toEqual(numbered(1, 5));
      const next = await opened();
      await write(next, numbered(6, 7));
      await harness.crash();
      expect(await read()).toEqual(numbered(1, 7));
    });

    it('keeps empty records, large ones and every byte', async () => {
      harness = await makeHarness();
      const journal = await opened();
      const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const large = new Uint8Array(1.5 * 1024 * 1024).map((_, i) => i * 31 + (i >> 8));
      for (const record of [new Uint8Array(0), allBytes, large, new Uint8Array(9), allBytes]) journal.append(record);
      await journal.flush();
      await harness.crash();
      const next = harness.journal();
      const { records } = await next.open(owner);
      await next.close();
      expect(records.map((record) => record.length)).toEqual([0, 256, large.length, 9, 256]);
      expect(Buffer.compare(records[1] as Uint8Array, allBytes)).toBe(0);
      expect(Buffer.compare(records[2] as Uint8Array, large)).toBe(0);
      expect(Buffer.compare(records[4] as Uint8Array, allBytes)).toBe(0);
    });

    it('copies what it is given', async () => {
      harness = await makeHarness();
      const journal = await opened();
      const record = bytes('before');
      journal.append(record);
      record.set(bytes('after!'));
      await journal.flush();
      await journal.close();
      expect(await read()).toEqual(['before']);
    });

    it('may lose what was not flushed, but never reorders it or keeps a part of a record', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 2));
      for (const record of numbered(3, 6)) journal.append(bytes(record));
      void journal.flush().catch(() => {});
      for (const record of numbered(7, 9)) journal.append(bytes(record));
      await harness.crash();
      const records = await read();
      expect(records.length).toBeGreaterThanOrEqual(2);
      expect(numbered(1, 9).slice(0, records.length)).toEqual(records);
    });

    it('P3: one flush in flight; flushes asked for meanwhile are served together by the next', async () => {
      harness = await makeHarness();
      const journal = await opened();
      const before = harness.flushes();
      const order: string[] = [];
      journal.append(bytes('r1'));
      const first = journal.flush().then(() => order.push('first'));
      const waiting: Promise<unknown>[] = [];
      for (const record of numbered(2, 20)) {
        journal.append(bytes(record));
        waiting.push(journal.flush().then(() => order.push(record)));
      }
      await Promise.all([first, ...waiting]);
      expect(harness.flushes() - before).toBeLessThanOrEqual(2);
      expect(order).toEqual(['first', ...numbered(2, 20)]);
      await journal.close();
      expect(await read()).toEqual(numbered(1, 20));
    });

    it('resolves a flush of nothing, and one whose records are being flushed already', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await journal.flush();
      journal.append(bytes('r1'));
      await Promise.all([journal.flush(), journal.flush()]);
      await journal.flush();
      await journal.close();
      expect(await read()).toEqual(['r1']);
    });

    it('P3, fault 45: a failure is final: every later flush rejects and nothing more is written', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 2));
      harness.failNext();
      journal.append(bytes('r3'));
      await expect(journal.flush()).rejects.toBeInstanceOf(JournalFailedError);
      journal.append(bytes('r4'));
      await expect(journal.flush()).rejects.toBeInstanceOf(JournalFailedError);
      await expect(journal.checkpoint([bytes('c')])).rejects.toBeInstanceOf(JournalFailedError);
      await journal.close();
      const records = await read();
      expect(records.slice(0, 2)).toEqual(numbered(1, 2));
      expect(records).not.toContain('r4');
      expect(records).not.toContain('c');
    });

    it('P3: a failure rejects the flush under way and all that wait', async () => {
      harness = await makeHarness();
      const journal = await opened();
      harness.failNext();
      journal.append(bytes('r1'));
      const first = journal.flush();
      const settled = [first];
      await Promise.resolve();
      journal.append(bytes('r2'));
      settled.push(journal.flush(), journal.checkpoint([bytes('c')]));
      const outcomes = await Promise.allSettled(settled);
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected']);
      await journal.close();
    });

    it('P6: a checkpoint replaces what was appended before it, and later records follow it', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 4));
      await journal.checkpoint([bytes('c1'), bytes('c2')]);
      await write(journal, numbered(5, 6));
      await journal.close();
      expect(await read()).toEqual(['c1', 'c2', 'r5', 'r6']);
      const next = await opened();
      await next.checkpoint([bytes('d1')]);
      await next.checkpoint([]);
      await write(next, ['r7']);
      await harness.crash();
      expect(await read()).toEqual(['r7']);
    });

    it('P6: records appended during a checkpoint follow it; those before it are replaced, flushed or not', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, ['r1']);
      journal.append(bytes('r2'));
      const before = journal.flush();
      await Promise.resolve();
      journal.append(bytes('r3'));
      const waiting = journal.flush();
      const checkpoint = journal.checkpoint([bytes('c1')]);
      journal.append(bytes('r4'));
      const during = journal.flush();
      await Promise.resolve();
      journal.append(bytes('r5'));
      await Promise.all([before, waiting, checkpoint, during, journal.flush()]);
      await harness.crash();
      expect(await read()).toEqual(['c1', 'r4', 'r5']);
    });

    it('P6: of two checkpoints asked for at once the later one stands', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, ['r1']);
      const first = journal.checkpoint([bytes('c1')]);
      journal.append(bytes('r2'));
      const second = journal.checkpoint([bytes('c2')]);
      await Promise.all([first, second]);
      await journal.close();
      expect(await read()).toEqual(['c2']);
    });

    it('P6: a crash during a checkpoint leaves the old records or the new ones', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 3));
      void journal.checkpoint([bytes('c1'), bytes('c2')]).catch(() => {});
      await harness.crash();
      expect([numbered(1, 3), ['c1', 'c2']]).toContainEqual(await read());
    });

    it('P6: a failed checkpoint leaves the old records', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, numbered(1, 3));
      harness.failNext();
      await expect(journal.checkpoint([bytes('c1')])).rejects.toBeInstanceOf(JournalFailedError);
      await expect(journal.flush()).rejects.toBeInstanceOf(JournalFailedError);
      await journal.close();
      expect(await read()).toEqual(numbered(1, 3));
    });

    it('counts the bytes since the last checkpoint, over a reopening too', async () => {
      harness = await makeHarness();
      const journal = await opened();
      expect(journal.bytesSinceCheckpoint).toBe(0);
      await write(journal, ['x'.repeat(1000)]);
      const once = journal.bytesSinceCheckpoint;
      expect(once).toBeGreaterThanOrEqual(1000);
      await write(journal, ['x'.repeat(1000)]);
      expect(journal.bytesSinceCheckpoint).toBeGreaterThanOrEqual(2 * 1000);
      await journal.close();
      const next = await opened();
      expect(next.bytesSinceCheckpoint).toBeGreaterThanOrEqual(2 * 1000);
      await next.checkpoint([bytes('x'.repeat(5000))]);
      expect(next.bytesSinceCheckpoint).toBe(0);
      await write(next, ['x'.repeat(1000)]);
      expect(next.bytesSinceCheckpoint).toBeGreaterThanOrEqual(1000);
      expect(next.bytesSinceCheckpoint).toBeLessThan(3000);
      await next.close();
    });

    it('fault 47: refuses the journal of another node or group, naming both, and leaves it as it is', async () => {
      harness = await makeHarness();
      const journal = await opened();
      await write(journal, ['r1']);
      await journal.close();
      const otherNode = harness.journal().open({ group: 'orders', node: 'n2' });
      await expect(otherNode).rejects.toBeInstanceOf(ForeignJournalError);
      await expect(otherNode).rejects.toThrow(/"n1".*"orders".*"n2".*"orders"/);
      const otherGroup = harness.journal().open({ group: 'stock', node: 'n1' });
      await expect(otherGroup).rejects.toBeInstanceOf(ForeignJournalError);
      const next = harness.journal();
      expect(await next.open(owner)).toMatchObject({ incarnations: 2, records: [bytes('r1')] });
      await next.close();
    });

    it('fault 46: refuses a second opener until the first closes or dies', async () => {
      harness = await makeHarness();
      const first = await opened();
      await expect(harness.journal().open(owner)).rejects.toBeInstanceOf(JournalLockedError);
      await write(first, ['r1']);
      await first.close();
      await opened();
      await expect(harness.journal().open(owner)).rejects.toBeInstanceOf(JournalLockedError);
      await harness.crash();
      expect(await read()).toEqual(['r1']);
    });

    it('close flushes what is appended, may be called twice, and ends all use', async () => {
      harness = await makeHarness();
      const journal = await opened();
      journal.append(bytes('r1'));
      await Promise.all([journal.close(), journal.close()]);
      await journal.close();
      expect(() => journal.append(bytes('r2'))).toThrow(ClosedError);
      await expect(journal.flush()).rejects.toBeInstanceOf(ClosedError);
      await expect(journal.checkpoint([])).rejects.toBeInstanceOf(ClosedError);
      await expect(journal.open(owner)).rejects.toBeInstanceOf(ClosedError);
      expect(await read()).toEqual(['r1']);
    });

    it('close during the opening waits for it', async () => {
      harness = await makeHarness();
      const journal = harness.journal();
      const opening = journal.open(owner);
      const closing = journal.close();
      await expect(opening).resolves.toMatchObject({ incarnations: 1 });
      await closing;
      expect(() => journal.append(bytes('r1'))).toThrow(ClosedError);
      expect(await read()).toEqual([]);
    });

    it('close says when it could not flush, and gives the lock back all the same', async () => {
      harness = await makeHarness();
      const journal = await opened();
      harness.failNext();
      journal.append(bytes('r1'));
      await expect(journal.close()).rejects.toBeInstanceOf(JournalFailedError);
      const next = await opened();
      harness.failNext();
      next.append(bytes('r1'));
      await expect(next.flush()).rejects.toBeInstanceOf(JournalFailedError);
      next.append(bytes('r2'));
      await expect(next.close()).rejects.toBeInstanceOf(JournalFailedError);
      expect(await read()).not.toContain('r2');
    });

    it('is not used before it is opened', async () => {
      harness = await makeHarness();
      const journal = harness.journal();
      expect(() => journal.append(bytes('r1'))).toThrow(ClosedError);
      await expect(journal.flush()).rejects.toBeInstanceOf(ClosedError);
      await journal.close();
      await expect(journal.open(owner)).rejects.toBeInstanceOf(ClosedError);
      expect(await read()).toEqual([]);
    });

    it('P5: reports damage at every opening, returns the records before it, and takes no more', async () => {
      harness = await makeHarness();
      const journal = await opened();
      for (const record of numbered(1, 4)) await write(journal, [record]);
      await journal.close();
      await harness.damage();
      for (let opening = 1; opening <= 2; opening++) {
        const next = harness.journal();
        const contents = await next.open(owner);
        expect(contents.damage).toEqual(expect.any(String));
        expect(contents.records.length).toBeLessThan(4);
        expect(texts(contents.records)).toEqual(numbered(1, contents.records.length));
        next.append(bytes('r5'));
        await expect(next.flush()).rejects.toBeInstanceOf(JournalFailedError);
        await expect(next.checkpoint([bytes('c')])).rejects.toBeInstanceOf(JournalFailedError);
        await next.close();
      }
    });
  });
}
