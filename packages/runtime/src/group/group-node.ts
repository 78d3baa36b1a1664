import {
  type CandidateInput,
  type CandidateRef,
  type candidateMachine,
  HolderClock,
  type Licence,
  leaseInForceMs,
  MasterFold,
  type MasterReader,
  MasterView,
  type SessionInput,
} from '@synod/mastership';
import {
  ClosedError,
  type Codec,
  ConfigError,
  type Configuration,
  type ConsensusLog,
  type Consent,
  configurationDigest,
  type Drift,
  EVERYBODY,
  FormationError,
  InternalError,
  JournalFailedError,
  MAX_MESSAGE_BYTES,
  type MasterNews,
  type Message,
  type MessageType,
  type NodeId,
  NodeIdInUseError,
  type Offer,
  type Received,
  type Share,
  type Subscription,
  soon,
  type Wish,
  wireCodec,
} from '@synod/protocol';
import { type Actor, createActor } from 'xstate';
import { isForEver } from '../election/patience.ts';
import type { Election, ElectionOptions } from '../election/types.ts';
import {
  electionProblems,
  type NodeOptions,
  type NodePorts,
  nameProblems,
  type ResolvedOptions,
  resolveOptions,
  settingProblems,
} from '../options.ts';
import type { Shards, ShardsOptions } from '../shards/types.ts';
import { Chronicle } from './chronicle.ts';
import { Elections } from './elections.ts';
import { type FormationState, formationRules } from './formation.rules.ts';
import { type GroupInput, groupMachine } from './group.machine.ts';
import {
  GROUP_ELECTION,
  type Group,
  type GroupEvents,
  type GroupStatus,
  type Listener,
  type ListenerOptions,
  type LiveSettings,
  type NodeState,
  type RecordChange,
} from './group.ts';
import { claimWaitMs, type Life } from './identity.rules.ts';
import { Identity } from './identity.ts';
import { Mailbox, type Turn } from './mailbox.ts';
import { Member } from './member.ts';
import { noQuorum } from './no-quorum.ts';
import { Onlooker } from './onlooker.ts';
import { type OpenedJournal, openJournal } from './opened-journal.ts';
import { Outbox } from './outbox.ts';
import { Outsider } from './outsider.ts';
import type { Participant } from './participant.ts';
import { pieceBytes } from './pieces.ts';
import { Present } from './present.ts';
import { HEARS, RECIPIENT, type Roles, realMachines } from './roles.ts';

type GroupMachine = ReturnType<typeof groupMachine>;

interface Machines {
  readonly group: GroupMachine;
  readonly candidate: ReturnType<typeof candidateMachine>;
}

/** Machines for all nodes of a process that play by the same rules: they hold no state, and are slow to make. */
const made = new WeakMap<object, { readonly of: Pick<NodeOptions, Making>; readonly machines: Machines }>();

type Making = 'formationRules' | 'interpreter';

function machinesOf({ machines: roles = realMachines, formationRules: rules, interpreter }: NodeOptions): Machines {
  const known = made.get(roles);
  if (known && known.of.formationRules === rules && known.of.interpreter === interpreter) return known.machines;
  const all = { ...realMachines, ...roles };
  const parsed = groupMachine(all, rules);
  const machines = {
    group: interpreter ? interpreter.logic(parsed) : parsed,
    candidate: all.candidate as Machines['candidate'],
  };
  made.set(roles, { of: { formationRules: rules, interpreter } as NodeOptions, machines });
  return machines;
}

/**
 * One node of a group, over ports alone. It starts the root actor and the roles, carries messages between them and the bus,
 * keeps the order of journal and bus (P3), and turns what the lease machine says into elections.
 */
export class GroupNode implements Group {
  readonly name: string;
  readonly node: NodeId;
  readonly incarnation: string;
  readonly closed: Promise<Error | undefined>;
  readonly #ports: NodePorts;
  readonly #codec: Codec;
  readonly #options: ResolvedOptions;
  readonly #raw: NodeOptions;
  readonly #reader: MasterReader;
  readonly #fold: MasterFold | null;
  /** What a node outside the log hears; `null` for a member. */
  readonly #onlooker: Onlooker | null;
  readonly #chronicle: Chronicle;
  readonly #holderClock: HolderClock;
  readonly #mailbox: Mailbox;
  readonly #identity: Identity;
  readonly #elections: Elections;
  readonly #present: Present;
  #live: LiveSettings = {};
  readonly #membersHeard = new Set<NodeId>();
  readonly #dropped: Record<string, number> = {};
  readonly #subscriptions: Subscription[] = [];
  readonly #startedAtMs: number;
  readonly #startedAt: string;
  readonly #events = new EventTarget();
  /** An event that nobody ever listened to is not made. */
  readonly #listenedTo = new Set<keyof GroupEvents>();
  #resolveClosed: (reason: Error | undefined) => void = () => {};
  #root: Actor<GroupMachine> | null = null;
  #member: Member | null = null;
  /** A candidate that is no member. */
  #outsider: Outsider | null = null;
  /** What the group reckons with, as members say; a member knows it by its configuration. */
  #drift: Drift | null = null;
  #outbox: Outbox | null = null;
  #opened: OpenedJournal | null = null;
  #configuration: Configuration | null = null;
  /** Of the configuration: each message names it. */
  #digest = '';
  #state: NodeState = 'joining';
  #ready = Promise.withResolvers<void>();
  #stopped = Promise.withResolvers<void>();
  #failure: Error | null = null;
  #inspect: ((event: unknown) => void) | null = null;
  #isClosing = false;
  #ending: Promise<void> | null = null;
  #livedThrough = 0;
  #wasWaitingFor = '';

