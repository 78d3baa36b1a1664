import {
  between,
  type CommandId,
  commandId,
  holdMs,
  type MasterNews,
  type MasterRecord,
  type Session,
  waitMs,
} from '@synod/protocol';
import { encodeMasterCommand, type MasterCommand } from '../commands.ts';
import type { Aim, Attempt, Holding, LeaseContext, Opening, Request } from './lease.context.ts';
import type { LeaseEmitted, LeaseInput, Licence, LostBy } from './lease.types.ts';
import { Sights } from './sights.ts';

/** How many openings are remembered. An older one that opens after all is nobody's: the leader expires it. */
const OPENINGS_REMEMBERED = 8;

/** After these the record was free for the asking: no jitter (T11). */
const FREED_BY_WILL: ReadonlySet<MasterRecord['cause']> = new Set(['resigned', 'transferred', 'ended']);

/**
 * The rules of a lease, T1 to T12, as plain functions over a candidate's state. They read clocks and chance through the
 * ports of the input, and change nothing but what they return (and the sights). One object, so that a control can break one.
 */
export const leaseRules = {
  // T1, T4: requests

  /** T1: the clocks are read here, before there is a command that could leave. */
  request(c: LeaseContext, expectedVersion: number | null): Request {
    const stamp = c.input.holderClock.stamp(c.leaseMs);
    return { id: nextId(c), leaseMs: c.leaseMs, holdMs: holdMs(c.leaseMs, c.input.drift), expectedVersion, stamp };
  },

  /**
   * T4: the deadline is the least over these: the command in `setBy`, and every renewal sent that names the present version.
   * T3: without a remembered `setBy` there is none.
   */
  claims(requests: readonly Request[], { setBy, version }: Pick<Session, 'setBy' | 'version'>): readonly Request[] {
    if (!requests.some(({ id }) => id === setBy)) return [];
    return requests.filter(({ id, expectedVersion }) => id === setBy || expectedVersion === version);
  },

  /** What is left of the mastership held, by the clocks of a holder (T9). */
  remainingMs: (c: LeaseContext): number =>
    c.holding === null ? Number.NEGATIVE_INFINITY : c.input.holderClock.remainingMs(c.holding.claims),

  /** T5: the record applied here says so, the session's deadline is ahead, the term is not given up. */
  holds(c: LeaseContext): boolean {
    const { holding, input } = c;
    if (holding === null || holding.givenUpAtMs !== null) return false;
    const record = input.view.record(input.election);
    return record.master === holding.session && record.term === holding.term && this.remainingMs(c) > 0;
  },

  // T2, T11: waiting and asking

  /** T2: by the id of the command in `setBy`, from its first sight here. What is applied or heard is in sight. */
  waitEndsAtMs: (c: LeaseContext, { setBy, leaseMs }: Session): number =>
    c.sights.note(setBy, now(c)) + waitMs(leaseMs, c.input.drift),

  /** T11: up to a twentieth of the lease, less for higher priority. */
  jitterMs: (c: LeaseContext): number => (c.leaseMs / 20) * (1 - c.input.priority / 100) * c.input.random.next(),

  /** What would be asked for now; `null` while the holder is known by name only (outside the log). */
  aim(c: LeaseContext): Aim | null {
    const record = recordOf(c);
    const session = record.master === null ? null : c.input.view.session(record.master);
    if (session === undefined) return null;
    const known = c.aim && isAimAt(c.aim, record, session) ? c.aim : null;
    const freely = session === null && FREED_BY_WILL.has(record.cause);
    return {
      expectedVersion: record.version,
      holder: session && { session: session.id, version: session.version },
      setBy: session?.setBy ?? null,
      silent: session === null || session.node === c.input.self ? null : session.node,
      openAtMs: session ? this.waitEndsAtMs(c, session) : (known?.openAtMs ?? now(c)),
      jitterMs: known?.jitterMs ?? (freely ? 0 : this.jitterMs(c)),
    };
  },

  askAtMs: ({ aim, notBeforeMs }: LeaseContext): number =>
    aim === null ? Number.POSITIVE_INFINITY : Math.max(aim.openAtMs + aim.jitterMs, notBeforeMs),

  /** T11: only if healthy and not vetoed, and if all that is known to be chosen is applied. */
  mayAsk: (c: LeaseContext): boolean => c.isEligible && !c.hasFailed && c.isCaughtUp && c.aim !== null,

  /** The wait counts for the session as applied or heard now, and for no other version of it (T2). */
  isAimCurrent(c: LeaseContext): boolean {
    const record = recordOf(c);
    const session = record.master === null ? null : c.input.view.session(record.master);
    return c.aim === null ? session === undefined : session !== undefined && isAimAt(c.aim, record, session);
  },

  isTimeToAsk(c: LeaseContext): boolean {
    return this.mayAsk(c) && this.isAimCurrent(c) && now(c) >= this.askAtMs(c);
  },

  /** OpenSession and BeMaster in one command. A session with no command in flight behind it would be one more to end. */
  startAttempt(c: LeaseContext, aim: Aim): LeaseContext {
    const request = this.request(c, null);
    const opens = [...c.opens, { request, session: null }].slice(-OPENINGS_REMEMBERED);
    return { ...c, attempt: { aim, request }, opens };
  },

  /** An answer that comes later than this leaves too little of the lease: a new command is asked for, with a new instant. */
  attemptEndsAtMs: ({ request }: Attempt): number => request.stamp.atMs + 0.75 * request.leaseMs,

  /** Something was chosen first: the version rule will refuse what we asked. */
  isOvertaken(c: LeaseContext): boolean {
    if (c.attempt === null) return false;
    const { expectedVersion, holder } = c.attempt.aim;
    if (recordOf(c).version !== expectedVersion) return true;
    return holder !== null && c.input.view.session(holder.session)?.version !== holder.version;
  },

  /** The take was refused: its session opened and the record does not name it, or nothing applied. */
  isRefused: ({ attempt }: LeaseContext, news: MasterNews): boolean =>
    attempt !== null && news.sessions.some(({ openedBy }) => openedBy === attempt.request.id),

  /**
   * The session by which the record names us, if we may act by it: opened by a command whose instant we remember (T3), not
   * ended nor being ended, its deadline ahead (fault 1: never master with nothing left).
   */
  wonSession(c: LeaseContext): Won | null {
    const won = this.namedSession(c);
    return won !== null && c.input.holderClock.remainingMs([won.request]) > 0 ? won : null;
  },

  /** As {@link wonSession}, without a look at the clock: between two looks any time may pass. */
  namedSession(c: LeaseContext): Won | null {
    if (!c.isWanted || !c.isEligible || c.hasFailed || c.isStopping) return null;
    const { master } = recordOf(c);
    const session = master === null ? undefined : c.input.view.session(master);
    const request = session && this.rememberedOpening(c, session);
    return session && request && !c.endings.has(session.id) ? { session, request } : null;
  },

  /** T3: only the incarnation that asked, and only through command ids whose requestedAt it remembers. */
  rememberedOpening: ({ opens }: LeaseContext, { setBy }: Session): Request | undefined =>
    opens.find(({ request }) => request.id === setBy)?.request,

  // T4, T6, T10: holding

  hold(c: LeaseContext, session: Session, request: Request): LeaseContext {
    const { id, version, setBy } = session;
    const requests = [request];
    const { term } = recordOf(c);
    const claims = this.claims(requests, session);
    const renewAtMs = this.renewAtMs(c, request);
    const holding = { session: id, term, version, setBy, requests, claims, renewAtMs, givenUpAtMs: null };
    return { ...c, holding, attempt: null, aim: null };
  },

  /** T10: a quarter of the lease, give or take a quarter of that, from the last requestedAt. */
  renewAtMs: (c: LeaseContext, { stamp, leaseMs }: Request): number =>
    stamp.atMs + (leaseMs / 4) * between(c.input.random, 0.75, 1.25),

  /** T4: what was sent counts from here on, before it leaves: a shorter lease lowers the deadline now. */
  startRenewal(c: LeaseContext, holding: Holding): LeaseContext {
    const request = this.request(c, holding.version);
    const requests = [...holding.requests, request];
    const claims = this.claims(requests, holding);
    return { ...c, holding: { ...holding, requests, claims, renewAtMs: this.renewAtMs(c, request) } };
  },

  /** T6: over is over, even if a renewal is learned a moment later. Asked before anything learned is taken in. */
  isLapsed(c: LeaseContext): boolean {
    return this.remainingMs(c) <= 0;
  },

  /** The record does not name us any more. */
  isDeposed(c: LeaseContext): boolean {
    const { master, term } = recordOf(c);
    return c.holding === null || master !== c.holding.session || term !== c.holding.term;
  },

  /** A renewal was chosen. Versions only rise. */
  isRenewed: ({ holding, input }: LeaseContext): boolean =>
    holding !== null && (input.view.session(holding.session)?.version ?? 0) > holding.version,

  /** T4: takes in the version applied here. Renewals that name an older one are superseded: they will be refused. */
  adopt(c: LeaseContext, holding: Holding): LeaseContext {
    const { version, setBy } = c.input.view.session(holding.session) ?? holding;
    const requests = holding.requests.filter((r) => r.id === setBy || r.expectedVersion === version);
    return {
      ...c,
      holding: { ...holding, version, setBy, requests, claims: this.claims(requests, { version, setBy }) },
    };
  },

  /** T7: from here on `isMaster()` is false for this term, for ever. */
  giveUp: (c: LeaseContext, holding: Holding): LeaseContext => ({
    ...c,
    holding: { ...holding, givenUpAtMs: holding.givenUpAtMs ?? now(c) },
  }),

  /** T7: giving back may take one lease; after that the session is left to its end. */
  overrunAtMs: ({ holding, leaseMs }: LeaseContext): number => (holding?.givenUpAtMs ?? 0) + leaseMs,

  /** T7: submitted anew, with a new id, until the record does not name the term any more. */
  startResignation: (c: LeaseContext): LeaseContext => ({
    ...c,
    resignation: { id: nextId(c), againAtMs: now(c) + (c.leaseMs / 4) * between(c.input.random, 0.75, 1.25) },
  }),

  /** Who has just resigned and still wants lets others ask first. */
  restAfterResigning: (c: LeaseContext): LeaseContext => ({
    ...c,
    notBeforeMs: now(c) + between(c.input.random, c.leaseMs / 10, c.leaseMs / 5),
  }),

  // Sessions of our own that we do not hold by

  noteOpened(c: LeaseContext, news: MasterNews): LeaseContext {
    if (c.opens.length === 0) return c;
    const opened = new Map(news.sessions.map(({ openedBy, id }) => [openedBy, id]));
    const known = c.opens.map((opening): Opening => {
      return { ...opening, session: opening.session ?? opened.get(opening.request.id) ?? null };
    });
    return { ...c, opens: known.filter(({ session }) => session === null || c.input.view.session(session)) };
  },

  /** They hold nothing, or a term that was never acted by: ending them harms nobody, and nothing lingers (T7). */
  strays: ({ opens, holding, endings }: LeaseContext): readonly number[] =>
    opens.flatMap(({ session }) =>
      session === null || session === holding?.session || endings.has(session) ? [] : [session],
    ),

  // The leader's duty

  /** Sessions of others that hold nothing and whose wait is over (T2), and when to look again. */
  silentSessions(c: LeaseContext): { readonly silent: readonly Session[]; readonly sweepAtMs: number } {
    const { view, incarnation } = c.input;
    const nowMs = now(c);
    const silent: Session[] = [];
    let nextMs = nowMs + c.leaseMs;
    for (const session of view.sessions()) {
      if (session.incarnation === incarnation || view.held(session.id).size > 0) continue;
      const endsAtMs = this.waitEndsAtMs(c, session);
      if (endsAtMs > nowMs) nextMs = Math.min(nextMs, endsAtMs);
      else if (c.expiries.get(session.id)?.version !== session.version) silent.push(session);
    }
    return { silent, sweepAtMs: Math.max(nextMs, nowMs + c.leaseMs / 20) };
  },
};

