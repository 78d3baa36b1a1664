import { type Ballot, compareBallots, NO_BALLOT } from '@synod/protocol';
import type { Invariant } from './invariant.ts';

/**
 * What a store has made durable comes back at its next start: whatever it promised, accepted, or saw of its peers. A vote that
 * breaks a forgotten promise needs a schedule of its own; that the promise is forgotten is seen at once.
 */
export const recoveredAsWritten: Invariant = {
  name: 'what is durable is recovered',
  source: 'P2, P5 and P6, protocol.md section 2; I2 and I5, section 6',
  watch: ({ isOutcast }, fail) => {
    const stores = new Map<string, Written>();
    const writtenTo = (storeId: string): Written => {
      let found = stores.get(storeId);
      if (!found) {
        found = { promised: NO_BALLOT, accepted: new Map(), trimmedThrough: 0, peers: new Map(), isFormed: false };
        stores.set(storeId, found);
      }
      return found;
    };
    return {
      durable: (_machine, storeId, record) => {
        const written = writtenTo(storeId);
        switch (record.type) {
          case 'promised':
          case 'accepted':
            if (compareBallots(record.ballot, written.promised) > 0) written.promised = record.ballot;
            if (record.type === 'accepted') written.accepted.set(record.slot, record.ballot);
            break;
          case 'snapshot':
            written.trimmedThrough = Math.max(written.trimmedThrough, record.through);
            break;
          case 'peer':
            written.peers.set(record.storeId, Math.max(record.incarnations, written.peers.get(record.storeId) ?? 0));
            break;
          case 'formed':
            written.isFormed = true;
        }
      },
      recovered: ({ node, machine, storeId }, { acceptor, peers, isFormed }) => {
        // A damaged journal is read up to the damage, and its store does not vote (P5).
        if (storeId === null || isOutcast(storeId) || machine.disk.damage !== null) return;
        const written = writtenTo(storeId);
        const who = `${node} (store ${storeId})`;
        if (compareBallots(acceptor.promised, written.promised) < 0)
          fail(`${who} comes back with a promise below one it has written (P2)`);
        for (const [slot, ballot] of written.accepted) {
          if (slot <= acceptor.trimmedThrough) written.accepted.delete(slot);
          else if (compareBallots(acceptor.accepted.get(slot)?.ballot ?? NO_BALLOT, ballot) < 0)
            fail(`${who} comes back without what it accepted in slot ${slot} (P2)`);
        }
        if (acceptor.trimmedThrough < written.trimmedThrough)
          fail(`${who} comes back without its snapshot of slots up to ${written.trimmedThrough} (P6)`);
        for (const [peer, incarnations] of written.peers) {
          if ((peers.get(peer) ?? 0) < incarnations)
            fail(`${who} comes back without opening ${incarnations} of store ${peer} (I2)`);
        }
        if (written.isFormed && !isFormed) fail(`${who} comes back and is not formed (I5)`);
      },
    };
  },
};

/** By durable records. */
interface Written {
  promised: Ballot;
  /** Where it was accepted last, by slot. */
  readonly accepted: Map<number, Ballot>;
  trimmedThrough: number;
  /** Highest opening seen of each store. */
  readonly peers: Map<string, number>;
  isFormed: boolean;
}
