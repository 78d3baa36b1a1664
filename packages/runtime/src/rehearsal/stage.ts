import type { Address, Bus, Clock, Journal, MessageHandler, NodeId, Subscription } from '@synod/protocol';

/** A network within one process: nothing is lost, and everything takes a turn of the event loop. */
export class Stage {
  readonly #clock: Clock;
  readonly #listening = new Map<string, Set<MessageHandler>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One node's end of it. There is nobody else to be asked by or to ask: public requests come to nothing. */
  bus(node: NodeId): Bus {
    return {
      group: 'rehearsal',
      node,
      maxPayloadBytes: 1 << 20,
      isConnected: true,
      publish: (to, payload) => {
        for (const handler of this.#listening.get(keyOf(to)) ?? []) {
          // Each has bytes of its own, as of a socket.
          const bytes = payload.slice();
          this.#clock.setTimeout(() => handler(bytes, node), 0);
        }
        return true;
      },
      subscribe: (address, handler) => this.#listen(keyOf(address), handler),
      respond: () => CLOSED,
      request: () => CLOSED,
      onNoResponders: () => CLOSED,
      onConnection: () => CLOSED,
      flush: async () => {},
      close: async () => {},
    };
  }

  #listen(key: string, handler: MessageHandler): Subscription {
    const all = this.#listening.get(key) ?? new Set();
    this.#listening.set(key, all.add(handler));
    return { close: () => void all.delete(handler) };
  }
}

/** A journal that keeps nothing: whoever wrote in it is gone before it could be read. */
export const blankJournal = (storeId: string): Journal => ({
  bytesSinceCheckpoint: 0,
  open: async () => ({ storeId, incarnations: 1, records: [], tornBytes: 0, damage: null }),
  append: () => {},
  flush: async () => {},
  checkpoint: async () => {},
  close: async () => {},
});

const CLOSED: Subscription = { close: () => {} };

const keyOf = ({ role, to }: Address): string => `${role} ${to}`;