  /** @throws ConfigError listing every problem of the options at once. */
  constructor(ports: NodePorts, options: NodeOptions) {
    const { bus, clock, random } = ports;
    this.#options = resolveOptions(bus.group, bus.node, options);
    this.#ports = ports;
    this.#codec = ports.codec ?? wireCodec;
    this.#raw = options;
    this.name = bus.group;
    this.node = bus.node;
    this.incarnation = random.id();
    this.#startedAtMs = clock.now();
    this.#startedAt = new Date(clock.wallNow()).toISOString();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#fold = options.membership.role === 'member' ? (options.fold ?? new MasterFold()) : null;
    this.#onlooker = this.#fold
      ? null
      : new Onlooker({
          clock,
          leaseMs: () => this.#leaseMs,
          heard: options.heard ?? new MasterView(),
          ask: () => this.#send(EVERYBODY, { type: 'present' }),
          onNews: (news) => {
            this.#outsider?.applied(news);
            this.#chronicle.heard(news, true);
          },
          onError: (error) => this.#report(error),
        });
    this.#reader = (this.#fold ?? (this.#onlooker as Onlooker).heard).view;
    this.#chronicle = new Chronicle({
      group: this.name,
      election: GROUP_ELECTION,
      reader: this.#reader,
      clock,
      logger: this.#options.logger,
      isLeading: () => this.#member !== null && this.#member.leader === this.node,
      onChange: (change) => this.#recordChanged(change),
    });
    // Measures the boot clock for some milliseconds: before anything waits for this node.
    const { holderClock = (given) => new HolderClock(given) } = options;
    this.#holderClock = holderClock({ clock, leaseMs: this.#options.leaseMs });
    this.#elections = new Elections({
      group: this.name,
      node: this.node,
      incarnation: this.incarnation,
      ports,
      settings: this.#options,
      eligible: options.eligible,
      reader: this.#reader,
      leaseMs: () => this.#leaseMs,
      participant: () => this.#participant,
      isLeading: () => this.#member?.leader === this.node,
      isClosing: () => this.#isClosing,
      failure: () => this.#failure,
      noQuorum: () => this.#member && noQuorum(this.name, this.#member.voters, this.#leaseMs),
      askPresent: (signal) => this.#askPresent(signal),
      send: (to, message) => this.#send(to, message),
      onEnded: (election, term) => this.#tell('ended', { election, term, isLeaseOver: this.#isLeaseOver }),
      onError: (error) => this.#report(error),
    });
    this.#present = new Present({
      clock,
      leaseMs: () => this.#leaseMs,
      present: () => this.present(),
      maxBytes: () => pieceBytes(bus.maxPayloadBytes),
      tell: (to, telling) => {
        const { maxDriftPpm = 0, guardDivisor = 1 } = this.#configuration ?? {};
        this.#send(to, { type: 'news', ...telling, drift: { maxDriftPpm, guardDivisor } });
      },
      onFailure: (error) => this.#fail(internal(error)),
    });
    this.#identity = new Identity({
      life: () => this.#life(),
      say: (message) => this.#send(this.node, message),
      leave: (other) => this.#fail(inUse(this.node, this.name, other)),
      leaseMs: this.#options.leaseMs,
    });
    this.#mailbox = new Mailbox({
      bus,
      codec: this.#codec,
      incarnation: this.incarnation,
      digest: () => this.#digest,
      mayVote: (from, store, incarnation) => this.#member?.mayVote(from, store, incarnation) ?? false,
      rules: this.#options.voteRules,
      deliver: (turn) => this.#guard(() => this.#deliver(turn)),
      onDrop: (reason, from) => this.#drop(reason, from),
      onOtherLife: (message) => this.#guard(() => this.#identity.heard(message)),
    });
    this.#ready.promise.catch(() => {});
  }

  /** Claims the node id, forms the group or finds it formed; resolves when this node plays its part. */
  async start(): Promise<void> {
    const { signal } = this.#raw;
    const onAbort = () => this.#fail(asError(signal?.reason));
    if (signal?.aborted) throw asError(signal.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      // `#ready` fails when this node does, or is closed: no wait outlasts it.
      const { promise: isReady } = this.#ready;
      if (!this.#ports.bus.isConnected) await Promise.race([this.#connected(), isReady]);
      await this.#openJournal();
      this.#demandLife();
      const roundTripMs = await Promise.race([this.#listen(), isReady.then(() => 0)]);
      this.#demandLife();
      if (this.#options.membership.role === 'candidate') await Promise.race([this.#learnDrift(), isReady]);
      this.#demandLife();
      this.#startRoot(roundTripMs);
      await isReady;
    } catch (error) {
      await this.#end(this.#isClosing ? undefined : asError(error));
      await this.#closeJournal();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    const onClose = () => void this.close();
    signal?.addEventListener('abort', onClose, { once: true });
    void this.closed.then(() => signal?.removeEventListener('abort', onClose));
  }

  /** Nothing is begun by a node that has ended. */
  #demandLife(): void {
    if (this.#failure) throw this.#failure;
    if (this.#isClosing) throw new ClosedError(`group "${this.name}" was closed here`);
  }

  election(name = GROUP_ELECTION, options?: ElectionOptions): Election {
    const problems = [...nameProblems('election', name), ...electionProblems(options)];
    if (problems.length > 0) throw new ConfigError(problems);
    return this.#elections.named(name, options);
  }

  shards(options: ShardsOptions): Shards {
    return this.#elections.shards(options);
  }

  status(): GroupStatus {
    const member = this.#member;
    const contents = this.#opened?.contents ?? null;
    return {
      group: this.name,
      node: this.node,
      incarnation: this.incarnation,
      state: this.#state,
      detail: this.#detail(),
      isConnected: this.#ports.bus.isConnected,
      leaseMs: this.#leaseMs,
      configuration: this.#digest,
      voters: member?.voters.silences() ?? {},
      hasQuorum: member?.voters.hasQuorum(this.#leaseMs) ?? false,
      leader: member?.leader ?? null,
      ballot: member?.ballot ?? null,
      learnedThrough: member?.learnedThrough ?? 0,
      position: member?.log.position ?? 0,
      elections: [...this.#reader.records()],
      sessions: [...this.#reader.sessions()],
      dropped: { ...this.#dropped },
      journal: contents && {
        storeId: contents.storeId,
        incarnations: contents.incarnations,
        checkpoints: member?.checkpointer.count ?? 0,
        tornBytes: contents.tornBytes,
      },
    };
  }

  configure(settings: LiveSettings): void {
    const { leaseMs, priority } = settings;
    const problems = settingProblems(this.node, { ...this.#raw, ...settings });
    if (problems.length > 0) throw new ConfigError(problems);
    this.#live = { ...this.#live, ...settings };
    if (leaseMs !== undefined) this.#participant?.send({ type: 'leaseMs', value: leaseMs });
    if (priority === undefined) return;
    const isOwn = (election: string) => this.#elections.settings(election)?.priority !== undefined;
    this.#participant?.tellAll({ type: 'priority', value: priority }, (election) => !isOwn(election));
  }

  present(): MasterNews {
    return {
      position: this.#member?.log.position ?? 0,
      sessions: [...this.#reader.sessions()],
      ended: [],
      records: [...this.#reader.records()],
    };
  }

  async close(): Promise<void> {
    if (this.#isClosing) return void (await this.closed);
    this.#isClosing = true;
    this.#ready.reject(new ClosedError(`group "${this.name}" was closed here`));
    await this.#resignAll();
    await this.#end(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The log this node's masterships rest on. @throws InternalError before the node is a member. */
  get log(): ConsensusLog {
    if (!this.#member) throw new InternalError(`${this.node} has no log`);
    return this.#member.log;
  }

  /** Writes a checkpoint now, whatever the journal's size (P6). */
  async checkpoint(): Promise<void> {
    await this.#member?.reviewJournal(0);
  }

  /** Stops without a word, as a crash does: for tests and simulations. */
  kill(): void {
    this.#isClosing = true;
    this.#cease(new ClosedError(`${this.node} was killed`));
  }

  addEventListener<K extends keyof GroupEvents>(type: K, listener: Listener<K>, options?: ListenerOptions): void {
    this.#listenedTo.add(type);
    this.#events.addEventListener(type, listener as (event: Event) => void, options);
  }

  removeEventListener<K extends keyof GroupEvents>(type: K, listener: Listener<K>): void {
    this.#events.removeEventListener(type, listener as (event: Event) => void);
  }

  /** Waits for NATS, saying so. */
  async #connected(): Promise<void> {
    const { bus } = this.#ports;
    if (bus.isConnected) return;
    this.#options.logger.warn({ group: this.name, node: this.node }, `waiting for a connection to NATS`);
    const { promise, resolve } = Promise.withResolvers<void>();
    const subscription = bus.onConnection((isConnected) => isConnected && resolve());
    this.#subscriptions.push(subscription);
    await promise;
    subscription.close();
  }

  async #openJournal(): Promise<void> {
    const { membership } = this.#options;
    if (membership.role !== 'member') return;
    const owner = { group: this.name, node: this.node };
    const opened = await openJournal(membership.journal, owner, this.#codec, this.#options.recoveryRules);
    this.#opened = opened;
    this.#outbox = new Outbox({
      journal: opened.journal,
      codec: this.#codec,
      send: (to, message) => this.#send(to, message),
      onFailure: (error) => this.#journalFailed(error),
    });
    if (!opened.recovered.isFormed && this.#raw.livedThrough) {
      const asked = this.#raw.livedThrough();
      this.#livedThrough = await Promise.race([asked, this.#ready.promise.then(() => 0)]);
    }
    const { damage } = opened.contents;
    if (damage) this.#warn({ damage }, `journal of ${this.node} is damaged: it serves as learner only. ${damage}`);
  }

  /** Subscribes, and measures a round trip on the way. */
  async #listen(): Promise<number> {
    const { bus, clock } = this.#ports;
    for (const role of HEARS[this.#options.membership.role]) this.#mailbox.listen(role);
    if (this.#options.membership.role !== 'observer') {
      this.#subscriptions.push(
        bus.onNoResponders(({ role, to }) =>
          this.#guard(() => {
            if (role !== 'log') return;
            this.#member?.noResponders();
            if (to === 'append') this.#outsider?.noResponders();
          }),
        ),
      );
    }
    this.#subscriptions.push(
      bus.onConnection((isConnected) => this.#guard(() => this.#connectionChanged(isConnected))),
    );
    let breaks = 0;
    this.#subscriptions.push(bus.onConnection((isConnected) => void (isConnected || breaks++)));
    for (;;) {
      const before = breaks;
      try {
        await bus.flush();
        const sentAtMs = clock.now();
        await bus.flush();
        return clock.now() - sentAtMs;
      } catch (error) {
        // The connection broke meanwhile: it comes back, may be back already, or was never one.
        const hasBroken = !bus.isConnected || breaks > before;
        if (!hasBroken || this.#isClosing || this.#failure) throw error;
        if (!bus.isConnected) await this.#connected();
      }
    }
  }

  /** S2 rests on one reckoning for all: that of the group, whatever the options say. */
  async #learnDrift(): Promise<void> {
    let hasSaid = false;
    while (this.#drift === null && !this.#isClosing && !this.#failure) {
      await this.#askPresent();
      if (this.#drift === null && !hasSaid) {
        hasSaid = true;
        this.#options.logger.info(
          { group: this.name, node: this.node },
          `${this.node} waits for a member of the group`,
        );
      }
    }
    const { maxDriftPpm } = this.#options;
    if (this.#raw.maxDriftPpm !== undefined && this.#drift && this.#drift.maxDriftPpm !== maxDriftPpm)
      this.#warn({}, `maxDriftPpm is ${maxDriftPpm} here, ${this.#drift.maxDriftPpm} in the group, which counts`);
  }

  #startRoot(roundTripMs: number): void {
    const { membership, leaseMs, logger } = this.#options;
    const { clock } = this.#ports;
    const { group: machine } = machinesOf(this.#raw);
    const input: GroupInput = {
      role: membership.role,
      damage: this.#opened?.contents.damage ?? null,
      formation: this.#initialFormation(),
      claimMs: claimWaitMs(roundTripMs, leaseMs),
      announceMs: leaseMs / 4,
      inputs: (formation) => this.#assemble(formation),
    };
    const root = this.#createActor(machine, { input, clock, ...this.#inspection });
    this.#root = root;
    root.on('claim', () => this.#guard(() => this.#identity.claim()));
    root.on('formation.bundle', ({ records, announce }) =>
      this.#guard(() => {
        const replies = announce ? [{ to: announce.to, message: announce.message }] : [];
        this.#outbox?.add({ records, replies });
      }),
    );
    root.subscribe({
      next: (snapshot) => this.#guard(() => this.#entered(snapshot.value as string)),
      error: (error) => this.#fail(internal(error)),
    });
    root.start();
    logger.debug({ group: this.name, node: this.node, incarnation: this.incarnation }, 'joining');
  }

  #initialFormation(): FormationState {
    const { membership, maxDriftPpm, guardDivisor, firstPosition } = this.#options;
    return {
      self: this.node,
      storeId: this.#opened?.store.storeId ?? '',
      wished: {
        group: this.name,
        epoch: 0,
        voters: membership.role === 'member' ? membership.voters : [],
        quorum: 'majority',
        maxDriftPpm,
        guardDivisor,
        firstPosition,
      },
      named: this.#raw.bootstrap ?? null,
      asked: 0,
      livedThrough: this.#livedThrough,
      isDamaged: this.#opened?.contents.damage != null,
      kept: this.#opened?.recovered.kept ?? null,
      isFormed: this.#opened?.recovered.isFormed ?? false,
      heard: new Map(),
      foreign: null,
      conflict: null,
    };
  }

  /** The configuration is known: makes what the roles begin with. */
  #assemble(formation: FormationState) {
    const { membership } = this.#options;
    if (membership.role === 'candidate') return { lease: this.#sessionInput() };
    const configuration = formation.isFormed ? formation.kept : formation.foreign;
    if (membership.role !== 'member' || !configuration || !this.#opened || !this.#fold || !this.#outbox) {
      throw new InternalError('a member without journal or configuration');
    }
    const { journal, contents, recovered } = this.#opened;
    const isVoter = formation.isFormed && contents.damage === null;
    this.#configuration = configuration;
    this.#digest = configurationDigest(configuration);
    if (this.#holderClock.notice) this.#warn({}, this.#holderClock.notice);
    this.#member = new Member({
      ports: this.#ports,
      codec: this.#codec,
      options: this.#options,
      incarnation: this.incarnation,
      journal,
      contents,
      recovered,
      configuration,
      isVoter,
      fold: this.#fold,
      mailbox: this.#mailbox,
      outbox: this.#outbox,
      candidate: (given) => this.#makeCandidate(given),
      send: (to, message) => this.#send(to, message),
      onLeading: (isLeading) =>
        this.#options.logger.debug(
          { group: this.name, node: this.node },
          isLeading ? 'leads the log' : 'leads the log no more',
        ),
      onAcquired: (licence) => this.#acquired(licence),
      onRenewed: () => this.#renewed(),
      onShortened: () => this.#tellDeadline('shortened'),
      onLost: (election, term, lostBy) => this.#lost(election, term, lostBy),
      onOverrun: (election, term) => this.#elections.named(election).overrun(term),
      onWord: (word) => this.#elections.say(word),
      onStopped: () => this.#stopped.resolve(),
      onApplied: ({ news }, isFresh) => news && this.#chronicle.heard(news, isFresh),
      onRestored: (news) => this.#chronicle.heard(news, false),
      holderClock: this.#holderClock,
      onFailure: (error) =>
        error instanceof JournalFailedError ? this.#journalFailed(error) : this.#fail(internal(error)),
    });
    return this.#member.inputs();
  }

  /** T1 and T2 as for members. */
  #sessionInput(): SessionInput {
    if (!this.#drift) throw new InternalError('a candidate that knows no member');
    const { clock, random } = this.#ports;
    return {
      self: this.node,
      incarnation: this.incarnation,
      leaseMs: this.#options.leaseMs,
      drift: this.#drift,
      clock,
      random,
      holderClock: this.#holderClock,
      view: this.#reader,
    };
  }

  #beginOutside(session: Roles['lease']): void {
    this.#outsider = new Outsider({
      clock: this.#ports.clock,
      holderClock: this.#holderClock,
      incarnation: this.incarnation,
      view: this.#reader,
      session,
      leaseMs: () => leaseInForceMs(session.getSnapshot().context),
      append: (commands, member) => this.#send(member ?? 'append', { type: 'append', commands }),
      // The heir of the group's own election is a member.
      standBy: () => {},
      candidate: (given) => this.#makeCandidate(given),
      onAcquired: (licence) => this.#acquired(licence),
      onRenewed: () => this.#renewed(),
      onShortened: () => this.#tellDeadline('shortened'),
      onLost: (election, term, lostBy) => this.#lost(election, term, lostBy),
      onOverrun: (election, term) => this.#elections.named(election).overrun(term),
      onWord: (word) => this.#elections.say(word),
      onStopped: () => this.#stopped.resolve(),
      onFailure: (error) => this.#fail(internal(error)),
    });
    for (const member of this.#membersHeard) this.#outsider.heardMember(member);
  }

  /** The length in force now (T12), ms. */
  get #leaseMs(): number {
    return this.#live.leaseMs ?? this.#options.leaseMs;
  }

  get #participant(): Participant | null {
    return this.#member?.participant ?? this.#outsider?.participant ?? null;
  }

  #entered(state: string): void {
    const next: NodeState =
      state === 'claiming'
        ? 'joining'
        : state === 'watching'
          ? 'observer'
          : (state as 'forming' | 'voter' | 'follower' | 'candidate' | 'left' | 'failed');
    if (next === 'forming') this.#sayWhomItWaitsFor();
    if (next === this.#state) return;
    this.#state = next;
    if (next === 'forming') this.#identity.settle();
    if (next === 'voter' || next === 'follower' || next === 'candidate') {
      this.#identity.settle();
      // The subscriber runs within the root's own step: the roles start when it is over.
      void soon.then(() => this.#guard(() => this.#begin()));
    }
    if (next === 'observer') {
      this.#identity.settle();
      void this.#askPresent().then(
        () => this.#ready.resolve(),
        (error) => this.#fail(asError(error)),
      );
    }
  }

  #begin(): void {
    if (!this.#root || this.#isClosing) return;
    const children = this.#root.getSnapshot().children as unknown as Roles;
    for (const child of Object.values(children))
      child.subscribe({ error: (error: unknown) => this.#fail(internal(error)) });
    if (this.#member) this.#member.begin(children);
    else this.#beginOutside(children.lease);
    if (this.#state === 'follower')
      this.#warn({ detail: this.#detail() }, `${this.node} serves as learner only: ${this.#detail()}`);
    // Set before there was anybody to tell.
    if (this.#live.leaseMs !== undefined) this.configure(this.#live);
    this.#elections.begin();
    this.#ready.resolve();
  }

  /** Formation says whom it waits for (I5). */
  #sayWhomItWaitsFor(): void {
    const formation = this.#root?.getSnapshot().context.formation;
    if (!formation || this.#options.membership.role !== 'member') return;
    const missing = formation.conflict ? [] : formationRules.waitsFor(formation);
    if (!formation.conflict && missing.length === 0) return;
    const waiting = formation.conflict ?? `waits for ${missing.join(', ')} to form the group`;
    if (waiting === this.#wasWaitingFor) return;
    this.#wasWaitingFor = waiting;
    if (formation.conflict) {
      this.#warn({}, `group "${this.name}" cannot form: ${waiting}`);
      this.#tell('error', { error: new FormationError(waiting) });
    } else {
      this.#options.logger.info({ group: this.name, node: this.node }, `${this.node} ${waiting}`);
    }
  }

  #deliver(turn: Turn): void {
    if (turn.type === 'formation') {
      for (const message of turn.messages) if (message.type === 'formation') this.#root?.send(message);
      if (this.#state === 'forming') this.#sayWhomItWaitsFor();
    } else if (turn.type === 'wish' || turn.type === 'offer' || turn.type === 'consent') {
      for (const message of turn.messages) this.#elections.hear(message as Received<Wish | Offer | Consent>);
    } else if (turn.type === 'share') {
      for (const message of turn.messages) this.#elections.hearShare(message as Received<Share>);
    } else if (turn.type === 'news' || turn.type === 'outcomes') {
      for (const message of turn.messages) this.#noteMember(message);
      this.#onlooker?.hear(turn.messages);
      this.#outsider?.answered(turn.messages);
    } else if (turn.type === 'present') {
      if (!this.#member) return;
      for (const { from } of turn.messages) this.#present.askedBy(from);
    } else {
      this.#member?.deliver(turn);
    }
  }

  /** Only members tell news. */
  #noteMember(message: Received<Message>): void {
    this.#membersHeard.add(message.from);
    if (message.type === 'news' && message.drift) this.#drift ??= message.drift;
  }

  #recordChanged(change: RecordChange): void {
    const { election: name, cause, version } = change.next;
    this.#elections.changed(name);
    this.#tell('record', change);
    // One that nobody here ever named is not made for its news.
    const isNamed = this.#elections.isNamed(name) || this.#listenedTo.has('change');
    const election = isNamed ? this.#elections.named(name) : null;
    election?.changed();
    if (election) this.#tell('change', { election: name, current: election.master, cause, version });
  }

  #acquired({ election, term, version, deadlineAtMs }: Licence): void {
    this.#elections.named(election).acquired(term);
    const { leaseMs = this.#leaseMs } = this.#participant?.deadline() ?? {};
    this.#tell('elected', { election, term, version, deadlineAtMs, leaseMs });
  }

  /** One command renewed all; who does not listen is spared the list. */
  #renewed(): void {
    this.#tellDeadline('extended');
    if (!this.#listenedTo.has('renewed')) return;
    for (const { election, term, version, deadlineAtMs } of this.#participant?.licences() ?? [])
      this.#tell('renewed', { election, term, version, deadlineAtMs });
  }

  get #isLeaseOver(): boolean {
    const deadline = this.#participant?.deadline();
    return !deadline || deadline.deadlineAtMs <= this.#ports.clock.now();
  }

  #tellDeadline(type: 'extended' | 'shortened'): void {
    const deadline = this.#participant?.deadline();
    if (deadline) this.#tell(type, deadline);
  }

  #lost(election: string, term: number, lostBy: string): void {
    this.#elections.named(election).lost(term, lostBy);
    if (lostBy !== 'resigned' && lostBy !== 'closed') {
      this.#warn(
        { election, term, lostBy },
        `${this.node} is master of "${election}" no more (term ${term}, ${lostBy})`,
      );
    }
    this.#tell('lost', { election, term, lostBy });
  }

  /** A root of its own: children of one machine make each other dearer, and there may be thousands (limits.md). */
  #makeCandidate(given: Pick<CandidateInput, 'election' | 'lease'>): CandidateRef {
    const { candidate: machine } = machinesOf(this.#raw);
    const own = this.#elections.settings(given.election);
    const priority = own?.priority ?? this.#live.priority ?? this.#options.priority;
    const metadata = own?.metadata ?? this.#options.metadata;
    const actor = this.#createActor(machine, {
      id: 'candidate',
      clock: this.#ports.clock,
      input: { ...given, priority, metadata, heirOf: this.#heirOf, standsBy: given.election === GROUP_ELECTION },
      ...this.#inspection,
    });
    actor.subscribe({ error: (error) => this.#fail(internal(error)) });
    return actor;
  }

  readonly #heirOf = (node: NodeId): NodeId | null => this.#member?.voters.heirOf(node) ?? null;

  async #askPresent(signal?: AbortSignal): Promise<void> {
    await this.#onlooker?.askPresent(signal);
  }

  #connectionChanged(isConnected: boolean): void {
    this.#options.logger.warn(
      { group: this.name, node: this.node },
      isConnected ? 'connected to NATS again' : 'connection to NATS lost',
    );
    if (!isConnected) return;
    this.#identity.claim();
    this.#member?.reconnected();
    this.#outsider?.reconnected();
    if (this.#onlooker) void this.#askPresent().catch((error) => this.#report(error));
  }

  #send(to: NodeId | typeof EVERYBODY | 'append', message: Message): void {
    const { bus } = this.#ports;
    if (to === this.node && message.type !== 'claim' && message.type !== 'claimed')
      return this.#mailbox.deliverHere(message);
    const config = this.#digest;
    const { incarnation } = this;
    const envelope = this.#opened
      ? { config, incarnation, store: this.#opened.store, message }
      : { config, incarnation, message };
    const payload = this.#codec.encodeEnvelope(envelope);
    const isRequest = message.type === 'append' && to === 'append';
    const isSent = bus.publish(
      { role: RECIPIENT[message.type], to },
      payload,
      isRequest ? { expectResponder: true } : {},
    );
    if (!isSent && payload.length > bus.maxPayloadBytes) this.#notSent(message.type, payload.length);
  }

  /** It is as lost as any other message may be, but for ever: sent again it is no smaller. */
  #notSent(type: MessageType, bytes: number): void {
    const { maxPayloadBytes } = this.#ports.bus;
    this.#dropped['too-large'] = (this.#dropped['too-large'] ?? 0) + 1;
    if (this.#dropped['too-large'] > 1) return;
    const advice = `set its max_payload to ${MAX_MESSAGE_BYTES} or more`;
    this.#warn({ type, bytes }, `${type} of ${bytes} bytes not sent, the server takes ${maxPayloadBytes}: ${advice}`);
  }

  #life(): Life {
    const { clock, process } = this.#ports;
    const storeId = this.#opened?.store.storeId ?? null;
    return {
      incarnation: this.incarnation,
      storeId,
      isKnown:
        storeId !== null &&
        (this.#configuration?.voters.some((voter) => voter.storeId === storeId) ??
          this.#opened?.recovered.isFormed ??
          false),
      host: process.host,
      pid: process.pid,
      startedAt: this.#startedAt,
      ageMs: Math.max(0, clock.now() - this.#startedAtMs),
    };
  }

  #detail(): string | null {
    if (this.#failure) return this.#failure.message;
    const formation = this.#root?.getSnapshot().context.formation;
    if (!formation) return this.#state === 'joining' ? 'connecting' : null;
    if (this.#opened?.contents.damage) return this.#opened.contents.damage;
    if (formation.conflict) return formation.conflict;
    if (formation.foreign) return `store ${formation.storeId} is not in the group's configuration`;
    if (this.#state === 'forming') return `waits for ${formationRules.waitsFor(formation).join(', ')}`;
    return null;
  }

  #drop(reason: string, from: NodeId): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    if (this.#dropped[reason] === 1)
      this.#warn({ reason, from }, `dropped a message of ${from}: ${reason} (further ones are counted)`);
  }

  #journalFailed(error: unknown): void {
    // P3: nothing is answered any more; the node gives up its masterships and leaves.
    const cause = asError(error);
    this.#guard(() => this.#member?.journalFailed(cause.message));
    this.#fail(
      error instanceof JournalFailedError
        ? error
        : new JournalFailedError(`the journal of ${this.node} failed: ${cause.message}`, { cause }),
    );
  }

  /** Who is inspected is run by XState itself. */
  get #createActor(): typeof createActor {
    const { interpreter, inspect } = this.#raw;
    return interpreter && !inspect ? interpreter.createActor : createActor;
  }

  get #inspection(): { readonly inspect?: (event: unknown) => void } {
    const { inspect } = this.#raw;
    if (!inspect) return {};
    this.#inspect ??= this.#unharmed(inspect);
    return { inspect: this.#inspect };
  }

  /** An inspector looks on: what it throws must not reach the machines it looks at. Said once. */
  #unharmed(inspect: (event: unknown) => void): (event: unknown) => void {
    let hasThrown = false;
    return (event) => {
      try {
        inspect(event);
      } catch (error) {
        if (!hasThrown) this.#report(error);
        hasThrown = true;
      }
    };
  }

  #report(error: unknown): void {
    this.#options.logger.error({ err: error, group: this.name, node: this.node }, asError(error).message);
    this.#tell('error', { error });
  }

  #warn(fields: object, message: string): void {
    this.#options.logger.warn({ group: this.name, node: this.node, ...fields }, message);
  }

  #tell<K extends keyof GroupEvents>(type: K, detail: GroupEvents[K]): void {
    if (this.#listenedTo.has(type)) this.#events.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(internal(error));
    }
  }

  /** The node leaves the group rather than guess. */
  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    // First it is master no more, and says so (T7).
    this.#guard(() => this.#participant?.send({ type: 'stop', mode: 'abandon' }));
    this.#elections.fail(error);
    this.#ready.reject(error);
    this.#stopped.resolve();
    if (this.#state === 'joining' || this.#state === 'forming') return; // start() ends it.
    this.#report(error);
    void this.#end(error);
  }

  /** T7: stop acting, wait for the work, then tell the others; at most as long as that may take, the session ends by itself then. */
  async #resignAll(): Promise<void> {
    const participant = this.#participant;
    if (!participant || this.#failure) return;
    const { clock } = this.#ports;
    const { promise: overdue, resolve } = Promise.withResolvers<void>();
    const mayTakeMs = this.#elections.mayTakeMs();
    const timer = isForEver(mayTakeMs) ? undefined : clock.setTimeout(resolve, mayTakeMs);
    this.#elections.resignAll(participant);
    await Promise.race([this.#stopped.promise, overdue]);
    await Promise.race([this.#member?.drain(), overdue]);
    clock.clearTimeout(timer);
    // The last word of this node is on its way before its subscriptions end.
    await Promise.race([this.#ports.bus.flush().catch(() => {}), overdue]);
  }

  /** Nothing is done or heard here any more. */
  #cease(reason: Error): void {
    this.#elections.close(reason);
    this.#onlooker?.close();
    this.#present.close();
    this.#member?.close();
    this.#outsider?.close();
    this.#outbox?.close();
    this.#mailbox.close();
    for (const subscription of this.#subscriptions.splice(0)) subscription.close();
    this.#root?.stop();
  }

  /** Once: whatever ends this node first says why. */
  #end(error: Error | undefined): Promise<void> {
    this.#ending ??= this.#leave(error);
    return this.#ending;
  }

  async #leave(error: Error | undefined): Promise<void> {
    this.#isClosing = true;
    this.#state = error ? 'failed' : 'left';
    this.#cease(error ?? new ClosedError(`group "${this.name}" was closed here`));
    await this.#closeJournal();
    this.#resolveClosed(error);
  }

  async #closeJournal(): Promise<void> {
    await this.#opened?.journal.close().catch(() => {});
  }
}

const inUse = (node: NodeId, group: string, other: Life): NodeIdInUseError =>
  new NodeIdInUseError(
    `node id "${node}" of group "${group}" is in use by pid ${other.pid} on ${other.host}, started ${other.startedAt}`,
    {
      hint: 'Give this process another node id, or stop the other one',
    },
  );

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

const internal = (reason: unknown): Error =>
  new InternalError(`the node left its group: ${asError(reason).message}`, { cause: reason });
