import { JournalFailedError } from '@synod/protocol';
import { seededRandom } from '@synod/protocol/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedFiles } from './simulated-files.test.support.ts';
import { JournalModel, owner, perform, type Step, simulatedJournal } from './workload.test.support.ts';

const append = (bytes: number): Step => ({ do: 'append', bytes });
const flush = (wait = true): Step => ({ do: 'flush', wait });
const checkpoint = (bytes: readonly number[], wait = true): Step => ({ do: 'checkpoint', bytes, wait });
const pause: Step = { do: 'pause' };
const reopen: Step = { do: 'reopen' };

/** The first life, group commit, a new segment within a flush, a record larger than a segment. */
const growing: readonly Step[] = [
  append(10),
  flush(),
  append(200),
  append(0),
  flush(false),
  append(300),
  append(30),
  flush(false),
  pause,
  append(400),
  append(3000),
  append(5),
  flush(),
  append(7),
  reopen,
  append(9),
  flush(),
];

/** Checkpoints: small, larger than a segment, empty, with records appended before, during and after. */
const checkpointing: readonly Step[] = [
  append(100),
  append(900),
  flush(),
  append(50),
  checkpoint([20, 30]),
  append(60),
  flush(false),
  checkpoint([1500, 40], false),
  append(70),
  flush(),
  checkpoint([], false),
  append(80),
  checkpoint([11], false),
  append(90),
  flush(),
  reopen,
  checkpoint([12, 13]),
];

async function operationsOf(steps: readonly Step[]): Promise<number> {
  const files = new SimulatedFiles();
  await perform(steps, files, new JournalModel());
  return files.operations;
}

/** As {@link perform}. A failure of the disk is expected, and nothing else; a mark that fails at the end nobody hears of. */
async function performUntilFailure(
  steps: readonly Step[],
  files: SimulatedFiles,
  model: JournalModel,
  words = /cannot (open|flush|write a checkpoint): /,
): Promise<void> {
  try {
    await perform(steps, files, model);
  } catch (error) {
    if (!(error instanceof JournalFailedError)) throw error;
    expect(error.message).toMatch(words);
  }
}

/** Opens what a crash left, twice, with a record in between: what was read once stays. */
async function demandRecovery(files: SimulatedFiles, model: JournalModel): Promise<void> {
  await perform([{ do: 'append', bytes: 15 }, flush(), reopen], files, model);
}

describe('a crash at any operation', () => {
  for (const [name, steps] of Object.entries({ growing, checkpointing })) {
    it(`P3, P6: of a ${name} journal leaves all that was acknowledged and nothing in part: process killed`, async () => {
      const operations = await operationsOf(steps);
      for (let at = 1; at <= operations; at++) {
        const files = new SimulatedFiles();
        files.trouble = { at, kind: 'crash' };
        const model = new JournalModel();
        await performUntilFailure(steps, files, model);
        await demandRecovery(files.killed(), model);
      }
    });

    it(`P3, P6, fault 45: of a ${name} journal leaves the same when the power fails`, async () => {
      const operations = await operationsOf(steps);
      for (let seed = 1; seed <= 6; seed++) {
        for (let at = 1; at <= operations; at++) {
          const files = new SimulatedFiles();
          files.trouble = { at, kind: 'crash' };
          const model = new JournalModel();
          await performUntilFailure(steps, files, model);
          await demandRecovery(files.powerless(seededRandom(1000 * seed + at)), model);
        }
      }
    });

    it(`P3, fault 45: an error at any operation of a ${name} journal ends all writing`, async () => {
      const oneLife = steps.filter((step) => step.do !== 'reopen');
      const operations = await operationsOf(oneLife);
      for (let at = 1; at <= operations; at++) {
        const files = new SimulatedFiles();
        files.trouble = { at, kind: 'error', code: 'ENOSPC' };
        const model = new JournalModel();
        await performUntilFailure(oneLife, files, model, /the disk is full \(ENOSPC\)/);
        expect(files.operations).toBe(at);
        await demandRecovery(files.killed(), model);
      }
    });
  }

  it('P3: a crash while a crash is being repaired leaves the same', async () => {
    const operations = await operationsOf(growing);
    for (let at = 1; at <= operations; at += 3) {
      for (let again = 1; again <= 12; again++) {
        const files = new SimulatedFiles();
        files.trouble = { at, kind: 'crash' };
        const model = new JournalModel();
        await performUntilFailure(growing, files, model);
        const left = files.powerless(seededRandom(at));
        left.trouble = { at: again, kind: 'crash' };
        await performUntilFailure([append(15), flush()], left, model);
        await demandRecovery(left.powerless(seededRandom(100 * at + again)), model);
      }
    }
  });

  it('fault 45: what was read after a failed fsync stays when the power fails, though the cache alone had it', async () => {
    const operations = await operationsOf(growing);
    for (let at = 1; at <= operations; at++) {
      const files = new SimulatedFiles();
      files.trouble = { at, kind: 'error' };
      const model = new JournalModel();
      await performUntilFailure(growing, files, model);
      await perform([], files, model); // the next process, over the same cache: reads, and writes nothing of its own
      await demandRecovery(files.powerless(seededRandom(at)), model);
    }
  });

  it('fault 42: short writes are followed by the rest', async () => {
    for (const writeAtMost of [1, 7, 100]) {
      const files = new SimulatedFiles();
      files.writeAtMost = writeAtMost;
      const model = new JournalModel();
      await perform([...growing, ...checkpointing], files, model);
      await demandRecovery(files, model);
    }
  });
});

