import {
  type Ballot,
  compareBallots,
  InvariantError,
  majority,
  type NodeId,
  type QuorumSystem,
  type Store,
} from '@synod/protocol';
import type { Model } from './explore.ts';
import { canonical, Interner } from './intern.ts';
import {
  freshLogNode,
  type LogNode,
  type LogNodeBounds,
  type LogRules,
  LogStep,
  logRules,
  type Sent,
  settle,
  textOf,
  valuesOf,
} from './log-node.ts';

/** How large a small world of the log is. */
export interface LogBounds {
  readonly name: string;
  readonly voters: readonly NodeId[];
  readonly nodes: readonly LogNodeBounds[];
  /** Crashes of any node at any moment, with loss of any part of what was not flushed. */
  readonly crashes: number;
  /** Folders that are emptied. */
  readonly wipes?: number;
  /**
   * What the network does. `any`: every message may come at any time, any number of times, or never: loss, repetition, delay
   * and reordering without bounds. A number: messages come in order, once, and so many of them are lost.
   */
  readonly network: 'any' | number;
  /** Room for so many times 32 different messages. */
  readonly words?: number;
  /** False: no Reject arrives. They only make a proposer give up sooner. */
  readonly rejects?: boolean;
  /**
   * True: messages that nobody will ever act on stay in the state, so that more can be said of them. Else a promise is
   * forgotten whose proposer does not prepare with its ballot (any more): no ballot is used for two attempts (B2).
   */
  readonly keepsAll?: boolean;
}

/** What may happen in the small world. */
const DELIVER = 0;
/** In the middle of the step in which a message is heard: what it says is not flushed, or only in part. */
const CRASH_HEARING = 1;
const CRASH = 2;
const LEAD = 3;
const SUBMIT = 4;
const FETCH = 5;
const CHECKPOINT = 6;
const WIPE = 7;
const LOSE = 8;

const codeOf = (kind: number, node: number, arg = 0): number => (kind << 24) | (node << 16) | arg;

/** What follows from one event at one node in one state: always the same, so it is worked out once. */
interface Outcome {
  readonly next: number;
  readonly sent: readonly number[];
  readonly broken: string | null;
  /** One more vote was counted, and nothing else happened: see {@link LogWorld.expand}. */
  readonly isQuiet: boolean;
}

interface NodeState {
  readonly node: LogNode;
  /** Slots it takes for chosen, with the value as text. */
  readonly learned: readonly (readonly [slot: number, text: string])[];
  readonly outcomes: Map<number, Outcome | null>;
  readonly records: Map<number, number>;
  /** The ballot whose promises it waits for. */
  readonly wanted: string | null;
}

/** The votes for one value at one (ballot, slot). */
interface Poll {
  /** The Accept that asked for them. */
  readonly id: number;
  readonly ballot: string;
  readonly text: string;
  readonly votes: { readonly voter: NodeId; readonly id: number }[];
}

/** Words of 32 messages each that a state has room for, unless its bounds say otherwise. */
const WORDS = 10;

/**
 * The log in small: nodes that play all roles by the rules that are handed in, over a network that does whatever a network
 * may do, and journals that keep what was flushed.
 *
 * What was sent stays sent. A message that may come at any time, more than once or never, is one bit of the state; so loss,
 * repetition and reordering cost nothing, and have no bound.
 */
export class LogWorld implements Model {
  readonly name: string;
  readonly width: number;
  readonly #bounds: LogBounds;
  readonly #rules: LogRules;
  readonly #quorum: QuorumSystem;
  readonly #states: Interner<LogNode>;
  readonly #known: NodeState[] = [];
  readonly #messages = new Interner<Sent>((sent) => canonical(sent));
  /** By node: which messages are for it. */
  readonly #inboxes: Uint32Array[];
  /** Pairs of messages that must not both be sent, with the rule that forbids it. */
  readonly #conflicts: { readonly id: number; readonly what: string }[][] = [];
  /** By node: all promises to it; by ballot: those of one attempt. */
  readonly #promises: Uint32Array[];
  readonly #promisesOf = new Map<string, Uint32Array>();
  readonly #polls = new Map<number, Poll[]>();
  readonly #queues = new Interner<readonly number[]>((ids) => ids.join());
  readonly #words: number;
  readonly #netAt: number;
  readonly #faultsAt: number;

