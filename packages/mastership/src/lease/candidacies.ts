import { type CommandId, incarnationOf, type NodeId } from '@synod/protocol';
import type { ActorRefFrom } from 'xstate';
import type { candidateMachine } from './candidate.machine.ts';
import type { SessionContext } from './lease.context.ts';
import type {
  CandidateEmitted,
  CandidateEvent,
  CandidateInput,
  LeaseEvent,
  Licence,
  LostBy,
  SessionEmitted,
  Wish,
} from './lease.types.ts';
import { isMaster, licence, remainingMs } from './licence.ts';
import type { sessionMachine } from './session.machine.ts';
import { AT_ONCE, Slices } from './slices.ts';
import { whole } from './timing.ts';

export type SessionRef = ActorRefFrom<ReturnType<typeof sessionMachine>>;
export type CandidateRef = ActorRefFrom<ReturnType<typeof candidateMachine>>;

/** What the candidacies of one node tell its runtime. */
export type CandidacyEvent =
  | Wish
  | Extract<CandidateEmitted, { type: 'acquired' | 'lost' | 'overrun' | 'left' | 'wish' | 'consent' | 'aboutToAsk' }>
  | Extract<SessionEmitted, { type: 'standBy' }>
  /** The deadline of everything held was extended: {@link Candidacies.licences} tells to when. */
  | { readonly type: 'renewed' }
  /** T12: it has come nearer, and the renewal that brings that is about to leave. */
  | { readonly type: 'shortened' }
  | { readonly type: 'stopped' };

export interface CandidaciesOptions {
  /** The session of the node, living. */
  readonly session: SessionRef;
  /** Makes a candidate for an election. It is begun here. */
  readonly candidate: (input: Pick<CandidateInput, 'election' | 'lease'>) => CandidateRef;
  readonly tell: (event: CandidacyEvent) => void;
  /** Calls `work` after so long, until these candidacies are closed. Several may be under way. */
  readonly later: (work: () => void, delayMs: number) => void;
}

const SESSION_SAYS = [
  'propose',
  'withdraw',
  'opened',
  'notOpened',
  'renewed',
  'shortened',
  'over',
  'closed',
  'silent',
  'standBy',
  'stopped',
] as const satisfies readonly SessionEmitted['type'][];

const CANDIDATE_SAYS = [
  'propose',
  'withdraw',
  'open',
  'watch',
  'aboutToAsk',
  'openEmpty',
  'consent',
  'wish',
  'standBy',
  'standDown',
  'acquired',
  'lost',
  'overrun',
  'left',
] as const satisfies readonly CandidateEmitted['type'][];

/**
 * How many ask at a time, or are about to: a leader that were asked for thousands at once would still be busy with the first of
 * them when their askers take it for silent (B1a), and renewals would stand behind all of them.
 */
const ASKING = 512;

/** What this node has freed itself, as by ending a silent holder's session, it asks for in fewer and larger batches. */
const ASKING_FREED = 2 * ASKING;

/** One candidate, and where it stands: in what way it needs the session. */
interface Candidacy {
  readonly election: string;
  readonly actor: CandidateRef;
  /** It asks, holds or gives back by the session. */
  isUser: boolean;
  /** It asks, or is about to. */
  isAsking: boolean;
  /** It may not ask for a reason that is not its own. */
  isVetoed: boolean;
  /** The session it waits for. */
  watched: number | null;
}

/** All that wait for one session of another. */
interface Watchers {
  readonly waiting: Set<Candidacy>;
  /** How many hear of its silence next. */
  next: number;
}

/** So many times as many are told each time that those who were told before have not ended the session. */
const MORE = 8;

/**
 * All that one node wants, asks for and holds: its session, and a candidate for each election it minds. It carries events to
 * those whom they concern, so that what happens to one election costs the others nothing, and a renewal costs none of them
 * anything; and it knows who uses the session. Holds no rule of its own.
 */
