import type { Journal, JournalContents } from '@synod/protocol';
import { expect } from 'vitest';
import { DiskJournal } from './journal.ts';
import type { SimulatedFiles } from './simulated-files.test.support.ts';

/** What a test does with a journal, one thing after another. */
export type Step =
  | { readonly do: 'append'; readonly bytes: number }
  /** `wait: false` goes on while the flush is under way. */
  | { readonly do: 'flush'; readonly wait: boolean }
  | { readonly do: 'checkpoint'; readonly bytes: readonly number[]; readonly wait: boolean }
  /** Lets promises and timers run. */
  | { readonly do: 'pause' }
  | { readonly do: 'reopen' };

export const owner = { group: 'orders', node: 'n1' };
export const folder = '/j';

/** A journal over simulated files, its segments small enough to fill up. */
export const simulatedJournal = (files: SimulatedFiles, segmentBytes = 1024): DiskJournal =>
  new DiskJournal(folder, { segmentBytes }, files);

/**
 * What a journal may hold, by its contract alone: after each step there is one list of records, and a crash may leave any of
 * them from the last acknowledged one on.
 */
export class JournalModel {
  #states: string[][];
  #acknowledged = 0;
  #made = 0;

  constructor(records: readonly string[] = []) {
    this.#states = [[...records]];
  }

  get now(): readonly string[] {
    return this.#states.at(-1) as string[];
  }

  /** Content that no other record has. */
  record(bytes: number): Uint8Array {
    this.#made += 1;
    return Uint8Array.from(Buffer.from(`${this.#made}.`.padEnd(bytes, String.fromCharCode(97 + (this.#made % 26)))));
  }

  append(record: Uint8Array): void {
    this.#states.push([...this.now, text(record)]);
  }

  replace(records: readonly Uint8Array[]): void {
    this.#states.push(records.map(text));
  }

  /** Call when a flush or checkpoint is asked for; the result, when it resolves. */
  acknowledger(): () => void {
    const asked = this.#states.length - 1;
    return () => {
      this.#acknowledged = Math.max(this.#acknowledged, asked);
    };
  }

  /** Demands that the journal holds what was acknowledged and nothing that never was. From now on it holds that. */
  recover(contents: JournalContents): void {
    expect(contents.damage).toBe(null);
    const found = contents.records.map(text);
    const allowed = this.#states.slice(this.#acknowledged);
    if (!allowed.some((state) => isSame(state, found))) expect(allowed).toContainEqual(found);
    this.#states = [found];
    this.#acknowledged = 0;
  }
}

const text = (record: Uint8Array): string => Buffer.from(record).toString('latin1');
const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((record, index) => record === b[index]);

/** Does the steps; ends at the first that fails. */
export async function perform(steps: readonly Step[], files: SimulatedFiles, model: JournalModel): Promise<void> {
  const asked: Promise<unknown>[] = [];
  let isRefused = false;
  const ask = (promise: Promise<void>, acknowledge: () => void): Promise<void> => {
    const told = promise.then(acknowledge);
    asked.push(
      told.catch(() => {
        isRefused = true;
      }),
    );
    return told;
  };
  let journal: Journal = simulatedJournal(files);
  try {
    model.recover(await journal.open(owner));
    for (const step of steps) {
      if (step.do === 'append') {
        const record = model.record(step.bytes);
        journal.append(record);
        model.append(record);
      } else if (step.do === 'flush') {
        const told = ask(journal.flush(), model.acknowledger());
        if (step.wait) await told;
      } else if (step.do === 'checkpoint') {
        const records = step.bytes.map((bytes) => model.record(bytes));
        model.replace(records);
        const told = ask(journal.checkpoint(records), model.acknowledger());
        if (step.wait) await told;
      } else if (step.do === 'pause') await new Promise((resolve) => setImmediate(resolve));
      else {
        const acknowledge = model.acknowledger();
        await journal.close();
        await Promise.all(asked);
        if (!isRefused) acknowledge(); // A close says nothing of records whose flush was refused already.
        journal = simulatedJournal(files);
        model.recover(await journal.open(owner));
      }
    }
  } finally {
    await Promise.all(asked);
    await journal.close().catch(() => {});
  }
}
