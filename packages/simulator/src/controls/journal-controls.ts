import { recoveryRules } from '@synod/paxos';
import type { Journal, JournalOwner } from '@synod/protocol';
import { rulesOf } from './broken.ts';
import type { Control } from './control.ts';

/** Says that a checkpoint is done when it begins. */
class HastyJournal implements Journal {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  get bytesSinceCheckpoint(): number {
    return this.#journal.bytesSinceCheckpoint;
  }

  open(owner: JournalOwner) {
    return this.#journal.open(owner);
  }

  append(record: Uint8Array): void {
    this.#journal.append(record);
  }

  flush(): Promise<void> {
    return this.#journal.flush();
  }

  async checkpoint(records: readonly Uint8Array[]): Promise<void> {
    this.#journal.checkpoint(records).catch(() => {});
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

/** Broken rules of what a journal keeps, and of when it does (P6, I2). */
export const journalControls: readonly Control[] = [
  {
    name: 'checkpoint-forgets-peers',
    rule: 'I2, "peers durably keep the highest seen per store"',
    sentence: 'A checkpoint does not say again how often the stores of others had been opened.',
    engines: [
      {
        kind: 'seeds',
        seed: 18,
        rules: () =>
          rulesOf({
            recovery: {
              checkpointRecords: (state) => recoveryRules.checkpointRecords({ ...state, peers: new Map() }),
            },
          }),
      },
    ],
    finds: /I2/,
  },
  {
    name: 'trimmed-before-durable',
    rule: 'P6',
    sentence: 'Slots are forgotten when the checkpoint that covers them begins, not when it is durable.',
    engines: [{ kind: 'seeds', seed: 6, rules: () => rulesOf({ journal: (journal) => new HastyJournal(journal) }) }],
    finds: /P6/,
  },
];
