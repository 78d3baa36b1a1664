import {
  type Ballot,
  type Configuration,
  compareBallots,
  isSameBallot,
  type JournalRecord,
  type Value,
} from '@synod/protocol';
import { type AcceptorState, freshAcceptor } from './acceptor/acceptor.rules.ts';
import type { SnapshotState } from './learner/learner.rules.ts';
import { sameBytes } from './same-bytes.ts';

/** What a journal's records say. */
export interface Recovered {
  readonly acceptor: AcceptorState;
  /** Learned values after the snapshot. */
  readonly learned: Map<number, Value>;
  readonly snapshot: SnapshotState | null;
  /** Highest round of any ballot in the journal (B2). */
  readonly lastRound: number;
  /** Configuration this store keeps (I5). */
  readonly kept: Configuration | null;
  readonly isFormed: boolean;
  /** Highest incarnation counter seen of each voter's store (I2). */
  readonly peers: Map<string, number>;
}

/** What must be restated when a checkpoint replaces all records before it. */
export type Checkpoint = Omit<Recovered, 'lastRound'>;

/** What records come to, and what stands for them. One object, so that a control can break one. */
export interface RecoveryRules {
  recover(records: readonly JournalRecord[]): Recovered;
  checkpointRecords(checkpoint: Checkpoint): JournalRecord[];
}

export const recoveryRules: RecoveryRules = { recover, checkpointRecords };

/** Folds the records of a journal, in order (P5). */
export function recover(records: readonly JournalRecord[]): Recovered {
  const acceptor = freshAcceptor();
  const learned = new Map<number, Value>();
  const peers = new Map<string, number>();
  let snapshot: SnapshotState | null = null;
  let kept: Configuration | null = null;
  let isFormed = false;
  const promise = (ballot: Ballot): void => {
    if (compareBallots(ballot, acceptor.promised) > 0) acceptor.promised = ballot;
  };
  for (const record of records) {
    switch (record.type) {
      case 'promised':
        promise(record.ballot);
        break;
      case 'accepted':
        promise(record.ballot);
        if (record.slot > acceptor.trimmedThrough) {
          acceptor.accepted.set(record.slot, { ballot: record.ballot, value: record.value });
        }
        break;
      case 'chosen': {
        const held = acceptor.accepted.get(record.slot);
        if (held && isSameBallot(held.ballot, record.ballot)) learned.set(record.slot, held.value);
        break;
      }
      case 'learned':
        if (record.slot > acceptor.trimmedThrough) learned.set(record.slot, record.value);
        break;
      case 'snapshot': {
        const { through, position, bytes } = record;
        if (through < acceptor.trimmedThrough) break;
        snapshot = { through, position, bytes };
        acceptor.trimmedThrough = through;
        for (const slots of [acceptor.accepted, learned]) {
          for (const slot of slots.keys()) if (slot <= through) slots.delete(slot);
        }
        break;
      }
      case 'kept':
        kept = record.configuration;
        break;
      case 'formed':
        isFormed = true;
        break;
      case 'peer':
        peers.set(record.storeId, Math.max(record.incarnations, peers.get(record.storeId) ?? 0));
        break;
    }
  }
  acceptor.chosenThrough = acceptor.trimmedThrough;
  while (learned.has(acceptor.chosenThrough + 1)) acceptor.chosenThrough++;
  return { acceptor, learned, snapshot, lastRound: acceptor.promised.round, kept, isFormed, peers };
}

/**
 * The reverse of {@link recover}: everything that a checkpoint must say again. What the snapshot covers is left out; what is
 * learned beyond it is a mark where the acceptor holds that value, and the value where it does not.
 */
export function checkpointRecords({ acceptor, learned, snapshot, kept, isFormed, peers }: Checkpoint): JournalRecord[] {
  const records: JournalRecord[] = [];
  if (kept) records.push({ type: 'kept', configuration: kept });
  if (isFormed) records.push({ type: 'formed' });
  for (const [storeId, incarnations] of peers) records.push({ type: 'peer', storeId, incarnations });
  if (snapshot) records.push({ type: 'snapshot', ...snapshot });
  const after = snapshot?.through ?? 0;
  if (acceptor.promised.round > 0) records.push({ type: 'promised', ballot: acceptor.promised });
  for (const [slot, { ballot, value }] of acceptor.accepted) {
    if (slot > after) records.push({ type: 'accepted', slot, ballot, value });
  }
  for (const [slot, value] of learned) {
    if (slot <= after) continue;
    const held = acceptor.accepted.get(slot);
    const isHeld = held !== undefined && sameBytes(held.value, value);
    records.push(isHeld ? { type: 'chosen', slot, ballot: held.ballot } : { type: 'learned', slot, value });
  }
  return records;
}
