import {
  type Address,
  type Bus,
  invariant,
  type MessageHandler,
  type NodeId,
  type PublishOptions,
  type RequestHandler,
  type Subscription,
} from '@synod/protocol';
import type { Chance } from './chance.ts';
import { Manners } from './manners.ts';
import type { Process } from './process.ts';
import type { SimEvent, World } from './world.ts';

/** What the way from one node to another does to each message. */
export interface LinkManners {
  readonly minMs: number;
  readonly maxMs: number;
  /** Chance to be lost, to come twice, to be overtaken by later ones. */
  readonly loss: number;
  readonly repeat: number;
  readonly reorder: number;
  /** Chance to be late, by up to so much: longer than a lease, maybe (fault 13). */
  readonly late: number;
  readonly lateMs: number;
}

/** One direction between two nodes. */
export class Link {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly manners: Manners<LinkManners>;
  /** Loses everything. Several faults may cut one link. */
  cuts = 0;
  /** What is sent waits until then: a path that stalls without a sign (fault 31). */
  stalledUntilMs = 0;
  #lastAtMs = 0;

  constructor(from: NodeId, to: NodeId, manners: LinkManners) {
    this.from = from;
    this.to = to;
    this.manners = new Manners(manners);
  }

  /** What is sent from now on waits for nothing that was sent before. */
  release(): void {
    this.stalledUntilMs = 0;
    this.#lastAtMs = 0;
  }

  /** When what leaves at `atMs` arrives: later than all before it, unless it may be overtaken. */
  arrivalOf(atMs: number, delayMs: number, mayOvertake: boolean): number {
    let arrivesMs = Math.max(atMs + delayMs, this.stalledUntilMs);
    if (mayOvertake) return arrivesMs;
    arrivesMs = Math.max(arrivesMs, this.#lastAtMs);
    this.#lastAtMs = arrivesMs;
    return arrivesMs;
  }
}

/** A message as it was sent, for replays (fault 38). */
export interface Captured {
  readonly from: NodeId;
  readonly address: Address;
  readonly payload: Uint8Array;
  /** True time at which it left; what never was a message has none. */
  readonly sentMs?: number;
}

export type MessageFate = 'delivered' | 'lost';

/** Looks at a message before its way begins. @returns true when it keeps it: `pass` lets it go on, now or later. */
export type Sieve = (from: NodeId, to: NodeId, payload: Uint8Array, pass: () => void) => boolean;

/** Hears what happens on the network; every part may be left out. */
export interface NetworkWatcher {
  said?(process: Process, address: Address, payload: Uint8Array): void;
  delivered?(from: NodeId, to: Process, payload: Uint8Array, sentMs: number): void;
  lost?(from: NodeId, to: NodeId, payload: Uint8Array, sentMs: number): void;
}

export interface NetworkOptions {
  readonly world: World;
  readonly chance: Chance;
  readonly group: string;
  readonly manners: LinkManners;
  readonly watcher?: NetworkWatcher;
  /** Deliver a sender's own messages to it too, as NATS does. The runtime drops them unread. */
  readonly hasEcho?: boolean;
}

/** How many messages are kept for replays. */
const CAPTURED = 64;

/** More than this wait for a process that does not run: the server drops what comes then (fault 32). */
const MAX_WAITING = 2_000;

/** The servers between all nodes of one world: one-way links, each with manners of its own. */
export class Network {
  readonly world: World;
  readonly group: string;
  readonly #chance: Chance;
  readonly #hasEcho: boolean;
  readonly #manners: LinkManners;
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();
  /** By role, then by whom it is addressed to. */
  readonly #listening = new Map<string, Map<string, readonly Listening[]>>();
  readonly #buses = new Map<NodeId, Set<ProcessBus>>();
  readonly #offline = new Set<NodeId>();
  readonly #captured: Captured[] = [];
  readonly #asked: Captured[] = [];
  watcher: NetworkWatcher;
  /** Is set while somebody picks out single messages. */
  sieve: Sieve | null = null;
  /** Is set while faults want messages to replay. */
  isCapturing = false;
  delivered = 0;
  published = 0;
  #sent = 0;
  #askings = 0;

  constructor(options: NetworkOptions) {
    this.world = options.world;
    this.group = options.group;
    this.#chance = options.chance;
    this.#manners = options.manners;
    this.#hasEcho = options.hasEcho ?? false;
    this.watcher = options.watcher ?? {};
  }

  /** A connection of a process. */
  bus(process: Process, node: NodeId = process.node): ProcessBus {
    const bus = new ProcessBus(this, process, node);
    const buses = this.#buses.get(node) ?? new Set();
    this.#buses.set(node, buses.add(bus));
    return bus;
  }

