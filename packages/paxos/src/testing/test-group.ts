import {
  type Accept,
  type Command,
  type JournalRecord,
  type Message,
  majority,
  type NodeId,
  type Random,
  type Received,
  type Value,
} from '@synod/protocol';
import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { type AnyActorRef, createActor } from 'xstate';
import { acceptorMachine } from '../acceptor/acceptor.machine.ts';
import { acceptorRules, type Bundle, heldValue } from '../acceptor/acceptor.rules.ts';
import { learnerMachine } from '../learner/learner.machine.ts';
import { learnerRules } from '../learner/learner.rules.ts';
import { proposerMachine } from '../proposer/proposer.machine.ts';
import { type LeadReason, type LearnedSoFar, proposerRules } from '../proposer/proposer.rules.ts';
import { checkpointRecords, type Recovered, recover } from '../recovery.ts';
import { LEASE_MS } from './fixtures.ts';

/** Rules to run with: a control hands in broken ones. */
export const realRules = { acceptor: acceptorRules, learner: learnerRules, proposer: proposerRules };
export type Rules = typeof realRules;

interface Sent {
  readonly to: NodeId;
  readonly message: Received<Message>;
}

/**
 * Three nodes with all their roles, a wire of messages in flight that the test delivers, loses, repeats and reorders, and
 * journals that keep only what was flushed. What the runtime does live is done here by hand, step by step.
 */
export class TestGroup {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly rules: Rules;
  readonly ids: readonly NodeId[];
  readonly nodes = new Map<NodeId, TestNode>();
  readonly wire: Sent[] = [];
  /** What each slot was found to hold, by whichever node said so first. */
  readonly chosen = new Map<number, string>();
  readonly violations: string[] = [];
  /** Nothing reaches this node, and nothing leaves it. */
  cutOff: NodeId | null = null;
  /** Proposed so far: the numbers of its commands. */
  commands = 0;

  constructor(seed: number, rules: Partial<Rules> = {}, ids: readonly NodeId[] = ['n1', 'n2', 'n3']) {
    this.random = seededRandom(seed);
    this.rules = { ...realRules, ...rules };
    this.ids = ids;
    for (const id of ids) this.nodes.set(id, new TestNode(this, id));
  }

  node(id: NodeId): TestNode {
    return this.nodes.get(id) as TestNode;
  }

  nextCommand(): Command {
    return { id: `t/${++this.commands}`, machine: 'kv', body: Uint8Array.of(1) };
  }

  /** Takes one message off the wire. */
  take(index: number): Sent | undefined {
    return this.wire.splice(index % Math.max(1, this.wire.length), 1)[0];
  }

  /** Delivers one message; what passes between the node that is cut off and the others stays on the wire. */
  deliver(index: number): void {
    const sent = this.take(index);
    if (!sent) return;
    const { to, message } = sent;
    if (to === this.cutOff || message.from === this.cutOff) this.wire.push(sent);
    else this.node(to).deliver(message);
  }

  /** A node says what a slot holds: all must say the same, for ever (S1). */
  said(by: NodeId, how: string, slot: number, value: Value): void {
    const text = [...value].join();
    const before = this.chosen.get(slot);
    if (before === undefined) this.chosen.set(slot, text);
    else if (before !== text) this.violations.push(`S1: ${by} ${how} another value in slot ${slot}`);
  }

  /** Everybody is up and connected, and nothing is lost any more. */
  heal(isDone: () => boolean, leases = 6): void {
    this.cutOff = null;
    for (const node of this.nodes.values()) node.restart();
    this.step(isDone, leases);
  }

  /** Delivers in order, flushing as it goes, until `isDone` or `leases` have gone by. */
  step(isDone: () => boolean, leases = 6): void {
    const untilMs = this.clock.now() + leases * LEASE_MS;
    while (!isDone() && this.clock.now() < untilMs && this.violations.length === 0) {
      for (const node of this.nodes.values()) node.flush();
      if (this.wire.length > 0) this.deliver(0);
      else this.clock.advance(LEASE_MS / 100);
    }
  }
}

