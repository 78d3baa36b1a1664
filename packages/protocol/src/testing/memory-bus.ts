import { invariant } from '../invariant.ts';
import { EVERYBODY, isName, type NodeId } from '../node-id.ts';
import type { Address, Bus, MessageHandler, PublishOptions, RequestHandler, Subscription } from '../ports/bus.ts';
import type { Clock } from '../ports/clock.ts';
import { between, type Random } from '../ports/random.ts';

/** What a {@link MemoryNetwork} does to each message on its way to one recipient. Everything defaults to 0. */
export interface MemoryFaults {
  /** Chance that the message is lost. */
  readonly loss?: number;
  /** Chance that it arrives twice, each copy with a delay of its own. */
  readonly duplicate?: number;
  /** Delay drawn uniformly between the two; needs a clock. */
  readonly delayMinMs?: number;
  readonly delayMaxMs?: number;
  /** How far apart two nodes are: added to each delay between them, ms. */
  readonly distanceMs?: (from: NodeId, to: NodeId) => number;
  /** Chance that it may overtake earlier messages of the same two nodes; the others keep their order. */
  readonly reorder?: number;
}

export interface MemoryNetworkOptions {
  /** Group of a bus that names none. Default `test`. */
  readonly group?: string;
  /** Default 1 MiB, as of a NATS server. */
  readonly maxPayloadBytes?: number;
  /** Needed for delays; without one every message arrives in a microtask of its own. */
  readonly clock?: Clock;
  /** Needed for faults; the same seed gives the same run. */
  readonly random?: Random;
  readonly faults?: MemoryFaults;
  /** A handler threw. Default: thrown again in a microtask, so that a test fails. */
  readonly onError?: (error: unknown, node: NodeId) => void;
}

/** A message as a tap sees it, before any fault; `replay` sends it again. */
export interface CarriedMessage {
  readonly group: string;
  readonly from: NodeId;
  readonly to: Address;
  readonly payload: Uint8Array;
}

interface Listening {
  readonly bus: MemoryBus;
  readonly key: string;
  readonly deliver: (payload: Uint8Array, from: NodeId, answer: (payload: Uint8Array) => void) => void;
  isOpen: boolean;
}

const keyOf = (group: string, role: string, to: string): string => `${group} ${role} ${to}`;
const linkOf = (from: NodeId, to: NodeId): string => `${from} ${to}`;
const noAnswer = (): void => {};

/**
 * Carries messages between any number of nodes in one process. Faithful to NATS where the protocol leans on it: own echo,
 * nothing kept for a disconnected node, a notice when nobody subscribes; and unkind where NATS may be unkind (30, 36-38, 41).
 */
export class MemoryNetwork {
  readonly group: string;
  readonly maxPayloadBytes: number;
  /** May be replaced at any time: a run under faults, then healed. */
  faults: MemoryFaults;
  readonly #clock: Clock | undefined;
  readonly #random: Random | undefined;
  readonly #onError: (error: unknown, node: NodeId) => void;
  readonly #listening = new Map<string, Set<Listening>>();
  readonly #buses = new Map<NodeId, Set<MemoryBus>>();
  readonly #offline = new Set<NodeId>();
  readonly #cuts = new Set<string>();
  readonly #taps = new Set<(message: CarriedMessage) => void>();
  /** Per link: nothing that keeps its order arrives before this instant. */
  readonly #lastAtMs = new Map<string, number>();

  constructor(options: MemoryNetworkOptions = {}) {
    this.group = options.group ?? 'test';
    this.maxPayloadBytes = options.maxPayloadBytes ?? 1_048_576;
    this.#clock = options.clock;
    this.#random = options.random;
    this.faults = options.faults ?? {};
    this.#onError =
      options.onError ??
      ((error) =>
        queueMicrotask(() => {
          throw error;
        }));
  }

  /** A connection of `node`. Two of one node are two processes under one id (I1). */
  bus(node: NodeId, group: string = this.group): MemoryBus {
    invariant(isName(node) && isName(group), `I4 node "${node}" and group "${group}" are tokens of a subject`);
    const bus = new MemoryBus(this, group, node);
    const buses = this.#buses.get(node) ?? new Set();
    this.#buses.set(node, buses.add(bus));
    return bus;
  }

