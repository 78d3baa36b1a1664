import {
  type CandidateContext,
  encodeMasterCommand,
  type MasterCommand,
  MasterFold,
  type MasterReader,
  type SessionContext,
  type Take,
} from '@synod/mastership';
import { type Command, waitMs } from '@synod/protocol';
import type { Model } from './explore.ts';
import { canonical, Interner } from './intern.ts';
import {
  type CandidateBounds,
  type HeldSession,
  type LeaseBounds,
  type MastershipRules,
  mastershipRules,
  type SentCommand,
} from './lease-node.ts';

type Holding = NonNullable<SessionContext['holding']>;
type Opening = SessionContext['opens'][number];
type Request = Holding['requests'][number];

/** A mastership that a candidate acts by, or has given up. */
interface Term {
  readonly term: number;
  readonly isGivenUp: boolean;
}

/** Everything of one candidate. All its instants are relative to now on its own clock, so that states that differ by the hour alone are one. */
interface Candidate {
  life: number;
  number: number;
  /** Commands applied here, and the state after them. */
  at: number;
  fold: number;
  /** The same for what was heard of sessions alone, never behind. */
  sessionsAt: number;
  sessions: number;
  sights: Map<string, number>;
  opens: Opening[];
  /** Own sessions that are over here, and not yet at the others. */
  endings: readonly number[];
  session: HeldSession | null;
  terms: Map<string, Term>;
  /** Takings by a session that was open already, with the instants they were asked for. */
  takings: Request[];
  /** Since when it knows the holder's last command as applied, by election: what a wait of T2 is measured against. */
  since: Map<string, { readonly setBy: string; readonly atMs: number }>;
  asks: number;
  renewals: number;
  resigns: number;
  openings: number;
  transfers: number;
  standbys: number;
  restarts: number;
  handovers: number;
}

interface CandidateState {
  readonly candidate: Candidate;
  /** Elections it answers for, bit by bit: `isMaster()`. */
  readonly masterOf: number;
  readonly outcomes: Map<number, Outcome | null>;
  readonly broken: string | null;
}

interface Outcome {
  readonly next: number;
  readonly sent: readonly number[];
  readonly broken: string | null;
}

interface FoldState {
  readonly fold: MasterFold;
  readonly after: Map<number, { readonly next: number; readonly broken: string | null }>;
}

const TICK = 0;
const CHOOSE = 1;
const LEARN = 2;
const SEE = 3;
const ASK = 4;
const RENEW = 5;
const RESIGN = 6;
const OPEN = 7;
const TRANSFER = 8;
const RESTART = 9;
const HAND_OVER = 10;
const HEAR_SESSIONS = 11;
const STAND_BY = 12;

const codeOf = (kind: number, who: number, arg = 0): number => (kind << 24) | (who << 16) | arg;

const WORDS = 6;

/**
 * Candidates in small: each with a clock of its own, over one log that chooses what was sent whenever it likes, twice if it
 * likes, or never. True time passes in steps that none of them can read.
 */
export class LeaseWorld implements Model {
  readonly name: string;
  readonly width: number;
  readonly #bounds: LeaseBounds;
  readonly #rules: MastershipRules;
  readonly #candidates: Interner<Candidate>;
  readonly #known: CandidateState[] = [];
  readonly #commands = new Interner<SentCommand>((sent) => canonical(sent));
  readonly #logs = new Interner<readonly number[]>((ids) => ids.join());
  readonly #folds = new Interner<MasterFold>((fold) => canonical(fold.snapshot()));
  readonly #foldsKnown: FoldState[] = [];
  readonly #logAt: number;
  readonly #sentAt: number;

  constructor(bounds: LeaseBounds, rules: MastershipRules = mastershipRules) {
    this.name = bounds.name;
    this.#bounds = bounds;
    this.#rules = rules;
    this.#logAt = bounds.candidates.length;
    this.#sentAt = this.#logAt + 1;
    this.width = this.#sentAt + WORDS;
    this.#candidates = new Interner((candidate) => canonical(candidate));
  }