/** One member: what it forgets in a crash, and what it does not. */
export class TestNode {
  readonly #group: TestGroup;
  readonly id: NodeId;
  /** Flushed. */
  #journal: JournalRecord[] = [];
  /** Emitted and not flushed: a crash loses it, with the replies. */
  #pending: Bundle[] = [];
  #actors: { acceptor: AnyActorRef; learner: AnyActorRef; proposer: AnyActorRef } | null = null;
  #lives = 0;
  #recovered: Recovered = recover([]);
  #snapshot: Recovered['snapshot'] = null;
  /** State of this node's state machine: a text of every slot's value, in order. */
  applied: string[] = [];
  isLeading = false;
  #learned: LearnedSoFar = { through: 0, known: 0 };
  #proposedThrough = 0;

  constructor(group: TestGroup, id: NodeId) {
    this.#group = group;
    this.id = id;
    this.restart();
  }

  get isUp(): boolean {
    return this.#actors !== null;
  }

  restart(): void {
    if (this.#actors) return;
    const { clock, random, rules, ids } = this.#group;
    const self = this.id;
    this.#lives++;
    const recovered = recover(this.#journal);
    this.#recovered = recovered;
    this.#snapshot = recovered.snapshot;
    const through = recovered.snapshot?.through ?? 0;
    this.#learned = { through, known: through };
    this.#proposedThrough = 0;
    this.applied = recovered.snapshot ? decode(recovered.snapshot.bytes) : [];
    const acceptor = createActor(acceptorMachine(rules.acceptor), {
      clock,
      input: {
        self,
        store: { storeId: self, incarnations: this.#lives },
        recovered: recovered.acceptor,
        mayVote: true,
        learnedThrough: () => this.applied.length,
      },
    });
    const learner = createActor(learnerMachine(rules.learner), {
      clock,
      input: {
        self,
        others: ids.filter((id) => id !== self),
        quorum: majority(ids),
        leaseMs: () => LEASE_MS,
        clock,
        random,
        held: (slot, ballot) => heldValue(recovered.acceptor, slot, ballot),
        proposedThrough: () => this.#proposedThrough,
        snapshot: () => this.#snapshot,
        recovered: { through, learned: recovered.learned },
      },
    });
    const proposer = createActor(proposerMachine(rules.proposer), {
      clock,
      input: {
        self,
        incarnation: `${self}-${this.#lives}`,
        leaseMs: () => LEASE_MS,
        clock,
        random,
        quorum: majority(ids),
        lastRound: recovered.lastRound,
        learned: () => this.#learned,
        isMaster: () => false,
      },
    });
    for (const actor of [acceptor, learner, proposer] as AnyActorRef[]) {
      actor.subscribe({ error: (error: unknown) => this.#group.violations.push(`${self}: ${error}`) });
    }
    acceptor.on('bundle', (bundle) => {
      this.#pending.push(bundle);
      for (const { to, message } of bundle.replies) {
        if (message.type === 'promise' && to !== self) proposer.send({ type: 'granted', ballot: message.ballot });
      }
    });
    learner.on('send', ({ to, message }) => {
      for (const id of to === 'all' ? ids.filter((id) => id !== self) : [to]) this.#send(id, message);
    });
    learner.on('record', ({ record }) => void this.#pending.push({ type: 'bundle', records: [record], replies: [] }));
    learner.on('apply', ({ slot, value }) => {
      this.#group.said(self, 'applied', slot, value);
      if (slot !== this.applied.length + 1) this.#group.violations.push(`N1: ${self} applied ${slot} out of order`);
      this.applied.push([...value].join());
    });
    learner.on('install', ({ snapshot }) => {
      this.applied = decode(snapshot.bytes);
      for (const [index, text] of this.applied.entries()) {
        this.#group.said(self, 'installed', index + 1, Uint8Array.from(text === '' ? [] : text.split(',').map(Number)));
      }
    });
    learner.on('progress', ({ through, known }) => {
      this.#learned = { through, known };
      if (proposer.getSnapshot().value !== 'idle') proposer.send({ type: 'learned', through, known });
    });
    learner.on('stuck', ({ through }) => proposer.send({ type: 'lead', reason: 'stuck', slot: through }));
    proposer.on('send', ({ to, message }) => {
      for (const id of to) this.#send(id, message);
    });
    proposer.on('chosen', ({ ballot, slot, value }) => {
      this.#group.said(self, 'chose', slot, value);
      learner.send({ type: 'decided', ballot, slot, value });
    });
    proposer.on('behind', ({ through, from }) => learner.send({ type: 'behind', through, from }));
    proposer.on('leading', () => {
      this.isLeading = true;
    });
    proposer.on('deposed', () => {
      this.isLeading = false;
    });
    this.#actors = { acceptor, learner, proposer };
    for (const actor of [acceptor, learner, proposer]) actor.start();
    learner.send({ type: 'start' });
  }

  /** Loses everything but what was flushed. */
  crash(): void {
    if (!this.#actors) return;
    for (const actor of Object.values(this.#actors)) (actor as unknown as { stop(): void }).stop();
    this.#actors = null;
    this.#pending = [];
    this.isLeading = false;
  }

  /** P3: makes what is pending durable, then sends what waited for it. */
  flush(): void {
    const bundles = this.#pending.splice(0);
    this.#journal.push(...bundles.flatMap(({ records }) => records));
    for (const { to, message } of bundles.flatMap(({ replies }) => replies)) this.#send(to, message);
  }

  /** P6: a checkpoint over what is applied, then trim. */
  checkpoint(): void {
    if (!this.#actors || this.applied.length === 0) return;
    this.flush();
    const through = this.applied.length;
    this.#snapshot = { through, position: through, bytes: new TextEncoder().encode(JSON.stringify(this.applied)) };
    const { acceptor } = this.#recovered;
    const learned = (this.#actors.learner.getSnapshot() as { context: { state: { learned: Map<number, Value> } } })
      .context.state.learned;
    this.#journal = checkpointRecords({
      acceptor,
      learned,
      snapshot: this.#snapshot,
      kept: null,
      isFormed: true,
      peers: new Map(),
    });
    this.#actors.acceptor.send({ type: 'trim', through });
    this.#actors.learner.send({ type: 'trim', through });
  }

  lead(reason: LeadReason = 'command'): void {
    this.#actors?.proposer.send({ type: 'lead', reason });
  }

  submit(): void {
    this.#actors?.proposer.send({ type: 'submit', commands: [this.#group.nextCommand()], isUrgent: false });
  }

  deliver(message: Received<Message>): void {
    if (!this.#actors) return;
    const { acceptor, learner, proposer } = this.#actors;
    const messages = [message];
    switch (message.type) {
      case 'prepare':
        proposer.send({ type: 'round', round: message.ballot.round });
        acceptor.send({ type: 'prepares', messages });
        break;
      case 'accept':
        proposer.send({ type: 'round', round: message.ballot.round });
        acceptor.send({ type: 'accepts', messages });
        if (message.from !== this.id) this.#noteProposed(learner, message);
        break;
      case 'chosen':
        learner.send({ type: 'chosens', messages });
        break;
      case 'fetch':
        learner.send({ type: 'fetches', messages });
        break;
      case 'learned':
        learner.send({ type: 'learneds', messages });
        break;
      case 'snapshot':
        learner.send({ type: 'snapshots', messages });
        break;
      default:
        proposer.send(message);
    }
  }

  #noteProposed(learner: AnyActorRef, { slot, from }: Received<Accept>): void {
    this.#proposedThrough = Math.max(this.#proposedThrough, slot);
    if (learner.getSnapshot().value !== 'expecting') learner.send({ type: 'proposed', slots: [slot], from });
  }

  #send(to: NodeId, message: Message): void {
    if (!this.#actors) return;
    const received = { ...message, from: this.id };
    // What a node says to itself needs no wire.
    if (to === this.id) this.deliver(received);
    else this.#group.wire.push({ to, message: received });
  }
}

const decode = (bytes: Uint8Array): string[] => JSON.parse(new TextDecoder().decode(bytes)) as string[];