  constructor(bounds: LogBounds, rules: LogRules = logRules) {
    this.name = bounds.name;
    this.#bounds = bounds;
    this.#rules = rules;
    this.#quorum = majority(bounds.voters);
    this.#faultsAt = bounds.nodes.length;
    this.#netAt = this.#faultsAt + 1;
    this.#words = bounds.words ?? WORDS;
    this.width = this.#netAt + (bounds.network === 'any' ? this.#words : 1);
    this.#inboxes = bounds.nodes.map(() => new Uint32Array(this.#words));
    this.#promises = bounds.nodes.map(() => new Uint32Array(this.#words));
    this.#states = new Interner((node) => canonical(node));
  }

  initial(): Uint32Array {
    const { nodes, voters, network } = this.#bounds;
    const row = new Uint32Array(this.width);
    nodes.forEach((bounds, at) => {
      row[at] = this.#stateId(freshLogNode(this.#rules, bounds, this.#processOf(at), voters));
    });
    if (network !== 'any') row[this.#netAt] = this.#queues.id([]);
    return row;
  }

  /**
   * Two reductions, both without loss. A vote that is counted and completes nothing changes only what its proposer has
   * counted, and messages stay: it may as well be counted just before the one that completes the quorum. So such steps are
   * taken together with the one they lead to. And what a step writes is flushed in that step, or lost in it with the rest: a
   * reply that leaves later is one that is heard later.
   */
  expand(row: Uint32Array, reach: (next: Uint32Array, action: number, broken?: string | null) => void): void {
    const { nodes, crashes, wipes = 0, network } = this.#bounds;
    const next = new Uint32Array(row);
    const faults = row[this.#faultsAt] as number;
    const crashed = faults & 0xff;
    const wiped = (faults >>> 8) & 0xff;

    const step = (at: number, code: number): void => {
      const outcome = this.#outcome(at, row[at] as number, code);
      if (outcome === null || (outcome.next === row[at] && this.#areSent(next, outcome.sent))) return;
      if (outcome.isQuiet) this.#count(row, at, outcome.next, new Set(), reach);
      else {
        const broken = this.#apply(next, at, outcome);
        if (broken !== null || !this.#isSame(row, next)) reach(next, code, broken);
      }
      next.set(row);
    };

    if (network === 'any') {
      for (let at = 0; at < nodes.length; at++) {
        this.#forEachHeard(row, at, (id) => {
          step(at, codeOf(DELIVER, at, id));
          if (crashed >= crashes || nodes[at]?.crashes === false) return;
          const records = this.#recordsOf(at, row[at] as number, id);
          for (let survivors = 0; survivors <= records; survivors++) {
            next[this.#faultsAt] = faults + 1;
            step(at, codeOf(CRASH_HEARING, at, (survivors << 12) | id));
          }
        });
      }
    } else this.#deliverFirst(row, next, network, reach);

    for (let at = 0; at < nodes.length; at++) {
      step(at, codeOf(LEAD, at));
      step(at, codeOf(SUBMIT, at));
      step(at, codeOf(FETCH, at));
      step(at, codeOf(CHECKPOINT, at));
      if (crashed < crashes && nodes[at]?.crashes !== false) {
        const { node } = this.#state(row[at] as number);
        for (let survivors = 0; survivors <= node.records.length; survivors++) {
          next[this.#faultsAt] = faults + 1;
          step(at, codeOf(CRASH, at, survivors));
        }
      }
      if (wiped < wipes) {
        next[this.#faultsAt] = faults + 0x100;
        step(at, codeOf(WIPE, at));
      }
    }
  }

  /** All that can go wrong is found in the step in which it does. */
  check(): string | null {
    return null;
  }

  describe(action: number): string {
    const kind = action >>> 24;
    const at = (action >>> 16) & 0xff;
    const arg = action & 0xffff;
    const name = this.#processOf(at);
    switch (kind) {
      case DELIVER:
        return `${name} hears ${wordsOf(this.#messages.get(arg))}`;
      case CRASH_HEARING:
        return `${name} crashes as it hears ${wordsOf(this.#messages.get(arg & 0xfff))}, and comes back; ${arg >>> 12} records survive`;
      case CRASH:
        return `${name} crashes and comes back; ${arg} records that nothing waited for survive`;
      case LEAD:
        return `${name} wants to lead`;
      case SUBMIT:
        return `${name} is asked to append a command`;
      case FETCH:
        return `${name} asks for what it lacks`;
      case CHECKPOINT:
        return `${name} makes a checkpoint and trims`;
      case WIPE:
        return `${name} is emptied and comes back`;
      default:
        return `lost: ${wordsOf(this.#messages.get(arg))}`;
    }
  }

  #processOf(at: number): string {
    const { nodes } = this.#bounds;
    const { node } = nodes[at] as LogNodeBounds;
    return nodes.findIndex((other) => other.node === node) === at ? node : `${node}x`;
  }

  #forEachHeard(row: Uint32Array, at: number, hear: (id: number) => void): void {
    const inbox = this.#inboxes[at] as Uint32Array;
    for (let word = 0; word < this.#words; word++) {
      let bits = ((row[this.#netAt + word] as number) & (inbox[word] as number)) >>> 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits = (bits & ~(1 << bit)) >>> 0;
        hear(word * 32 + bit);
      }
    }
  }

  /** Goes on counting votes until something comes of it. */
  #count(
    row: Uint32Array,
    at: number,
    id: number,
    seen: Set<number>,
    reach: (next: Uint32Array, action: number, broken?: string | null) => void,
  ): void {
    if (seen.has(id)) return;
    seen.add(id);
    const next = new Uint32Array(row);
    this.#forEachHeard(row, at, (message) => {
      if (!isVote(this.#messages.get(message))) return;
      const code = codeOf(DELIVER, at, message);
      const outcome = this.#outcome(at, id, code);
      if (outcome === null) return;
      if (outcome.isQuiet) return this.#count(row, at, outcome.next, seen, reach);
      if (outcome.next === id && outcome.sent.length === 0 && outcome.broken === null) return;
      reach(next, code, this.#apply(next, at, outcome));
      next.set(row);
    });
  }

  /** How many records hearing a message leads to: a crash may leave any number of them. */
  #recordsOf(at: number, id: number, message: number): number {
    const { node, records } = this.#state(id);
    const known = records.get(message);
    if (known !== undefined) return known;
    const step = this.#step(at, node);
    let count = 0;
    try {
      step.receive(this.#messages.get(message).message);
      count = step.node.records.length;
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
    }
    records.set(message, count);
    return count;
  }

  #areSent(row: Uint32Array, sent: readonly number[]): boolean {
    if (this.#bounds.network !== 'any') return false;
    for (let i = 0; i < sent.length; i++) if (!this.#wasSent(row, sent[i] as number)) return false;
    return true;
  }

  #isSame(a: Uint32Array, b: Uint32Array): boolean {
    for (let i = 0; i < this.width; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** Puts what follows from a step into `next`. @returns which rule it breaks. */
  #apply(next: Uint32Array, at: number, outcome: Outcome): string | null {
    if (outcome.broken !== null) return outcome.broken;
    const hasChanged = next[at] !== outcome.next;
    next[at] = outcome.next;
    let broken: string | null = null;
    if (this.#bounds.network === 'any') {
      for (const id of outcome.sent) {
        const word = this.#netAt + (id >>> 5);
        const bits = next[word] as number;
        const bit = (1 << (id & 31)) >>> 0;
        if ((bits & bit) !== 0) continue;
        next[word] = (bits | bit) >>> 0;
        broken ??= this.#conflictOf(next, id);
      }
      if (hasChanged) broken ??= this.#believes(next, at);
      if (!this.#bounds.keepsAll) this.#forgetPromises(next);
    } else if (outcome.sent.length > 0) {
      const waiting = this.#queues.get(next[this.#netAt] as number);
      next[this.#netAt] = this.#queues.id([...waiting, ...outcome.sent]);
    }
    return broken;
  }

  /** In order: the first message comes to its recipient, or is lost. */
  #deliverFirst(
    row: Uint32Array,
    next: Uint32Array,
    losses: number,
    reach: (next: Uint32Array, action: number, broken?: string | null) => void,
  ): void {
    const waiting = this.#queues.get(row[this.#netAt] as number);
    const [entry] = waiting;
    if (entry === undefined) return;
    const id = entry & 0xffff;
    const at = entry >>> 16;
    const faults = row[this.#faultsAt] as number;
    next[this.#netAt] = this.#queues.id(waiting.slice(1));
    const outcome = this.#outcome(at, row[at] as number, codeOf(DELIVER, at, id));
    const broken = outcome && this.#apply(next, at, outcome);
    reach(next, codeOf(DELIVER, at, id), broken);
    next.set(row);
    if (faults >>> 16 >= losses) return;
    next[this.#netAt] = this.#queues.id(waiting.slice(1));
    next[this.#faultsAt] = faults + 0x10000;
    reach(next, codeOf(LOSE, at, id));
    next.set(row);
  }

  #outcome(at: number, id: number, code: number): Outcome | null {
    const { outcomes } = this.#state(id);
    const known = outcomes.get(code);
    if (known !== undefined) return known;
    const outcome = this.#work(at, id, code);
    outcomes.set(code, outcome);
    return outcome;
  }

  #step(at: number, node: LogNode): LogStep {
    const bounds = this.#bounds.nodes[at] as LogNodeBounds;
    return new LogStep({ rules: this.#rules, bounds, process: this.#processOf(at), voters: this.#bounds.voters, node });
  }

  #work(at: number, id: number, code: number): Outcome | null {
    const { node } = this.#state(id);
    const step = this.#step(at, node);
    try {
      if (!this.#do(step, code)) return null;
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      const broken = `${this.#processOf(at)} meets an impossible state: ${error.message}`;
      return { next: id, sent: [], broken, isQuiet: false };
    }
    const { mode, applied } = node;
    const next = this.#stateId(step.node);
    const sent = step.sent.flatMap((message) => this.#messageIds(at, message));
    const isCounted = code >>> 24 === DELIVER && isVote(this.#messages.get(code & 0xffff));
    const hasResult = next === id || sent.length > 0 || step.node.mode !== mode || step.node.applied !== applied;
    if (next === id && sent.length === 0) return null;
    const isQuiet = this.#bounds.network === 'any' && isCounted && !hasResult;
    return { next, sent, broken: null, isQuiet };
  }

  #do(step: LogStep, code: number): boolean {
    const arg = code & 0xffff;
    switch (code >>> 24) {
      case DELIVER:
        step.receive(this.#messages.get(arg).message);
        step.flush();
        return true;
      case CRASH_HEARING:
        step.receive(this.#messages.get(arg & 0xfff).message);
        step.crash(arg >>> 12);
        return true;
      case CRASH:
        step.crash(arg);
        return true;
      case LEAD:
        return step.lead();
      case SUBMIT:
        return step.submit();
      case FETCH:
        return step.fetch();
      case CHECKPOINT:
        return step.checkpoint();
      default:
        step.wipe();
        return true;
    }
  }

  #messageIds(from: number, sent: Sent): readonly number[] {
    const { rejects = true, network, nodes } = this.#bounds;
    const { type } = sent.message;
    if (type === 'reject' && !rejects) return [];
    const before = this.#messages.size;
    const id = this.#messages.id(sent);
    if (id === before) this.#meet(id, sent);
    const isFor = (at: number) => ((this.#inboxes[at] as Uint32Array)[id >>> 5] as number) & (1 << (id & 31));
    if (network === 'any') return [id];
    return nodes.flatMap((_, at) => (isFor(at) && (at !== from || sent.to !== 'others') ? [(at << 16) | id] : []));
  }

  /** A message that was never sent before: who hears it, and what it must not stand beside. */
  #meet(id: number, sent: Sent): void {
    const { to, message } = sent;
    const { nodes, voters, network } = this.#bounds;
    if (id >= 32 * this.#words && network === 'any')
      throw new RangeError(`${this.name}: more than ${32 * this.#words} different messages`);
    nodes.forEach(({ node, learns = true }, at) => {
      const isMeant = to === 'voters' ? voters.includes(node) : to === 'others' ? node !== message.from : to === node;
      const inbox = this.#inboxes[at] as Uint32Array;
      if (isMeant && (learns || message.type !== 'chosen') && id < 32 * this.#words) {
        inbox[id >>> 5] = ((inbox[id >>> 5] as number) | (1 << (id & 31))) >>> 0;
      }
    });
    const conflicts: { id: number; what: string }[] = [];
    this.#conflicts[id] = conflicts;
    for (let other = 0; other < id; other++) {
      const what = conflictBetween(message, this.#messages.get(other).message);
      if (what === null) continue;
      conflicts.push({ id: other, what });
      this.#conflicts[other]?.push({ id, what });
    }
    if (message.type === 'promise') {
      const { ballot } = message;
      const at = nodes.findIndex((_, index) => this.#processOf(index) === ballot.incarnation.split('-')[0]);
      const ofBallot = this.#promisesOf.get(nameOf(ballot)) ?? new Uint32Array(this.#words);
      this.#promisesOf.set(nameOf(ballot), ofBallot);
      for (const set of [ofBallot, this.#promises[at]])
        if (set) set[id >>> 5] = ((set[id >>> 5] as number) | (1 << (id & 31))) >>> 0;
    } else if (message.type === 'accept') {
      const polls = this.#polls.get(message.slot) ?? [];
      const [ballot, text] = [nameOf(message.ballot), textOf(message.value)];
      const votes = polls.find((poll) => poll.ballot === ballot)?.votes ?? [];
      polls.push({ id, ballot, text, votes: [...votes] });
      this.#polls.set(message.slot, polls);
    } else if (message.type === 'accepted' && this.#admits(message.from, message.store)) {
      for (const poll of this.#polls.get(message.slot) ?? []) {
        if (poll.ballot === nameOf(message.ballot)) poll.votes.push({ voter: message.from, id });
      }
    }
  }

  #admits(from: NodeId, store: Store): boolean {
    return this.#rules.ports.admits(new Map(this.#bounds.voters.map((voter) => [voter, voter])), from, store);
  }

  #forgetPromises(row: Uint32Array): void {
    for (let at = 0; at < this.#faultsAt; at++) {
      const promises = this.#promises[at] as Uint32Array;
      const wanted = this.#state(row[at] as number).wanted;
      const kept = wanted === null ? undefined : this.#promisesOf.get(wanted);
      for (let word = 0; word < this.#words; word++) {
        const dead = (promises[word] as number) & ~(kept?.[word] ?? 0);
        if (dead !== 0) row[this.#netAt + word] = ((row[this.#netAt + word] as number) & ~dead) >>> 0;
      }
    }
  }

  /** What a message that was sent just now breaks. */
  #conflictOf(row: Uint32Array, id: number): string | null {
    for (const conflict of this.#conflicts[id] as { id: number; what: string }[]) {
      if (this.#wasSent(row, conflict.id)) return conflict.what;
    }
    const { message } = this.#messages.get(id);
    if (message.type !== 'accepted') return null;
    const values = new Set(this.#chosenIn(row, message.slot));
    return values.size > 1 ? `S1: slot ${message.slot} is chosen with two values` : null;
  }

  /**
   * Values that an accept quorum of voters said they accepted at one ballot, after their flush: these are chosen. Messages
   * stay in the state for ever, so this needs no memory of its own.
   */
  #chosenIn(row: Uint32Array, slot: number): string[] {
    const chosen: string[] = [];
    for (const { id, text, votes } of this.#polls.get(slot) ?? []) {
      if (!this.#wasSent(row, id)) continue;
      const voters = new Set<NodeId>();
      for (const vote of votes) if (this.#wasSent(row, vote.id)) voters.add(vote.voter);
      if (this.#quorum.isAcceptQuorum(voters)) chosen.push(text);
    }
    return chosen;
  }

  /** What a node takes for chosen is chosen. */
  #believes(row: Uint32Array, at: number): string | null {
    for (const [slot, text] of this.#state(row[at] as number).learned) {
      const chosen = this.#chosenIn(row, slot);
      if (chosen.includes(text)) continue;
      const name = this.#processOf(at);
      return chosen.length === 0
        ? `B3, N2: ${name} takes slot ${slot} for chosen, which it is not`
        : `S1: ${name} learned another value of slot ${slot} than was chosen`;
    }
    return null;
  }

  #wasSent(row: Uint32Array, id: number): boolean {
    return ((row[this.#netAt + (id >>> 5)] as number) & (1 << (id & 31))) !== 0;
  }

  #state(id: number): NodeState {
    return this.#known[id] as NodeState;
  }

  #stateId(node: LogNode): number {
    const id = this.#states.id(settle(node));
    if (this.#known[id] === undefined) {
      const learned: [number, string][] = [];
      for (const [slot, value] of node.learner.learned) learned.push([slot, textOf(value)]);
      valuesOf(node.snapshot).forEach((text, index) => {
        learned.push([index + 1, text]);
      });
      const wanted = node.mode === 'preparing' ? nameOf(node.proposer.ballot) : null;
      this.#known[id] = { node, learned, outcomes: new Map(), records: new Map(), wanted };
    }
    return id;
  }
}

/** What two messages break that were both sent, whatever the order of events was. */
function conflictBetween(a: Sent['message'], b: Sent['message']): string | null {
  if (a.type === 'accept' && b.type === 'accept') {
    if (a.slot !== b.slot || nameOf(a.ballot) !== nameOf(b.ballot) || textOf(a.value) === textOf(b.value)) return null;
    return `B2: two values are proposed at slot ${a.slot}, ballot ${nameOf(a.ballot)}`;
  }
  return brokenPromise(a, b) ?? brokenPromise(b, a);
}

/**
 * P1 across crashes: a promise tells of all that its voter accepted below it. What it does not tell of was accepted after it,
 * or was forgotten before.
 */
function brokenPromise(promise: Sent['message'], vote: Sent['message']): string | null {
  if (promise.type !== 'promise' || vote.type !== 'accepted') return null;
  if (vote.from !== promise.from || vote.store.storeId !== promise.store.storeId) return null;
  const isCovered = vote.slot >= promise.fromSlot && (vote.slot <= promise.to || vote.slot > promise.lastSlot);
  if (!isCovered || vote.slot <= promise.trimmedThrough || compareBallots(vote.ballot, promise.ballot) >= 0)
    return null;
  const told = promise.entries.find(({ slot }) => slot === vote.slot);
  if (told && compareBallots(told.ballot, vote.ballot) >= 0) return null;
  return `P1: ${promise.from} accepted slot ${vote.slot} at ${nameOf(vote.ballot)}, and its promise of ${nameOf(promise.ballot)} does not tell`;
}

const isVote = ({ message: { type } }: Sent): boolean => type === 'promise' || type === 'accepted';

const nameOf = ({ round, nodeId, incarnation }: Ballot): string => `${round}.${nodeId}.${incarnation}`;

function wordsOf({ message }: Sent): string {
  const { type, from } = message;
  switch (message.type) {
    case 'accept':
      return `${type} ${nameOf(message.ballot)} slot ${message.slot} of ${from}`;
    case 'promise':
      return `${type} ${nameOf(message.ballot)} with ${message.entries.map(({ slot, ballot }) => `${slot} at ${nameOf(ballot)}`).join(', ') || 'nothing'}, trimmed through ${message.trimmedThrough}, of ${from}`;
    case 'accepted':
    case 'chosen':
      return `${type} ${nameOf(message.ballot)} slot ${message.slot} of ${from}`;
    case 'prepare':
      return `${type} ${nameOf(message.ballot)} from slot ${message.fromSlot} of ${from}`;
    case 'reject':
      return `${type} ${nameOf(message.ballot)} of ${from}`;
    case 'learned':
      return `${type} ${message.entries.map(({ slot }) => slot).join(', ')} of ${from}`;
    default:
      return `${type} of ${from}`;
  }
}
