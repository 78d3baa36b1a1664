import {
  type Applied,
  type CandidateInput,
  type CandidateRef,
  decodeMasterCommand,
  type HolderClock,
  hasSeen,
  type LeaseEvent,
  type Licence,
  leaseInForceMs,
  type MasterCommand,
  type MasterFold,
} from '@synod/mastership';
import { heldValue, PaxosLog, type Recovered, type SnapshotState } from '@synod/paxos';
import {
  type Accept,
  type Accepted,
  type Append,
  type AwaitingLearner,
  type Ballot,
  type Codec,
  type Command,
  type Configuration,
  compareBallots,
  decodeBatch,
  EVERYBODY,
  encodeBatch,
  type Incarnation,
  type Journal,
  type JournalContents,
  type MasterNews,
  type Message,
  NO_BALLOT,
  type NodeId,
  quorumSystemOf,
  type Received,
  type Standby,
  type Store,
  type Subscription,
  soon,
  type TimerHandle,
  type Value,
} from '@synod/protocol';
import type { NodePorts, ResolvedOptions } from '../options.ts';
import { CHECKPOINT_BYTES, Checkpointer, NOTHING_TO_DO } from './checkpointer.ts';
import type { RoleInputs } from './group.machine.ts';
import { GROUP_ELECTION } from './group.ts';
import { Herald } from './herald.ts';
import type { Mailbox, Turn } from './mailbox.ts';
import type { Outbox } from './outbox.ts';
import { Participant, type ParticipantOptions } from './participant.ts';
import { Reminder } from './reminder.ts';
import type { Roles } from './roles.ts';
import { Voters } from './voters.ts';

export interface MemberOptions {
  readonly ports: NodePorts;
  readonly codec: Codec;
  readonly options: ResolvedOptions;
  readonly incarnation: string;
  readonly journal: Journal;
  readonly contents: JournalContents;
  readonly recovered: Recovered;
  readonly configuration: Configuration;
  /** A follower learns and serves; it neither votes nor asks for anything. */
  readonly isVoter: boolean;
  readonly fold: MasterFold;
  readonly holderClock: HolderClock;
  readonly mailbox: Mailbox;
  readonly outbox: Outbox;
  readonly candidate: (input: Pick<CandidateInput, 'election' | 'lease'>) => CandidateRef;
  readonly send: (to: NodeId | typeof EVERYBODY, message: Message) => void;
  readonly onLeading: (isLeading: boolean) => void;
  readonly onAcquired: (licence: Licence) => void;
  readonly onRenewed: () => void;
  readonly onShortened: () => void;
  readonly onLost: (election: string, term: number, lostBy: string) => void;
  readonly onOverrun: (election: string, term: number) => void;
  readonly onWord: ParticipantOptions['onWord'];
  readonly onStopped: () => void;
  /** A command of the fold was applied; told after the candidates. `isFresh`: as it was chosen, not caught up with. */
  readonly onApplied: (applied: Applied, isFresh: boolean) => void;
  /** A snapshot was put in place of the fold's state. */
  readonly onRestored: (news: MasterNews) => void;
  readonly onFailure: (error: unknown) => void;
}

/** What a learned value takes in memory besides itself, bytes, about. */
const ENTRY_BYTES = 256;

/**
 * The four roles of one member, wired: what the mailbox hands on becomes their events, what they emit goes to journal, bus,
 * log and fold. Holds no rule of its own.
 */
