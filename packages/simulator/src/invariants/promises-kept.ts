import type { AcceptorState } from '@synod/paxos';
import { type Ballot, compareBallots, NO_BALLOT } from '@synod/protocol';
import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/**
 * An acceptor says only what is durable, and keeps to it across crashes: no vote below a promise it gave, no promise that
 * leaves out what it accepted.
 */
export const promisesKept: Invariant = {
  name: 'promises are kept across crashes',
  source: 'P1, P2, P3 and P6, protocol.md section 2',
  watch: ({ isOutcast }, fail) => {
    const stores = new Map<string, Store>();
    const storeOf = (id: string): Store => {
      let found = stores.get(id);
      if (!found) {
        found = { durable: NO_BALLOT, said: NO_BALLOT, accepted: new Map(), trimmedThrough: 0 };
        stores.set(id, found);
      }
      return found;
    };
    /** Whatever it says next: what an acceptor has trimmed stands in a durable snapshot by then. */
    const demandDurable = ({ node, storeId }: Life, { trimmedThrough }: AcceptorState): void => {
      if (storeId !== null && !isOutcast(storeId) && trimmedThrough > storeOf(storeId).trimmedThrough)
        fail(`${node} (store ${storeId}) has trimmed slots up to ${trimmedThrough} before that was durable (P6)`);
    };
    return {
      durable: (_machine, storeId, record) => {
        if (record.type !== 'promised' && record.type !== 'accepted' && record.type !== 'snapshot') return;
        const store = storeOf(storeId);
        if (record.type === 'snapshot') {
          store.trimmedThrough = Math.max(store.trimmedThrough, record.through);
          return;
        }
        if (compareBallots(record.ballot, store.durable) > 0) store.durable = record.ballot;
        if (record.type === 'accepted') store.accepted.set(record.slot, record.ballot);
      },
      said: (life, _address, message) => {
        const { acceptor } = life;
        if (acceptor && acceptor.trimmedThrough > 0) demandDurable(life, acceptor);
        if (message.type !== 'promise' && message.type !== 'accepted') return;
        const { storeId } = message.store;
        if (isOutcast(storeId)) return;
        const store = storeOf(storeId);
        const { ballot } = message;
        const who = `${life.node} (store ${storeId})`;
        if (compareBallots(ballot, store.durable) > 0) fail(`${who} said ${message.type} before it was durable (P3)`);
        if (compareBallots(ballot, store.said) < 0)
          fail(`${who} said ${message.type} below a ballot it answered (P1, P2)`);
        // Accepting is a promise too.
        store.said = ballot;
        if (message.type === 'accepted') {
          const held = store.accepted.get(message.slot);
          const isHeld = held !== undefined && compareBallots(held, ballot) >= 0;
          if (!isHeld && message.slot > store.trimmedThrough) fail(`${who} said accepted before it was durable (P3)`);
          return;
        }
        if (message.trimmedThrough > store.trimmedThrough)
          fail(`${who} said that slots up to ${message.trimmedThrough} are trimmed before it was durable (P6)`);
        const told = new Map(message.entries.map((entry) => [entry.slot, entry.ballot]));
        for (const [slot, held] of store.accepted) {
          if (slot < message.fromSlot || slot > message.to || slot <= message.trimmedThrough) continue;
          // What came in after the promise was made is no part of it, and harms nobody: it is not below its ballot.
          if (compareBallots(held, ballot) >= 0) continue;
          const entry = told.get(slot);
          if (!entry || compareBallots(entry, held) < 0) fail(`${who} left out slot ${slot} from its promise (P1)`);
        }
      },
    };
  },
};

interface Store {
  /** Highest ballot promised by a durable record. */
  durable: Ballot;
  /** Highest ballot answered in a message, by a promise or by an acceptance. */
  said: Ballot;
  readonly accepted: Map<number, Ballot>;
  /** Slots up to here stand in a durable snapshot: what was accepted there is no more than chosen. */
  trimmedThrough: number;
}