  link(from: NodeId, to: NodeId): Link {
    let links = this.#links.get(from);
    if (!links) {
      links = new Map();
      this.#links.set(from, links);
    }
    let link = links.get(to);
    if (!link) {
      link = new Link(from, to, this.#manners);
      links.set(to, link);
    }
    return link;
  }

  /** Every link made so far. */
  *links(): Generator<Link> {
    for (const links of this.#links.values()) yield* links.values();
  }

  /** What a process that is held up in the middle of a step says after that has not been said yet. */
  get captured(): readonly Captured[] {
    return this.#captured.filter((message) => this.#isSaid(message));
  }

  /** Of these what was asked of the log; it is kept for longer. */
  get asked(): readonly Captured[] {
    return this.#asked.filter((message) => this.#isSaid(message));
  }

  isOnline(node: NodeId): boolean {
    return !this.#offline.has(node);
  }

  /** The node's connection breaks or comes back, and it knows. */
  setOnline(node: NodeId, isOnline: boolean): void {
    if (this.isOnline(node) === isOnline) return;
    if (isOnline) this.#offline.delete(node);
    else this.#offline.add(node);
    for (const bus of this.#buses.get(node) ?? []) bus.connectionChanged(isOnline);
  }

  /** A captured message comes again, as from its sender; or something that was never a message. */
  inject({ from, address, payload }: Captured): void {
    this.#deliverAll(null, from, address, payload, this.world.nowMs);
  }

  /** For {@link ProcessBus}. */
  send(bus: ProcessBus, address: Address, payload: Uint8Array, isExpected: boolean): void {
    const { process, node } = bus;
    this.published++;
    this.watcher.said?.(process, address, payload);
    if (this.isCapturing) this.#capture({ from: node, address, payload, sentMs: process.nowMs });
    const heard = this.#deliverAll(bus, node, address, payload, process.nowMs);
    if (heard > 0 || !isExpected) return;
    const { minMs, maxMs } = this.#manners;
    this.world.planStep(process, process.nowMs + 2 * this.#chance.between(minMs, maxMs), () => bus.nobody(address));
  }

  #capture(message: Captured): void {
    this.#captured[this.#sent++ % CAPTURED] = message;
    if (message.address.role === 'log') this.#asked[this.#askings++ % CAPTURED] = message;
  }

  #isSaid({ sentMs = 0 }: Captured): boolean {
    return sentMs <= this.world.nowMs;
  }

  /** For {@link ProcessBus}: a round trip to the server. */
  roundTripMs(): number {
    const { minMs, maxMs } = this.#manners;
    return 2 * this.#chance.between(minMs, maxMs);
  }

  /** For {@link ProcessBus}. */
  listen(listening: Listening): Subscription {
    const { role, to } = listening.address;
    let listeners = this.#listening.get(role);
    if (!listeners) {
      listeners = new Map();
      this.#listening.set(role, listeners);
    }
    const ofRole = listeners;
    ofRole.set(to, [...(ofRole.get(to) ?? NOBODY), listening]);
    return {
      close: () => {
        if (!listening.isOpen) return;
        listening.isOpen = false;
        const left = (ofRole.get(to) ?? NOBODY).filter((other) => other !== listening);
        ofRole.set(to, left);
      },
    };
  }

  /** For {@link ProcessBus}. */
  forget(bus: ProcessBus): void {
    this.#buses.get(bus.node)?.delete(bus);
  }

  /** @returns how many connected subscriptions there are for it, reached or not. */
  #deliverAll(sender: ProcessBus | null, from: NodeId, address: Address, payload: Uint8Array, atMs: number): number {
    const ofRole = this.#listening.get(address.role);
    if (!ofRole) return 0;
    let heard = this.#deliverTo(ofRole.get(address.to), sender, from, payload, atMs);
    heard += this.#deliverTo(ofRole.get('*'), sender, from, payload, atMs);
    return heard;
  }

  #deliverTo(
    listeners: readonly Listening[] = NOBODY,
    sender: ProcessBus | null,
    from: NodeId,
    payload: Uint8Array,
    atMs: number,
  ): number {
    let heard = 0;
    for (let i = 0; i < listeners.length; i++) {
      const listening = listeners[i] as Listening;
      const { bus } = listening;
      if (this.#offline.size > 0 && !this.isOnline(bus.node)) continue;
      heard++;
      if (bus === sender && !this.#hasEcho) continue;
      this.#carry(from, listening, payload, atMs);
    }
    return heard;
  }

  #carry(from: NodeId, listening: Listening, payload: Uint8Array, atMs: number): void {
    if (this.sieve) {
      const pass = (): void => this.#pass(from, listening, payload, Math.max(atMs, this.world.nowMs));
      if (this.sieve(from, listening.bus.node, payload, pass)) return;
    }
    this.#pass(from, listening, payload, atMs);
  }

  #pass(from: NodeId, listening: Listening, payload: Uint8Array, atMs: number): void {
    const { node, process } = listening.bus;
    const link = this.link(from, node);
    const { minMs, maxMs, loss, repeat, reorder, late, lateMs } = link.manners.now;
    const chance = this.#chance;
    if (link.cuts > 0 || (loss > 0 && chance.happens(loss))) return this.watcher.lost?.(from, node, payload, atMs);
    const copies = repeat > 0 && chance.happens(repeat) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      let delayMs = minMs + (maxMs - minMs) * chance.next();
      const isLate = late > 0 && chance.happens(late);
      if (isLate) delayMs += chance.between(0, lateMs);
      const mayOvertake = isLate || (reorder > 0 && chance.happens(reorder));
      const arrivesMs = link.arrivalOf(atMs, delayMs, mayOvertake);
      if (process.waiting > MAX_WAITING) continue;
      this.world.add(new Arrival(this, link, listening, from, payload, atMs), arrivesMs);
    }
  }

