import type { JournalContents } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameSize, MARK_SIZE, SEGMENT_HEAD } from './frame.ts';
import { recover } from './recovery.ts';
import { segmentNumber } from './segment.ts';
import { SimulatedFiles } from './simulated-files.test.support.ts';
import { folder, owner, simulatedJournal } from './workload.test.support.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const texts = (records: readonly Uint8Array[]): string[] => records.map((record) => Buffer.from(record).toString());
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `record ${from + i}`.padEnd(((from + i) * 7) % 40, '.'));

/** Each list is one flush. */
async function write(files: SimulatedFiles, flushes: readonly (readonly string[])[], segmentBytes = 4096) {
  const journal = simulatedJournal(files, segmentBytes);
  await journal.open(owner);
  for (const records of flushes) {
    for (const record of records) journal.append(bytes(record));
    await journal.flush();
  }
  return journal;
}

async function read(files: SimulatedFiles): Promise<JournalContents> {
  const journal = simulatedJournal(files, 4096);
  const contents = await journal.open(owner);
  await journal.close();
  return contents;
}

/** The same files, one of them changed. */
function changed(files: SimulatedFiles, name: string, change: (bytes: Buffer) => void): SimulatedFiles {
  const entries = files.entries();
  for (const [path, content] of entries) if (path === `${folder}/${name}`) change(content);
  return new SimulatedFiles(entries);
}

const contentOf = (files: SimulatedFiles, name: string): Buffer => files.read(`${folder}/${name}`) as Buffer;
const first = '00000001.segment';

/** A journal whose last flush, of four records, is not acknowledged: where it begins and ends. */
async function unfinished() {
  const before = new SimulatedFiles();
  await write(before, [numbered(1, 3), numbered(4, 5)]);
  const after = before.killed();
  await write(after, [numbered(6, 9)]);
  const begin = endOf(contentOf(before, first));
  const end = endOf(contentOf(after, first)) - MARK_SIZE; // without the mark, which would say that the flush was durable
  return { before, after, begin, end };
}

/** Where the next record would go. */
function endOf(content: Buffer): number {
  const recovery = recover([{ path: first, number: 1, read: (length) => content.subarray(0, length) }], null);
  expect(recovery.damage).toBe(null);
  return recovery.tail?.end ?? 0;
}

describe('P5, fault 43: a torn tail', () => {
  const acknowledged = numbered(1, 5);
  const all = numbered(1, 9);

  /** What the crash left holds all that was acknowledged, nothing in part, and takes new records that are read again. */
  async function demandCut(files: SimulatedFiles, why: string): Promise<number> {
    const found = await read(files);
    expect(found.damage, why).toBe(null);
    expect(texts(found.records), why).toEqual(all.slice(0, found.records.length));
    expect(found.records.length, why).toBeGreaterThanOrEqual(acknowledged.length);
    // The space of the cut is used again; whatever lay there is not read behind the new records (numbered alike in length).
    const more = numbered(16, 17);
    await (await write(files, [more.slice(0, 1), more.slice(1)])).close();
    const next = await read(files);
    expect(next.damage, why).toBe(null);
    expect(texts(next.records), why).toEqual([...texts(found.records), ...more]);
    return found.tornBytes;
  }

  it('at every offset is cut at the last whole record', async () => {
    const { after, begin, end } = await unfinished();
    for (let cut = begin; cut <= end; cut++) {
      const tornBytes = await demandCut(
        changed(after, first, (content) => content.fill(0, cut)),
        `cut at ${cut}`,
      );
      expect(tornBytes).toBeLessThanOrEqual(cut - begin);
    }
  });

  it('at every offset is cut when other bytes follow it', async () => {
    const { after, begin, end } = await unfinished();
    for (let cut = begin; cut < end; cut++) {
      await demandCut(
        changed(after, first, (content) => content.fill(0, end).fill(0xa5, cut, cut + 100)),
        `garbage from ${cut}`,
      );
    }
  });

  it('with a hole at every offset is cut before the hole: what was never acknowledged is no damage', async () => {
    const { after, begin, end } = await unfinished();
    for (let hole = begin; hole < end; hole += 3) {
      await demandCut(
        changed(after, first, (content) => content.fill(0, end).fill(0, hole, hole + 16)),
        `hole at ${hole}`,
      );
    }
  });

  it('whose first record alone is lost does not come back behind a new record of the same length', async () => {
    const { after, begin, end } = await unfinished();
    const files = changed(after, first, (content) => content.fill(0, end).fill(0, begin, begin + 8));
    expect(texts((await read(files.killed())).records)).toEqual(acknowledged);
    const same = bytes('R'.repeat((numbered(6, 6)[0] as string).length));
    const journal = await write(files, []);
    journal.append(same);
    await journal.flush();
    await journal.close();
    const found = await read(files);
    expect(found).toMatchObject({ damage: null, tornBytes: 0 });
    expect(texts(found.records)).toEqual([...acknowledged, Buffer.from(same).toString()]);
  });
});