  /** Loses what `from` sends to `to`, that way only, messages under way included (36). */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(linkOf(from, to));
  }

  /** Loses everything between members of different sides, both ways. A node on no side is not touched (37). */
  partition(...sides: readonly (readonly NodeId[])[]): void {
    for (const [index, side] of sides.entries()) {
      for (const other of sides.filter((_, i) => i !== index).flat()) for (const node of side) this.cut(node, other);
    }
  }

  /** Undoes one cut, or without arguments all of them. */
  heal(from?: NodeId, to?: NodeId): void {
    if (from === undefined || to === undefined) this.#cuts.clear();
    else this.#cuts.delete(linkOf(from, to));
  }

  /** The node's connection breaks: it hears and sends nothing until {@link reconnect}, and knows it. */
  disconnect(node: NodeId): void {
    this.#setOnline(node, false);
  }

  /** Subscriptions of the node are in force again; what was sent meanwhile is lost. */
  reconnect(node: NodeId): void {
    this.#setOnline(node, true);
  }

  isOnline(node: NodeId): boolean {
    return !this.#offline.has(node);
  }

  /** Sees every message of a connected node as it is published, lost ones included. Answers to requests are not shown. */
  tap(listener: (message: CarriedMessage) => void): Subscription {
    this.#taps.add(listener);
    return { close: () => void this.#taps.delete(listener) };
  }

  /** Sends a captured message again, as from its sender (38). Taps do not see it. */
  replay(message: CarriedMessage): void {
    this.#deliverAll(message, noAnswer);
  }

  /** @internal for {@link MemoryBus} */
  send(message: CarriedMessage, answer: (payload: Uint8Array) => void, onNobody: (() => void) | undefined): void {
    for (const tap of this.#taps) tap(message);
    const heard = this.#deliverAll(message, answer);
    if (heard === 0 && onNobody) this.carry(message.from, message.from, onNobody);
  }

  /** @internal Takes something over the link between two nodes, under that link's faults. */
  carry(from: NodeId, to: NodeId, arrive: () => void): void {
    const link = linkOf(from, to);
    if (this.#cuts.has(link)) return;
    const random = this.#random;
    if (!random) {
      invariant(
        Object.values(this.faults).every((chance) => !chance),
        'a MemoryNetwork with faults has a random',
      );
      this.#after(0, link, false, arrive);
      return;
    }
    const { loss = 0, duplicate = 0, reorder = 0, delayMinMs = 0, delayMaxMs = delayMinMs, distanceMs } = this.faults;
    const farMs = distanceMs?.(from, to) ?? 0;
    if (loss > 0 && random.next() < loss) return;
    const copies = duplicate > 0 && random.next() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = farMs + (delayMaxMs > 0 ? between(random, delayMinMs, delayMaxMs) : 0);
      const mayOvertake = reorder > 0 && random.next() < reorder;
      this.#after(delayMs, link, mayOvertake, arrive);
    }
  }

  /** @internal */
  listen(listening: Listening): Subscription {
    const all = this.#listening.get(listening.key) ?? new Set();
    this.#listening.set(listening.key, all.add(listening));
    return {
      close: () => {
        listening.isOpen = false;
        all.delete(listening);
      },
    };
  }

  /** @internal */
  forget(bus: MemoryBus): void {
    this.#buses.get(bus.node)?.delete(bus);
  }

  /** @internal Calls a user's handler: what it throws is told and ends nothing. */
  guard(node: NodeId, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onError(error, node);
    }
  }

  #after(delayMs: number, link: string, mayOvertake: boolean, arrive: () => void): void {
    const arriveIfUncut = (): void => {
      if (!this.#cuts.has(link)) arrive();
    };
    const clock = this.#clock;
    if (!clock) {
      invariant(delayMs === 0, 'a MemoryNetwork with delays has a clock');
      queueMicrotask(arriveIfUncut);
      return;
    }
    const nowMs = clock.now();
    const lastAtMs = this.#lastAtMs.get(link) ?? 0;
    const atMs = mayOvertake ? nowMs + delayMs : Math.max(nowMs + delayMs, lastAtMs);
    if (atMs > lastAtMs) this.#lastAtMs.set(link, atMs);
    if (atMs <= nowMs) queueMicrotask(arriveIfUncut);
    else clock.setTimeout(arriveIfUncut, atMs - nowMs);
  }

  /** @returns how many connected subscriptions there are for it, reached or not. */
  #deliverAll(message: CarriedMessage, answer: (payload: Uint8Array) => void): number {
    const { group, from, to, payload } = message;
    let heard = 0;
    for (const key of [keyOf(group, to.role, to.to), keyOf(group, to.role, '*')]) {
      for (const listening of this.#listening.get(key) ?? []) {
        if (!this.isOnline(listening.bus.node)) continue;
        heard++;
        this.carry(from, listening.bus.node, () => {
          if (!listening.isOpen || !this.isOnline(listening.bus.node)) return;
          // Each recipient has bytes of its own, as of a socket: none can change what another hears.
          this.guard(listening.bus.node, () => listening.deliver(payload.slice(), from, answer));
        });
      }
    }
    return heard;
  }

  #setOnline(node: NodeId, isOnline: boolean): void {
    if (this.isOnline(node) === isOnline) return;
    if (isOnline) this.#offline.delete(node);
    else this.#offline.add(node);
    for (const bus of this.#buses.get(node) ?? []) bus.connectionChanged(isOnline);
  }
}

