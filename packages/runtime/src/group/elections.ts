import { type CandidacyEvent, type CandidateRef, isMaster, type MasterReader } from '@synod/mastership';
import {
  ConfigError,
  type Consent,
  EVERYBODY,
  type Incarnation,
  type Message,
  type NodeId,
  type Offer,
  type Received,
  type Share,
  type Subscription,
  type Wish,
} from '@synod/protocol';
import { type Candidate, GroupElection } from '../election/election.ts';
import type { ElectionOptions } from '../election/types.ts';
import type { NodePorts, ResolvedOptions } from '../options.ts';
import { ShardSet } from '../shards/shard-set.ts';
import type { ShardsOptions } from '../shards/types.ts';
import { GROUP_ELECTION } from './group.ts';
import { type Check, Health } from './health.ts';
import { Offers } from './offers.ts';
import type { Participant } from './participant.ts';

export interface ElectionsOptions {
  readonly group: string;
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly ports: Pick<NodePorts, 'clock' | 'random' | 'scope'>;
  readonly settings: ResolvedOptions;
  /** The user's veto on all elections of this node. */
  readonly eligible: Check | undefined;
  readonly reader: MasterReader;
  /** The length in force now (T12), ms. */
  readonly leaseMs: () => number;
  /** What asks and holds for this node; `null` before it plays its part. */
  readonly participant: () => Participant | null;
  /** What is to follow a command of ours is appended with it while this node leads the log. */
  readonly isLeading: () => boolean;
  readonly isClosing: () => boolean;
  /** Why this node has left, if it has. */
  readonly failure: () => Error | null;
  /** Why nobody can be elected now, where it is known. */
  readonly noQuorum: () => Error | null;
  readonly askPresent: (signal?: AbortSignal) => Promise<void>;
  readonly send: (to: NodeId | typeof EVERYBODY, message: Message) => void;
  /** Nothing works by that mastership any more, or its lease is over. */
  readonly onEnded: (election: string, term: number) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * The elections of one node: those that somebody here has named, each with its settings and the vetoes that concern it, the sets
 * of shards, and what nodes say to each other about them (T8, priority, shares).
 */
export class Elections {
  readonly #options: ElectionsOptions;
  readonly #named = new Map<string, GroupElection>();
  readonly #settings = new Map<string, ElectionOptions>();
  readonly #shardSets = new Map<string, ShardSet>();
  readonly #offers: Offers;
  readonly #health: Health;
  readonly #healthWatches = new Map<string, Subscription>();