describe('P5: the chain', () => {
  it('does not go on to a record left from before a cut, even in space that was never zeroed', async () => {
    const { before, after, begin, end } = await unfinished();
    const lost = numbered(6, 6)[0] as string;
    const next = begin + frameSize(lost.length);
    const other = before.killed();
    await write(other, [['R'.repeat(lost.length)]]); // in place of the first record of the lost flush
    const mixed = contentOf(other, first);
    contentOf(after, first).copy(mixed, next, next, end);
    expect(endOf(mixed)).toBe(next);
  });
});

describe('P5, fault 44: a flipped bit', () => {
  /**
   * Every bit of every file. A flip is damage, and then the records before it are returned; or it lies where nothing is
   * kept, and then all records are. It never changes a record and never loses one silently.
   */
  async function demandNoFlipIsMissed(files: SimulatedFiles, expected: readonly string[]): Promise<void> {
    const segments = files.entries().filter(([path]) => segmentNumber(path.slice(folder.length + 1)) !== null);
    const found = segments.map(([path, content]) => ({
      path,
      number: segmentNumber(path.slice(folder.length + 1)) as number,
      content,
      read: (length?: number) => content.subarray(0, length),
    }));
    const storeId = recover(found, null).storeId;
    let detected = 0;
    for (const { path, content } of found) {
      for (let bit = 0; bit < content.length * 8; bit++) {
        content[bit >> 3] = (content[bit >> 3] as number) ^ (1 << (bit & 7));
        const { records, damage } = recover(found, storeId);
        content[bit >> 3] = (content[bit >> 3] as number) ^ (1 << (bit & 7));
        const isWhole = texts(records).join('|') === expected.join('|');
        const isPrefix = texts(records).every((record, index) => record === expected[index]);
        if (damage !== null) detected += 1;
        if (damage === null ? !isWhole : !isPrefix) {
          expect.fail(`${path} bit ${bit}: ${damage ?? 'no damage'}, ${records.length} of ${expected.length} records`);
        }
        if (damage !== null && !damage.includes('.segment: offset ')) expect.fail(`no place in words: ${damage}`);
      }
    }
    expect(detected).toBeGreaterThan(8 * SEGMENT_HEAD);
  }

  it('is detected anywhere in a journal of one segment, in its last flush too', async () => {
    const files = new SimulatedFiles();
    await write(files, [numbered(1, 2), numbered(3, 3), numbered(4, 5)], 512);
    await demandNoFlipIsMissed(files.killed(), numbered(1, 5));
  });

  it('is detected anywhere in a journal of a checkpoint and several segments', async () => {
    const files = new SimulatedFiles();
    const journal = await write(files, [numbered(1, 5)], 512);
    await journal.checkpoint(numbered(11, 14).map(bytes));
    for (const record of numbered(15, 32)) {
      journal.append(bytes(record));
      if (record.length % 3 === 0) await journal.flush();
    }
    await journal.flush();
    expect(files.list(folder).filter((name) => name.endsWith('.segment')).length).toBeGreaterThan(1);
    await demandNoFlipIsMissed(files.killed(), numbered(11, 32));
  });

  it('is detected in the records of a checkpoint, and old segments do not stand in for it', async () => {
    const files = new SimulatedFiles();
    const journal = await write(files, [numbered(1, 5)], 512);
    const old = files.entries().filter(([path]) => path.endsWith('.segment'));
    await journal.checkpoint(numbered(11, 14).map(bytes));
    // As if the power had failed before the old segment was removed and the mark of the pause was written.
    const left = new SimulatedFiles([...files.entries(), ...old]);
    const end = contentOf(left, '00000002.segment').findLastIndex((byte) => byte !== 0) + 1;
    const unmarked = changed(left, '00000002.segment', (content) => content.fill(0, end - MARK_SIZE));
    expect(texts((await read(unmarked.killed())).records)).toEqual(numbered(11, 14));
    await demandNoFlipIsMissedIn(unmarked, '00000002.segment');

    async function demandNoFlipIsMissedIn(both: SimulatedFiles, name: string): Promise<void> {
      const { length } = contentOf(both, name);
      for (let at = 0; at < length; at++) {
        const flipped = changed(both, name, (content) => {
          content[at] = (content[at] as number) ^ 0x10;
        });
        const { records, damage } = await read(flipped);
        if (damage === null) expect(texts(records)).toEqual(numbered(11, 14));
        else if (at >= SEGMENT_HEAD) expect(texts(records)).toEqual(numbered(11, 14).slice(0, records.length));
      }
    }
  });

  it('I2: is detected anywhere in the identity', async () => {
    const files = new SimulatedFiles();
    await (await write(files, [numbered(1, 2)])).close();
    const { length } = contentOf(files, 'identity');
    const { storeId } = await read(files.killed());
    for (let bit = 0; bit < length * 8; bit++) {
      const flipped = changed(files, 'identity', (content) => {
        content[bit >> 3] = (content[bit >> 3] as number) ^ (1 << (bit & 7));
      });
      const contents = await read(flipped);
      expect(contents).toMatchObject({ damage: expect.stringContaining('/j/identity: offset 0'), storeId });
      expect(texts(contents.records)).toEqual(numbered(1, 2));
    }
  });
});

