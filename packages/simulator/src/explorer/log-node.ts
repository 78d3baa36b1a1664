import {
  type AcceptorRules,
  type AcceptorState,
  acceptorRules,
  checkpointRecords,
  type Draft,
  freshAcceptor,
  heldValue,
  type LearnerEmitted,
  type LearnerInput,
  type LearnerRules,
  type LearnerState,
  learnerRules,
  type ProposerEmitted,
  type ProposerInput,
  type ProposerRules,
  type ProposerState,
  proposerRules,
  type Recovered,
  type RecoveryRules,
  type Reply,
  recover,
  recoveryRules,
  type SnapshotState,
} from '@synod/paxos';
import { chosenElsewhere, hasHole, initialLearner, initialProposer, isCaughtUp, WINDOW } from '@synod/paxos/internal';
import {
  type Ballot,
  type Clock,
  invariant,
  isSameBallot,
  type JournalRecord,
  type Message,
  majority,
  NO_BALLOT,
  type NodeId,
  type Random,
  type Received,
  type Store,
  type Value,
} from '@synod/protocol';
import { canonical, copyOf } from './intern.ts';

/** The rules a small world plays by; a control hands in broken ones. */
export interface LogRules {
  readonly acceptor: AcceptorRules;
  readonly proposer: ProposerRules;
  readonly learner: LearnerRules;
  readonly recovery: RecoveryRules;
  readonly ports: LogPorts;
}

/** What stands between the rules and the outside of a node, in place of the runtime. */
export interface LogPorts {
  /** P3: replies that leave before the flush that holds what they say. None. */
  early(replies: readonly Reply[]): readonly Reply[];
  /** P5: what a journal gives back after a crash. `torn` was being written and stands there in part. */
  readBack(whole: readonly JournalRecord[], torn: JournalRecord | undefined): readonly JournalRecord[];
  /** I2: whether a vote counts, by the store that gave it. */
  admits(voters: ReadonlyMap<NodeId, string>, from: NodeId, store: Store): boolean;
  /** Which life of its node a process says it is. */
  incarnation(process: string, life: number): string;
  /** P4: a promise may travel in parts. */
  pages(message: Message): readonly Message[];
}

export const logPorts: LogPorts = {
  early: () => [],
  readBack: (whole) => whole,
  admits: (voters, from, store) => voters.get(from) === store.storeId,
  incarnation: (process, life) => `${process}-${life}`,
  pages: (message) => [message],
};

/** What production hands to its machines. */
export const logRules: LogRules = {
  acceptor: acceptorRules,
  proposer: proposerRules,
  learner: learnerRules,
  recovery: recoveryRules,
  ports: logPorts,
};

/** One process of the small world. */
export interface LogNodeBounds {
  readonly node: NodeId;
  /** Ballots it may try. */
  readonly ballots: number;
  /** Commands it may propose: one as soon as it leads, the last again if there is none left; others while it leads. */
  readonly commands: number;
  /** No command is asked for that would go into a later slot. */
  readonly slots?: number;
  /** Checkpoints it may make. */
  readonly checkpoints?: number;
  /** Times it may ask for what it lacks. */
  readonly fetches?: number;
  /** False: it never crashes. */
  readonly crashes?: boolean;
  /** Whom acceptors are to tell of its commands themselves (N4). */
  readonly tells?: NodeId;
  /** False: it hears nothing of what others count as chosen. */
  readonly learns?: boolean;
  /** False for a second process under the node's name: it has a folder of its own, and no vote (I1, I2). */
  readonly votes?: boolean;
}

/** Everything of one node, in memory and on disk. Treated as a value: a step works on a copy. */
export interface LogNode {
  life: number;
  wipes: number;
  acceptor: AcceptorState;
  learner: LearnerState;
  proposer: ProposerState;
  mode: 'idle' | 'preparing' | 'catchingUp' | 'leading';
  snapshot: SnapshotState | null;
  /** Last slot handed to the state machines. */
  applied: number;
  /** Flushed. */
  durable: JournalRecord[];
  /** Written since, and what may be said when it is flushed. */
  records: JournalRecord[];
  replies: Reply[];
  ballots: number;
  commands: number;
  checkpoints: number;
  fetches: number;
}

/** A message with its sender; `to` is a node, `voters`, or everybody else. */
export interface Sent {
  readonly to: NodeId | 'voters' | 'others';
  readonly message: Received<Message>;
}

