import { type CommandId, invariant } from '@synod/protocol';
import { assign, emit, enqueueActions, setup } from 'xstate';
import type { Holding, SessionContext } from './lease.context.ts';
import {
  initialSession,
  type LeaseRules,
  leaseRules,
  nextId,
  noStandby,
  openProposal,
  proposal,
  standbyOf,
} from './lease.rules.ts';
import type { LostBy, SessionEmitted, SessionEvent, SessionInput } from './lease.types.ts';
import { whole } from './timing.ts';

/**
 * The session of one node: one lease, on which every mastership of the node hangs. It is opened when a candidate asks, renewed
 * by one command whatever hangs on it, and over for all of them at once.
 *
 * Everything leaves as an emitted event. Timers only wake: each transition compares the clock anew, and a timer that fired
 * early is set again. Who wants to know whether it is master asks {@link isMaster}, never the state of a machine.
 *
 * Side by side: the session itself; the upkeep of what is known and left behind; the watch over the sessions of others that
 * candidates here wait for; and, where this node leads the log, the sweeping of sessions that fell silent.
 */
export const sessionMachine = (rules: LeaseRules = leaseRules) =>
  setup({
    types: {} as { input: SessionInput; context: SessionContext; events: SessionEvent; emitted: SessionEmitted },

    delays: {
      untilOpeningEnds: ({ context: s }) => until(s, s.opening ? rules.openingEndsAtMs(s.opening) : 0),
      untilRenewal: ({ context: s }) => until(s, s.holding?.renewAtMs ?? 0),
      untilDeadline: ({ context: s }) => whole(rules.remainingMs(s)),
      untilClosed: ({ context: s }) => until(s, rules.leavesAtMs(s)),
      untilSilent: ({ context: s }) => until(s, rules.watchedSessions(s).nextMs),
      untilSweep: ({ context: s }) => until(s, s.sweepAtMs),
    },

    guards: {
      mayOpen: ({ context: s }) => rules.mayOpen(s),
      hasOpened: ({ context: s, event }) =>
        event.type === 'applied' && rules.openedSession(s, event.news.sessions) !== null,
      isOpeningRefused: ({ context: s, event }) =>
        event.type === 'outcome' && event.id === s.opening?.request.id && !event.applied,
      isAskedAnew: ({ context: s, event }) =>
        event.type === 'open' && event.take !== null && event.take.election === s.opening?.take?.election,
      isOpeningOver: ({ context: s }) => s.opening === null || now(s) >= rules.openingEndsAtMs(s.opening),

      isLapsed: ({ context: s }) => rules.isLapsed(s),
      hasEnded: ({ context: s }) => rules.hasEnded(s),
      isRenewed: ({ context: s }) => rules.isRenewed(s),
      isRenewalDue: ({ context: s }) => now(s) >= (s.holding?.renewAtMs ?? 0),

      isStopping: ({ context: s }) => s.isStopping,
      isGraceful: ({ event }) => event.type === 'stop' && event.mode === 'resign',
      isAbandoning: ({ event }) => event.type === 'stop' && event.mode === 'abandon',
      hasLeftNothing: ({ context: s }) => now(s) >= rules.leavesAtMs(s),
      isOfNoUse: ({ event }) => event.type === 'release' && !event.mayLinger,
      isWatchingNothing: ({ context: s }) => s.watched.size === 0,
      isLeading: ({ event }) => event.type === 'leading' && event.value,
    },

    actions: {
      markStopping: assign(({ context: s }) => ({ isStopping: true, closeAtMs: now(s) + s.leaseMs })),

      // Opening
      /** T1: reads requestedAt. Stands before the command's `sendOpening` in every list. */
      startOpening: assign(({ context: s, event }) =>
        event.type === 'open' ? rules.startOpening(s, event.take, event.silent) : {},
      ),
      sendOpening: emit(({ context: s }) => openProposal(s)),
      withdrawOpening: enqueueActions(({ context: s, enqueue }) => {
        if (s.opening) enqueue.emit({ type: 'withdraw', id: s.opening.request.id });
        enqueue.assign({ opening: null });
      }),
      announceNotOpened: emit(({ event }) => ({ type: 'notOpened', isRefused: event.type === 'outcome' })),

      // Holding
      hold: enqueueActions(({ context: s, event, enqueue }) => {
        if (event.type !== 'applied') return;
        // The guard has looked at the clock. What a second look would say is for `isMaster()` to answer (T5).
        const { session, request } = present(rules.ownSession(s, event.news.sessions));
        // Another one was under way: whichever opens later is a stray.
        if (s.opening && s.opening.request.id !== request.id) {
          enqueue.emit({ type: 'withdraw', id: s.opening.request.id });
        }
        enqueue.assign(rules.hold(s, session, request));
      }),
      announceOpened: emit({ type: 'opened' }),
      /** T1: reads requestedAt. Stands before the command's `sendRenewal` in every list. */
      startRenewal: assign(({ context: s }) => rules.startRenewal(s, held(s))),
      /** Before it leaves (T4). */
      announceShortened: enqueueActions(({ context: s, enqueue }) => {
        if (rules.isShortened(s)) enqueue.emit({ type: 'shortened' });
      }),
      sendRenewal: emit(({ context: s }) => {
        const { session, version, requests } = held(s);
        const { id, leaseMs } = present(requests.at(-1));
        return proposal(id, { type: 'renew', session, expectedVersion: version, leaseMs });
      }),
      adopt: enqueueActions(({ context: s, enqueue }) => {
        const adopted = rules.adopt(s, held(s));
        for (const id of superseded(held(s), adopted.holding)) enqueue.emit({ type: 'withdraw', id });
        enqueue.assign(adopted);
      }),
      announceRenewed: emit({ type: 'renewed' }),
      /** A renewal that is chosen now would only make others wait longer. */
      withdrawRenewals: enqueueActions(({ context: s, enqueue }) => {
        for (const id of superseded(held(s), null)) enqueue.emit({ type: 'withdraw', id });
      }),

      /** First `isMaster()` says no for all that hangs on it, then it is told. */
      lose: enqueueActions(({ context: s, enqueue }, { lostBy }: { lostBy: LostBy }) => {
        if (s.holding === null || s.holding.isOver) return;
        enqueue.assign({ holding: { ...s.holding, isOver: true } });
        enqueue.emit({ type: 'over', lostBy });
      }),
      /** An ended or lapsed session is never used again (T6). */
      endSession: enqueueActions(({ context: s, enqueue }) => {
        const { session } = held(s);
        enqueue.assign({ holding: null, closeAtMs: now(s) + s.leaseMs });
        if (!s.input.view.session(session) || s.endings.has(session)) return;
        const id = nextId(s);
        enqueue.assign({ endings: new Map(s.endings).set(session, id) });
        enqueue.emit(proposal(id, { type: 'end', session }));
      }),
      letGo: assign({ holding: null }),
      announceClosed: emit({ type: 'closed' }),
      announceStopped: emit({ type: 'stopped' }),

      // Upkeep
      noteSight: assign(({ context: s, event }) => {
        if (event.type === 'seen') s.sights.note(event.id, now(s));
        return {};
      }),
      noteNews: assign(({ context: s, event }) => {
        if (event.type !== 'applied') return {};
        for (const { setBy } of event.news.sessions) s.sights.note(setBy, now(s));
        return s.opens.length === 0 ? {} : rules.noteOpened(s, event.news);
      }),
      endStrays: enqueueActions(({ context: s, enqueue, event }) => {
        if (event.type !== 'applied' || s.opens.length === 0) return;
        const sessions = [...rules.strays(s, event.news.records.length > 0), ...rules.forgotten(s, event.news)];
        if (sessions.length === 0) return;
        const endings = new Map(s.endings);
        for (const session of sessions) {
          const id = nextId(s);
          endings.set(session, id);
          enqueue.emit(proposal(id, { type: 'end', session }));
        }
        enqueue.assign({ endings });
      }),
      forgetEnded: enqueueActions(({ context: s, enqueue }) => {
        const { view } = s.input;
        const endings = goneFrom(s.endings, (_, session) => !view.session(session));
        const expiries = goneFrom(s.expiries, ({ version }, session) => view.session(session)?.version !== version);
        if (endings.length + expiries.length === 0) return;
        for (const [, id] of endings) enqueue.emit({ type: 'withdraw', id });
        for (const [, { id }] of expiries) enqueue.emit({ type: 'withdraw', id });
        enqueue.assign({ endings: without(s.endings, endings), expiries: without(s.expiries, expiries) });
      }),
      noteFlag: assign(({ event }) => {
        switch (event.type) {
          case 'caughtUp':
            return { isCaughtUp: event.value };
          case 'leaseMs':
            return { leaseMs: event.value };
          case 'journal.failed':
            return { hasFailed: true };
          default:
            return {};
        }
      }),

      // Waiting for others
      noteStandby: assign(({ event }) =>
        event.type === 'standBy'
          ? { standby: { take: event.take, holder: event.holder, to: event.to, toldAt: null } }
          : {},
      ),
      /** T1: reads requestedAt before it leaves. */
      sendStandby: enqueueActions(({ context: s, enqueue }) => {
        if (s.standby === null || !rules.mayStandBy(s)) return;
        const next = rules.standBy(s, s.standby);
        enqueue.assign(next);
        enqueue.emit(standbyOf(next));
      }),
      /** The holder forgets it, unless he gave back already: what opens after all is ended (T7). */
      takeStandbyBack: enqueueActions(({ context: s, enqueue }) => {
        const isOutstanding = s.standby?.toldAt && s.input.view.held(s.standby.holder).has(s.standby.take.election);
        if (isOutstanding) enqueue.emit(noStandby(present(s.standby)));
        enqueue.assign({ standby: null, quietAtMs: isOutstanding ? now(s) + s.leaseMs / 20 : s.quietAtMs });
      }),
      watch: assign(({ context: s, event }) =>
        event.type === 'watch' ? { watched: rules.watch(s, event.session, event.isAgain === true) } : {},
      ),
      tellSilent: enqueueActions(({ context: s, enqueue }) => {
        const { silent, watched } = rules.watchedSessions(s);
        if (watched.size < s.watched.size) enqueue.assign({ watched });
        for (const session of silent) enqueue.emit({ type: 'silent', session });
      }),

      // The leader's duty
      expireSilent: enqueueActions(({ context: s, enqueue }) => {
        const { silent, sweepAtMs } = rules.silentSessions(s);
        const expiries = new Map(s.expiries);
        for (const { id: session, version } of silent) {
          const id = nextId(s);
          expiries.set(session, { id, version });
          enqueue.emit(proposal(id, { type: 'expire', session, expectedVersion: version }));
        }
        enqueue.assign({ expiries, sweepAtMs });
      }),
      withdrawExpiries: enqueueActions(({ context: s, enqueue }) => {
        for (const { id } of s.expiries.values()) enqueue.emit({ type: 'withdraw', id });
        enqueue.assign({ expiries: new Map() });
      }),
      withdrawAll: enqueueActions(({ context: s, enqueue }) => {
        const ids = [...s.endings.values(), ...Array.from(s.expiries.values(), ({ id }) => id)];
        if (s.opening) ids.push(s.opening.request.id);
        if (s.holding) ids.push(...superseded(s.holding, null));
        for (const id of ids) enqueue.emit({ type: 'withdraw', id });
      }),
    },
  }).createMachine({
    id: 'session',
    context: ({ input }) => initialSession(input, rules),
    initial: 'running',
    states: {
      running: {
        type: 'parallel',
        on: {
          stop: {
            guard: 'isAbandoning',
            target: 'stopped',
            actions: [{ type: 'lose', params: { lostBy: 'closed' } }, 'withdrawAll'],
          },
        },
        states: {
          session: {
            initial: 'closed',
            on: {
              stop: { guard: 'isGraceful', target: '.closing', actions: ['markStopping', 'withdrawOpening'] },
            },
            states: {
              /** Nothing is held, nothing asked for. */
              closed: {
                on: {
                  open: { guard: 'mayOpen', target: 'opening', actions: ['startOpening', 'sendOpening'] },
                  // A command of ours that had been given up for lost was chosen after all.
                  applied: { guard: 'hasOpened', target: 'open', actions: ['hold', 'announceOpened'] },
                },
              },

              /** One command is under way: OpenSession, with what the first candidate asks for. The others wait for it. */
              opening: {
                on: {
                  applied: { guard: 'hasOpened', target: 'open', actions: ['hold', 'announceOpened'] },
                  outcome: {
                    guard: 'isOpeningRefused',
                    target: 'closed',
                    actions: ['withdrawOpening', 'announceNotOpened'],
                  },
                  // What was asked for with it has been overtaken, and is asked for anew.
                  open: {
                    guard: 'isAskedAnew',
                    target: 'opening',
                    reenter: true,
                    actions: ['withdrawOpening', 'startOpening', 'sendOpening'],
                  },
                  release: { target: 'closed', actions: 'withdrawOpening' },
                  'journal.failed': { target: 'closed', actions: ['withdrawOpening', 'announceNotOpened'] },
                },
                after: {
                  untilOpeningEnds: [
                    { guard: 'isOpeningOver', target: 'closed', actions: ['withdrawOpening', 'announceNotOpened'] },
                    { target: 'opening', reenter: true },
                  ],
                },
              },

              /** What hangs on it may be acted by as long as `isMaster()` says so, at each use (T5). */
              open: {
                initial: 'fresh',
                on: {
                  applied: [
                    // T6 before all else: what is learned after the end changes nothing.
                    { guard: 'isLapsed', target: 'over', actions: { type: 'lose', params: { lostBy: 'expired' } } },
                    { guard: 'hasEnded', target: 'over', actions: { type: 'lose', params: { lostBy: 'deposed' } } },
                    { guard: 'isRenewed', target: '.fresh', reenter: true, actions: ['adopt', 'announceRenewed'] },
                  ],
                  // The record is free, and the others are about to choose who is next: the end of a session that holds
                  // nothing would only be in their way. Nobody waits for it; it follows the next change (`endStrays`).
                  release: [
                    { guard: 'isOfNoUse', target: 'ending', actions: 'withdrawRenewals' },
                    { target: 'closed', actions: ['withdrawRenewals', 'letGo', 'announceClosed'] },
                  ],
                  lapsed: {
                    guard: 'isLapsed',
                    target: 'over',
                    actions: { type: 'lose', params: { lostBy: 'expired' } },
                  },
                  giveUp: { target: 'over', actions: { type: 'lose', params: { lostBy: 'resigned' } } },
                  stop: { guard: 'isGraceful', target: 'ending', actions: ['markStopping', 'withdrawRenewals'] },
                  'journal.failed': { target: 'over', actions: { type: 'lose', params: { lostBy: 'failed' } } },
                },
                states: {
                  /** The last renewal sent is applied. */
                  fresh: { after: renewingInTime('fresh') },
                  /** At least one renewal is under way, outcome unknown: the earlier deadline is in force (T4). */
                  renewing: { after: renewingInTime('renewing') },
                },
              },

              /** T6: over, and told so. Nothing is asked for anew before all work that hung on it has stopped. */
              over: {
                entry: 'withdrawRenewals',
                on: {
                  settled: 'ending',
                  stop: { guard: 'isGraceful', target: 'ending', actions: 'markStopping' },
                },
              },

              /** What is over is ended at the others too, so that they need not wait for it. */
              ending: {
                entry: 'endSession',
                always: [
                  { guard: 'isStopping', target: 'closing' },
                  { target: 'closed', actions: 'announceClosed' },
                ],
              },

              /** Asked to stop: stays until own sessions are ended, no longer than a lease. */
              closing: {
                always: { guard: 'hasLeftNothing', target: '#session.stopped', actions: 'withdrawAll' },
                after: { untilClosed: { target: 'closing', reenter: true } },
              },
            },
          },

          upkeep: {
            on: {
              seen: { actions: 'noteSight' },
              applied: { actions: ['noteNews', 'endStrays', 'forgetEnded', 'sendStandby'] },
              standBy: { actions: ['noteStandby', 'sendStandby'] },
              standDown: { actions: 'takeStandbyBack' },
              caughtUp: { actions: 'noteFlag' },
              leaseMs: { actions: 'noteFlag' },
              'journal.failed': { actions: 'noteFlag' },
            },
          },

          /** T2 for the sessions that candidates here wait for: looked at when a wait may end, not at each renewal. */
          watch: {
            initial: 'idle',
            states: {
              idle: { on: { watch: { target: 'watching', actions: 'watch' } } },
              watching: {
                entry: 'tellSilent',
                on: { watch: { target: 'watching', reenter: true, actions: 'watch' } },
                always: { guard: 'isWatchingNothing', target: 'idle' },
                after: { untilSilent: { target: 'watching', reenter: true } },
              },
            },
          },

          sweeping: {
            initial: 'following',
            states: {
              following: { on: { leading: { guard: 'isLeading', target: 'leading' } } },
              /** The leader of the log expires sessions that fell silent holding nothing (section 3). */
              leading: {
                entry: 'expireSilent',
                after: { untilSweep: { target: 'leading', reenter: true } },
                on: { leading: [{ guard: 'isLeading' }, { target: 'following', actions: 'withdrawExpiries' }] },
              },
            },
          },
        },
      },
      stopped: { type: 'final', entry: 'announceStopped' },
    },
  });