/** A session by which the record names us, and the command that opened it. */
interface Won {
  readonly session: Session;
  readonly request: Request;
}

/** @see {@link leaseRules} */
export type LeaseRules = typeof leaseRules;

/** A candidate at its start: it holds nothing, whatever the view says of former lives of its node (T3). */
export function initialContext(input: LeaseInput, rules: LeaseRules): LeaseContext {
  let number = 0;
  const sights = new Sights(input.view);
  for (const { setBy } of input.view.sessions()) sights.note(setBy, input.clock.now());
  return {
    input: { election: 'group', priority: 0, metadata: {}, nextNumber: () => ++number, ...input },
    rules,
    leaseMs: input.leaseMs,
    isWanted: false,
    isEligible: true,
    isCaughtUp: true,
    hasFailed: false,
    isStopping: false,
    sights,
    aim: null,
    notBeforeMs: 0,
    attempt: null,
    opens: [],
    holding: null,
    resignation: null,
    endings: new Map(),
    closeAtMs: 0,
    expiries: new Map(),
    sweepAtMs: 0,
  };
}

/** The mastership in force; its numbers are meant to be read at once. */
export function licenceOf(c: LeaseContext, holding: Holding): Licence {
  const { session, term, version, setBy, requests } = holding;
  const leaseMs = requests.find(({ id }) => id === setBy)?.leaseMs ?? 0;
  const deadlineAtMs = now(c) + c.rules.remainingMs(c);
  return { election: c.input.election, term, version, session, leaseMs, deadlineAtMs };
}

