import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JournalHarness, journalContract } from '@synod/protocol/testing';
import { type Files, nodeFiles } from './files.ts';
import { DiskJournal } from './journal.ts';

/** The machine's own file system, with a count of syncs and a failure on demand. */
function diskHarness(): JournalHarness {
  const root = fs.mkdtempSync(join(tmpdir(), 'synod-journal-'));
  const journals: DiskJournal[] = [];
  let life = 0;
  let syncs = 0;
  let isFailing = false;
  const folder = () => join(root, `life-${life}`);
  const files: Files = {
    ...nodeFiles,
    create: (path) => watched(nodeFiles.create(path)),
    open: (path) => watched(nodeFiles.open(path)),
  };
  const watched = (file: ReturnType<Files['open']>): ReturnType<Files['open']> => ({
    ...file,
    write(bytes, at) {
      if (!isFailing) return file.write(bytes, at);
      isFailing = false;
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    },
    sync() {
      syncs += 1;
      return file.sync();
    },
  });
  return {
    journal() {
      const journal = new DiskJournal(folder(), { segmentBytes: 64 * 1024 }, files);
      journals.push(journal);
      return journal;
    },
    // What a killed process leaves is what the kernel has: a copy of the folder. The old one goes on in vain.
    crash() {
      const left = folder();
      life += 1;
      fs.cpSync(left, folder(), { recursive: true });
    },
    wipe: () => fs.rmSync(folder(), { recursive: true }),
    failNext() {
      isFailing = true;
    },
    damage() {
      const segment = join(folder(), '00000001.segment');
      const bytes = fs.readFileSync(segment);
      const at = bytes.indexOf('r3');
      bytes[at] = 0;
      fs.writeFileSync(segment, bytes);
    },
    flushes: () => syncs,
    async close() {
      await Promise.allSettled(journals.map((journal) => journal.close()));
      fs.rmSync(root, { recursive: true, force: true });
    },
  };
}

journalContract('diskJournal', diskHarness);