/** One node's end of a {@link MemoryNetwork}. */
export class MemoryBus implements Bus {
  readonly group: string;
  readonly node: NodeId;
  readonly #network: MemoryNetwork;
  readonly #subscriptions = new Set<Subscription>();
  readonly #noResponders = new Set<(address: Address) => void>();
  readonly #connection = new Set<(isConnected: boolean) => void>();
  #isClosed = false;

  /** Made by {@link MemoryNetwork.bus}. */
  constructor(network: MemoryNetwork, group: string, node: NodeId) {
    this.#network = network;
    this.group = group;
    this.node = node;
  }

  get maxPayloadBytes(): number {
    return this.#network.maxPayloadBytes;
  }

  get isConnected(): boolean {
    return !this.#isClosed && this.#network.isOnline(this.node);
  }

  publish(to: Address, payload: Uint8Array, options: PublishOptions = {}): boolean {
    return this.#send(to, payload, noAnswer, options.expectResponder === true);
  }

  subscribe(address: Address, handler: MessageHandler): Subscription {
    return this.#listen(address, (payload, from) => handler(payload, from));
  }

  respond(address: Address, handler: RequestHandler): Subscription {
    return this.#listen(address, (payload, from, answer) => {
      handler(payload, from, (answered) => {
        if (!this.isConnected || answered.length > this.maxPayloadBytes) return;
        const bytes = answered.slice();
        this.#network.carry(this.node, from, () => answer(bytes.slice()));
      });
    });
  }

  request(to: Address, payload: Uint8Array, onAnswer: (payload: Uint8Array) => void): Subscription {
    let isOpen = !this.#isClosed;
    const subscription = this.#own({
      close: () => {
        isOpen = false;
      },
    });
    const answer = (answered: Uint8Array): void => {
      if (isOpen && this.isConnected) this.#network.guard(this.node, () => onAnswer(answered));
    };
    this.#send(to, payload, answer, true);
    return subscription;
  }

  onNoResponders(listener: (address: Address) => void): Subscription {
    return this.#add(this.#noResponders, listener);
  }

  onConnection(listener: (isConnected: boolean) => void): Subscription {
    return this.#add(this.#connection, listener);
  }

  async flush(): Promise<void> {
    if (!this.isConnected) throw new Error(`bus of ${this.node} is not connected`);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    this.#noResponders.clear();
    this.#connection.clear();
    this.#network.forget(this);
  }

  /** @internal */
  connectionChanged(isConnected: boolean): void {
    for (const listener of [...this.#connection]) this.#network.guard(this.node, () => listener(isConnected));
  }

  #send(to: Address, payload: Uint8Array, answer: (payload: Uint8Array) => void, isExpected: boolean): boolean {
    invariant(isName(to.to) || to.to === EVERYBODY, `I4 recipient "${to.to}" is a token of a subject`);
    if (!this.isConnected || payload.length > this.maxPayloadBytes) return false;
    const message = { group: this.group, from: this.node, to: { role: to.role, to: to.to }, payload: payload.slice() };
    this.#network.send(message, answer, isExpected ? () => this.#nobody(message.to) : undefined);
    return true;
  }

  #nobody(address: Address): void {
    if (!this.isConnected) return;
    for (const listener of [...this.#noResponders]) this.#network.guard(this.node, () => listener(address));
  }

  #listen(address: Address, deliver: Listening['deliver']): Subscription {
    const { role, to } = address;
    invariant(isName(to) || to === EVERYBODY || to === '*', `I4 recipient "${to}" is a token of a subject`);
    const key = keyOf(this.group, role, to);
    return this.#own(this.#network.listen({ bus: this, key, deliver, isOpen: true }));
  }

  /** Keeps a subscription until it or the bus is closed. */
  #own(inner: Subscription): Subscription {
    const subscription: Subscription = {
      close: () => {
        this.#subscriptions.delete(subscription);
        inner.close();
      },
    };
    if (this.#isClosed) inner.close();
    else this.#subscriptions.add(subscription);
    return subscription;
  }

  #add<Listener>(listeners: Set<Listener>, listener: Listener): Subscription {
    if (!this.#isClosed) listeners.add(listener);
    return { close: () => void listeners.delete(listener) };
  }
}