/** The timers of an open session, of which each only wakes: lapsed, or time to renew (T10). */
const renewingInTime = <State extends string>(state: State) =>
  ({
    untilRenewal: [
      {
        guard: 'isLapsed',
        target: '#session.running.session.over',
        actions: { type: 'lose', params: { lostBy: 'expired' } },
      },
      {
        guard: 'isRenewalDue',
        target: 'renewing',
        reenter: true,
        actions: ['startRenewal', 'announceShortened', 'sendRenewal'],
      },
      { target: state, reenter: true },
    ],
    untilDeadline: [
      {
        guard: 'isLapsed',
        target: '#session.running.session.over',
        actions: { type: 'lose', params: { lostBy: 'expired' } },
      },
      { target: state, reenter: true },
    ],
  }) as const;

const now = ({ input }: SessionContext): number => input.clock.now();

const until = (s: SessionContext, atMs: number): number => whole(atMs - now(s));

function present<T>(value: T | null | undefined): T {
  invariant(value !== null && value !== undefined, 'T1 what is sent was made ready first');
  return value;
}

function held({ holding }: SessionContext): Holding {
  invariant(holding !== null, 'T7 only what is held is renewed, given back or ended');
  return holding;
}

/** Ids of renewals that nobody needs any more; the one that set the version was chosen and needs no withdrawing. */
const superseded = (before: Holding, after: Holding | null): readonly CommandId[] =>
  before.requests
    .filter((r) => r.expectedVersion !== null && r.id !== (after ?? before).setBy && !after?.requests.includes(r))
    .map(({ id }) => id);

type Entries<V> = readonly (readonly [number, V])[];

function goneFrom<V>(map: ReadonlyMap<number, V>, isGone: (value: V, key: number) => boolean): Entries<V> {
  const gone: (readonly [number, V])[] = [];
  for (const entry of map) if (isGone(entry[1], entry[0])) gone.push(entry);
  return gone;
}

function without<V>(map: ReadonlyMap<number, V>, gone: Entries<V>): ReadonlyMap<number, V> {
  const left = new Map(map);
  for (const [key] of gone) left.delete(key);
  return left;
}
