import { between, type Command, incarnationOf, type MasterRecord, type NodeId, type Session } from '@synod/protocol';
import { decodeMasterCommand } from '../commands.ts';
import type { Aim, Attempt, CandidateContext, HeldTerm, Successor } from './lease.context.ts';
import { nextId } from './session.rules.ts';

/** After these the record was free for the asking: no jitter (T11). */
const FREED_BY_WILL: ReadonlySet<MasterRecord['cause']> = new Set(['resigned', 'transferred', 'ended']);

/** How many masterships are remembered, to know whose turn it is. */
const SERVED_REMEMBERED = 32;

/** The part of the rules that concerns one election: T5, T7, T8 and T11. The time is that of the session. */
export const candidateRules = {
  // T5

  /** T5: the record applied here says so, the session's deadline is ahead, the term is not given up. */
  holds(c: CandidateContext): boolean {
    const { mastership } = c;
    if (mastership === null || mastership.givenUpAtMs !== null) return false;
    const s = c.input.lease();
    const record = s.input.view.record(c.input.election);
    if (record.master !== mastership.session || record.term !== mastership.term) return false;
    return s.holding?.session === mastership.session && c.rules.remainingMs(s) > 0;
  },

  // T2, T11: waiting and asking

  /**
   * T11: up to a twentieth of the lease, less for higher priority. Who has none asks first as the holder's heir, and otherwise
   * leaves the heir the time of asking: two that ask at once hold each other up for longer than that.
   */
  jitterMs(c: CandidateContext): number {
    const { leaseMs, input } = c.input.lease();
    const heir = c.priority > 0 ? null : c.input.heirOf(recordOf(c).node);
    if (heir === input.self) return 0;
    const [least, most] = heir === null ? [0, 1] : [1 / 4, 3 / 4];
    return (leaseMs / 20) * (1 - c.priority / 100) * between(input.random, least, most);
  },

  /**
   * After a session was ended by those who waited for it (T2): whoever ended it asks for the rest at once, the others a while
   * later. All of them asking for all of it would be as many commands refused.
   */
  restMs(c: CandidateContext, { setBy }: MasterRecord): number {
    const { leaseMs, input } = c.input.lease();
    if (incarnationOf(setBy) === input.incarnation) return 0;
    return (leaseMs / 40) * (1 - c.priority / 100) * (1 + input.random.next());
  },

  /**
   * After a mastership was given back no jitter (T11), but a turn: whoever waited longest asks at once, the others give way to
   * those who were master longer ago than they, as far as is seen here.
   */
  turnMs(c: CandidateContext): number {
    const { leaseMs, input } = c.input.lease();
    const lastOf = (node: NodeId) => c.served.lastIndexOf(node);
    const own = lastOf(input.self);
    const ahead = [...new Set(c.served)].filter((node) => lastOf(node) < own).length;
    return ahead * Math.max(2, leaseMs / 200);
  },

  /** What would be asked for now; `null` while the holder is known by name only (outside the log). */
  aim(c: CandidateContext): Aim | null {
    const s = c.input.lease();
    const record = recordOf(c);
    const session = holderOf(c, record);
    if (session === undefined) return null;
    const known = c.aim && isAimAt(c.aim, record, session) ? c.aim : null;
    const openAtMs = session ? c.rules.waitEndsAtMs(s, session) : (known?.openAtMs ?? now(c));
    return {
      expectedVersion: record.version,
      holder: session && { session: session.id, version: session.version },
      setBy: session?.setBy ?? null,
      silent: session === null || session.node === s.input.self ? null : session.node,
      nearAtMs: session ? c.rules.waitNearsAtMs(s, session) : openAtMs,
      openAtMs,
      jitterMs: known?.jitterMs ?? jitterMs(c, record),
    };
  },

  /** Never before T2 ends, whatever is put on top. */
  askAtMs: ({ aim, notBeforeMs }: CandidateContext): number =>
    aim === null ? Number.POSITIVE_INFINITY : Math.max(aim.openAtMs + Math.max(0, aim.jitterMs), notBeforeMs),

  /** B1: as long before the asking as the holder's own deadline lies before the end of the wait for it. */
  readyAtMs: (c: CandidateContext): number =>
    c.rules.askAtMs(c) - (c.aim === null ? 0 : c.aim.openAtMs - c.aim.nearAtMs),

  /** T11: only if healthy and not vetoed, and if all that is known to be chosen is applied. T6: not before work has stopped. */
  mayAsk(c: CandidateContext): boolean {
    const s = c.input.lease();
    if (!c.isEligible || !c.isWanted || s.hasFailed || !s.isCaughtUp || c.aim === null) return false;
    return s.holding === null || !c.rules.isLapsed(s);
  },

  /** The wait counts for the session as applied or heard now, and for no other version of it (T2). */
  isAimCurrent(c: CandidateContext): boolean {
    const record = recordOf(c);
    const session = holderOf(c, record);
    return c.aim === null ? session === undefined : session !== undefined && isAimAt(c.aim, record, session);
  },

  /** T11: the heir of a holder who is not silent. */
  isHeir: (c: CandidateContext): boolean =>
    c.aim !== null &&
    c.aim.holder !== null &&
    !c.rules.isNear(c) &&
    c.rules.mayAsk(c) &&
    now(c) >= c.notBeforeMs &&
    c.input.standsBy &&
    c.input.heirOf(recordOf(c).node) === c.input.lease().input.self,

  /** The record is free, or T2 is about to end for its holder: then jitter and rest stand in the way. */
  isNear: (c: CandidateContext): boolean => c.aim !== null && (c.aim.holder === null || now(c) >= c.aim.nearAtMs),

  isTimeToAsk: (c: CandidateContext): boolean =>
    c.rules.mayAsk(c) && c.rules.isAimCurrent(c) && now(c) >= c.rules.askAtMs(c),

  /** The record has just come free, and nobody is to be let go before. */
  mayAskAtOnce(c: CandidateContext): boolean {
    if (recordOf(c).master !== null) return false;
    const noted = c.rules.noteServed(c);
    const aim = c.rules.aim(noted);
    return aim !== null && aim.jitterMs === 0 && c.rules.isTimeToAsk({ ...noted, aim });
  },

  /** By the session of this node, if it is open; else in the command that opens it. */
  startAttempt(c: CandidateContext, aim: Aim): CandidateContext {
    const s = c.input.lease();
    const session = c.rules.isLapsed(s) ? null : (s.holding?.session ?? null);
    return { ...c, attempt: { aim, session, id: session === null ? null : nextId(s), atMs: now(c) } };
  },

  /** An answer that takes longer will not come: it is asked anew. */
  attemptEndsAtMs: (c: CandidateContext, { id, atMs }: Attempt): number =>
    id === null ? Number.POSITIVE_INFINITY : atMs + 0.75 * c.input.lease().leaseMs,

  /** Something was chosen first: the version rule will refuse what we asked. */
  isOvertaken(c: CandidateContext): boolean {
    if (c.attempt === null) return false;
    const { expectedVersion, holder } = c.attempt.aim;
    if (recordOf(c).version !== expectedVersion) return true;
    return holder !== null && c.input.lease().input.view.session(holder.session)?.version !== holder.version;
  },

  /** The record names the session of this node, which is not over. */
  isNamed(c: CandidateContext): boolean {
    const { holding } = c.input.lease();
    return holding !== null && !holding.isOver && recordOf(c).master === holding.session;
  },

  /** It does, we want it, and there is something left (fault 1). */
  hasWon: (c: CandidateContext): boolean =>
    c.rules.isNamed(c) && c.isWanted && c.isEligible && !c.isStopping && !c.rules.isLapsed(c.input.lease()),

  /** Takes note of who is master now. */
  noteServed<Context extends CandidateContext>(c: Context): Context {
    const { node } = recordOf(c);
    if (node === '' || c.served.at(-1) === node) return c;
    return { ...c, served: [...c.served, node].slice(-SERVED_REMEMBERED) };
  },

  // T8, priority

  /** Somebody else holds, and this node is ready to: of a priority at all, healthy, caught up. */
  mayWish: (c: CandidateContext): boolean => c.priority > 0 && c.rules.mayAsk(c) && c.aim?.holder != null,

  /** The first time a tenth of a lease after it began, then after one lease, two, four: messages are lost. */
  startWish(c: CandidateContext): CandidateContext {
    const { term } = recordOf(c);
    const count = c.wishes.term === term ? c.wishes.count + 1 : 1;
    const { leaseMs } = c.input.lease();
    return { ...c, wishes: { term, count }, wishAtMs: now(c) + leaseMs * 2 ** Math.min(count - 1, 6) };
  },

  /** Not before a tenth of a lease: whoever has just come lets what is under way come to rest. */
  beginWaiting: (c: CandidateContext): CandidateContext => ({
    ...c,
    wishAtMs: Math.max(c.wishAtMs, now(c) + c.input.lease().leaseMs / 10),
  }),

  /** What one master refused for its priority another may grant: he is asked as if nobody had been. */
  reviewWish<Context extends CandidateContext>(c: Context): Context {
    return c.wishes.term === recordOf(c).term ? c : c.rules.forgetWishes(c);
  },

  /** Nothing was asked in vain. Whoever refrains goes on with that. */
  forgetWishes<Context extends CandidateContext>(c: Context): Context {
    if (c.wishes.count === 0) return c;
    const wishAtMs = Math.min(c.wishAtMs, now(c) + c.input.lease().leaseMs / 10);
    return { ...c, wishAtMs, wishes: { term: 0, count: 0 } };
  },

  /** Who gave up a mastership does not press for it: what made it resign may still be so. */
  refrain: (c: CandidateContext): CandidateContext => ({
    ...c,
    wishAtMs: now(c) + 10 * c.input.lease().leaseMs,
    wishes: { term: 0, count: 0 },
  }),

  /** T8: only for the mastership in force, and only if this node would ask itself. */
  mayConsent: (c: CandidateContext, term: number): boolean =>
    c.rules.mayAsk(c) && recordOf(c).term === term && c.aim?.holder != null,

  /** The holder says it again while it has time, and may die meanwhile: half of the shorter lease is waited for it. */
  noteOffer(c: CandidateContext, from: NodeId, term: number): Partial<CandidateContext> {
    const { leaseMs } = c.input.lease();
    const theirs = holderOf(c, recordOf(c))?.leaseMs ?? leaseMs;
    return { offer: { from, term, untilMs: now(c) + Math.min(leaseMs, theirs) / 2 } };
  },

  // T7: holding and giving back

  take(c: CandidateContext): CandidateContext & { readonly mastership: HeldTerm } {
    const { master, term } = recordOf(c);
    const mastership = { session: master ?? -1, term, givenUpAtMs: null, heir: null };
    return c.rules.noteServed({ ...c, mastership, attempt: null, aim: null, offer: null, successor: null });
  },

  /** The record does not name us any more. */
  isDeposed(c: CandidateContext): boolean {
    const { mastership } = c;
    const { master, term } = recordOf(c);
    return mastership === null || master !== mastership.session || term !== mastership.term;
  },

  /** T7: from here on `isMaster()` is false for this term, for ever. */
  giveUp: (c: CandidateContext, mastership: HeldTerm): CandidateContext => ({
    ...c,
    mastership: { ...mastership, givenUpAtMs: mastership.givenUpAtMs ?? now(c) },
  }),

  /** T8, T11: a taking that fits behind our own Resign; nothing else is kept. */
  noteSuccessor(c: CandidateContext, from: NodeId, command: Command | null): Partial<CandidateContext> {
    if (command === null) return c.successor?.from === from ? { successor: null } : {};
    const asked = decodeMasterCommand(command.body);
    const take = asked?.type === 'open' ? asked.take : null;
    const record = recordOf(c);
    if (asked?.type !== 'open' || !take) return {};
    const isFitting = take.election === record.election && take.expectedVersion === record.version && !take.holder;
    if (!isFitting || c.rules.isDeposed(c)) return {};
    return { successor: { from, command, heardAtMs: now(c), leaseMs: asked.leaseMs } };
  },

  /** Who has not stood by anew for half a lease may be gone; after half of his own he has little left of what he asked for. */
  successor: ({ successor, input }: CandidateContext): Successor | null => {
    const { leaseMs, input: ports } = input.lease();
    if (successor === null) return null;
    return ports.clock.now() - successor.heardAtMs < Math.min(leaseMs, successor.leaseMs) / 2 ? successor : null;
  },

  /**
   * T7: giving back may take one lease; after that the session is left to its end. Work that was given longer than that to
   * stop is waited for, and the lease for giving back comes after it.
   */
  overrunAtMs({ mastership, resignation, input }: CandidateContext): number {
    const { leaseMs } = input.lease();
    const graceMs = mastership?.graceMs ?? 0;
    const mayTakeMs = graceMs <= leaseMs ? leaseMs : graceMs + (resignation === null ? 0 : leaseMs);
    return (mastership?.givenUpAtMs ?? 0) + mayTakeMs;
  },

  /** T7: submitted anew, with a new id, until the record does not name the term any more. */
  startResignation(c: CandidateContext): CandidateContext {
    const s = c.input.lease();
    const againAtMs = now(c) + (s.leaseMs / 4) * between(s.input.random, 0.75, 1.25);
    return { ...c, resignation: { id: nextId(s), againAtMs } };
  },

  /** Who has just resigned and still wants lets others ask first. */
  restAfterResigning(c: CandidateContext): CandidateContext {
    const { leaseMs, input } = c.input.lease();
    return { ...c, notBeforeMs: now(c) + between(input.random, leaseMs / 10, leaseMs / 5) };
  },
};

/** T11: by how much the asking is put off. */
function jitterMs(c: CandidateContext, record: MasterRecord): number {
  if (record.master !== null || record.version === 0) return c.rules.jitterMs(c);
  return FREED_BY_WILL.has(record.cause) ? c.rules.turnMs(c) : c.rules.restMs(c, record);
}

/** `null` where there is no master, `undefined` where its session is not known here. */
const holderOf = ({ input }: Pick<CandidateContext, 'input'>, { master }: MasterRecord): Session | null | undefined =>
  master === null ? null : input.lease().input.view.session(master);

const recordOf = ({ input }: Pick<CandidateContext, 'input'>): MasterRecord =>
  input.lease().input.view.record(input.election);

const now = ({ input }: CandidateContext): number => input.lease().input.clock.now();

/** The record and the holder's session, each at the version that was aimed at. */
function isAimAt({ expectedVersion, holder, setBy }: Aim, record: MasterRecord, session: Session | null): boolean {
  if (expectedVersion !== record.version) return false;
  if (holder === null || session === null) return holder === session;
  return holder.session === session.id && holder.version === session.version && setBy === session.setBy;
}
