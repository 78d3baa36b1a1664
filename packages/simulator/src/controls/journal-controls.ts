import { recoveryRules } from '@synod/paxos';
import type { Journal, JournalOwner } from '@synod/protocol';
import { voteRules } from '@synod/runtime';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, SeedsEngine } from './control.ts';

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

/** As if records of that type had come with a later version. */
const tripsOverPeers: Broken = {
  recovery: {
    recover(records) {
      if (records.some(({ type }) => type === 'peer')) throw new TypeError('a record of unknown type');
      return recoveryRules.recover(records);
    },
  },
};

/** In the others every folder is what it was. */
const foundWhereRolledBack = (seed: number, broken: Broken): readonly [SeedsEngine] => [
  {
    kind: 'seeds',
    seed,
    rules: () => rulesOf(broken),
    concerns: ({ faults }) => faults.some(({ kind }) => kind === 'roll back'),
  },
];

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
    name: 'rolled-back-store-votes',
    rule: 'I2, "refuse lower ones"',
    sentence: 'A folder that names fewer openings than were seen of it votes.',
    engines: foundWhereRolledBack(11, { votes: { isRolledBack: () => false } }),
    finds: /I2|agreement|rolled-back store/,
  },
  {
    name: 'same-count-votes',
    rule: 'I2',
    sentence: 'A folder that was put back to its last opening, and is opened as often as it was seen, votes.',
    engines: foundWhereRolledBack(1174, {
      votes: {
        isRolledBack: (store, life, seen) => voteRules.isRolledBack(store, life, seen, undefined),
      },
    }),
    finds: /rolled-back store/,
  },
  {
    name: 'trimmed-before-durable',
    rule: 'P6',
    sentence: 'Slots are forgotten when the checkpoint that covers them begins, not when it is durable.',
    engines: [{ kind: 'seeds', seed: 6, rules: () => rulesOf({ journal: (journal) => new HastyJournal(journal) }) }],
    finds: /P6/,
  },
  {
    name: 'reader-trips-over-a-record',
    rule: 'N1, P5; architecture.md, principle 4',
    sentence: 'Reading the journal throws at a record, and the node is refused to its own folder.',
    engines: [{ kind: 'seeds', seed: 3, rules: () => rulesOf(tripsOverPeers) }],
    finds: /impossible state/,
  },
];
