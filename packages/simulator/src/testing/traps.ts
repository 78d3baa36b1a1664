import type { Message, NodeId } from '@synod/protocol';
import type { Heal } from '../faults/inject.ts';
import type { SeeingCodec } from '../world/codec.ts';
import type { Network } from '../world/network.ts';

/** Some of the messages; what is left out is any. */
export interface Messages {
  readonly type?: Message['type'];
  readonly from?: NodeId;
  readonly to?: NodeId;
}

/** Picks single messages out of a network: they are lost, or kept until somebody lets them go on. */
export class Traps {
  readonly #network: Network;
  readonly #codec: SeeingCodec;
  readonly #traps = new Set<Trap>();

  constructor(network: Network, codec: SeeingCodec) {
    this.#network = network;
    this.#codec = codec;
  }

  /** @returns how to end it: what was kept goes on then. */
  set(which: Messages, fate: 'lost' | 'held'): Heal {
    const trap: Trap = { which, fate, held: [] };
    this.#traps.add(trap);
    this.#network.sieve ??= (from, to, payload, pass) => this.#catches(from, to, payload, pass);
    return () => {
      this.#traps.delete(trap);
      if (this.#traps.size === 0) this.#network.sieve = null;
      for (const pass of trap.held.splice(0)) pass();
    };
  }

  #catches(from: NodeId, to: NodeId, payload: Uint8Array, pass: () => void): boolean {
    const { message } = this.#codec.envelopeIn(payload) ?? {};
    for (const { which, fate, held } of this.#traps) {
      if (!message || !isOne(which, from, to, message)) continue;
      if (fate === 'held') held.push(pass);
      else this.#network.watcher.lost?.(from, to, payload, this.#network.world.nowMs);
      return true;
    }
    return false;
  }
}

interface Trap {
  readonly which: Messages;
  readonly fate: 'lost' | 'held';
  readonly held: (() => void)[];
}

const isOne = (which: Messages, from: NodeId, to: NodeId, message: Message): boolean =>
  (which.type ?? message.type) === message.type && (which.from ?? from) === from && (which.to ?? to) === to;