describe('any sequence of steps', () => {
  const bytes = fc.oneof(fc.nat(40), fc.nat(700), fc.constant(2500));
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: bytes.map(append) },
    { weight: 4, arbitrary: fc.boolean().map(flush) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.array(bytes, { maxLength: 4 }), fc.boolean()).map(([b, w]) => checkpoint(b, w)),
    },
    { weight: 1, arbitrary: fc.constant(pause) },
    { weight: 1, arbitrary: fc.constant(reopen) },
  );
  const lives = fc.array(
    fc.record({ steps: fc.array(step, { maxLength: 25 }), crashAt: fc.integer({ min: 1, max: 80 }), seed: fc.nat() }),
    { minLength: 1, maxLength: 4 },
  );

  it('P3, P5, P6: in any number of lives, each ended by a power failure, equals the model', async () => {
    await fc.assert(
      fc.asyncProperty(lives, async (all) => {
        let files = new SimulatedFiles();
        const model = new JournalModel();
        for (const { steps, crashAt, seed } of all) {
          files.trouble = { at: crashAt, kind: 'crash' };
          await performUntilFailure(steps, files, model);
          files = files.powerless(seededRandom(seed));
        }
        await demandRecovery(files, model);
      }),
      { numRuns: 150 },
    );
  });
});

describe('segments', () => {
  it('P6: a checkpoint leaves one segment; small journals take little', async () => {
    const files = new SimulatedFiles();
    const journal = simulatedJournal(files, 4 * 1024 * 1024);
    await journal.open(owner);
    for (let i = 0; i < 10; i++) {
      journal.append(new Uint8Array(200_000));
      await journal.flush();
    }
    expect(files.list('/j').filter((name) => name.endsWith('.segment')).length).toBeGreaterThan(1);
    await journal.checkpoint([new Uint8Array(100)]);
    await journal.close();
    const segments = files.entries().filter(([path]) => path.endsWith('.segment'));
    expect(segments.map(([, bytes]) => bytes.length <= 300_000)).toEqual([true]);
  });

  it('group commit: one sync for all that is asked in one turn, one more for all that comes meanwhile', async () => {
    const files = new SimulatedFiles();
    const journal = simulatedJournal(files, 64 * 1024);
    await journal.open(owner);
    const before = files.operations;
    const asked: Promise<void>[] = [];
    const ask = () => {
      journal.append(new Uint8Array(10));
      asked.push(journal.flush());
    };
    for (let i = 0; i < 5; i++) ask();
    await Promise.resolve(); // The first flush has written by now, and waits for its sync.
    for (let i = 0; i < 5; i++) ask();
    await Promise.all(asked);
    await journal.close();
    // Two writes, two syncs, and the mark of the pause after them.
    expect(files.operations - before).toBe(5);
  });
});