export class Member {
  readonly log: PaxosLog;
  readonly voters: Voters;
  readonly checkpointer: Checkpointer;
  readonly #options: MemberOptions;
  readonly #reminder: Reminder;
  readonly #herald: Herald;
  readonly #self: NodeId;
  #roles: Roles | null = null;
  #participant: Participant | null = null;
  #appends: Subscription | null = null;
  #leader: { readonly ballot: Ballot; readonly isSilent: boolean } = { ballot: NO_BALLOT, isSilent: true };
  #isLeading = false;
  #appliedThrough: number;
  /** Highest slot known chosen. */
  #known: number;
  /** Highest slot that another node was seen to propose. */
  #proposedThrough = 0;
  #isDelivering = false;
  readonly #timers = new Set<TimerHandle>();
  /** Slots whose choice the others hear a moment later. */
  readonly #putOff = new Set<number>();
  /** Holds all that is forgotten here, for nodes that are behind it (N2). */
  #snapshot: SnapshotState | null;
  #isApplying = false;
  /** Applied since the last snapshot in memory, of a follower. */
  #learnedBytes = 0;
  /** Highest round that the proposer was told of. */
  #roundSeen = 0;
  /** Commands applied now stood in our journal. */
  #isReplaying = false;
  /** Commands applied now were learned as they were chosen, not caught up with. */
  #isFresh = false;

