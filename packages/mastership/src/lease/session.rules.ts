import { between, type CommandId, commandId, holdMs, type MasterNews, type Session, waitMs } from '@synod/protocol';
import type { Take } from '../commands.ts';
import type { Holding, Opening, Request, SessionContext, Standby } from './lease.context.ts';

/** How many openings are remembered that have not opened. An older one that opens after all is not held by, but ended. */
const OPENINGS_REMEMBERED = 8;

/** The part of the rules that concerns a session: T1 to T4, T6, T9, T10 and T12. */
export const sessionRules = {
  // T1, T4: requests

  /** T1: the clocks are read here, before there is a command that could leave. */
  request(s: SessionContext, expectedVersion: number | null): Request {
    const stamp = s.input.holderClock.stamp(s.leaseMs);
    return { id: nextId(s), leaseMs: s.leaseMs, holdMs: holdMs(s.leaseMs, s.input.drift), expectedVersion, stamp };
  },

  /**
   * T4: the deadline is the least over these: the command in `setBy`, and every renewal sent that names the present version.
   * T3: without a remembered `setBy` there is none.
   */
  claims(requests: readonly Request[], { setBy, version }: Pick<Session, 'setBy' | 'version'>): readonly Request[] {
    if (!requests.some(({ id }) => id === setBy)) return [];
    return requests.filter(({ id, expectedVersion }) => id === setBy || expectedVersion === version);
  },

  /** What is left of the session held, and so of every mastership on it, by the clocks of a holder (T9). */
  remainingMs: ({ holding, input }: SessionContext): number =>
    holding === null || holding.isOver ? Number.NEGATIVE_INFINITY : input.holderClock.remainingMs(holding.claims),

  // T2: waiting for others

  /** T2: by the id of the command in `setBy`, from its first sight here. What is applied or heard is in sight. */
  waitEndsAtMs: (s: SessionContext, { setBy, leaseMs }: Session): number =>
    s.sights.note(setBy, now(s)) + waitMs(leaseMs, s.input.drift),

  /**
   * The holder's own deadline, had it asked when the command was first seen here: where T1 leaves off, before T2 does. At most a
   * twentieth of a lease before: who grants a promise to whoever asks first gives it a tenth (B6), and all ask within a twentieth
   * (T11).
   */
  waitNearsAtMs: (s: SessionContext, session: Session): number => {
    const { leaseMs } = session;
    const aheadMs = waitMs(leaseMs, s.input.drift) - holdMs(leaseMs, s.input.drift);
    return s.rules.waitEndsAtMs(s, session) - Math.min(aheadMs, leaseMs / 20);
  },

  /** Which of the sessions that candidates wait for are all but silent now, which are to be watched on, and until when. */
  watchedSessions(s: SessionContext): {
    readonly silent: readonly number[];
    readonly watched: ReadonlyMap<number, number>;
    readonly nextMs: number;
  } {
    const silent: number[] = [];
    const watched = new Map<number, number>();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, notBeforeMs] of s.watched) {
      const session = s.input.view.session(id);
      if (!session) continue; // It has ended: its records tell.
      const endsAtMs = Math.max(s.rules.waitNearsAtMs(s, session), notBeforeMs);
      // One that is silent too: whoever asks for the instant may look later than whoever told of the silent ones.
      nextMs = Math.min(nextMs, endsAtMs);
      if (endsAtMs <= now(s)) silent.push(id);
      else watched.set(id, notBeforeMs);
    }
    return { silent, watched, nextMs };
  },

  /** Again a tenth of a lease after T2: the longest jitter (T11), and many times as long as asking takes. */
  watch(s: SessionContext, id: number, isAgain: boolean): ReadonlyMap<number, number> {
    const session = s.input.view.session(id);
    const endsAtMs = session ? s.rules.waitEndsAtMs(s, session) : Number.NEGATIVE_INFINITY;
    const notBeforeMs = isAgain ? Math.max(now(s), endsAtMs) + s.leaseMs / 10 : Number.NEGATIVE_INFINITY;
    return new Map(s.watched).set(id, notBeforeMs);
  },

  // Opening

  /** May a session be asked for? Not while the old one is over and its work goes on (T6). */
  mayOpen: (s: SessionContext): boolean => s.holding === null && !s.hasFailed && !s.isStopping,

  /** OpenSession, and BeMaster in the same command where something is asked for. */
  startOpening(s: SessionContext, take: Take | null, silent: SessionContext['input']['self'] | null): SessionContext {
    const request = s.rules.request(s, null);
    return { ...s, opening: { request, take, silent }, opens: withOpening(s.opens, request) };
  },

  /** T11: once for each command that sets the holder's session, so that what he has of us is no older than his last renewal. */
  mayStandBy(s: SessionContext): boolean {
    if (s.standby === null || s.opening !== null || !s.isCaughtUp || !s.rules.mayOpen(s)) return false;
    const holder = s.input.view.session(s.standby.holder);
    return holder !== undefined && holder.setBy !== s.standby.toldAt;
  },

  /**
   * T1: the clock is read here, long before the command reaches the log: what it gives counts from here. It names no holder,
   * and the version under which the record is held: it applies when that mastership was given back and nobody had one since.
   */
  standBy(s: SessionContext, standby: Standby): SessionContext {
    const request = s.rules.request(s, null);
    const toldAt = s.input.view.session(standby.holder)?.setBy ?? null;
    return { ...s, opens: withOpening(s.opens, request), standby: { ...standby, toldAt } };
  },

  /** An answer that comes later than this leaves too little of the lease: a new command is asked for, with a new instant. */
  openingEndsAtMs: ({ request }: { readonly request: Request }): number => request.stamp.atMs + 0.75 * request.leaseMs,

  /**
   * One of these sessions, if it is ours to act by: opened by a command whose instant we remember (T3), not ended nor being
   * ended, its deadline ahead (fault 1: never master with nothing left).
   */
  openedSession(s: SessionContext, sessions: Iterable<Session>): Opened | null {
    const opened = s.rules.ownSession(s, sessions);
    return opened !== null && s.input.holderClock.remainingMs([opened.request]) > 0 ? opened : null;
  },

  /** As {@link openedSession}, without a look at the clock: between two looks any time may pass. */
  ownSession(s: SessionContext, sessions: Iterable<Session>): Opened | null {
    if (s.hasFailed || s.isStopping) return null;
    const { view } = s.input;
    for (const session of sessions) {
      const request = s.rules.rememberedOpening(s, session);
      if (!request || s.endings.has(session.id) || !view.session(session.id)) continue;
      // One that had been given up for lost is of use if it brought what was asked for; else it is a stray.
      if (request.id === s.opening?.request.id || view.held(session.id).size > 0) return { session, request };
    }
    return null;
  },

  /** T3: only the incarnation that asked, and only through command ids whose requestedAt it remembers. */
  rememberedOpening: ({ opens }: SessionContext, { setBy }: Session): Request | undefined =>
    opens.find(({ request }) => request.id === setBy)?.request,

  // T4, T6, T10: holding

  hold(s: SessionContext, session: Session, request: Request): SessionContext {
    const { id, version, setBy } = session;
    const requests = [request];
    const claims = s.rules.claims(requests, session);
    const renewAtMs = s.rules.renewAtMs(s, request);
    const holding = { session: id, version, setBy, requests, claims, renewAtMs, isOver: false };
    return { ...s, holding, opening: null };
  },

  /**
   * T10: a quarter of the lease, give or take a quarter of that, from the last requestedAt. Of a longer one that was asked for
   * (T12) nothing counts before it is known to be chosen: until then the shorter one is renewed by.
   */
  renewAtMs: (s: SessionContext, { stamp, leaseMs }: Pick<Request, 'stamp' | 'leaseMs'>): number =>
    stamp.atMs + (leaseMs / 4) * between(s.input.random, 0.75, 1.25),

  /** T4: what was sent counts from here on, before it leaves: a shorter lease lowers the deadline now. */
  startRenewal(s: SessionContext, holding: Holding): SessionContext {
    const request = s.rules.request(s, holding.version);
    const requests = [...holding.requests, request];
    const claims = s.rules.claims(requests, holding);
    const renewAtMs = s.rules.renewAtMs(s, { stamp: request.stamp, leaseMs: shortestMs(claims) });
    return { ...s, holding: { ...holding, requests, claims, renewAtMs } };
  },

  /**
   * T4, T12: the renewal made ready last ends before all that counted so far: the deadline is nearer from here on. Or it is
   * shorter: then it leaves others less to wait after its end (T1).
   */
  isShortened({ holding }: SessionContext): boolean {
    const endOf = ({ stamp, holdMs }: Request): number => stamp.atMs + holdMs;
    const claims = [...(holding?.claims ?? [])];
    const last = claims.pop();
    return last !== undefined && claims.every((c) => endOf(last) < endOf(c) || last.leaseMs < c.leaseMs);
  },

  /** T6: over is over, even if a renewal is learned a moment later. Asked before anything learned is taken in. */
  isLapsed: (s: SessionContext): boolean => s.rules.remainingMs(s) <= 0,

  /** Others ended it, who had waited. */
  hasEnded: ({ holding, input }: SessionContext): boolean => !input.view.session(holding?.session ?? -1),

  /** A renewal was chosen. Versions only rise. */
  isRenewed: ({ holding, input }: SessionContext): boolean =>
    holding !== null && (input.view.session(holding.session)?.version ?? 0) > holding.version,

  /** T4: takes in the version applied here. Renewals that name an older one are superseded: they will be refused. */
  adopt(s: SessionContext, holding: Holding): SessionContext {
    const { version, setBy } = s.input.view.session(holding.session) ?? holding;
    const requests = holding.requests.filter((r) => r.id === setBy || r.expectedVersion === version);
    const claims = s.rules.claims(requests, { version, setBy });
    return { ...s, holding: { ...holding, version, setBy, requests, claims } };
  },

  // Sessions of our own that we do not hold by

  noteOpened(s: SessionContext, news: MasterNews): SessionContext {
    const { view } = s.input;
    const isNews = ({ request, session }: Opening): boolean =>
      session === null ? news.sessions.some(({ openedBy }) => openedBy === request.id) : !view.session(session);
    if (!s.opens.some(isNews)) return s;
    const opened = new Map(news.sessions.map(({ openedBy, id }) => [openedBy, id]));
    const known = s.opens.map((opening): Opening => {
      return { ...opening, session: opening.session ?? opened.get(opening.request.id) ?? null };
    });
    return { ...s, opens: known.filter(({ session }) => session === null || view.session(session)) };
  },

  /**
   * They hold nothing, or terms that were never acted by: ending them harms nobody, and nothing lingers (T7). While masters
   * change, those that hold nothing are in nobody's way, but their ends would be: they wait for the next renewal.
   */
  strays: ({ opens, holding, endings, input }: SessionContext, isChanging: boolean): readonly number[] =>
    opens.flatMap(({ session }) =>
      session === null ||
      session === holding?.session ||
      endings.has(session) ||
      (isChanging && input.view.held(session).size === 0)
        ? []
        : [session],
    ),

  /** T3: sessions of this incarnation that no remembered command opened. Nobody holds by them, and nobody else ends them soon. */
  forgotten: ({ opens, holding, endings, input }: SessionContext, { sessions }: MasterNews): readonly number[] =>
    sessions
      .filter(({ id, incarnation }) => incarnation === input.incarnation && id !== holding?.session && !endings.has(id))
      .filter(({ id, openedBy }) => input.view.session(id) && !opens.some(({ request }) => request.id === openedBy))
      .map(({ id }) => id),

  /** Who stops stays until its sessions are ended, no longer than a lease. */
  leavesAtMs: ({ endings, closeAtMs, quietAtMs }: SessionContext): number =>
    endings.size > 0 ? closeAtMs : Math.min(quietAtMs, closeAtMs),

  // The leader's duty

  /** Sessions of others that hold nothing and whose wait is over (T2), and when to look again. */
  silentSessions(s: SessionContext): { readonly silent: readonly Session[]; readonly sweepAtMs: number } {
    const { view, incarnation } = s.input;
    const nowMs = now(s);
    const silent: Session[] = [];
    let nextMs = nowMs + s.leaseMs;
    for (const session of view.sessions()) {
      if (session.incarnation === incarnation || view.held(session.id).size > 0) continue;
      const endsAtMs = s.rules.waitEndsAtMs(s, session);
      if (endsAtMs > nowMs) nextMs = Math.min(nextMs, endsAtMs);
      else if (s.expiries.get(session.id)?.version !== session.version) silent.push(session);
    }
    return { silent, sweepAtMs: Math.max(nextMs, nowMs + s.leaseMs / 20) };
  },
};

/** The oldest that have not opened are forgotten; what has opened is remembered until it has ended. */
function withOpening(opens: readonly Opening[], request: Request): readonly Opening[] {
  const all = [...opens, { request, session: null }];
  let surplus = all.filter(({ session }) => session === null).length - OPENINGS_REMEMBERED;
  return all.filter(({ session }) => session !== null || surplus-- <= 0);
}

/** Of all that the deadline is the least of (T4), the shortest lease; `Infinity` where nothing is held. */
export const shortestMs = (claims: readonly Request[]): number =>
  claims.reduce((least, { leaseMs }) => Math.min(least, leaseMs), Number.POSITIVE_INFINITY);

/** A session of ours, and the command that opened it. */
export interface Opened {
  readonly session: Session;
  readonly request: Request;
}

export const nextId = ({ input }: SessionContext): CommandId => commandId(input.incarnation, input.nextNumber());

const now = ({ input }: SessionContext): number => input.clock.now();