  /** For {@link Arrival}. */
  arrive({ link, listening, from, payload, sentMs }: Arrival): void {
    const { node, process } = listening.bus;
    if (!listening.isOpen || link.cuts > 0 || !this.isOnline(node)) {
      this.watcher.lost?.(from, node, payload, sentMs);
      return;
    }
    this.delivered++;
    this.watcher.delivered?.(from, process, payload, sentMs);
    listening.handler(payload, from);
  }
}

/** A message on its way. Most events of a world are such: they are made without a function of their own. */
class Arrival implements SimEvent {
  atMs = 0;
  sequence = 0;
  isCancelled = false;
  readonly dueMs = Number.NaN;
  readonly process: Process;
  readonly network: Network;
  readonly link: Link;
  readonly listening: Listening;
  readonly from: NodeId;
  readonly payload: Uint8Array;
  readonly sentMs: number;

  constructor(network: Network, link: Link, listening: Listening, from: NodeId, payload: Uint8Array, sentMs: number) {
    this.process = listening.bus.process;
    this.network = network;
    this.link = link;
    this.listening = listening;
    this.from = from;
    this.payload = payload;
    this.sentMs = sentMs;
  }

  run(): void {
    this.network.arrive(this);
  }
}

interface Listening {
  readonly bus: ProcessBus;
  readonly address: Address;
  readonly handler: MessageHandler;
  isOpen: boolean;
}

const NOBODY: readonly Listening[] = [];

/** One process's end of a {@link Network}. */
export class ProcessBus implements Bus {
  readonly group: string;
  readonly node: NodeId;
  readonly maxPayloadBytes = 1_048_576;
  readonly process: Process;
  readonly #network: Network;
  readonly #subscriptions = new Set<Subscription>();
  readonly #noResponders = new Set<(address: Address) => void>();
  readonly #connection = new Set<(isConnected: boolean) => void>();
  readonly #flushes = new Set<{ readonly event: SimEvent; readonly reject: (reason: Error) => void }>();
  #isClosed = false;

  constructor(network: Network, process: Process, node: NodeId) {
    this.#network = network;
    this.process = process;
    this.group = network.group;
    this.node = node;
  }

  get isConnected(): boolean {
    return !this.#isClosed && this.#network.isOnline(this.node);
  }

  publish(to: Address, payload: Uint8Array, options: PublishOptions = {}): boolean {
    if (!this.process.touch() || !this.isConnected || payload.length > this.maxPayloadBytes) return false;
    this.#network.send(this, to, payload, options.expectResponder === true);
    return true;
  }

  subscribe(address: Address, handler: MessageHandler): Subscription {
    return this.#own(this.#network.listen({ bus: this, address, handler, isOpen: true }));
  }

  respond(_address: Address, _handler: RequestHandler): Subscription {
    invariant(false, 'public requests are not part of the simulation');
  }

  request(_to: Address, _payload: Uint8Array, _onAnswer: (payload: Uint8Array) => void): Subscription {
    invariant(false, 'public requests are not part of the simulation');
  }

  onNoResponders(listener: (address: Address) => void): Subscription {
    return this.#add(this.#noResponders, listener);
  }

  onConnection(listener: (isConnected: boolean) => void): Subscription {
    return this.#add(this.#connection, listener);
  }

  flush(): Promise<void> {
    if (!this.isConnected) return Promise.reject(this.#notConnected());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const flush = {
      event: this.#network.world.planStep(this.process, this.process.nowMs + this.#network.roundTripMs(), () => {
        this.#flushes.delete(flush);
        resolve();
      }),
      reject,
    };
    this.#flushes.add(flush);
    return promise;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    this.#noResponders.clear();
    this.#connection.clear();
    this.#network.forget(this);
  }

  /** For {@link Network}: the process hears of it in a step of its own. */
  connectionChanged(isConnected: boolean): void {
    const { world } = this.#network;
    world.planStep(this.process, world.nowMs, () => {
      if (!isConnected) {
        for (const { event, reject } of this.#flushes) {
          event.isCancelled = true;
          reject(this.#notConnected());
        }
        this.#flushes.clear();
      }
      for (const listener of [...this.#connection]) listener(isConnected);
    });
  }

  /** For {@link Network}. */
  nobody(address: Address): void {
    if (!this.isConnected) return;
    for (const listener of [...this.#noResponders]) listener(address);
  }

  #notConnected(): Error {
    return new Error(`bus of ${this.node} is not connected`);
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