export const LEASE_MS = 1_000;
/** It stands still: timers may fire at any moment in a small world. */
export const clock: Clock = {
  now: () => 0,
  wallNow: () => 0,
  bootNow: () => null,
  setTimeout: () => null,
  clearTimeout: () => {},
};
export const random: Random = { next: () => 0.5, id: () => 'x' };

export interface LogStepOptions {
  readonly rules: LogRules;
  readonly bounds: LogNodeBounds;
  readonly process: string;
  readonly voters: readonly NodeId[];
  readonly node: LogNode;
}

const storeIdOf = (node: NodeId, wipes: number): string => (wipes === 0 ? node : `${node}-new${wipes}`);

/** A process that has not begun anything. */
export function freshLogNode(
  rules: LogRules,
  bounds: LogNodeBounds,
  process: string,
  voters: readonly NodeId[],
): LogNode {
  const node: LogNode = {
    life: 0,
    wipes: 0,
    acceptor: freshAcceptor(),
    learner: null as unknown as LearnerState,
    proposer: null as unknown as ProposerState,
    mode: 'idle',
    snapshot: null,
    applied: 0,
    durable: [],
    records: [],
    replies: [],
    ballots: 0,
    commands: 0,
    checkpoints: 0,
    fetches: 0,
  };
  const step = new LogStep({ rules, bounds, process, voters, node });
  step.begin();
  return step.node;
}

/**
 * One step of one node: the modes of the proposer's statechart, the wiring of a member, and the journal between them, all of
 * it around the rules that are handed in. Timers may fire at any moment here, so they are steps like any other.
 */
export class LogStep {
  readonly node: LogNode;
  readonly sent: Sent[] = [];
  readonly #rules: LogRules;
  readonly #bounds: LogNodeBounds;
  readonly #process: string;
  readonly #voters: readonly NodeId[];
  readonly #self: NodeId;

  constructor({ rules, bounds, process, voters, node }: LogStepOptions) {
    this.#rules = rules;
    this.#bounds = bounds;
    this.#process = process;
    this.#voters = voters;
    this.#self = bounds.node;
    this.node = copyOf(node);
  }

