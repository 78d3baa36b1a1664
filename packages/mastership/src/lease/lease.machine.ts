import { type CommandId, invariant } from '@synod/protocol';
import { assign, emit, enqueueActions, setup } from 'xstate';
import type { Holding, LeaseContext } from './lease.context.ts';
import {
  initialContext,
  type LeaseRules,
  leaseRules,
  licenceOf,
  lostNotice,
  nextId,
  proposal,
  takeProposal,
} from './lease.rules.ts';
import type { LeaseEmitted, LeaseEvent, LeaseInput, LostBy } from './lease.types.ts';

/**
 * One candidate for one election: waits until the record is free or its holder silent, asks, holds, renews, gives back.
 *
 * Everything leaves as an emitted event. Timers only wake: each transition compares the clock anew, and a timer that fired
 * early is set again. Who wants to know whether it is master asks {@link isMaster}, never the state of this machine.
 *
 * Three things happen side by side: the candidacy itself; the upkeep of what it knows and has left behind; and, where this
 * node leads the log, the sweeping of sessions that fell silent.
 */
export const leaseMachine = (rules: LeaseRules = leaseRules) =>
  setup({
    types: {} as { input: LeaseInput; context: LeaseContext; events: LeaseEvent; emitted: LeaseEmitted },

    delays: {
      untilAsking: ({ context: c }) => until(c, rules.askAtMs(c)),
      untilAttemptEnds: ({ context: c }) => until(c, c.attempt ? rules.attemptEndsAtMs(c.attempt) : 0),
      untilRenewal: ({ context: c }) => until(c, c.holding?.renewAtMs ?? 0),
      untilDeadline: ({ context: c }) => whole(rules.remainingMs(c)),
      untilOverrun: ({ context: c }) => until(c, rules.overrunAtMs(c)),
      untilResubmission: ({ context: c }) => until(c, c.resignation?.againAtMs ?? 0),
      untilClosed: ({ context: c }) => until(c, c.closeAtMs),
      untilSweep: ({ context: c }) => until(c, c.sweepAtMs),
    },

    guards: {
      mayNotAsk: ({ context: c }) => !rules.mayAsk(c),
      mayAskAgain: ({ context: c }) => rules.mayAsk(c) || !rules.isAimCurrent(c),
      isAimOff: ({ context: c }) => !rules.isAimCurrent(c),
      isTimeToAsk: ({ context: c }) => rules.isTimeToAsk(c),
      hasWon: ({ context: c }) => rules.wonSession(c) !== null,
      isRefused: ({ context: c, event }) =>
        (event.type === 'applied' && rules.isRefused(c, event.news)) ||
        (event.type === 'outcome' && event.id === c.attempt?.request.id),
      isOvertaken: ({ context: c }) => rules.isOvertaken(c),
      isAttemptOver: ({ context: c }) => c.attempt === null || now(c) >= rules.attemptEndsAtMs(c.attempt),
      isVeto: ({ event }) => event.type === 'eligible' && !event.value,

      isLapsed: ({ context: c }) => rules.isLapsed(c),
      isDeposed: ({ context: c }) => rules.isDeposed(c),
      isRenewed: ({ context: c }) => rules.isRenewed(c),
      isRenewalDue: ({ context: c }) => now(c) >= (c.holding?.renewAtMs ?? 0),
      isVetoedAtRenewal: ({ context: c }) => !c.isEligible && now(c) >= (c.holding?.renewAtMs ?? 0),
      isOverrun: ({ context: c }) => now(c) >= rules.overrunAtMs(c),
      isResubmissionDue: ({ context: c }) => now(c) >= (c.resignation?.againAtMs ?? 0),
      isResignationRefused: ({ context: c, event }) =>
        event.type === 'outcome' && event.id === c.resignation?.id && !event.applied && !rules.isDeposed(c),

      isStopping: ({ context: c }) => c.isStopping,
      isWanted: ({ context: c }) => c.isWanted && !c.hasFailed,
      isGraceful: ({ event }) => event.type === 'stop' && event.mode === 'resign',
      isAbandoning: ({ event }) => event.type === 'stop' && event.mode === 'abandon',
      hasLeftNothing: ({ context: c }) => c.endings.size === 0 || now(c) >= c.closeAtMs,
      isLeading: ({ event }) => event.type === 'leading' && event.value,
    },

    actions: {
      want: assign({ isWanted: true }),
      unwant: assign({ isWanted: false }),
      markStopping: assign(({ context: c }) => ({ isStopping: true, isWanted: false, closeAtMs: now(c) + c.leaseMs })),

      // Asking
      takeAim: assign(({ context: c }) => ({ aim: rules.aim(c) })),
      /** T1: reads requestedAt. Stands before the command's `sendTake` in every list. */
      startAttempt: assign(({ context: c }) => (c.aim ? rules.startAttempt(c, c.aim) : {})),
      sendTake: emit(({ context: c }) => takeProposal(c, present(c.attempt))),
      withdrawTake: enqueueActions(({ context: c, enqueue }) => {
        if (c.attempt) enqueue.emit({ type: 'withdraw', id: c.attempt.request.id });
        enqueue.assign({ attempt: null });
      }),
      /** A refusal for a reason that stays would be repeated without end. */
      restAfterRefusal: assign(({ context: c }) => rules.restAfterResigning({ ...c, attempt: null })),

      // Holding
      hold: assign(({ context: c }) => {
        // The guard has looked at the clock. What a second look would say is for `isMaster()` to answer (T5).
        const { session, request } = present(rules.namedSession(c));
        return rules.hold(c, session, request);
      }),
      announceAcquired: emit(({ context: c }) => ({ type: 'acquired', ...licenceOf(c, held(c)) })),
      /** T1: reads requestedAt. Stands before the command's `sendRenewal` in every list. */
      startRenewal: assign(({ context: c }) => rules.startRenewal(c, held(c))),
      sendRenewal: emit(({ context: c }) => {
        const { session, version, requests } = held(c);
        const { id, leaseMs } = present(requests.at(-1));
        return proposal(id, { type: 'renew', session, expectedVersion: version, leaseMs });
      }),
      adopt: enqueueActions(({ context: c, enqueue }) => {
        const adopted = rules.adopt(c, held(c));
        for (const id of superseded(held(c), adopted.holding)) enqueue.emit({ type: 'withdraw', id });
        enqueue.assign(adopted);
      }),
      announceRenewed: emit(({ context: c }) => ({ type: 'renewed', ...licenceOf(c, held(c)) })),
      /** A renewal that is chosen now would only make others wait longer. */
      withdrawRenewals: enqueueActions(({ context: c, enqueue }) => {
        for (const id of superseded(held(c), null)) enqueue.emit({ type: 'withdraw', id });
      }),

      // Losing: first `isMaster()` says no, then it is told.
      lose: enqueueActions(
        ({ context: c, enqueue, event }, { lostBy, reason }: { lostBy: LostBy; reason?: string }) => {
          const holding = c.holding;
          if (holding === null || holding.givenUpAtMs !== null) return;
          enqueue.assign(rules.giveUp(c, holding));
          enqueue.emit(lostNotice(c, holding, lostBy, 'reason' in event ? event.reason : reason));
        },
      ),
      announceOverrun: emit(({ context: c }) => ({
        type: 'overrun',
        election: c.input.election,
        term: held(c).term,
      })),

      // Giving back
      submitResignation: enqueueActions(({ context: c, enqueue }) => {
        const { session, term } = held(c);
        const { election } = c.input;
        const next = rules.startResignation(c);
        enqueue.assign(next);
        enqueue.emit(proposal(present(next.resignation).id, { type: 'resign', election, session, term }));
      }),
      forgetResignation: enqueueActions(({ context: c, enqueue }) => {
        if (c.resignation) enqueue.emit({ type: 'withdraw', id: c.resignation.id });
        enqueue.assign({ resignation: null });
      }),
      restAfterResigning: assign(({ context: c }) => rules.restAfterResigning(c)),
      /** An ended or lapsed session is never used again (T6). */
      endSession: enqueueActions(({ context: c, enqueue }) => {
        const { session } = held(c);
        enqueue.assign({ holding: null, closeAtMs: now(c) + c.leaseMs });
        if (!c.input.view.session(session) || c.endings.has(session)) return;
        const id = nextId(c);
        enqueue.assign({ endings: new Map(c.endings).set(session, id) });
        enqueue.emit(proposal(id, { type: 'end', session }));
      }),
      letGo: assign({ holding: null }),
      announceStopped: emit({ type: 'stopped' }),

      // Upkeep
      noteSight: assign(({ context: c, event }) => {
        if (event.type === 'seen') c.sights.note(event.id, now(c));
        return {};
      }),
      noteNews: assign(({ context: c, event }) => {
        if (event.type !== 'applied') return {};
        for (const { setBy } of event.news.sessions) c.sights.note(setBy, now(c));
        return c.opens.length === 0 ? {} : rules.noteOpened(c, event.news);
      }),
      endStrays: enqueueActions(({ context: c, enqueue }) => {
        if (c.opens.length === 0) return;
        const endings = new Map(c.endings);
        for (const session of rules.strays(c)) {
          const id = nextId(c);
          endings.set(session, id);
          enqueue.emit(proposal(id, { type: 'end', session }));
        }
        if (endings.size > c.endings.size) enqueue.assign({ endings });
      }),
      forgetEnded: enqueueActions(({ context: c, enqueue }) => {
        if (c.endings.size + c.expiries.size === 0) return;
        const { view } = c.input;
        const endings = without(c.endings, (_, session) => !view.session(session));
        const expiries = without(c.expiries, ({ version }, session) => view.session(session)?.version !== version);
        for (const [, id] of endings.gone) enqueue.emit({ type: 'withdraw', id });
        for (const [, { id }] of expiries.gone) enqueue.emit({ type: 'withdraw', id });
        if (endings.gone.length + expiries.gone.length > 0) {
          enqueue.assign({ endings: endings.left, expiries: expiries.left });
        }
      }),
      noteFlag: assign(({ event }) => {
        switch (event.type) {
          case 'eligible':
            return { isEligible: event.value };
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

      // The leader's duty
      expireSilent: enqueueActions(({ context: c, enqueue }) => {
        const { silent, sweepAtMs } = rules.silentSessions(c);
        const expiries = new Map(c.expiries);
        for (const { id: session, version } of silent) {
          const id = nextId(c);
          expiries.set(session, { id, version });
          enqueue.emit(proposal(id, { type: 'expire', session, expectedVersion: version }));
        }
        enqueue.assign({ expiries, sweepAtMs });
      }),
      withdrawExpiries: enqueueActions(({ context: c, enqueue }) => {
        for (const { id } of c.expiries.values()) enqueue.emit({ type: 'withdraw', id });
        enqueue.assign({ expiries: new Map() });
      }),
      withdrawAll: enqueueActions(({ context: c, enqueue }) => {
        const ids = [...c.endings.values(), ...Array.from(c.expiries.values(), ({ id }) => id)];
        if (c.attempt) ids.push(c.attempt.request.id);
        if (c.resignation) ids.push(c.resignation.id);
        if (c.holding) ids.push(...superseded(c.holding, null));
        for (const id of ids) enqueue.emit({ type: 'withdraw', id });
      }),
    },
  }).createMachine({
    id: 'lease',
    context: ({ input }) => initialContext(input, rules),
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
          candidacy: {
            initial: 'observing',
            on: {
              want: { actions: 'want' },
              unwant: { actions: 'unwant' },
              stop: { guard: 'isGraceful', target: '.closing', actions: ['markStopping', 'withdrawTake'] },
            },
            states: {
              /** Nobody here wants to be master. */
              observing: {
                on: { want: { target: 'waiting', actions: 'want' } },
              },

              /** Sleeps until the record is open to us: T2 for a holder, nothing for a record given back. */
              waiting: {
                entry: 'takeAim',
                initial: 'sleeping',
                on: {
                  applied: [
                    // A command of ours that had been given up for lost was chosen after all.
                    { guard: 'hasWon', target: 'master', actions: ['hold', 'announceAcquired'] },
                    { guard: 'isAimOff', target: 'waiting', reenter: true },
                  ],
                  unwant: { target: 'observing', actions: 'unwant' },
                },
                states: {
                  sleeping: {
                    always: [
                      { guard: 'mayNotAsk', target: 'vetoed' },
                      { guard: 'isTimeToAsk', target: '#lease.running.candidacy.campaigning' },
                    ],
                    after: {
                      untilAsking: { target: '#lease.running.candidacy.waiting', reenter: true },
                    },
                  },
                  /** Unhealthy, vetoed, behind, or without news of the holder: nothing to be woken for. */
                  vetoed: {
                    always: { guard: 'mayAskAgain', target: '#lease.running.candidacy.waiting', reenter: true },
                  },
                },
              },

              /** One command is under way: OpenSession and BeMaster. */
              campaigning: {
                entry: ['startAttempt', 'sendTake'],
                initial: 'asking',
                on: {
                  applied: [
                    { guard: 'hasWon', target: 'master', actions: ['hold', 'announceAcquired'] },
                    { guard: 'isRefused', target: 'waiting', actions: 'restAfterRefusal' },
                    { guard: 'isOvertaken', target: 'waiting', actions: 'withdrawTake' },
                  ],
                  outcome: [
                    { guard: 'hasWon', target: 'master', actions: ['hold', 'announceAcquired'] },
                    { guard: 'isRefused', target: 'waiting', actions: 'restAfterRefusal' },
                  ],
                  unwant: { target: 'observing', actions: ['unwant', 'withdrawTake'] },
                  eligible: { guard: 'isVeto', target: 'waiting', actions: 'withdrawTake' },
                  'journal.failed': { target: 'waiting', actions: 'withdrawTake' },
                },
                states: {
                  asking: {
                    after: {
                      untilAttemptEnds: [
                        {
                          guard: 'isAttemptOver',
                          target: '#lease.running.candidacy.waiting',
                          actions: 'withdrawTake',
                        },
                        { target: 'asking', reenter: true },
                      ],
                    },
                  },
                },
              },

              /** The record names us. Whether we may act is for `isMaster()` to say, at each use (T5). */
              master: {
                initial: 'fresh',
                on: {
                  applied: [
                    // T6 before all else: what is learned after the end changes nothing.
                    { guard: 'isLapsed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'expired' } } },
                    { guard: 'isDeposed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'deposed' } } },
                    { guard: 'isRenewed', target: '.fresh', reenter: true, actions: ['adopt', 'announceRenewed'] },
                  ],
                  resign: [
                    { guard: 'isLapsed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'expired' } } },
                    { target: 'resigning', actions: { type: 'lose', params: { lostBy: 'resigned' } } },
                  ],
                  unwant: [
                    {
                      guard: 'isLapsed',
                      target: 'lapsed',
                      actions: ['unwant', { type: 'lose', params: { lostBy: 'expired' } }],
                    },
                    { target: 'resigning', actions: ['unwant', { type: 'lose', params: { lostBy: 'resigned' } }] },
                  ],
                  stop: {
                    guard: 'isGraceful',
                    target: 'resigning',
                    actions: ['markStopping', { type: 'lose', params: { lostBy: 'closed' } }],
                  },
                  'journal.failed': { target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'failed' } } },
                },
                states: {
                  /** The last renewal sent is applied. */
                  fresh: { after: renewingInTime('fresh') },
                  /** At least one renewal is under way, outcome unknown: the earlier deadline is in force (T4). */
                  renewing: { after: renewingInTime('renewing') },
                },
              },

              /** T7: given up already, and told so. First all work stops, then the record is given back. */
              resigning: {
                initial: 'stopping',
                on: { stop: { guard: 'isGraceful', actions: 'markStopping' } },
                states: {
                  /** Renewed meanwhile: nobody may take the record while something still works by it. */
                  stopping: {
                    on: {
                      settled: { target: 'givingBack', actions: 'withdrawRenewals' },
                      applied: [
                        { guard: 'isLapsed', target: '#lease.running.candidacy.lapsed' },
                        { guard: 'isDeposed', target: '#lease.running.candidacy.lapsed' },
                        { guard: 'isRenewed', target: 'stopping', reenter: true, actions: 'adopt' },
                      ],
                    },
                    after: {
                      untilRenewal: [
                        { guard: 'isLapsed', target: '#lease.running.candidacy.lapsed' },
                        { guard: 'isOverrun', target: '#lease.running.candidacy.lapsed', actions: 'announceOverrun' },
                        {
                          guard: 'isRenewalDue',
                          target: 'stopping',
                          reenter: true,
                          actions: ['startRenewal', 'sendRenewal'],
                        },
                        { target: 'stopping', reenter: true },
                      ],
                      untilDeadline: [
                        { guard: 'isLapsed', target: '#lease.running.candidacy.lapsed' },
                        { target: 'stopping', reenter: true },
                      ],
                      untilOverrun: [
                        { guard: 'isOverrun', target: '#lease.running.candidacy.lapsed', actions: 'announceOverrun' },
                        { target: 'stopping', reenter: true },
                      ],
                    },
                  },
                  /** Nothing works any more. Resubmitted until the record does not name the term. */
                  givingBack: {
                    entry: 'submitResignation',
                    initial: 'asking',
                    exit: 'forgetResignation',
                    on: {
                      applied: {
                        guard: 'isDeposed',
                        target: '#lease.running.candidacy.givenBack',
                        actions: 'restAfterResigning',
                      },
                      outcome: [
                        {
                          guard: 'isDeposed',
                          target: '#lease.running.candidacy.givenBack',
                          actions: 'restAfterResigning',
                        },
                        { guard: 'isResignationRefused', target: 'givingBack', reenter: true },
                      ],
                    },
                    states: {
                      asking: {
                        after: {
                          untilResubmission: [
                            { guard: 'isOverrun', target: '#lease.running.candidacy.ending' },
                            {
                              guard: 'isResubmissionDue',
                              target: '#lease.running.candidacy.resigning.givingBack',
                              reenter: true,
                            },
                            { target: 'asking', reenter: true },
                          ],
                        },
                      },
                    },
                  },
                },
              },

              /**
               * The record is free, and the others are about to choose who is next: the end of a session that holds nothing
               * would only be in their way. Nobody waits for it; it follows the next change (`endStrays`).
               */
              givenBack: {
                always: [
                  { guard: 'isStopping', target: 'ending' },
                  { guard: 'isWanted', target: 'waiting', actions: 'letGo' },
                  { target: 'observing', actions: 'letGo' },
                ],
              },

              /** T6: lost, and told so. Nothing is asked for anew before all work of the old term has stopped. */
              lapsed: {
                entry: 'withdrawRenewals',
                on: {
                  settled: 'ending',
                  stop: { guard: 'isGraceful', actions: 'markStopping' },
                },
              },

              /** What is over is ended at the others too, so that they need not wait for it. */
              ending: {
                entry: 'endSession',
                always: [
                  { guard: 'isStopping', target: 'closing' },
                  { guard: 'isWanted', target: 'waiting' },
                  { target: 'observing' },
                ],
              },

              /** Asked to stop: stays until own sessions are ended, no longer than a lease. */
              closing: {
                always: { guard: 'hasLeftNothing', target: '#lease.stopped', actions: 'withdrawAll' },
                after: { untilClosed: { target: 'closing', reenter: true } },
              },
            },
          },

          upkeep: {
            on: {
              seen: { actions: 'noteSight' },
              applied: { actions: ['noteNews', 'endStrays', 'forgetEnded'] },
              eligible: { actions: 'noteFlag' },
              caughtUp: { actions: 'noteFlag' },
              leaseMs: { actions: 'noteFlag' },
              'journal.failed': { actions: 'noteFlag' },
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

/** The timers of a master, of which each only wakes: lapsed, vetoed, or time to renew (T10). */
const renewingInTime = <State extends string>(state: State) =>
  ({
    untilRenewal: [
      {
        guard: 'isLapsed',
        target: '#lease.running.candidacy.lapsed',
        actions: { type: 'lose', params: { lostBy: 'expired' } },
      },
      {
        guard: 'isVetoedAtRenewal',
        target: '#lease.running.candidacy.resigning',
        actions: { type: 'lose', params: { lostBy: 'resigned', reason: 'not eligible' } },
      },
      { guard: 'isRenewalDue', target: 'renewing', reenter: true, actions: ['startRenewal', 'sendRenewal'] },
      { target: state, reenter: true },
    ],
    untilDeadline: [
      {
        guard: 'isLapsed',
        target: '#lease.running.candidacy.lapsed',
        actions: { type: 'lose', params: { lostBy: 'expired' } },
      },
      { target: state, reenter: true },
    ],
  }) as const;

const now = ({ input }: LeaseContext): number => input.clock.now();

/**
 * Whole milliseconds, rounded up, two at least: a timer may fire 1 ms early, and one that is set again for less could go on
 * doing so at one instant.
 */
const whole = (ms: number): number => Math.min(MAX_DELAY_MS, Math.max(2, Math.ceil(ms)));

/** A longer delay fires at once; this one wakes and is set again. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const until = (c: LeaseContext, atMs: number): number => whole(atMs - now(c));

function present<T>(value: T | null | undefined): T {
  invariant(value !== null && value !== undefined, 'T1 what is sent was made ready first');
  return value;
}

function held({ holding }: LeaseContext): Holding {
  invariant(holding !== null, 'T7 only what is held is renewed, given back or ended');
  return holding;
}

/** Ids of renewals that nobody needs any more; the one that set the version was chosen and needs no withdrawing. */
const superseded = (before: Holding, after: Holding | null): readonly CommandId[] =>
  before.requests
    .filter((r) => r.expectedVersion !== null && r.id !== (after ?? before).setBy && !after?.requests.includes(r))
    .map(({ id }) => id);

const without = <V>(map: ReadonlyMap<number, V>, isGone: (value: V, key: number) => boolean) => ({
  gone: Array.from(map).filter(([key, value]) => isGone(value, key)),
  left: new Map(Array.from(map).filter(([key, value]) => !isGone(value, key))),
});