describe('P5: damage', () => {
  async function threeSegments(): Promise<SimulatedFiles> {
    const files = new SimulatedFiles();
    const large = numbered(1, 6).map((record) => record.padEnd(300, '*'));
    await (await write(files, [large.slice(0, 2), large.slice(2, 4), large.slice(4)], 1024)).close();
    expect(files.list(folder).filter((name) => name.endsWith('.segment')).length).toBe(3);
    return files;
  }

  it('in the middle is told with file, offset and proof, at every opening, and nothing more is taken', async () => {
    const files = new SimulatedFiles();
    await (await write(files, [numbered(1, 1), numbered(2, 2), numbered(3, 3)])).close();
    const at = contentOf(files, first).indexOf('record 2');
    const broken = changed(files, first, (content) => content.write('R', at));
    for (let opening = 0; opening < 2; opening++) {
      const segment = contentOf(broken, first);
      const journal = simulatedJournal(broken);
      const contents = await journal.open(owner);
      expect(contents.damage).toBe(
        `/j/${first}: offset ${at - 24}: the record there is broken, yet the record at offset ${at + 16} says that all up to offset ${at + 16} was durable`,
      );
      expect(texts(contents.records)).toEqual(numbered(1, 1));
      journal.append(bytes('more'));
      await expect(journal.flush()).rejects.toThrow(`takes nothing more, it is damaged: /j/${first}`);
      await journal.close();
      expect(contentOf(broken, first).equals(segment)).toBe(true);
    }
  });

  it('of several sectors is found by any later record, not only by the next', async () => {
    const files = new SimulatedFiles();
    await (await write(files, [numbered(1, 1), numbered(2, 4), numbered(5, 7), numbered(8, 8)])).close();
    const content = contentOf(files, first);
    const from = content.indexOf('record 2') - 24;
    const to = content.indexOf('record 7') - 24;
    for (const byte of [0, 0xff]) {
      const contents = await read(changed(files, first, (segment) => segment.fill(byte, from, to)));
      expect(contents.damage).toContain(`/j/${first}: offset ${from}: `);
      expect(texts(contents.records)).toEqual(numbered(1, 1));
    }
  });

  it('is a segment that is missing: the first, one in the middle, all of them', async () => {
    const files = await threeSegments();
    const without = (...names: string[]) =>
      read(new SimulatedFiles(files.entries().filter(([path]) => !names.includes(path.slice(folder.length + 1)))));
    const segments = files.list(folder).filter((name) => name.endsWith('.segment'));
    const [one, two, three] = segments.sort() as [string, string, string];
    expect((await without(one)).damage).toContain('segments before it are missing');
    expect((await without(two)).damage).toContain('segment 2 before it is missing');
    expect((await without(one, two, three)).damage).toContain('no segment is left');
  });

  it('is a segment that is shorter than it was made', async () => {
    const files = await threeSegments();
    const entries = files.entries().map(([path, content]): [string, Buffer] => {
      return [path, path.endsWith('00000003.segment') ? content.subarray(0, content.length - 1) : content];
    });
    expect((await read(new SimulatedFiles(entries))).damage).toMatch(
      /00000003\.segment: offset \d+: the file ends here/,
    );
  });

  it('is a segment of another store, or of another place in this one', async () => {
    const files = await threeSegments();
    const others = await threeSegments();
    const foreign = changed(files, '00000002.segment', (content) => {
      contentOf(others, '00000002.segment').copy(content);
    });
    expect((await read(foreign)).damage).toMatch(/00000002\.segment: offset 57: it belongs to store \w+, not to \w+/);
    const swapped = changed(files, '00000002.segment', (content) => {
      contentOf(files, '00000003.segment').copy(content);
    });
    expect((await read(swapped)).damage).toMatch(/00000002\.segment: offset 16: it says to be segment 3/);
  });

  it('is an identity that is missing; the segments tell the store', async () => {
    const files = await threeSegments();
    const { storeId } = await read(files.killed());
    const left = new SimulatedFiles(files.entries().filter(([path]) => path !== '/j/identity'));
    const journal = simulatedJournal(left);
    expect(await journal.open(owner)).toMatchObject({ storeId, damage: expect.stringContaining('it is missing') });
    await expect(journal.checkpoint([])).rejects.toThrow('takes nothing more');
    await journal.close();
    expect((await read(left)).damage).toContain('it is missing');
    const nothing = new SimulatedFiles([['/j/identity', Buffer.from('?')]]);
    await expect(read(nothing)).rejects.toThrow('cannot open: /j/identity: offset 0: it is broken');
  });
});

describe('recovery', () => {
  it('takes whatever bytes it is given, and returns no record that was not written', async () => {
    const files = new SimulatedFiles();
    await write(files, [numbered(1, 2), numbered(3, 5)], 512);
    const written = numbered(1, 5);
    const { length } = contentOf(files, first);
    const anywhere = fc.record({ at: fc.nat(length), bytes: fc.uint8Array({ maxLength: 200 }) });
    fc.assert(
      fc.property(fc.array(anywhere, { maxLength: 4 }), fc.nat(length), (changes, end) => {
        const content = contentOf(files, first);
        for (const change of changes) content.set(change.bytes.subarray(0, length - change.at), change.at);
        for (const bytes of [content, content.subarray(0, end)]) {
          const { records } = recover([{ path: first, number: 1, read: (count) => bytes.subarray(0, count) }], null);
          expect(texts(records)).toEqual(written.slice(0, records.length));
        }
      }),
      { numRuns: 300 },
    );
  });
});