  /** A process starts with what its journal gives back. */
  begin(torn?: JournalRecord): void {
    const { node } = this;
    node.life++;
    const recovered: Recovered = this.#rules.recovery.recover(this.#rules.ports.readBack(node.durable, torn));
    node.durable = journalOf(recovered);
    node.records = [];
    node.replies = [];
    node.acceptor = recovered.acceptor;
    node.snapshot = recovered.snapshot;
    node.applied = recovered.snapshot?.through ?? 0;
    node.learner = initialLearner(this.#learnerInput(recovered));
    node.proposer = initialProposer(this.#proposerInput(recovered.lastRound, node.applied));
    node.mode = 'idle';
    this.#hear((out) => this.#rules.learner.behind(node.learner, node.learner.highest, this.#self) ?? out);
  }

  receive(message: Received<Message>): void {
    const { acceptor, learner } = this.#rules;
    const { node } = this;
    const votes = this.#bounds.votes ?? true;
    switch (message.type) {
      case 'prepare':
        this.#noteRound(message.from, message.ballot);
        if (votes) this.#vote((draft) => acceptor.prepare(node.acceptor, this.#store(), message, draft));
        break;
      case 'accept':
        this.#noteRound(message.from, message.ballot);
        if (votes) this.#vote((draft) => acceptor.accept(node.acceptor, this.#store(), message, draft));
        if (message.from !== this.#self) {
          this.#hear((out) => learner.proposed(node.learner, this.#learnerInput(), [message.slot], out));
        }
        break;
      case 'promise':
      case 'accepted':
        if (
          this.#rules.ports.admits(new Map(this.#voters.map((voter) => [voter, voter])), message.from, message.store)
        ) {
          this.#answer(message);
        }
        break;
      case 'reject':
        this.#noteRound('', message.promised);
        this.#answer(message);
        break;
      case 'trimmed':
        this.#answer(message);
        break;
      case 'chosen':
        this.#hear((out) => learner.chosen(node.learner, this.#learnerInput(), message, out));
        break;
      case 'fetch':
        this.#toLearner((out) => learner.answer(node.learner, this.#learnerInput(), message, out));
        break;
      case 'learned':
        this.#hear((out) => learner.learned(node.learner, message, out));
        break;
      case 'snapshot':
        this.#hear((out) => learner.snapshot(node.learner, message, out));
        break;
    }
  }

  /** B1: whyever it wants to lead, or its attempt has taken too long. */
  lead(): boolean {
    const { node } = this;
    if (node.ballots >= this.#bounds.ballots || node.mode === 'catchingUp') return false;
    if (node.mode === 'leading') {
      if (!hasHole(node.proposer)) return false;
      this.#stepDown(null);
    }
    node.ballots++;
    node.mode = 'preparing';
    this.#toProposer((out) => this.#rules.proposer.prepare(node.proposer, this.#proposerInput(), out));
    return true;
  }

  /** Another command, while it leads; the first is asked for as soon as it leads. */
  submit(): boolean {
    const { node } = this;
    if (node.commands >= this.#bounds.commands || node.mode !== 'leading' || node.proposer.queue.length > 0)
      return false;
    this.#append(++node.commands);
    this.#toProposer((out) => this.#rules.proposer.propose(node.proposer, this.#proposerInput(), out));
    return true;
  }

  #append(number: number): void {
    const id = `${this.#process}-${this.node.life}/${number}`;
    const command = { id, machine: 'kv', body: Uint8Array.of(1) };
    const { tells } = this.#bounds;
    // Votes are judged by their store here, all of them.
    const learner = tells === undefined ? undefined : { node: tells, lives: [] };
    this.#rules.proposer.submit(this.node.proposer, [command], false, learner);
  }

  /** N2: asks for everything it lacks. */
  fetch(): boolean {
    const { node } = this;
    if (node.fetches >= (this.#bounds.fetches ?? 0)) return false;
    node.fetches++;
    this.#send('others', { type: 'fetch', fromSlot: node.learner.through + 1, toSlot: 2 ** 20 });
    return true;
  }

  /** P3: a flush, if anything waits for one, and then what waited. What nothing waits for goes with the next flush. */
  flush(): void {
    const { node } = this;
    if (node.replies.length === 0) return;
    node.durable = journalOf(recover([...node.durable, ...node.records]));
    node.records = [];
    for (const { to, message } of node.replies.splice(0)) this.#reply(to, message);
  }

  /** P6: a checkpoint over what is applied replaces the journal; then what it covers is trimmed. */
  checkpoint(): boolean {
    const { node } = this;
    if (node.checkpoints >= (this.#bounds.checkpoints ?? 0) || node.applied <= node.acceptor.trimmedThrough)
      return false;
    node.checkpoints++;
    const through = node.applied;
    const values = [...valuesOf(node.snapshot)];
    for (let slot = values.length + 1; slot <= through; slot++) values.push(textOf(node.learner.learned.get(slot)));
    node.snapshot = { through, position: through, bytes: new TextEncoder().encode(JSON.stringify(values)) };
    const state = { ...recover([]), acceptor: node.acceptor, snapshot: node.snapshot };
    node.durable = journalOf(state);
    node.records = [];
    for (const { to, message } of node.replies.splice(0)) this.#reply(to, message);
    this.#rules.acceptor.trim(node.acceptor, through);
    this.#rules.learner.trim(node.learner, through);
    return true;
  }

  /** Of what was being written the first `survivors` records reached the disk, and maybe a part of the next. */
  crash(survivors: number): void {
    const { node } = this;
    const torn = node.records[survivors];
    node.durable = [...node.durable, ...node.records.slice(0, survivors)];
    this.begin(torn);
  }

  /** Somebody empties the folder: another store (I2). */
  wipe(): void {
    const { node } = this;
    node.wipes++;
    node.durable = [];
    this.begin();
  }

  #vote(work: (draft: Draft) => void): void {
    const { node } = this;
    const draft: Draft = { records: [], replies: [] };
    work(draft);
    if (draft.replies.length === 0) return;
    const { early } = this.#rules.ports;
    for (const { to, message } of early(draft.replies)) this.#reply(to, message);
    node.records.push(...draft.records);
    node.replies.push(...draft.replies);
    const granted = draft.replies.find(({ to, message }) => message.type === 'promise' && to !== this.#self);
    if (granted?.message.type === 'promise') {
      this.#rules.proposer.noteRound(node.proposer, granted.message.ballot.round);
      if (
        this.#isAtWork() &&
        this.#rules.proposer.isOutbid(node.proposer, { type: 'granted', ballot: granted.message.ballot })
      ) {
        this.#stepDown(granted.message.ballot);
      }
    }
  }

  #answer(message: Received<Message>): void {
    const { proposer } = this.#rules;
    const { node } = this;
    const state = node.proposer;
    if (message.type === 'promise' && node.mode === 'preparing') {
      proposer.notePromise(state, this.#proposerInput(), message);
      if (proposer.hasPrepareQuorum(state, this.#proposerInput())) {
        const chosen = chosenElsewhere(state);
        node.mode = 'catchingUp';
        if (chosen) this.#hear(() => this.#rules.learner.behind(node.learner, chosen.through, chosen.from));
        this.#mayLead();
      }
    } else if (message.type === 'accepted' && message.ballot.nodeId !== this.#self) {
      this.#hear((out) => this.#rules.learner.accepted(node.learner, this.#learnerInput(), message, out));
    } else if (message.type === 'accepted' && node.mode === 'leading') {
      this.#toProposer((out) => proposer.noteAccepted(state, this.#proposerInput(), message, out));
    } else if (message.type === 'trimmed' && node.mode === 'leading') {
      this.#toProposer((out) => {
        proposer.noteTrimmed(state, message, out);
        proposer.propose(state, this.#proposerInput(), out);
      });
    } else if (message.type === 'reject' && this.#isAtWork() && proposer.isOutbid(state, message)) {
      this.#stepDown(message.promised);
    }
  }

  #isAtWork(): boolean {
    return this.node.mode !== 'idle';
  }

  #mayLead(): void {
    const { proposer } = this.#rules;
    const { node } = this;
    if (node.mode !== 'catchingUp' || !isCaughtUp(node.proposer, proposer.base(node.proposer))) return;
    node.mode = 'leading';
    this.#toProposer((out) => {
      proposer.takeOver(node.proposer);
      if (this.#bounds.commands > 0 && node.proposer.nextSlot <= (this.#bounds.slots ?? Number.POSITIVE_INFINITY)) {
        node.commands = Math.min(node.commands + 1, this.#bounds.commands);
        this.#append(node.commands);
      }
      proposer.propose(node.proposer, this.#proposerInput(), out);
    });
    const { learnedThrough, backlogEnd } = node.proposer;
    invariant(
      learnedThrough >= backlogEnd || !hasHole(node.proposer),
      'B2 in every slot from the first one unlearned to the highest seen something is proposed',
    );
  }

  #stepDown(by: Ballot | null): void {
    const { node } = this;
    this.#toProposer((out) => this.#rules.proposer.stepDown(node.proposer, by, out));
    node.mode = 'idle';
  }

  #noteRound(from: NodeId, ballot: Ballot): void {
    if (from !== this.#self) this.#rules.proposer.noteRound(this.node.proposer, ballot.round);
  }

  #toProposer(work: (out: ProposerEmitted[]) => void): void {
    const { node } = this;
    const out: ProposerEmitted[] = [];
    work(out);
    for (const emitted of out) {
      switch (emitted.type) {
        case 'send': {
          const { message } = emitted;
          if (message.type === 'accept') {
            invariant(message.slot <= node.applied + WINDOW, 'B3 the window is a distance');
          }
          this.#send('voters', message);
          break;
        }
        case 'chosen': {
          const { ballot, slot, value } = emitted;
          this.#hear((heard) =>
            this.#rules.learner.decided(node.learner, this.#learnerInput(), ballot, slot, value, heard),
          );
          break;
        }
        case 'behind':
          this.#hear(() => this.#rules.learner.behind(node.learner, emitted.through, emitted.from));
          break;
      }
    }
  }

  /** What the learner machine does around each of its rules: apply what can be applied, tell of progress. */
  #hear(work: (out: LearnerEmitted[]) => void): void {
    const { learner, acceptor, proposer } = this.#rules;
    const { node } = this;
    const { through, known } = node.learner;
    this.#toLearner((out) => {
      work(out);
      learner.applyInOrder(node.learner, out);
    });
    if (node.learner.through === through && node.learner.known === known) return;
    acceptor.learned(node.acceptor, node.learner.through);
    const state = node.proposer;
    if (node.mode !== 'leading') {
      proposer.noteLearned(state, node.learner.through, node.learner.known);
      this.#mayLead();
    } else {
      this.#toProposer((out) => {
        proposer.noteLearned(state, node.learner.through, node.learner.known);
        proposer.propose(state, this.#proposerInput(), out);
      });
    }
  }

  #toLearner(work: (out: LearnerEmitted[]) => void): void {
    const { node } = this;
    const out: LearnerEmitted[] = [];
    work(out);
    for (const emitted of out) {
      switch (emitted.type) {
        case 'send':
          this.#send(emitted.to === 'all' ? 'others' : emitted.to, emitted.message);
          break;
        case 'record':
          node.records.push(emitted.record);
          break;
        case 'apply':
          invariant(emitted.slot === node.applied + 1, 'N1 slots are applied in order, and none is skipped');
          node.applied = emitted.slot;
          break;
        case 'install':
          node.snapshot = emitted.snapshot;
          node.applied = emitted.snapshot.through;
          break;
      }
    }
  }

  #reply(to: NodeId, message: Message): void {
    for (const page of this.#rules.ports.pages(message)) this.#send(to, page);
  }

  #send(to: Sent['to'], message: Message): void {
    this.sent.push({ to, message: { ...message, from: this.#self } });
  }

  /** How often a folder was opened finds one that was rolled back (I2), which no folder is here: it is left out. */
  #store(): Store {
    return { storeId: storeIdOf(this.#self, this.node.wipes), incarnations: 1 };
  }

  #incarnation(): string {
    return this.#rules.ports.incarnation(this.#process, this.node.life);
  }

  #learnerInput(recovered?: Recovered): LearnerInput {
    const { node } = this;
    return {
      self: this.#self,
      others: this.#voters.filter((voter) => voter !== this.#self),
      quorum: majority(this.#voters),
      leaseMs: () => LEASE_MS,
      clock,
      random,
      held: (slot, ballot) => heldValue(node.acceptor, slot, ballot),
      proposedThrough: () => 0,
      snapshot: () => node.snapshot,
      recovered: { through: recovered?.snapshot?.through ?? 0, learned: recovered?.learned ?? new Map() },
    };
  }

  #proposerInput(lastRound = 0, learnedThrough = 0): ProposerInput {
    return {
      self: this.#self,
      incarnation: this.#incarnation(),
      leaseMs: () => LEASE_MS,
      clock,
      random,
      quorum: majority(this.#voters),
      lastRound,
      learned: () => ({ through: learnedThrough, known: learnedThrough }),
      isMaster: () => false,
    };
  }
}

/** A journal as the fewest records that say the same: two orders of writing are one state of the disk. */
function journalOf(recovered: Recovered): JournalRecord[] {
  const { accepted, promised } = recovered.acceptor;
  // P2: what is accepted at a ballot says that it is promised.
  const isSaidTwice = [...accepted.values()].some(({ ballot }) => isSameBallot(ballot, promised));
  return checkpointRecords(recovered)
    .filter(({ type }) => type !== 'promised' || !isSaidTwice)
    .sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1))
    .sort(bySnapshot);
}