export class Candidacies {
  readonly #options: CandidaciesOptions;
  readonly #all = new Map<string, Candidacy>();
  readonly #users = new Set<Candidacy>();
  readonly #vetoed = new Set<Candidacy>();
  readonly #asking = new Set<Candidacy>();
  /** Who waits for the session of another. */
  readonly #watchers = new Map<number, Watchers>();
  /** Who waits, and is still to hear that its record changed, or that the way is free. */
  readonly #late: Slices<Candidacy>;
  /** Who waits, and is still to hear whom it waits for now. */
  readonly #onlookers: Slices<Candidacy>;
  /** Elections that somebody here wants, whose candidates have not heard of it yet. */
  readonly #wanted: Slices<string>;
  /** Who was unhealthy, and is still to hear that it is not any more. */
  readonly #healed: Slices<Candidacy>;
  /** Who is still to hear that the session is over. Its clock has said so already (T5), and no other is opened before (T6). */
  readonly #bereft: Slices<Candidacy>;
  #lostBy: LostBy = 'expired';
  /** Who stands by, or did last: a session brings one taking at most. */
  #standing: Candidacy | null = null;
  /** Whose command it is, while it is asked for. */
  readonly #owners = new Map<CommandId, Candidacy>();
  /** A mastership hung on the present session. */
  #hasServed = false;
  /** Until when the session is kept for whoever asks next; `null` while somebody uses it. */
  #restsUntilMs: number | null = null;
  #isWaking = false;
  #isEligible = true;
  #isStopping = false;
  #isStopped = false;