  constructor(options: ElectionsOptions) {
    this.#options = options;
    const { ports, leaseMs, send, onError } = options;
    this.#offers = new Offers({
      clock: ports.clock,
      leaseMs,
      offer: (to, election, term) => send(to, { type: 'offer', election, term }),
    });
    this.#health = new Health({ clock: ports.clock, leaseMs, onError });
  }

  isNamed(name: string): boolean {
    return this.#named.has(name);
  }

  /** What was first said of it here. */
  settings(name: string): ElectionOptions | undefined {
    return this.#settings.get(name);
  }

  /**
   * The election of that name; the same one for ever.
   * @throws ConfigError when options are given for the first time and come too late.
   */
  named(name: string, options?: ElectionOptions): GroupElection {
    if (options) this.#settle(name, options);
    const known = this.#named.get(name);
    if (known) return known;
    const { ports, leaseMs, reader, incarnation, noQuorum, askPresent, onEnded, onError } = this.#options;
    const election = new GroupElection({
      name,
      leaseMs,
      clock: ports.clock,
      candidate: this.#mayBeMasterOf(name) ? this.#candidate(name) : null,
      refusal: () => this.#refusal(name),
      noQuorum,
      record: () => {
        const record = reader.record(name);
        return { record, session: record.master === null ? null : (reader.session(record.master) ?? null) };
      },
      isSelf: (session) => session.incarnation === incarnation,
      askPresent,
      onEnded: (term) => onEnded(name, term),
      onError,
      scope: ports.scope,
    });
    const failure = this.#options.failure();
    if (failure) election.close(failure);
    this.#named.set(name, election);
    return election;
  }

  /** @throws ConfigError for an observer, and for a name that is taken here. */
  shards(options: ShardsOptions): ShardSet {
    const { name = 'shard' } = options;
    const { node, incarnation, ports, settings, leaseMs, reader, participant, send, onError } = this.#options;
    if (settings.membership.role === 'observer')
      throw new ConfigError([`${node} is an observer: it may hold no shards`]);
    if (this.#shardSets.has(name)) throw new ConfigError([`shards named "${name}" are held here already`]);
    const set: ShardSet = new ShardSet(
      {
        node,
        incarnation,
        clock: ports.clock,
        random: ports.random,
        leaseMs,
        reader,
        election: (election, settings) => this.named(election, this.#isWanted(election) ? undefined : settings),
        announce: (shards) => send(EVERYBODY, { type: 'share', shards }),
        watchHealth: (own, tell) => this.#watchChecks(own, tell),
        onError,
        onClosed: () => this.#shardSets.delete(name),
      },
      options,
    );
    this.#shardSets.set(name, set);
    if (this.#options.isClosing() || this.#options.failure()) set.stop();
    else if (participant()) set.begin();
    return set;
  }

  /** This node plays its part now: what was asked for before is asked for. */
  begin(): void {
    for (const election of this.#named.values()) election.begun();
    for (const set of this.#shardSets.values()) set.begin();
  }

  /** A record changed. */
  changed(name: string): void {
    for (const set of this.#shardSets.values()) set.changed(name);
  }

  /** T8, priority: a word to the node that holds, or that would. */
  say(word: Extract<CandidacyEvent, { type: 'wish' | 'consent' }>): void {
    const { settings, send } = this.#options;
    const { to, election, term } = word;
    if (word.type === 'wish') send(to, { type: 'wish', election, term, priority: word.priority });
    else {
      const { metadata = settings.metadata } = this.#settings.get(election) ?? {};
      send(to, { type: 'consent', election, term, session: word.session, metadata });
    }
  }

  /** What another node said to this one. */
  hear(message: Received<Wish | Offer | Consent>): void {
    const { type, election, term, from } = message;
    const { participant, isClosing, onError } = this.#options;
    const shards = this.#shardsWith(election);
    if (type === 'offer') {
      shards?.offered(election);
      participant()?.tell(election, { type: 'offered', from, term });
    } else if (type === 'consent') this.#offers.answered(message);
    else if (!shards) {
      const named = this.#named.get(election);
      const mastership = named?.current;
      if (!named || !mastership || mastership.isOver || mastership.term !== term || isClosing()) return;
      if (message.priority <= (participant()?.priority(election) ?? 0)) return;
      // It is offered to somebody already: who still wants it then asks again.
      if (this.#offers.isOpen(election)) return;
      void named.cede(mastership, from, `${from} has priority ${message.priority}`).catch(onError);
    }
  }

  /** A node that shares a set of shards lives. */
  hearShare({ shards, from }: Received<Share>): void {
    this.#shardSets.get(shards)?.heard(from);
  }

  /** How long giving back all that is held here may take, ms: T7, as for each that is resigned by itself. */
  mayTakeMs(): number {
    const { leaseMs: length, participant, ports } = this.#options;
    // T12: one that was shortened runs on until the renewal that says so is applied.
    const deadline = participant()?.deadline();
    const leaseMs = Math.max(length(), deadline ? deadline.deadlineAtMs - ports.clock.now() : 0);
    const graces = Array.from(this.#named.values(), ({ current }) => current?.graceMs ?? 0);
    const graceMs = Math.max(0, ...graces);
    return graceMs > leaseMs ? graceMs + leaseMs : leaseMs;
  }

  /** T7: everything held here ends; then the lease machine is told to stop, and of each that its work has. */
  resignAll(participant: Participant): void {
    this.#stopShards();
    for (const election of this.#named.values()) election.current?.end('closed');
    participant.send({ type: 'stop', mode: 'resign' });
    for (const election of this.#named.values()) {
      const { name, current } = election;
      if (!current) continue;
      void current.settled().then(() => {
        election.ended(current.term);
        participant.tell(name, { type: 'settled' });
      });
    }
  }

  /** The node has left: whoever waits for anything here hears why. */
  fail(reason: Error): void {
    for (const election of this.#named.values()) election.close(reason);
  }

  /** Nothing is asked for or heard any more. */
  close(reason: Error): void {
    this.#stopShards();
    this.fail(reason);
    this.#offers.close();
    this.#health.close();
  }

  /** Counts from the first time; a candidate may live already, for others may have spoken of the election. */
  #settle(name: string, options: ElectionOptions): void {
    const isEmpty = Object.values(options).every((value) => value === undefined);
    if (isEmpty || this.#settings.has(name)) return;
    if (this.#isWanted(name))
      throw new ConfigError([`election "${name}" is campaigned for or held here already: options come before that`]);
    this.#settings.set(name, options);
    const { participant } = this.#options;
    if (!participant()?.candidate(name)) return;
    const { priority, metadata } = options;
    if (priority !== undefined) participant()?.tell(name, { type: 'priority', value: priority });
    if (metadata !== undefined) participant()?.tell(name, { type: 'metadata', value: metadata });
  }

  #isWanted(name: string): boolean {
    return this.#named.get(name)?.isWanted ?? false;
  }

  #stopShards(): void {
    for (const set of [...this.#shardSets.values()]) set.stop();
  }

  /** The group's own election is for its members: its master must lead the log (B1). */
  #mayBeMasterOf(name: string): boolean {
    const { role } = this.#options.settings.membership;
    return role === 'member' || (role === 'candidate' && name !== GROUP_ELECTION);
  }

  #refusal(name: string): ConfigError {
    const { group, node, settings } = this.#options;
    return new ConfigError([
      settings.membership.role === 'candidate'
        ? `${node} is no member: only members may be master of "${name}", the group's own election`
        : `${node} is an observer: it may not be master of "${name}" in group "${group}"`,
    ]);
  }

  #shardsWith(election: string): ShardSet | undefined {
    for (const set of this.#shardSets.values()) if (set.has(election)) return set;
    return undefined;
  }

  #candidate(election: string): Candidate {
    const { participant, isLeading } = this.#options;
    let ref: CandidateRef | undefined;
    return {
      // Asked more often than anything else: nothing is looked up twice.
      isMaster: () => {
        ref ??= participant()?.candidate(election);
        return ref !== undefined && isMaster(ref.getSnapshot().context);
      },
      term: () => participant()?.licence(election)?.term ?? null,
      remainingMs: () => participant()?.remainingMs(election) ?? 0,
      want: () => {
        if (!participant()) return; // Asked again when there is one.
        this.#watchHealth(election);
        participant()?.tell(election, { type: 'want' });
      },
      unwant: (reason) => {
        participant()?.tell(election, { type: 'unwant', reason });
        this.#unwatchHealth(election);
      },
      resign: (reason, isSettled, to) =>
        participant()?.tell(election, { type: 'resign', reason, isSettled, ...(to ? { to } : {}) }),
      isStandingBy: (node) => isLeading() && participant()?.successor(election) === node,
      heir: (to, term, options) => this.#offers.ask(election, to, term, options),
      grace: (graceMs) => participant()?.tell(election, { type: 'grace', graceMs }),
      settled: () => participant()?.tell(election, { type: 'settled' }),
    };
  }

  /** Vetoes that concern an election are asked before it is, and as long as somebody here wants it. */
  #watchHealth(election: string): void {
    const { eligible, participant } = this.#options;
    const own = this.#settings.get(election)?.eligible;
    if ((!own && !eligible) || this.#healthWatches.has(election)) return;
    const tell = (value: boolean) => participant()?.tell(election, { type: 'eligible', value });
    this.#healthWatches.set(election, this.#watchChecks(own, tell));
  }

  #unwatchHealth(election: string): void {
    this.#healthWatches.get(election)?.close();
    this.#healthWatches.delete(election);
  }

  #watchChecks(own: Check | undefined, tell: (isEligible: boolean) => void): Subscription {
    return this.#health.watch(
      [this.#options.eligible, own].filter((check) => check !== undefined),
      tell,
    );
  }
}