/** Reading needs the order of a checkpoint: the snapshot, then what is accepted, then what of it is chosen. */
const ORDER: readonly JournalRecord['type'][] = [
  'kept',
  'formed',
  'peer',
  'snapshot',
  'promised',
  'accepted',
  'chosen',
  'learned',
];
const bySnapshot = (a: JournalRecord, b: JournalRecord): number => ORDER.indexOf(a.type) - ORDER.indexOf(b.type);

/**
 * Takes out of a node what no step of the small world looks at, so that states that differ by nothing else are one: instants
 * and waits (clocks stand still here), whom a learner would ask first (it asks everybody), and what an idle proposer has left
 * over from its last attempt.
 */
export function settle(node: LogNode): LogNode {
  const { learner, proposer } = node;
  learner.source = null;
  learner.proposed = 0;
  learner.watched = 0;
  learner.stuckAt = 0;
  learner.wanted = learner.through;
  proposer.notBeforeMs = 0;
  proposer.losses = 0;
  proposer.wish = null;
  proposer.wishedAt = 0;
  for (const pages of proposer.pages.values()) {
    const spans = new Map(pages.spans.map((span) => [`${span.from}-${span.to}`, span]));
    pages.spans.splice(0, pages.spans.length, ...[...spans.values()].sort((a, b) => a.from - b.from || a.to - b.to));
  }
  if (node.mode === 'leading') proposer.promised.clear();
  if (node.mode === 'idle') {
    proposer.ballot = NO_BALLOT;
    proposer.fromSlot = 0;
    proposer.backlogNext = 1;
    proposer.nextSlot = 0;
    proposer.lastProposed = 0;
    proposer.pages.clear();
    proposer.promised.clear();
  }
  return node;
}

/** A value as text: the id of its command. */
export const textOf = (value: Value | undefined): string => (value === undefined ? '?' : [...value].join('.'));

/** Texts of all values that a snapshot of the small world covers, from slot 1 on. */
export const valuesOf = (snapshot: SnapshotState | null): readonly string[] =>
  snapshot === null ? [] : (JSON.parse(new TextDecoder().decode(snapshot.bytes)) as string[]);