  constructor(options: MemberOptions) {
    this.#options = options;
    const { ports, recovered, configuration, contents } = options;
    const { clock, random } = ports;
    this.#self = ports.bus.node;
    this.#appliedThrough = recovered.snapshot?.through ?? 0;
    this.#known = this.#appliedThrough;
    this.#snapshot = recovered.snapshot;
    this.voters = new Voters({
      clock,
      self: this.#self,
      configuration,
      quorum: quorumSystemOf(configuration),
      incarnations: recovered.peers,
      rules: options.options.voteRules,
    });
    this.voters.incarnations.set(contents.storeId, contents.incarnations);
    this.log = new PaxosLog({
      self: this.#self,
      leaseMs: () => this.#leaseMs,
      clock,
      random,
      position: recovered.snapshot?.position ?? configuration.firstPosition - 1,
      isLeading: () => this.#isLeading,
      leader: () => this.leader,
      submit: (commands, isUrgent) => this.#submit(commands, isUrgent),
      withdraw: (ids) => this.#roles?.proposer.send({ type: 'withdraw', ids }),
      append: (commands) => options.send('append', { type: 'append', commands: encodeBatch(commands) }),
      lead: (reason) => this.#roles?.proposer.send({ type: 'lead', reason }),
    });
    this.#herald = new Herald({
      fold: options.fold,
      incarnation: options.incarnation,
      clock,
      leaseMs: () => this.#leaseMs,
      maxPayloadBytes: () => ports.bus.maxPayloadBytes,
      isLeading: () => this.#isLeading,
      send: options.send,
      tellLease: (event) => this.#tellLease(event),
      onApplied: options.onApplied,
      guard: (work) => this.#guard(work),
    });
    this.#reminder = new Reminder({
      clock,
      quietMs: () => this.#leaseMs,
      remind: () => this.#guard(() => this.#tellHowFar()),
    });
    this.checkpointer = new Checkpointer({
      journal: options.journal,
      cut: () => this.#cut(),
      trim: (snapshot) => {
        const { through } = snapshot;
        // One that was installed meanwhile reaches further: what it holds is gone here (N2).
        if (through > (this.#snapshot?.through ?? 0)) this.#snapshot = snapshot;
        this.#roles?.acceptor?.send({ type: 'trim', through });
        this.#roles?.learner.send({ type: 'trim', through });
      },
      onFailure: options.onFailure,
    });
  }

  /** What each role begins with. */
  inputs(): RoleInputs {
    const { ports, options, recovered, configuration, contents, incarnation, isVoter, fold } = this.#options;
    const { clock, random } = ports;
    const self = this.#self;
    const leaseMs = () => this.#leaseMs;
    return {
      acceptor: {
        self,
        store: { storeId: contents.storeId, incarnations: contents.incarnations },
        recovered: recovered.acceptor,
        mayVote: isVoter,
        learnedThrough: () => this.#appliedThrough,
      },
      learner: {
        self,
        others: configuration.voters.map((voter) => voter.node).filter((node) => node !== self),
        quorum: quorumSystemOf(configuration),
        leaseMs,
        clock,
        random,
        held: (slot: number, ballot: Ballot) => heldValue(recovered.acceptor, slot, ballot),
        proposedThrough: () => this.#proposedThrough,
        snapshot: () => this.#snapshot,
        recovered: { through: recovered.snapshot?.through ?? 0, learned: recovered.learned },
      },
      proposer: {
        self,
        incarnation,
        leaseMs,
        clock,
        random,
        quorum: quorumSystemOf(configuration),
        lastRound: recovered.lastRound,
        learned: () => ({ through: this.#appliedThrough, known: this.#known }),
        isMaster: () => this.isMaster(),
      },
      lease: {
        self,
        incarnation,
        leaseMs: options.leaseMs,
        drift: configuration,
        clock,
        random,
        holderClock: this.#options.holderClock,
        view: fold.view,
      },
    };
  }

  /** The roles live: hears them, replays the journal, asks for what is missing. */
  begin(roles: Roles): void {
    this.#roles = roles;
    const options = this.#options;
    const { fold, recovered } = options;
    if (roles.acceptor) this.#hearAcceptor(roles);
    if (roles.proposer) this.#hearProposer(roles);
    if (roles.lease) this.#hearLease(roles);
    this.#hearLearner(roles);
    this.log.observe({
      seen: (id, { body }) => {
        // T2 waits for what opens or renews a session, and for nothing else: takings come by the thousand.
        if (!setsSession(body)) return;
        // Hearing an id again does not restart its wait, so the lease need not hear of it.
        const lease = this.#roles?.lease;
        const isNew = !this.#isReplaying && lease && !hasSeen(lease.getSnapshot().context, id);
        if (isNew) this.#tellLease({ type: 'seen', id });
      },
      chosen: (position, command) => {
        if (command?.machine === fold.name) fold.apply(position, command);
      },
    });
    fold.onApplied((applied) => {
      if (this.#isReplaying) this.#herald.replayed(applied);
      else this.#herald.applied(applied, this.#isFresh);
    });
    if (recovered.snapshot) this.#restore(recovered.snapshot);
    // A journal holds an hour of renewals. The lease is told what they came to, not each.
    this.#isReplaying = true;
    roles.learner.send({ type: 'start' });
    this.#isReplaying = false;
    this.#tellPresent();
    if (!this.#roles) return;
    this.#herald.begin();
    this.#reminder.start();
  }

  /**
   * I2: whether what comes from this store may count in a vote. A rolled-back one not even asks for votes: its own acceptor,
   * which forgot, would stand in the quorum. Each start of a store is announced to all (I5), so that all keep its count.
   */
  mayVote(from: NodeId, store: Store, life: Incarnation): boolean {
    const verdict = this.voters.admit(from, store, life);
    if (verdict === 'newer' && this.#options.isVoter) {
      this.#options.outbox.add({ records: [{ type: 'peer', ...store }], replies: [] });
    }
    return verdict !== 'refused';
  }

  /** Runs of messages of one type, as they came in (limits.md: one event for all messages of a turn). */
  deliver(turn: Turn): void {
    const roles = this.#roles;
    if (!roles) return;
    this.#herald.tellPutOff();
    this.#isDelivering = true;
    this.#handOn(roles, turn);
    this.#isDelivering = false;
    this.#herald.tellApplied();
  }

  #handOn(roles: Roles, turn: Turn): void {
    for (const { from } of turn.messages) this.voters.heard(from);
    const messages = turn.messages as readonly Received<never>[];
    switch (turn.type) {
      case 'prepare':
        for (const message of turn.messages) if (message.type === 'prepare') this.#sawRound(message.ballot);
        roles.acceptor?.send({ type: 'prepares', messages });
        break;
      case 'accept':
        this.#accepts(roles, turn.messages as readonly Received<Accept>[]);
        break;
      case 'promise':
      case 'reject':
      case 'trimmed':
        for (const message of turn.messages) this.#answer(roles, message);
        break;
      case 'accepted':
        this.#accepteds(roles, turn.messages as readonly Received<Accepted>[]);
        break;
      case 'chosen':
        for (const message of turn.messages) {
          if (message.type === 'chosen') this.#sawLeader(message.ballot);
        }
        this.voters.sawChosen();
        this.#asFresh(() => roles.learner.send({ type: 'chosens', messages }));
        break;
      case 'fetch':
        roles.learner.send({ type: 'fetches', messages });
        break;
      case 'learned':
        roles.learner.send({ type: 'learneds', messages });
        break;
      case 'snapshot':
        roles.learner.send({ type: 'snapshots', messages });
        break;
      case 'append':
        for (const message of turn.messages) if (message.type === 'append') this.#append(roles, message);
        break;
      case 'standby':
        for (const message of turn.messages) if (message.type === 'standby') this.#standby(message);
        break;
      default:
        break;
    }
  }

  /**
   * Makes a checkpoint if the journal is due for one. A follower writes nothing: a checkpoint over a damaged journal would
   * hide the damage (P5), and one in a foreign store would say that it keeps a configuration which does not hold it (I2).
   */
  reviewJournal(limitBytes?: number): Promise<void> {
    // A listener may ask in the middle of a batch: half of it is no cut (P6).
    if (this.#isApplying) return NOTHING_TO_DO;
    if (this.#options.isVoter) return this.checkpointer.review(limitBytes);
    if (this.#learnedBytes >= CHECKPOINT_BYTES) this.#foldLearned();
    return NOTHING_TO_DO;
  }

  /** A follower serves who is behind from a snapshot in memory; what it learned would pile up there for ever. */
  #foldLearned(): void {
    this.#learnedBytes = 0;
    this.#snapshot = this.#takeSnapshot();
    this.#roles?.learner.send({ type: 'trim', through: this.#snapshot.through });
  }

  /** Of the group, by its own reckoning (T5). */
  isMaster(): boolean {
    return this.#participant?.isMaster(GROUP_ELECTION) ?? false;
  }

  /** What this node asks for and holds; `null` for a follower, and before it has begun. */
  get participant(): Participant | null {
    return this.#participant;
  }

  get leader(): NodeId | null {
    if (this.#isLeading) return this.#self;
    return this.#leader.isSilent ? null : this.#leader.ballot.nodeId;
  }

  /** The length in force (T12), ms. */
  get #leaseMs(): number {
    const lease = this.#roles?.lease?.getSnapshot().context;
    return lease ? leaseInForceMs(lease) : this.#options.options.leaseMs;
  }

  get ballot(): Ballot {
    return this.#leader.ballot;
  }

  get learnedThrough(): number {
    return this.#appliedThrough;
  }

  /** The server says that nobody hears the append subject (B1a). */
  noResponders(): void {
    this.#leader = { ...this.#leader, isSilent: true };
    this.log.noResponders();
  }

  /** What was missed meanwhile is asked for at once (N2). */
  reconnected(): void {
    this.#roles?.learner.send({ type: 'start' });
    this.#roles?.proposer?.send({ type: 'reconnected' });
    this.log.leaderChanged();
  }

  journalFailed(reason: string): void {
    this.#roles?.acceptor?.send({ type: 'journal.failed', reason });
    this.#tellLease({ type: 'journal.failed' });
  }

  /** Stops being master now; the session ends by itself. */
  abandon(): void {
    this.#tellLease({ type: 'stop', mode: 'abandon' });
  }

  /**
   * A leader that leaves takes no new commands (who asks hears at once that nobody responds) and finishes those it has, so
   * that nobody waits for it; at most a quarter of a lease.
   */
  async drain(): Promise<void> {
    if (!this.#isLeading) return;
    const { ports } = this.#options;
    const untilMs = ports.clock.now() + this.#leaseMs / 4;
    this.#appends?.close();
    this.#appends = null;
    // What was sent before the server knew is here after a round trip.
    await ports.bus.flush().catch(() => {});
    while (this.#isBusy() && ports.clock.now() < untilMs) {
      await new Promise<void>((resolve) => ports.clock.setTimeout(resolve, this.#leaseMs / 200));
    }
  }

  #isBusy(): boolean {
    const { open, urgent, queue } = this.#roles?.proposer?.getSnapshot().context.state ?? {};
    return (open?.size ?? 0) + (urgent?.length ?? 0) + (queue?.length ?? 0) > 0;
  }

  close(): void {
    for (const timer of this.#timers) this.#options.ports.clock.clearTimeout(timer);
    this.#participant?.close();
    this.log.close();
    this.#appends?.close();
    this.#herald.close();
    this.#reminder.stop();
    this.#roles = null;
  }

  #hearAcceptor(roles: Roles): void {
    roles.acceptor.on('bundle', (bundle) =>
      this.#guard(() => {
        this.#options.outbox.add(bundle);
        // Without a quorum nothing is learned, and each attempt is a promise written all the same.
        void this.reviewJournal();
        const granted = bundle.replies.find(({ to, message }) => message.type === 'promise' && to !== this.#self);
        if (granted?.message.type === 'promise')
          roles.proposer?.send({ type: 'granted', ballot: granted.message.ballot });
      }),
    );
  }

  #hearProposer(roles: Roles): void {
    const { onLeading, mailbox } = this.#options;
    const { proposer, learner } = roles;
    proposer.on('send', ({ to, message }) => this.#guard(() => this.#toVoters(to, message)));
    proposer.on('chosen', ({ ballot, slot, value, learner: waiting }) =>
      this.#guard(() => {
        if (waiting) this.#putOff.add(slot);
        this.#asFresh(() => learner.send({ type: 'decided', ballot, slot, value }));
      }),
    );
    proposer.on('leading', ({ ballot }) =>
      this.#guard(() => {
        this.#isLeading = true;
        this.#leader = { ballot, isSilent: false };
        this.#appends ??= mailbox.listenTo({ role: 'log', to: 'append' });
        this.#tellLease({ type: 'leading', value: true });
        this.log.leaderChanged();
        this.#herald.tellEverything();
        onLeading(true);
      }),
    );
    proposer.on('deposed', ({ by }) =>
      this.#guard(() => {
        if (by) this.#sawLeader(by);
        if (!this.#isLeading) return;
        this.#isLeading = false;
        this.#appends?.close();
        this.#appends = null;
        this.#tellLease({ type: 'leading', value: false });
        this.log.leaderChanged();
        onLeading(false);
      }),
    );
    proposer.on('behind', ({ through, from }) => this.#guard(() => learner.send({ type: 'behind', through, from })));
  }

  #hearLearner(roles: Roles): void {
    const { send, outbox, isVoter } = this.#options;
    const { learner } = roles;
    // N1: after a broken invariant nothing more is applied, though the step that met it goes on.
    const whileLiving = (work: () => void) => this.#guard(() => this.#roles && work());
    learner.on('send', ({ to, message }) =>
      this.#guard(() => {
        // N4: who waited has counted by itself; what the others do about it would stand in its way.
        const isPutOff = message.type === 'chosen' && this.#putOff.delete(message.slot);
        if (isPutOff) this.#later(this.#leaseMs / 1000, () => send(to, message));
        else if (this.#isDelivering && message.type === 'chosen') this.#herald.chosen(to, message);
        else send(to, message);
      }),
    );
    learner.on('record', ({ record }) => whileLiving(() => void (isVoter && outbox.note(record))));
    learner.on('apply', ({ slot, value }) =>
      whileLiving(() => {
        this.#isApplying = true;
        this.log.apply(slot, value);
        this.#isApplying = false;
        this.#appliedThrough = slot;
        this.#learnedBytes += value.byteLength + ENTRY_BYTES;
      }),
    );
    learner.on('install', ({ snapshot }) =>
      whileLiving(() => {
        this.#appliedThrough = snapshot.through;
        this.#snapshot = snapshot;
        this.#restore(snapshot);
        void this.reviewJournal(0);
      }),
    );
    learner.on('progress', ({ through, known }) =>
      whileLiving(() => {
        this.#reminder.noted();
        this.#known = known;
        // An idle one asks when it begins: a follower's idles through all that it learns.
        if (roles.proposer && roles.proposer.getSnapshot().value !== 'idle')
          roles.proposer.send({ type: 'learned', through, known });
        void this.reviewJournal();
        if (!this.#isDelivering) this.#herald.tellApplied();
      }),
    );
    learner.on('stuck', ({ through }) =>
      this.#guard(() => roles.proposer?.send({ type: 'lead', reason: 'stuck', slot: through })),
    );
    let isCaughtUp = true;
    let last: unknown = null;
    learner.subscribe((snapshot) => {
      if (snapshot.value === last) return;
      last = snapshot.value;
      const isBehind = snapshot.matches('behind');
      if (isBehind !== isCaughtUp) return;
      isCaughtUp = !isBehind;
      this.#tellLease({ type: 'caughtUp', value: isCaughtUp });
    });
  }

  #hearLease({ lease }: Roles): void {
    const {
      ports,
      holderClock,
      candidate,
      send,
      onAcquired,
      onRenewed,
      onShortened,
      onLost,
      onOverrun,
      onWord,
      onStopped,
      onFailure,
    } = this.#options;
    this.#participant = new Participant({
      clock: ports.clock,
      holderClock,
      session: lease,
      candidate,
      log: this.log,
      standBy: ({ to, election, command }) =>
        send(to, { type: 'standby', election, commands: encodeBatch(command ? [command] : []) }),
      onAcquired: (held) => {
        if (held.election === GROUP_ELECTION) this.#leadSoon();
        onAcquired(held);
      },
      onRenewed,
      onShortened,
      onLost,
      onOverrun,
      onWord,
      onStopped,
      onFailure,
    });
  }

  /**
   * B1b: the master of the group must lead. First the news of it leave, here and at the others: who led leads on meanwhile.
   */
  #leadSoon(): void {
    if (this.#isLeading) return;
    this.#later(this.#leaseMs / 300, () => {
      if (this.isMaster() && !this.#isLeading) this.#roles?.proposer.send({ type: 'lead', reason: 'master' });
    });
  }

  /** Not after this node has left. */
  #later(delayMs: number, work: () => void): void {
    const { clock } = this.#options.ports;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      this.#guard(work);
    }, delayMs);
    this.#timers.add(timer);
  }

  #tellLease(event: LeaseEvent): void {
    this.#participant?.send(event);
  }

  /** A listener that throws does not stop its actor (limits.md): the node stops itself. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  #accepts(roles: Roles, messages: readonly Received<Accept>[]): void {
    for (const { ballot } of messages) {
      this.#sawRound(ballot);
      this.#sawLeader(ballot);
    }
    const isAnyAwaited = messages.some(({ learner }) => learner !== undefined);
    const asked = isAnyAwaited ? messages.map((message) => this.#unlessRefused(message)) : messages;
    roles.acceptor?.send({ type: 'accepts', messages: asked });
    // The disk is at work meanwhile.
    void soon.then(() => this.#guard(() => this.#roles && this.#noteProposed(this.#roles, messages)));
  }

  /**
   * I2, N4: a learner counts no vote that the proposer would not. Whether this folder was rolled back we cannot know, and the
   * learner may not have heard; the proposer names the lives that it admits. Whoever is none of them tells it alone.
   */
  #unlessRefused(message: Received<Accept>): Received<Accept> {
    const { learner } = message;
    if (learner === undefined || learner.lives.includes(this.#options.incarnation)) return message;
    const { learner: _, ...accept } = message;
    return accept;
  }

  #noteProposed(roles: Roles, messages: readonly Received<Accept>[]): void {
    // T2: the first sight of a command id in any form; the clock is read after the receipt.
    for (const { value } of messages) this.log.seen(value);
    const [first] = messages;
    if (!first || first.from === this.#self) return;
    for (const { slot } of messages) if (slot > this.#proposedThrough) this.#proposedThrough = slot;
    // While it expects some it looks for others by itself.
    if (roles.learner.getSnapshot().value === 'expecting') return;
    roles.learner.send({ type: 'proposed', slots: messages.map(({ slot }) => slot), from: first.from });
  }

  #answer(roles: Roles, message: Received<Message>): void {
    if (message.type === 'reject') this.#sawRound(message.promised);
    const { type } = message;
    if (type === 'promise' || type === 'reject' || type === 'trimmed') roles.proposer?.send(message);
  }

  /** To our own proposal, or to somebody else's whose outcome this node waits for (N4). */
  #accepteds(roles: Roles, messages: readonly Received<Accepted>[]): void {
    let others: Received<Accepted>[] | null = null;
    for (const message of messages) {
      if (message.ballot.nodeId === this.#self) this.#countAccepted(roles, message);
      else if (others === null) others = [message];
      else others.push(message);
    }
    if (others === null) return;
    const event = { type: 'accepteds', messages: others } as const;
    this.#asFresh(() => roles.learner.send(event));
  }

  /** Whoever answers after a quorum did (B3) says nothing that is waited for. */
  #countAccepted({ proposer }: Roles, message: Received<Accepted>): void {
    if (proposer?.getSnapshot().context.state.open.has(message.slot)) proposer.send(message);
  }

  #submit(commands: readonly Command[], isUrgent: boolean): void {
    const learner = isUrgent ? this.#waiter(commands) : null;
    const event = { type: 'submit', commands, isUrgent } as const;
    this.#roles?.proposer.send(learner === null ? event : { ...event, learner });
  }

  /** N4: the voter to whom these commands hand a mastership over. Who merely takes one that is free is told as others are. */
  #waiter(commands: readonly Command[]): AwaitingLearner | null {
    let isGivenBack = false;
    for (const { body } of commands) {
      const asked = decodeMasterCommand(body);
      isGivenBack ||= asked?.type === 'resign' || asked?.type === 'transfer';
      const node = isGivenBack ? this.#taker(asked) : null;
      if (node === null || node === this.#self || !this.#isVoterNode(node)) continue;
      return { node, lives: [this.#options.incarnation, ...this.voters.lives] };
    }
    return null;
  }

  #taker(asked: MasterCommand | null): NodeId | null {
    const { view } = this.#options.fold;
    if (asked?.type === 'open') return asked.take ? asked.node : null;
    if (asked?.type === 'beMaster') return view.session(asked.session)?.node ?? null;
    if (asked?.type === 'transfer') return view.session(asked.to)?.node ?? null;
    return null;
  }

  /** Whoever leads appends for others; a command's candidate must be its sender (I4). */
  #append(roles: Roles, { commands, from }: Received<Append>): void {
    // A follower never leads, and what it handed on would not come from the candidate: the asker asks the next member.
    if (!roles.proposer) return;
    // Asked by name: the leader is unknown to the asker, or silent to it. B1a does the rest.
    if (!this.#isLeading) {
      for (const command of decodeBatch(commands)) {
        if (command?.machine !== this.#options.fold.name || !isCandidate(command, from)) continue;
        this.#herald.asked(command, from);
        this.log.propose(command);
      }
      return;
    }
    const urgent: Command[] = [];
    const others: Command[] = [];
    for (const command of decodeBatch(commands)) {
      if (command === null) continue;
      if (command.machine !== this.#options.fold.name) others.push(command);
      else if (isCandidate(command, from)) {
        urgent.push(command);
        if (!this.#isVoterNode(from)) this.#herald.asked(command, from);
      }
    }
    if (urgent.length > 0) this.#submit(urgent, true);
    if (others.length > 0) this.#submit(others, false);
  }

  /**
   * N2: a gap shows when the next slot is heard of, and in a group that has nothing to do there is no next one. Whoever has
   * learned nothing for a lease says how far it is: who is behind fetches. While a master renews nobody says it.
   */
  #tellHowFar(): void {
    if (this.#appliedThrough > 0)
      this.#options.send(EVERYBODY, { type: 'learned', entries: [], learnedThrough: this.#appliedThrough });
  }

  /** A candidate speaks for itself only (I4). */
  #standby({ election, commands, from }: Received<Standby>): void {
    const [command = null] = decodeBatch(commands);
    const isTheirs = command === null || (command.machine === this.#options.fold.name && isCandidate(command, from));
    if (isTheirs) this.#tellLease({ type: 'standby', election, from, command });
  }

  #isVoterNode(node: NodeId): boolean {
    return this.#options.configuration.voters.some((voter) => voter.node === node);
  }

  /** One publish reaches all acceptors; this node's own is delivered here. */
  #toVoters(to: readonly NodeId[], message: Message): void {
    const { send } = this.#options;
    const others = to.filter((node) => node !== this.#self);
    const all = this.#options.configuration.voters.length - 1;
    // Two copies are less than one to all: that comes back as an echo.
    if (others.length === all && all > 2) send(EVERYBODY, message);
    else for (const node of others) send(node, message);
    if (others.length < to.length) send(this.#self, message);
  }

  #sawRound(ballot: Ballot): void {
    if (ballot.round <= this.#roundSeen) return;
    this.#roundSeen = ballot.round;
    if (ballot.nodeId !== this.#self) this.#roles?.proposer?.send({ type: 'round', round: ballot.round });
  }

  /** Who proposes or tells of what is chosen leads, as far as is known here. */
  #sawLeader(ballot: Ballot): void {
    const order = compareBallots(ballot, this.#leader.ballot);
    if (order < 0 || (order === 0 && !this.#leader.isSilent)) return;
    this.#leader = { ballot, isSilent: false };
    if (!this.#isLeading) this.log.leaderChanged();
  }

  #asFresh(learn: () => void): void {
    this.#isFresh = true;
    learn();
    this.#isFresh = false;
  }

  #restore(snapshot: { readonly position: number; readonly bytes: Uint8Array }): void {
    const { fold } = this.#options;
    fold.restore(snapshot.bytes);
    this.log.restore(snapshot.position);
    this.#herald.restored(snapshot.position);
    this.#options.onRestored(this.#tellPresent());
  }

  /** T2: a snapshot is a sight too, and so is what the journal held. */
  #tellPresent(): MasterNews {
    const { fold } = this.#options;
    for (const session of fold.view.sessions()) this.#tellLease({ type: 'seen', id: session.setBy });
    const news = fold.everything();
    this.#tellLease({ type: 'applied', news });
    return news;
  }

  #takeSnapshot(): SnapshotState {
    return { through: this.#appliedThrough, position: this.log.position, bytes: this.#options.fold.snapshot() };
  }

  /** P6: one cut over all state machines, the position counter and the acceptor. */
  #cut(): { records: Uint8Array[]; snapshot: SnapshotState } {
    const { recovered, configuration, codec, options } = this.#options;
    const snapshot = this.#takeSnapshot();
    const state = {
      acceptor: recovered.acceptor,
      // What is learned beyond the cut is asked for again after a restart.
      learned: new Map<number, Value>(),
      snapshot,
      kept: configuration,
      isFormed: true,
      peers: this.voters.incarnations,
    };
    const records = options.recoveryRules.checkpointRecords(state);
    return { records: records.map((record) => codec.encodeRecord(record)), snapshot };
  }
}

/** Whether a session may come to be in force by it. What no version reads sets none; what is unread here may be read elsewhere. */
function setsSession(body: Uint8Array): boolean {
  const asked = decodeMasterCommand(body);
  return asked === null || asked.type === 'open' || asked.type === 'renew';
}

/** I4: a command's candidate must be its sender. What cannot be read is the fold's to refuse, the same everywhere (N1). */
function isCandidate(command: Command, from: NodeId): boolean {
  const asked = decodeMasterCommand(command.body);
  return asked?.type !== 'open' || asked.node === from;
}