export const lostNotice = (c: LeaseContext, { term }: Holding, lostBy: LostBy, reason?: string): LeaseEmitted => {
  const notice = { type: 'lost', election: c.input.election, term, lostBy } as const;
  return reason === undefined ? notice : { ...notice, reason };
};

export const proposal = (id: CommandId, command: MasterCommand): LeaseEmitted => ({
  type: 'propose',
  command: encodeMasterCommand(id, command),
});

export function takeProposal({ input }: LeaseContext, { aim, request }: Attempt): LeaseEmitted {
  const { self: node, incarnation, election, metadata } = input;
  const { expectedVersion, holder, silent } = aim;
  const take = { election, expectedVersion, holder, metadata };
  const command = encodeMasterCommand(request.id, {
    type: 'open',
    node,
    incarnation,
    leaseMs: request.leaseMs,
    take,
  });
  return silent === null ? { type: 'propose', command } : { type: 'propose', command, presumedSilent: silent };
}

export const nextId = ({ input }: LeaseContext): CommandId => commandId(input.incarnation, input.nextNumber());

const now = ({ input }: LeaseContext): number => input.clock.now();

const recordOf = ({ input }: LeaseContext): MasterRecord => input.view.record(input.election);

/** The record and the holder's session, each at the version that was aimed at. */
function isAimAt({ expectedVersion, holder, setBy }: Aim, record: MasterRecord, session: Session | null): boolean {
  if (expectedVersion !== record.version) return false;
  if (holder === null || session === null) return holder === session;
  return holder.session === session.id && holder.version === session.version && setBy === session.setBy;
}