  constructor(options: CandidaciesOptions) {
    this.#options = options;
    const { later } = options;
    const mayTell = () => this.#hasRoom();
    this.#late = new Slices({ later, mayTell, tell: (candidacy) => this.#tellRecord(candidacy) });
    this.#onlookers = new Slices({ later, tell: (candidacy) => this.#tellRecord(candidacy) });
    this.#wanted = new Slices({ later, mayTell, tell: (election) => this.#tell(election, { type: 'want' }) });
    this.#healed = new Slices({ later, mayTell, tell: ({ actor }) => actor.send({ type: 'eligible', value: true }) });
    this.#bereft = new Slices({ later, tell: ({ actor }) => actor.send({ type: 'over', lostBy: this.#lostBy }) });
    for (const type of SESSION_SAYS) options.session.on(type, (event) => this.#hearSession(event));
  }

  /** The session as it is at this instant. */
  readonly lease = (): SessionContext => this.#options.session.getSnapshot().context;

  /** What happened in the log or to the node. */
  send(event: LeaseEvent): void {
    if (this.#isStopped) return;
    const { session } = this.#options;
    switch (event.type) {
      case 'applied':
        return this.#applied(event);
      case 'outcome':
        this.#owners.get(event.id)?.actor.send(event);
        this.#owners.delete(event.id);
        if (event.id === this.lease().opening?.request.id) session.send(event);
        return;
      case 'stop':
        return this.#stop(event.mode);
      case 'standby':
        // Of an election that nobody here minds there is nothing to give back.
        this.#all.get(event.election)?.actor.send(event);
        return;
      case 'caughtUp':
        session.send(event);
        return this.#reviewVetoed();
      default:
        session.send(event);
    }
  }

  /** To the candidate for one election; it is made when it is first spoken to. */
  tell(election: string, event: CandidateEvent): void {
    if (event.type === 'want' && !this.#hasRoom()) this.#wanted.add(election);
    else if (event.type === 'unwant' && this.#wanted.delete(election)) this.#all.get(election)?.actor.send(event);
    else this.#tell(election, event);
  }

  /** To every candidate there is, or to those for some elections; health also to those to come. */
  tellAll(event: CandidateEvent, isMeant: (election: string) => boolean = () => true): void {
    if (this.#isStopped) return;
    if (event.type === 'eligible') this.#isEligible = event.value;
    for (const candidacy of [...this.#all.values()]) if (isMeant(candidacy.election)) this.#send(candidacy, event);
  }

  /** What the candidate for an election counts by; `null` before it is spoken to. */
  priority(election: string): number | null {
    return this.#all.get(election)?.actor.getSnapshot().context.priority ?? null;
  }

  /** The mastership in force at this instant, or `null` (T5). */
  licence(election: string): Licence | null {
    const candidacy = this.#all.get(election);
    return candidacy ? licence(candidacy.actor.getSnapshot().context) : null;
  }

  /** Who stands by for an election that this node holds (T11); `null` for nobody. */
  successor(election: string): NodeId | null {
    const context = this.#all.get(election)?.actor.getSnapshot().context;
    return context?.rules.successor(context)?.from ?? null;
  }

  /** T5: a comparison of clocks, no more. */
  isMaster(election: string): boolean {
    const candidacy = this.#all.get(election);
    return candidacy !== undefined && isMaster(candidacy.actor.getSnapshot().context);
  }

  /** What is left of the mastership in force, ms; 0 when there is none. */
  remainingMs(election: string): number {
    const candidacy = this.#all.get(election);
    return candidacy ? remainingMs(candidacy.actor.getSnapshot().context) : 0;
  }

  /** State of the candidate for an election; `undefined` before it is spoken to. */
  candidate(election: string): CandidateRef | undefined {
    return this.#all.get(election)?.actor;
  }

  /** Every mastership in force at this instant. */
  *licences(): Generator<Licence> {
    for (const { election, isUser } of this.#all.values()) {
      const held = isUser ? this.licence(election) : null;
      if (held) yield held;
    }
  }

  /** Stops timers; nothing is said any more. */
  close(): void {
    this.#isStopped = true;
    for (const slices of [this.#late, this.#onlookers, this.#wanted, this.#healed, this.#bereft]) slices.clear();
    for (const { actor } of this.#all.values()) actor.stop();
  }

  #tell(election: string, event: CandidateEvent): void {
    if (!this.#isStopped) this.#send(this.#candidacy(election), event);
  }

  #send(candidacy: Candidacy, event: CandidateEvent): void {
    if (event.type !== 'eligible') return candidacy.actor.send(event);
    // Told again while it waits it keeps its place.
    if (event.value && candidacy.isVetoed && !this.#hasRoom()) return this.#healed.add(candidacy);
    this.#healed.delete(candidacy);
    candidacy.actor.send(event);
  }

  /** Whoever is to ask may be told so. */
  #hasRoom(limit = ASKING): boolean {
    return this.#asking.size < limit;
  }

  #applied(event: Extract<LeaseEvent, { type: 'applied' }>): void {
    const { sessions, ended, records } = event.news;
    if (sessions.length + ended.length > 0) this.#options.session.send(event);
    for (const id of ended) this.#forgetWatchers(id);
    if (this.#vetoed.size > 0) for (const { id } of sessions) this.#reviewHeld(id);
    let waiting = 0;
    for (const { election, master, setBy } of records) {
      if (this.#isStopped) return; // A listener failed, and the node with it.
      const known = this.#all.get(election);
      if (known?.isUser) this.#tellUser(known);
      // What we freed is ours to ask for at once; what others freed they will have asked for.
      else if (known && incarnationOf(setBy) === this.lease().input.incarnation) this.#tellWhenRoom(known);
      // Of many that change together (a holder has died, another has taken them all) those who merely wait hear a while later,
      // a few at a time, and once of all that happened meanwhile: they look at their record as it is then.
      else if (known && (this.#isPutOff(known) || ++waiting > AT_ONCE)) this.#putOff(known, master === null);
      else if (known) this.#tellRecord(known);
      // T7: nobody here asked for it.
      else if (master !== null && master === this.lease().holding?.session) this.tell(election, { type: 'record' });
    }
    this.#review();
  }

  #isPutOff(candidacy: Candidacy): boolean {
    return this.#late.has(candidacy) || this.#onlookers.has(candidacy);
  }

  /** What is free may have to be asked for. Whoever has been taken is waited for a lease at least, and that is soon enough. */
  #putOff(candidacy: Candidacy, isFree: boolean): void {
    const { leaseMs } = this.lease();
    this.#late.delete(candidacy);
    this.#onlookers.delete(candidacy);
    if (isFree) this.#late.add(candidacy, leaseMs / 10);
    else this.#onlookers.add(candidacy, leaseMs / 4);
  }

  #tellRecord(candidacy: Candidacy): void {
    this.#late.delete(candidacy);
    this.#onlookers.delete(candidacy);
    candidacy.actor.send({ type: 'record' });
  }

  /** Who hears in a moment that all is over need not hear of each record. */
  #tellUser(candidacy: Candidacy): void {
    if (!this.#bereft.has(candidacy)) this.#tellRecord(candidacy);
  }

  #tellWhenRoom(candidacy: Candidacy): void {
    if (this.#hasRoom(ASKING_FREED)) this.#tellRecord(candidacy);
    else this.#late.add(candidacy);
  }

  /** News of a session that was known by name only (outside the log). */
  #reviewHeld(session: number): void {
    for (const election of this.lease().input.view.held(session)) {
      const candidacy = this.#all.get(election);
      if (candidacy?.isVetoed) candidacy.actor.send({ type: 'review' });
    }
  }

  #reviewVetoed(): void {
    for (const candidacy of [...this.#vetoed]) this.#tellWhenRoom(candidacy);
  }

  #stop(mode: 'resign' | 'abandon'): void {
    if (mode === 'abandon') return this.#options.session.send({ type: 'stop', mode });
    this.#isStopping = true;
    this.#wanted.clear();
    this.tellAll({ type: 'stop' });
    this.#review();
  }

  #hearSession(event: SessionEmitted): void {
    const { tell } = this.#options;
    switch (event.type) {
      case 'opened':
        this.#hasServed = false;
        this.#tellNamed();
        return this.#tellUsers(event);
      case 'notOpened':
        return this.#tellUsers(event);
      case 'over':
        return this.#tellOver(event.lostBy);
      case 'closed':
        return this.#reviewVetoed();
      case 'silent':
        return this.#tellWatchers(event.session);
      case 'stopped':
        this.#bereft.flush();
        tell(event);
        return this.close();
      default:
        return tell(event);
    }
  }

  #tellUsers(event: CandidateEvent): void {
    for (const { actor } of [...this.#users]) if (!this.#isStopped) actor.send(event);
    this.#review();
  }

  /** All that hung on it: of thousands those who are told last have lost no less, whatever they were told (T5). */
  #tellOver(lostBy: LostBy): void {
    this.#lostBy = lostBy;
    let told = 0;
    for (const candidacy of [...this.#users]) {
      if (++told > AT_ONCE) this.#bereft.add(candidacy);
      else if (!this.#isStopped) candidacy.actor.send({ type: 'over', lostBy });
    }
    this.#review();
  }

  /**
   * Who takes one election from the holder ends its session, and with that frees all that hang on it: one asks, and the others
   * wait until their record says so. If it does not come to that, more and more of them hear of the silence too.
   */
  #tellWatchers(session: number): void {
    const watchers = this.#watchers.get(session);
    if (!watchers) return;
    // What was freed may have taken more than all of it.
    const room = Math.max(0, ASKING - this.#asking.size);
    const told = [...watchers.waiting].slice(0, Math.min(watchers.next, room));
    for (const candidacy of told) {
      this.#unwatch(candidacy);
      candidacy.actor.send({ type: 'silent', session });
    }
    if (watchers.waiting.size === 0) return;
    if (told.length > 0) watchers.next *= MORE;
    this.#options.session.send({ type: 'watch', session, isAgain: true });
  }

  /** What hung on it was freed: the records tell. */
  #forgetWatchers(session: number): void {
    for (const candidacy of [...(this.#watchers.get(session)?.waiting ?? [])]) this.#unwatch(candidacy);
  }

  #hearCandidate(candidacy: Candidacy, event: CandidateEmitted): void {
    const { session, tell } = this.#options;
    switch (event.type) {
      case 'open':
        return session.send(event);
      case 'standBy':
        this.#standing = candidacy;
        // What it stands by with opens a session of its own: the one that rests is in its way.
        this.#restsUntilMs = Number.NEGATIVE_INFINITY;
        this.#review();
        return session.send(event);
      case 'standDown':
        // Each says so whose wait for a holder is over, and one at most stood by.
        if (this.#standing === candidacy) session.send(event);
        return;
      case 'openEmpty':
        return session.send({ type: 'open', take: null, silent: null });
      case 'watch':
        return this.#watch(candidacy, event.session);
      case 'propose':
        this.#owners.set(event.command.id, candidacy);
        return tell(event);
      case 'withdraw':
        this.#owners.delete(event.id);
        return tell(event);
      case 'acquired':
        this.#hasServed = true;
        return tell(event);
      case 'overrun':
        tell(event);
        return session.send({ type: 'giveUp' });
      default:
        return tell(event);
    }
  }

  #watch(candidacy: Candidacy, session: number): void {
    if (candidacy.watched === session) return;
    this.#unwatch(candidacy);
    candidacy.watched = session;
    const watchers = this.#watchers.get(session);
    if (watchers) watchers.waiting.add(candidacy);
    else {
      this.#watchers.set(session, { waiting: new Set([candidacy]), next: 1 });
      this.#options.session.send({ type: 'watch', session });
    }
  }

  #unwatch(candidacy: Candidacy): void {
    if (candidacy.watched === null) return;
    const watchers = this.#watchers.get(candidacy.watched);
    watchers?.waiting.delete(candidacy);
    if (watchers?.waiting.size === 0) this.#watchers.delete(candidacy.watched);
    candidacy.watched = null;
  }

  #candidacy(election: string): Candidacy {
    const known = this.#all.get(election);
    if (known) return known;
    const actor = this.#options.candidate({ election, lease: this.lease });
    const candidacy: Candidacy = { election, actor, isUser: false, isAsking: false, isVetoed: false, watched: null };
    this.#all.set(election, candidacy);
    for (const type of CANDIDATE_SAYS) actor.on(type, (event) => this.#hearCandidate(candidacy, event));
    actor.subscribe(({ value }) => this.#note(candidacy, value));
    actor.start();
    if (!this.#isEligible) actor.send({ type: 'eligible', value: false });
    return candidacy;
  }

  #note(candidacy: Candidacy, value: unknown): void {
    const waiting = (value as { readonly waiting?: string }).waiting;
    const isIdle = value === 'observing' || waiting !== undefined;
    mark(this.#vetoed, candidacy, waiting === 'vetoed');
    candidacy.isVetoed = waiting === 'vetoed';
    const wasUser = candidacy.isUser;
    candidacy.isUser = !isIdle;
    mark(this.#users, candidacy, !isIdle);
    if (!isIdle) this.#restsUntilMs = null;
    // It has let go by itself, and may be at the next session already.
    if (isIdle) this.#bereft.delete(candidacy);
    this.#noteAsking(candidacy, waiting === 'sleeping' || isIn(value, 'campaigning'));
    if (wasUser && isIdle) this.#review();
  }

  #noteAsking(candidacy: Candidacy, isAsking: boolean): void {
    if (candidacy.isAsking === isAsking) return;
    candidacy.isAsking = isAsking;
    mark(this.#asking, candidacy, isAsking);
    if (isAsking) return;
    this.#late.resume();
    this.#wanted.resume();
    this.#healed.resume();
  }

  /** It brought what a candidate stood by for or had given up for lost, or what was heard of before the session was. */
  #tellNamed(): void {
    const { holding, input } = this.lease();
    for (const election of [...input.view.held(holding?.session ?? -1)]) {
      const actor = this.#all.get(election)?.actor;
      const candidate = actor?.getSnapshot().context;
      if (candidate?.rules.hasWon(candidate)) actor?.send({ type: 'record' });
    }
  }

  /** Nobody needs the session any more, or all work of one that is over has stopped. */
  #review(): void {
    if (this.#users.size > 0 || this.#isStopped) return;
    const { session } = this.#options;
    const { holding, opening, isStopping, input } = this.lease();
    if (isStopping) return;
    if (this.#isStopping) session.send({ type: 'stop', mode: 'resign' });
    else if (holding?.isOver) session.send({ type: 'settled' });
    else if (holding !== null || opening !== null) {
      // What still names it was lapsed from, and is freed by its end alone.
      const mayLinger = this.#hasServed && input.view.held(holding?.session ?? -1).size === 0;
      if (!mayLinger || !this.#isResting()) session.send({ type: 'release', mayLinger });
    }
  }

  /**
   * Whoever asks again soon asks by the session there is: to open another, and to end this one, would be two commands more. It is
   * let go of before it would have to be renewed (T7), and at once where a renewal is under way or this node stands by.
   */
  #isResting(): boolean {
    const { leaseMs, holding, standby, input } = this.lease();
    if (holding === null || holding.claims.length > 1 || standby !== null) return false;
    const nowMs = input.clock.now();
    this.#restsUntilMs ??= Math.min(nowMs + leaseMs / 10, holding.renewAtMs - leaseMs / 20);
    if (nowMs >= this.#restsUntilMs) return false;
    this.#wakeAt(this.#restsUntilMs);
    return true;
  }

  /** One timer, however often it is used meanwhile. */
  #wakeAt(atMs: number): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    const { later } = this.#options;
    const wake = () => {
      this.#isWaking = false;
      this.#review();
    };
    later(wake, whole(atMs - this.lease().input.clock.now()));
  }
}

function mark(set: Set<Candidacy>, candidacy: Candidacy, isIn: boolean): void {
  if (isIn) set.add(candidacy);
  else set.delete(candidacy);
}

const isIn = (value: unknown, state: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, state);