  initial(): Uint32Array {
    const row = new Uint32Array(this.width);
    const fold = this.#foldId(new MasterFold({ rules: this.#rules.fold }));
    for (let who = 0; who < this.#bounds.candidates.length; who++) {
      row[who] = this.#id(who, {
        life: 1,
        number: 0,
        at: 0,
        fold,
        sessionsAt: 0,
        sessions: fold,
        sights: new Map(),
        opens: [],
        endings: [],
        session: null,
        terms: new Map(),
        takings: [],
        since: new Map(),
        asks: 0,
        renewals: 0,
        resigns: 0,
        openings: 0,
        transfers: 0,
        standbys: 0,
        restarts: 0,
        handovers: 0,
      });
    }
    row[this.#logAt] = this.#logs.id([]);
    if (this.#bounds.malformed) this.#send(row, this.#commands.id({ by: 0, id: 'x-1/1', asked: null }));
    return row;
  }

  expand(row: Uint32Array, reach: (next: Uint32Array, action: number, broken?: string | null) => void): void {
    const { candidates, elections, log: longest, repeats = 0, sees } = this.#bounds;
    const next = new Uint32Array(row);
    const step = (who: number, code: number): void => {
      const outcome = this.#outcome(who, row[who] as number, code);
      if (outcome === null) return;
      next[who] = outcome.next;
      for (const id of outcome.sent) this.#send(next, id);
      reach(next, code, outcome.broken);
      next.set(row);
    };

    const ticked = candidates.map((_, who) => this.#outcome(who, row[who] as number, codeOf(TICK, who)));
    ticked.forEach((outcome, who) => {
      if (outcome) next[who] = outcome.next;
    });
    reach(next, codeOf(TICK, 0));
    next.set(row);

    const log = this.#logs.get(row[this.#logAt] as number);
    const repeated = log.length - new Set(log).size;
    for (let id = 0; id < this.#commands.size; id++) {
      if (!this.#wasSent(row, id)) continue;
      if (log.length < longest && (repeated < repeats || !log.includes(id))) {
        next[this.#logAt] = this.#logs.id([...log, id]);
        reach(next, codeOf(CHOOSE, 0, id));
        next.set(row);
      }
      if (!sees) continue;
      const position = log.includes(id) ? log.indexOf(id) + 1 : log.length + 1;
      candidates.forEach((_, who) => {
        if (this.#commands.get(id).by !== who) step(who, codeOf(SEE, who, (id << 8) | position));
      });
    }

    candidates.forEach(({ leasesMs = [100], handovers = 0, isHearer = false }, who) => {
      const { candidate } = this.#known[row[who] as number] as CandidateState;
      const entry = log[candidate.at];
      if (entry !== undefined) step(who, codeOf(LEARN, who, entry));
      const news = isHearer ? log[candidate.sessionsAt] : undefined;
      if (news !== undefined) step(who, codeOf(HEAR_SESSIONS, who, news));
      leasesMs.forEach((_, lease) => {
        elections.forEach((_, election) => {
          step(who, codeOf(ASK, who, (lease << 8) | election));
          step(who, codeOf(STAND_BY, who, (lease << 8) | election));
        });
        step(who, codeOf(RENEW, who, lease << 8));
      });
      elections.forEach((_, election) => {
        step(who, codeOf(RESIGN, who, election));
        for (const session of this.#fold(candidate.fold).view.sessions()) {
          step(who, codeOf(TRANSFER, who, (session.id << 8) | election));
        }
      });
      step(who, codeOf(OPEN, who));
      step(who, codeOf(RESTART, who));
      if (candidate.handovers < handovers) {
        candidates.forEach((_, other) => {
          if (other !== who) step(who, codeOf(HAND_OVER, who, row[other] as number));
        });
      }
    });
  }

  /** S2: at most one `isMaster()` for an election is true at any real instant. */
  check(row: Uint32Array): string | null {
    const { candidates, elections } = this.#bounds;
    let held = 0;
    for (let who = 0; who < candidates.length; who++) {
      const { masterOf, broken } = this.#known[row[who] as number] as CandidateState;
      if (broken !== null) return broken;
      if ((held & masterOf) !== 0) {
        const names = candidates.filter(
          (_, other) => (this.#known[row[other] as number]?.masterOf ?? 0) & held & masterOf || other === who,
        );
        const election = elections.find((_, bit) => held & masterOf & (1 << bit));
        return `S2: ${names.map(({ name }) => name).join(' and ')} are master of ${election} at one instant`;
      }
      held |= masterOf;
    }
    return null;
  }

  describe(action: number): string {
    const kind = action >>> 24;
    const who = (action >>> 16) & 0xff;
    const arg = action & 0xffff;
    const { candidates, elections, tickMs } = this.#bounds;
    const name = candidates[who]?.name ?? '';
    const election = elections[arg & 0xff] ?? '';
    const words = (id: number): string => {
      const { id: text, asked } = this.#commands.get(id);
      return `${text} (${asked?.type ?? 'unreadable'})`;
    };
    switch (kind) {
      case TICK:
        return `${tickMs} ms pass`;
      case CHOOSE:
        return `${words(arg)} is chosen`;
      case LEARN:
        return `${name} learns ${words(arg)}`;
      case HEAR_SESSIONS:
        return `${name} hears what ${words(arg)} did to sessions, not to records`;
      case SEE:
        return `${name} sees ${words(arg >>> 8)} on its way, for position ${arg & 0xff}`;
      case ASK:
        return `${name} asks for ${election}`;
      case STAND_BY:
        return `${name} stands by for ${election}`;
      case RENEW:
        return `${name} renews for ${candidates[who]?.leasesMs?.[arg >>> 8] ?? 100} ms`;
      case RESIGN:
        return `${name} resigns ${election}`;
      case OPEN:
        return `${name} opens a session`;
      case TRANSFER:
        return `${name} transfers ${election} to session ${arg >>> 8}`;
      case RESTART:
        return `${name} restarts`;
      default:
        return `${name} is told of another's waits`;
    }
  }

  #outcome(who: number, id: number, code: number): Outcome | null {
    const state = this.#known[id] as CandidateState;
    const known = state.outcomes.get(code);
    if (known !== undefined) return known;
    const step = new Step(this.#bounds, this.#rules, who, state.candidate, (fold) => this.#fold(fold));
    const outcome = this.#work(who, id, code, step);
    state.outcomes.set(code, outcome);
    return outcome;
  }

  #work(who: number, id: number, code: number, step: Step): Outcome | null {
    const arg = code & 0xffff;
    let broken: string | null = null;
    let isDone = true;
    try {
      switch (code >>> 24) {
        case TICK:
          step.tick();
          break;
        case LEARN: {
          const command = this.#commands.get(arg);
          const applied = this.#apply(step.candidate.fold, arg);
          broken = applied.broken;
          step.learn(command, applied.next);
          break;
        }
        case HEAR_SESSIONS:
          step.hearSessions(this.#commands.get(arg), this.#apply(step.candidate.sessions, arg).next);
          break;
        case SEE:
          isDone = step.see(this.#commands.get(arg >>> 8).id, arg & 0xff);
          break;
        case ASK:
          isDone = step.ask(arg & 0xff, arg >>> 8);
          break;
        case STAND_BY:
          isDone = step.standBy(arg & 0xff, arg >>> 8);
          break;
        case RENEW:
          isDone = step.renew(arg >>> 8);
          break;
        case RESIGN:
          isDone = step.resign(arg & 0xff);
          break;
        case OPEN:
          isDone = step.open();
          break;
        case TRANSFER:
          isDone = step.transfer(arg & 0xff, arg >>> 8);
          break;
        case RESTART:
          isDone = step.restart();
          break;
        case HAND_OVER:
          isDone = step.handOver((this.#known[arg] as CandidateState).candidate);
          break;
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return {
        next: id,
        sent: [],
        broken: `N1: ${this.#bounds.candidates[who]?.name} meets an impossible state: ${error.message}`,
      };
    }
    if (!isDone) return null;
    const next = this.#id(who, step.candidate);
    if (next === id && step.sent.length === 0 && broken === null && code >>> 24 !== LEARN) return null;
    return { next, sent: step.sent.map((sent) => this.#commands.id(sent)), broken };
  }

  #id(who: number, candidate: Candidate): number {
    const id = this.#candidates.id(candidate);
    if (this.#known[id] === undefined) {
      const step = new Step(this.#bounds, this.#rules, who, candidate, (fold) => this.#fold(fold));
      this.#known[id] = { candidate, masterOf: step.masterOf(), outcomes: new Map(), broken: step.waitsTooLong() };
    }
    return id;
  }

  #fold(id: number): MasterFold {
    return (this.#foldsKnown[id] as FoldState).fold;
  }

  #foldId(fold: MasterFold): number {
    const id = this.#folds.id(fold);
    if (this.#foldsKnown[id] === undefined) this.#foldsKnown[id] = { fold, after: new Map() };
    return id;
  }

  /** The state of the fold after one command more, the same at every node. */
  #apply(foldId: number, command: number): { readonly next: number; readonly broken: string | null } {
    const { fold, after } = this.#foldsKnown[foldId] as FoldState;
    const known = after.get(command);
    if (known) return known;
    const next = new MasterFold({ rules: this.#rules.fold });
    next.restore(fold.snapshot());
    const { id, asked } = this.#commands.get(command);
    this.#rules.manners.apply(next, fold.position + 1, asked ? encodeMasterCommand(id, asked) : unreadable(id));
    const result = { next: this.#foldId(next), broken: this.#judge(fold, next) };
    after.set(command, result);
    return result;
  }

  /** S1: terms of an election grow strictly, and each has one master for ever. */
  #judge(before: MasterFold, after: MasterFold): string | null {
    if (after.position !== before.position + 1)
      return 'section 1: a command nobody can read takes its position all the same';
    for (const election of this.#bounds.elections) {
      const [old, now] = [before.view.record(election), after.view.record(election)];
      if (now.master !== null && now.master !== old.master && now.term <= old.term) {
        return `S1: the term of ${election} does not grow: ${now.term} after ${old.term}`;
      }
    }
    return null;
  }

  #send(row: Uint32Array, id: number): void {
    if (id >= 32 * WORDS) throw new RangeError(`${this.name}: more than ${32 * WORDS} different commands`);
    const word = this.#sentAt + (id >>> 5);
    row[word] = ((row[word] as number) | (1 << (id & 31))) >>> 0;
  }

  #wasSent(row: Uint32Array, id: number): boolean {
    return ((row[this.#sentAt + (id >>> 5)] as number) & (1 << (id & 31))) !== 0;
  }
}

/** One step of one candidate by the real rules, in the order in which the lease machine asks them. */
class Step {
  readonly candidate: Candidate;
  readonly sent: SentCommand[] = [];
  readonly #bounds: LeaseBounds;
  readonly #rules: MastershipRules;
  readonly #who: number;
  readonly #foldOf: (id: number) => MasterFold;

  constructor(
    bounds: LeaseBounds,
    rules: MastershipRules,
    who: number,
    candidate: Candidate,
    foldOf: (id: number) => MasterFold,
  ) {
    this.#bounds = bounds;
    this.#rules = rules;
    this.#who = who;
    this.#foldOf = foldOf;
    const { sights, opens, terms, since } = candidate;
    this.candidate = {
      ...candidate,
      sights: new Map(sights),
      opens: [...opens],
      terms: new Map(terms),
      since: new Map(since),
    };
  }

  get #own(): CandidateBounds {
    return this.#bounds.candidates[this.#who] as CandidateBounds;
  }

  /** Instants before this are all alike: every wait from them is over, and every lease. */
  get #longAgoMs(): number {
    const leasesMs = this.#bounds.candidates.flatMap(({ leasesMs = [100] }) => leasesMs);
    return -waitMs(Math.max(...leasesMs), this.#bounds.drift);
  }

  get #incarnation(): string {
    return `${this.#own.name}-${this.candidate.life}`;
  }

  /** Elections for which `isMaster()` is true here and now. */
  masterOf(): number {
    let bits = 0;
    this.#bounds.elections.forEach((election, bit) => {
      if (this.#rules.lease.holds(this.#candidate(election))) bits |= 1 << bit;
    });
    return bits;
  }

  /** T2, T11: a wait that began when the holder's last command was applied here is over after leaseMs × (1 + ρ). */
  waitsTooLong(): string | null {
    const { candidate } = this;
    const { lease } = this.#rules;
    if (candidate.session) return null;
    for (const election of this.#bounds.elections) {
      const c = this.#candidate(election);
      const view = this.#view;
      const { master } = view.record(election);
      const session = master === null ? undefined : view.session(master);
      const since = candidate.since.get(election);
      if (!session || since?.setBy !== session.setBy || -since.atMs < waitMs(session.leaseMs, this.#bounds.drift))
        continue;
      const aim = lease.aim(c);
      if (!lease.isTimeToAsk({ ...c, aim }))
        return `T2: ${this.#own.name} has waited for ${session.setBy}, and still may not ask`;
    }
    return null;
  }

  tick(): void {
    const { candidate } = this;
    const byMs = this.#own.rate * this.#bounds.tickMs;
    const longAgoMs = this.#longAgoMs;
    const moved = new Map<Request, Request>();
    const move = (request: Request): Request => {
      let later = moved.get(request);
      if (!later) {
        later = { ...request, stamp: { atMs: Math.max(longAgoMs, request.stamp.atMs - byMs) } };
        moved.set(request, later);
      }
      return later;
    };
    candidate.sights = new Map(Array.from(candidate.sights, ([id, atMs]) => [id, Math.max(longAgoMs, atMs - byMs)]));
    // Whoever remembers an opening of long ago cannot hold by it any more than one who does not.
    candidate.opens = candidate.opens
      .map((opening) => ({ ...opening, request: move(opening.request) }))
      .filter(({ request }) => request.stamp.atMs > longAgoMs);
    candidate.takings = candidate.takings.map(move);
    candidate.since = new Map(
      Array.from(candidate.since, ([election, { setBy, atMs }]) => [
        election,
        { setBy, atMs: Math.max(longAgoMs, atMs - byMs) },
      ]),
    );
    const { session } = candidate;
    if (session)
      candidate.session = { ...session, requests: session.requests.map(move), claims: session.claims.map(move) };
  }

  see(id: string, position: number): boolean {
    return this.#note(id, position);
  }

  /** What the machine does when the fold has changed: T6 before all else, then whether it still holds, then renewals. */
  learn(command: SentCommand, fold: number): void {
    const { candidate } = this;
    const { lease, manners } = this.#rules;
    const waited = [...this.#view.sessions()].flatMap(({ setBy, openedBy }) => [setBy, openedBy]);
    candidate.at++;
    candidate.fold = fold;
    if (candidate.sessionsAt < candidate.at) {
      candidate.sessionsAt = candidate.at;
      candidate.sessions = fold;
    }
    this.#note(command.id, candidate.at);
    const view = this.#view;
    candidate.endings = candidate.endings.filter((session) => view.session(session));
    // What no session is set by any more, nobody waits for.
    const awaited = new Set([...view.sessions()].flatMap(({ setBy, openedBy }) => [setBy, openedBy]));
    for (const id of [...waited, command.id]) if (!awaited.has(id)) candidate.sights.delete(id);
    candidate.takings = candidate.takings.filter(({ id }) => id !== command.id || this.#own.sharesSession);
    candidate.opens = candidate.opens.map((opening) => {
      const opened = [...view.sessions()].find(({ openedBy }) => openedBy === opening.request.id);
      return { ...opening, session: opening.session ?? opened?.id ?? null };
    });
    if (candidate.session && manners.looksFirst && this.#isLapsed()) this.#drop();
    if (candidate.session) {
      const taking = candidate.takings.find(({ id }) => id === command.id);
      candidate.session = manners.extendedBy(candidate.session, command, taking);
      for (const election of [...candidate.terms.keys()]) {
        if (lease.isDeposed(this.#candidate(election))) candidate.terms.delete(election);
      }
      if (!view.session(candidate.session.id) || (candidate.terms.size === 0 && !this.#own.sharesSession)) this.#drop();
      else this.#adopt();
    }
    this.#win();
    if (this.#bounds.endsStrays) this.#endStrays();
    for (const election of this.#bounds.elections) {
      const { master } = view.record(election);
      const setBy = (master === null ? undefined : view.session(master)?.setBy) ?? '';
      if (candidate.since.get(election)?.setBy !== setBy) candidate.since.set(election, { setBy, atMs: 0 });
    }
  }

  hearSessions(command: SentCommand, fold: number): void {
    const { candidate } = this;
    candidate.sessionsAt++;
    candidate.sessions = fold;
    this.#note(command.id, candidate.sessionsAt);
    if (candidate.session && this.#rules.manners.looksFirst && this.#isLapsed()) this.#drop();
    if (candidate.session) this.#adopt();
  }

  /** Who is master as applied or heard here. */
  get #view(): MasterReader {
    const { fold, sessions } = this.candidate;
    const { view } = this.#foldOf(fold);
    if (sessions === fold) return view;
    const heard = this.#foldOf(sessions).view;
    return { ...view, session: heard.session, sessions: heard.sessions };
  }

  /** OpenSession and BeMaster in one command; with an open session of one's own BeMaster alone. */
  ask(electionAt: number, lease: number): boolean {
    const { candidate } = this;
    const election = this.#bounds.elections[electionAt] as string;
    if (candidate.asks >= this.#own.asks || candidate.terms.has(election)) return false;
    if (candidate.session && (!this.#own.sharesSession || this.#isLapsed())) return false;
    const s = this.#session(this.#leaseMs(lease));
    const c = this.#candidate(election, s);
    const aim = this.#rules.lease.aim(c);
    if (aim === null || !this.#rules.lease.isTimeToAsk({ ...c, aim })) return false;
    candidate.asks++;
    this.#sendTake({ election, expectedVersion: aim.expectedVersion, holder: aim.holder, metadata: {} }, s);
    return true;
  }

  /** T11: what is to follow the Resign of whoever holds, sent while he holds: no wait, for it names no holder. */
  standBy(electionAt: number, lease: number): boolean {
    const { candidate } = this;
    const election = this.#bounds.elections[electionAt] as string;
    if (candidate.standbys >= (this.#own.standbys ?? 0) || candidate.terms.has(election)) return false;
    if (candidate.session && (!this.#own.sharesSession || this.#isLapsed())) return false;
    const { master, version } = this.#view.record(election);
    if (master === null || master === candidate.session?.id) return false;
    candidate.standbys++;
    this.#sendTake(
      { election, expectedVersion: version, holder: null, metadata: {} },
      this.#session(this.#leaseMs(lease)),
    );
    return true;
  }

  #sendTake(take: Take, s: SessionContext): void {
    const { candidate } = this;
    if (candidate.session) {
      const request = this.#rules.lease.request(s, null);
      candidate.takings = [...candidate.takings, request];
      const asked = { type: 'beMaster', session: candidate.session.id, ...take } as const;
      this.sent.push({ by: this.#who, id: request.id, asked });
      return;
    }
    const { opens, opening } = this.#rules.lease.startOpening(s, take, null);
    candidate.opens = [...opens];
    const { id, leaseMs } = (opening as NonNullable<SessionContext['opening']>).request;
    const { name, node = name } = this.#own;
    this.sent.push({ by: this.#who, id, asked: { type: 'open', node, incarnation: this.#incarnation, leaseMs, take } });
  }

  open(): boolean {
    const { candidate } = this;
    if (candidate.openings >= (this.#own.opens ?? 0) || candidate.session) return false;
    candidate.openings++;
    const request = this.#rules.lease.request(this.#session(), null);
    candidate.opens = [...candidate.opens, { request, session: null }];
    const { id, leaseMs } = request;
    const { name, node = name } = this.#own;
    this.sent.push({
      by: this.#who,
      id,
      asked: { type: 'open', node, incarnation: this.#incarnation, leaseMs, take: null },
    });
    return true;
  }

  renew(lease: number): boolean {
    const { candidate } = this;
    if (candidate.renewals >= this.#own.renewals || !candidate.session) return false;
    if (this.#isLapsed()) {
      this.#drop();
      return true;
    }
    candidate.renewals++;
    const s = this.#session(this.#leaseMs(lease));
    const { holding } = this.#rules.lease.startRenewal(s, s.holding as Holding);
    const request = holding?.requests.at(-1);
    if (!holding || !request) return false;
    const { version } = candidate.session;
    candidate.session = { ...candidate.session, requests: holding.requests, claims: holding.claims };
    this.sent.push({
      by: this.#who,
      id: request.id,
      asked: { type: 'renew', session: candidate.session.id, expectedVersion: version, leaseMs: request.leaseMs },
    });
    return true;
  }

  /** T7: stops acting first, then submits. */
  resign(electionAt: number): boolean {
    const { candidate } = this;
    const election = this.#bounds.elections[electionAt] as string;
    const held = candidate.terms.get(election);
    if (!held || held.isGivenUp || !candidate.session || candidate.resigns >= (this.#own.resigns ?? 0)) return false;
    if (this.#isLapsed()) return false;
    candidate.resigns++;
    if (this.#rules.manners.stopsBeforeResigning) candidate.terms.set(election, { ...held, isGivenUp: true });
    this.#send({ type: 'resign', election, session: candidate.session.id, term: held.term });
    return true;
  }

  transfer(electionAt: number, to: number): boolean {
    const { candidate } = this;
    const election = this.#bounds.elections[electionAt] as string;
    const held = candidate.terms.get(election);
    if (!held || held.isGivenUp || !candidate.session || candidate.transfers >= (this.#own.transfers ?? 0))
      return false;
    if (to === candidate.session.id || this.#isLapsed()) return false;
    candidate.transfers++;
    if (this.#rules.manners.stopsBeforeResigning) candidate.terms.set(election, { ...held, isGivenUp: true });
    this.#send({ type: 'transfer', election, session: candidate.session.id, term: held.term, to, metadata: {} });
    return true;
  }

  /** Another life: it remembers nothing, and hears the log anew (T3). */
  restart(): boolean {
    const { candidate } = this;
    if (candidate.restarts >= (this.#own.restarts ?? 0) || candidate.at === 0) return false;
    candidate.restarts++;
    candidate.life++;
    candidate.number = 0;
    candidate.at = 0;
    candidate.fold = 0;
    candidate.sessionsAt = 0;
    candidate.sessions = 0;
    candidate.opens = [];
    candidate.endings = [];
    candidate.takings = [];
    candidate.since = new Map();
    candidate.sights = new Map(this.#rules.manners.afterRestart(candidate.sights, this.#bounds.clockJumpMs ?? 0));
    candidate.session = null;
    candidate.terms = new Map();
    return true;
  }

  handOver(other: Candidate): boolean {
    const { candidate } = this;
    candidate.handovers++;
    for (const [id, atMs] of this.#rules.manners.handedOver(other.sights, this.#bounds.clockJumpMs ?? 0)) {
      candidate.sights.set(id, Math.min(candidate.sights.get(id) ?? 0, atMs));
    }
    return true;
  }

  /** A command of this life, with the instant it leaves. */
  #send(asked: MasterCommand): void {
    this.sent.push({ by: this.#who, id: `${this.#incarnation}/${++this.candidate.number}`, asked });
  }

  #leaseMs(lease: number): number {
    return this.#own.leasesMs?.[lease] ?? 100;
  }

  #note(id: string, position: number | null): boolean {
    let isNew = false;
    for (const key of this.#rules.manners.sightKeys(id, position)) {
      if (this.candidate.sights.has(key) && !this.#rules.manners.restartsWait) continue;
      this.candidate.sights.set(key, 0);
      isNew = true;
    }
    return isNew;
  }

  #isLapsed(): boolean {
    return this.#rules.lease.isLapsed(this.#session());
  }

  /** An ended or lapsed session is never used again (T6). */
  #drop(): void {
    const { candidate } = this;
    if (candidate.session && this.#rules.manners.endsWhatIsOver)
      candidate.endings = [...candidate.endings, candidate.session.id];
    candidate.session = null;
    candidate.terms.clear();
  }

  /** Ended at the others too: what they are told by that is chosen whenever it likes. */
  #endStrays(): void {
    const { candidate } = this;
    for (const session of this.#rules.lease.strays(this.#session(), false)) {
      candidate.endings = [...candidate.endings, session];
      this.#send({ type: 'end', session });
    }
  }

  #adopt(): void {
    const { candidate } = this;
    const s = this.#session();
    if (!candidate.session || !this.#rules.lease.isRenewed(s)) return;
    const { holding } = this.#rules.lease.adopt(s, s.holding as Holding);
    if (!holding) return;
    const { version, setBy, requests, claims } = holding;
    candidate.session = { id: candidate.session.id, version, setBy, requests, claims };
  }

  #win(): void {
    const { candidate } = this;
    const { lease } = this.#rules;
    for (const election of this.#bounds.elections) {
      if (candidate.terms.has(election)) continue;
      const view = this.#view;
      const { master, term } = view.record(election);
      if (candidate.session) {
        if (this.#own.sharesSession && master === candidate.session.id)
          candidate.terms.set(election, { term, isGivenUp: false });
        continue;
      }
      const named = master === null ? undefined : view.session(master);
      const s = this.#session();
      const opened = named && lease.openedSession(s, [named]);
      if (!opened) continue;
      const { holding } = lease.hold(s, opened.session, opened.request);
      this.#hold(holding as Holding);
      candidate.terms.set(election, { term, isGivenUp: false });
    }
    if (!candidate.session && this.#own.sharesSession) this.#holdOpened();
  }

  /** A session that was opened for a transfer holds nothing yet (T8). */
  #holdOpened(): void {
    for (const { request, session: id } of this.candidate.opens) {
      const s = { ...this.#session(), opening: { request, take: null, silent: null } };
      const session = id === null ? undefined : this.#view.session(id);
      const opened = session && this.#rules.lease.openedSession(s, [session]);
      if (opened) this.#hold(this.#rules.lease.hold(s, opened.session, opened.request).holding as Holding);
    }
  }

  #hold({ session: id, version, setBy, requests, claims }: Holding): void {
    this.candidate.session = { id, version, setBy, requests, claims };
  }

  /** What the rules are given: a session as its machine keeps it, the clocks standing at zero. */
  #session(leaseMs = 100): SessionContext {
    const { candidate } = this;
    const { session, sights } = candidate;
    const holding = session && {
      session: session.id,
      version: session.version,
      setBy: session.setBy,
      requests: session.requests,
      claims: session.claims,
      renewAtMs: 0,
      isOver: false,
    };
    const context = {
      input: {
        self: this.#own.node ?? this.#own.name,
        incarnation: this.#incarnation,
        leaseMs: 100,
        drift: this.#bounds.drift,
        clock: { now: () => 0 },
        random: { next: () => 0, id: () => '' },
        holderClock: standing,
        view: this.#view,
        nextNumber: () => ++candidate.number,
      },
      rules: this.#rules.lease,
      leaseMs,
      isCaughtUp: true,
      hasFailed: false,
      isStopping: false,
      sights: { note: (id: string) => sights.get(id) ?? 0 },
      opening: null,
      opens: candidate.opens,
      holding,
      endings: new Map(candidate.endings.map((session) => [session, ''])),
      closeAtMs: 0,
      watched: new Map(),
      expiries: new Map(),
      sweepAtMs: 0,
    };
    return context as unknown as SessionContext;
  }

  /** The same of a candidate for one election. */
  #candidate(election: string, session = this.#session()): CandidateContext {
    const held = this.candidate.terms.get(election);
    const { holding } = session;
    return {
      input: { election, priority: 100, metadata: {}, heirOf: () => null, standsBy: false, lease: () => session },
      rules: this.#rules.lease,
      priority: 100,
      isWanted: true,
      isEligible: true,
      isStopping: false,
      aim: null,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      attempt: null,
      mastership:
        holding === null
          ? null
          : { session: holding.session, term: held?.term ?? -1, givenUpAtMs: held?.isGivenUp ? 0 : null, heir: null },
      successor: null,
      resignation: null,
      offer: null,
      wishAtMs: 0,
      wishes: { term: 0, count: 0 },
      served: [],
    };
  }
}

/** A holder's clock at the instant zero: what has elapsed is what a stamp lies back. */
const standing = {
  stamp: () => ({ atMs: 0 }),
  elapsedMs: (stamp: { readonly atMs: number }) => -stamp.atMs,
  remainingMs: (claims: readonly Request[]) =>
    claims.reduce(
      (least, { stamp, holdMs }) => Math.min(least, holdMs + stamp.atMs),
      claims.length === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
    ),
};

const unreadable = (id: string): Command => ({ id, machine: 'master', body: Uint8Array.of(0xc1) });
