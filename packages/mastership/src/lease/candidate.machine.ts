import { invariant } from '@synod/protocol';
import { assign, emit, enqueueActions, setup } from 'xstate';
import type { Attempt, CandidateContext, HeldTerm } from './lease.context.ts';
import {
  initialCandidate,
  type LeaseRules,
  leaseRules,
  licenceOf,
  lostNotice,
  proposal,
  takeOf,
} from './lease.rules.ts';
import type { CandidateEmitted, CandidateEvent, CandidateInput, LostBy } from './lease.types.ts';
import { whole } from './timing.ts';

/**
 * One candidate for one election: waits until the record is free or its holder silent, asks, holds, gives back. How long it
 * may act is not its own affair: that is for the session of its node, which all its masterships hang on.
 *
 * Everything leaves as an emitted event. It hears of its own record alone, and sets no timer while it is master or while the
 * holder's lease runs: a thousand of them cost what one costs until something happens.
 */
export const candidateMachine = (rules: LeaseRules = leaseRules) =>
  setup({
    types: {} as {
      input: CandidateInput;
      context: CandidateContext;
      events: CandidateEvent;
      emitted: CandidateEmitted;
    },

    delays: {
      untilReady: ({ context: c }) => until(c, rules.readyAtMs(c)),
      untilAsking: ({ context: c }) => until(c, rules.askAtMs(c)),
      untilAttemptEnds: ({ context: c }) => until(c, c.attempt ? rules.attemptEndsAtMs(c, c.attempt) : 0),
      untilRenewal: ({ context: c }) => until(c, c.input.lease().holding?.renewAtMs ?? 0),
      untilWish: ({ context: c }) => until(c, c.wishAtMs),
      untilOfferEnds: ({ context: c }) => until(c, c.offer?.untilMs ?? 0),
      untilOverrun: ({ context: c }) => until(c, rules.overrunAtMs(c)),
      untilResubmission: ({ context: c }) => until(c, c.resignation?.againAtMs ?? 0),
    },

    guards: {
      isStaying: ({ context: c }) => !c.isStopping,
      mayNotAsk: ({ context: c }) => !rules.mayAsk(c),
      isNear: ({ context: c }) => rules.isNear(c),
      isTimeToAsk: ({ context: c }) => rules.isTimeToAsk(c),
      mayAskAtOnce: ({ context: c }) => rules.mayAskAtOnce(c),
      isFree: ({ context: c }) => !c.isStopping && rules.mayAskAtOnce({ ...c, isWanted: true }),
      isAwaited: ({ context: c, event }) => event.type === 'silent' && event.session === c.aim?.holder?.session,
      hasWon: ({ context: c }) => rules.hasWon(c),
      isNamed: ({ context: c }) => rules.isNamed(c),
      isOvertaken: ({ context: c }) => rules.isOvertaken(c),
      isStillToAsk: ({ context: c }) => c.attempt?.id === null && !rules.isOvertaken(c),
      isAnswer: ({ context: c, event }) => event.type === 'outcome' && event.id === c.attempt?.id,
      isRefusal: ({ event }) => event.type === 'notOpened' && event.isRefused,
      isAttemptOver: ({ context: c }) => c.attempt === null || now(c) >= rules.attemptEndsAtMs(c, c.attempt),
      isTimeToWish: ({ context: c }) => rules.mayWish(c) && now(c) >= c.wishAtMs,
      mayWish: ({ context: c }) => rules.mayWish(c),
      mayConsent: ({ context: c, event }) => event.type === 'offered' && rules.mayConsent(c, event.term),
      isOfferOver: ({ context: c }) => c.offer === null || now(c) >= c.offer.untilMs,
      isVeto: ({ event }) => event.type === 'eligible' && !event.value,
      isBlessing: ({ event }) => event.type === 'eligible' && event.value,
      isVetoed: ({ context: c }) => !c.isEligible,

      isLapsed: ({ context: c }) => rules.isLapsed(c.input.lease()),
      isDeposed: ({ context: c }) => rules.isDeposed(c),
      isRenewalDue: ({ context: c }) => now(c) >= (c.input.lease().holding?.renewAtMs ?? 0),
      isOverrun: ({ context: c }) => now(c) >= rules.overrunAtMs(c),
      isResubmissionDue: ({ context: c }) => now(c) >= (c.resignation?.againAtMs ?? 0),
      isResignationRefused: ({ context: c, event }) =>
        event.type === 'outcome' && event.id === c.resignation?.id && !event.applied && !rules.isDeposed(c),

      isSettled: ({ event }) => event.type === 'resign' && event.isSettled === true,
      isWanted: ({ context: c }) => c.isWanted && !c.isStopping,
    },

    actions: {
      want: assign({ isWanted: true }),
      unwant: assign({ isWanted: false }),
      markStopping: assign({ isStopping: true, isWanted: false }),
      noteFlag: assign(({ event }) => (event.type === 'eligible' ? { isEligible: event.value } : {})),
      noteMetadata: assign(({ context: c, event }) =>
        event.type === 'metadata' ? { input: { ...c.input, metadata: event.value } } : {},
      ),
      /** What was refused to a lower one may be granted now. The same one may be told with each look at the election. */
      notePriority: assign(({ context: c, event }) => {
        if (event.type !== 'priority') return {};
        return { ...(event.value > c.priority ? rules.forgetWishes(c) : c), priority: event.value };
      }),

      // Asking
      takeAim: assign(({ context: c }) => {
        const noted = rules.reviewWish(rules.noteServed(c));
        return { ...noted, aim: rules.aim(noted) };
      }),
      watchHolder: enqueueActions(({ context: c, enqueue }) => {
        const session = c.aim?.holder?.session;
        if (session !== undefined && rules.mayAsk(c)) enqueue.emit({ type: 'watch', session });
      }),
      /** T11: the session tells the holder, and again after each of his renewals, what to have appended behind a Resign. */
      standBy: enqueueActions(({ context: c, enqueue }) => {
        if (!c.aim?.holder || !rules.isHeir(c)) return;
        const { session } = c.aim.holder;
        const to = c.input.lease().input.view.session(session)?.node ?? '';
        enqueue.emit({ type: 'standBy', take: { ...takeOf(c, c.aim), holder: null }, holder: session, to });
      }),
      standDown: enqueueActions(({ context: c, enqueue }) => {
        if (c.aim?.holder) enqueue.emit({ type: 'standDown' });
      }),
      /** B1: what has to be done without the holder is done meanwhile. */
      getReady: enqueueActions(({ context: c, enqueue }) => {
        if (c.aim?.silent && rules.isAimCurrent(c)) enqueue.emit({ type: 'aboutToAsk', silent: c.aim.silent });
      }),
      startAttempt: assign(({ context: c }) => (c.aim ? rules.startAttempt(c, c.aim) : {})),
      ask: emit(({ context: c }): CandidateEmitted => {
        const { aim, id, session } = present<Attempt>(c.attempt);
        const take = takeOf(c, aim);
        if (id === null || session === null) return { type: 'open', take, silent: aim.silent };
        return proposal(id, { type: 'beMaster', session, ...take }, aim.silent);
      }),
      withdrawTake: enqueueActions(({ context: c, enqueue }) => {
        if (c.attempt?.id) enqueue.emit({ type: 'withdraw', id: c.attempt.id });
        enqueue.assign({ attempt: null });
      }),
      /** A refusal for a reason that stays would be repeated without end. */
      restAfterRefusal: assign(({ context: c }) => rules.restAfterResigning({ ...c, attempt: null })),

      // T8: being handed an election
      noteOffer: assign(({ context: c, event }) =>
        event.type === 'offered' ? rules.noteOffer(c, event.from, event.term) : {},
      ),
      consent: enqueueActions(({ context: c, enqueue }) => {
        const s = c.input.lease();
        const { from: to, term } = present(c.offer);
        if (s.holding === null || rules.isLapsed(s)) enqueue.emit({ type: 'openEmpty' });
        else enqueue.emit({ type: 'consent', to, election: c.input.election, term, session: s.holding.session });
      }),
      wish: enqueueActions(({ context: c, enqueue }) => {
        const { input } = c.input.lease();
        const { election } = c.input;
        const { term, node } = input.view.record(election);
        enqueue.assign(rules.startWish(c));
        if (node !== '') enqueue.emit({ type: 'wish', to: node, election, term, priority: c.priority });
      }),
      beginWaiting: assign(({ context: c }) => rules.beginWaiting(c)),
      refrain: assign(({ context: c }) => rules.refrain(c)),

      // Holding
      take: assign(({ context: c }) => rules.take(c)),
      announceAcquired: emit(({ context: c }) => ({ type: 'acquired', ...licenceOf(c, held(c)) })),
      /** T7: a record that comes to a session not wanting it is given back, and was never acted by. */
      takeUnasked: assign(({ context: c }) => {
        const taken = rules.take(c);
        return rules.giveUp(taken, held(taken));
      }),

      noteSuccessor: assign(({ context: c, event }) =>
        event.type === 'standby' ? rules.noteSuccessor(c, event.from, event.command) : {},
      ),

      noteGrace: assign(({ context: c, event }) =>
        event.type === 'grace' ? { mastership: { ...held(c), graceMs: event.graceMs } } : {},
      ),

      // Losing: first `isMaster()` says no, then it is told.
      lose: enqueueActions(
        ({ context: c, enqueue, event }, { lostBy, reason }: { lostBy: LostBy; reason?: string }) => {
          const { mastership } = c;
          if (mastership === null || mastership.givenUpAtMs !== null) return;
          const heir = event.type === 'resign' ? (event.to ?? null) : null;
          enqueue.assign(rules.giveUp(c, { ...mastership, heir }));
          enqueue.emit(lostNotice(c, mastership, lostBy, 'reason' in event ? event.reason : reason));
        },
      ),
      loseWithSession: enqueueActions(({ context: c, enqueue, event }) => {
        const { mastership } = c;
        if (event.type !== 'over' || mastership === null || mastership.givenUpAtMs !== null) return;
        enqueue.assign(rules.giveUp(c, mastership));
        enqueue.emit(lostNotice(c, mastership, event.lostBy));
      }),
      announceOverrun: emit(({ context: c }) => ({
        type: 'overrun',
        election: c.input.election,
        term: held(c).term,
      })),
      announceLeft: emit(({ context: c }) => ({ type: 'left', election: c.input.election, term: held(c).term })),

      // Giving back
      submitResignation: enqueueActions(({ context: c, enqueue }) => {
        const { session, term, heir } = held(c);
        const { election } = c.input;
        const next = rules.startResignation(c);
        const { id } = present(next.resignation);
        enqueue.assign(next);
        if (heir === null) {
          enqueue.emit(
            proposal(id, { type: 'resign', election, session, term }, null, rules.successor(c)?.command ?? null),
          );
        } else {
          const { session: to, metadata } = heir;
          enqueue.emit(proposal(id, { type: 'transfer', election, session, term, to, metadata }));
        }
      }),
      forgetResignation: enqueueActions(({ context: c, enqueue }) => {
        if (c.resignation) enqueue.emit({ type: 'withdraw', id: c.resignation.id });
        enqueue.assign({ resignation: null });
      }),
      restAfterResigning: assign(({ context: c }) => rules.restAfterResigning(c)),
      /** T7: after a refused Transfer Resign is submitted, and nothing is known to be left of one that got no answer. */
      disinherit: assign(({ context: c }) => ({ mastership: { ...held(c), heir: null } })),
      letGo: assign({ mastership: null }),
    },
  }).createMachine({
    id: 'candidate',
    context: ({ input }) => initialCandidate(input, rules),
    initial: 'observing',
    on: {
      want: { guard: 'isStaying', actions: 'want' },
      unwant: { actions: 'unwant' },
      eligible: { actions: 'noteFlag' },
      priority: { actions: 'notePriority' },
      metadata: { actions: 'noteMetadata' },
      standby: { actions: 'noteSuccessor' },
      stop: { actions: 'markStopping' },
    },
    states: {
      /** Nobody here wants to be master. */
      observing: {
        on: {
          want: [
            // As after the next one, in one step.
            { guard: 'isFree', target: 'campaigning', actions: ['want', 'beginWaiting', 'takeAim'] },
            { guard: 'isStaying', target: 'waiting', actions: ['want', 'beginWaiting'] },
          ],
          record: { guard: 'isNamed', target: 'resigning.givingBack', actions: 'takeUnasked' },
        },
      },

      /** Sleeps until the record is open to us: T2 for a holder, nothing for a record given back. */
      waiting: {
        entry: 'takeAim',
        exit: 'standDown',
        initial: 'watching',
        on: {
          record: [
            // A command of ours that had been given up for lost was chosen after all.
            { guard: 'hasWon', target: 'master', actions: ['take', 'announceAcquired'] },
            { guard: 'isNamed', target: 'resigning.givingBack', actions: 'takeUnasked' },
            // As after the next one, in one step: a thousand of them may come free together.
            { guard: 'mayAskAtOnce', target: 'campaigning', actions: 'takeAim' },
            { target: 'waiting', reenter: true },
          ],
          offered: { guard: 'mayConsent', target: 'consenting', actions: 'noteOffer' },
          priority: { target: 'waiting', reenter: true, actions: 'notePriority' },
          review: { target: 'waiting', reenter: true },
          eligible: { target: 'waiting', reenter: true, actions: 'noteFlag' },
          unwant: { target: 'observing', actions: 'unwant' },
          stop: { target: 'observing', actions: 'markStopping' },
        },
        states: {
          /** The holder's lease runs, and its session is watched for all who wait for it: no timer here. */
          watching: {
            entry: ['watchHolder', 'standBy'],
            always: [
              { guard: 'mayNotAsk', target: 'vetoed' },
              { guard: 'isNear', target: 'sleeping' },
            ],
            on: { silent: { guard: 'isAwaited', target: '#candidate.waiting', reenter: true } },
            initial: 'content',
            states: {
              content: { always: { guard: 'mayWish', target: 'wishing' } },
              /** Of a priority: the holder is told, and hands over if its own is lower. */
              wishing: {
                after: {
                  untilWish: [
                    { guard: 'isTimeToWish', target: 'wishing', reenter: true, actions: 'wish' },
                    { guard: 'mayWish', target: 'wishing', reenter: true },
                  ],
                },
              },
            },
          },
          /** The record is free, or its holder as good as silent: the last of T2, jitter, or rest after a refusal (T11). */
          sleeping: {
            always: { guard: 'isTimeToAsk', target: '#candidate.campaigning' },
            after: {
              untilReady: { actions: 'getReady' },
              untilAsking: { target: '#candidate.waiting', reenter: true },
            },
          },
          /** Unhealthy, vetoed, behind, without news of the holder, or with work of the last session still going on. */
          vetoed: {},
        },
      },

      /** BeMaster is under way: by the open session, or in the command that opens one. */
      campaigning: {
        entry: ['startAttempt', 'ask'],
        on: {
          record: [
            { guard: 'hasWon', target: 'master', actions: ['take', 'announceAcquired'] },
            { guard: 'isNamed', target: 'resigning.givingBack', actions: ['withdrawTake', 'takeUnasked'] },
            { guard: 'isOvertaken', target: 'waiting', actions: 'withdrawTake' },
          ],
          opened: [
            { guard: 'hasWon', target: 'master', actions: ['take', 'announceAcquired'] },
            { guard: 'isStillToAsk', target: 'campaigning', reenter: true },
            { guard: 'isOvertaken', target: 'waiting', actions: 'withdrawTake' },
          ],
          outcome: [
            { guard: 'hasWon', target: 'master', actions: ['take', 'announceAcquired'] },
            { guard: 'isAnswer', target: 'waiting', actions: 'restAfterRefusal' },
          ],
          notOpened: [
            { guard: 'isRefusal', target: 'waiting', actions: 'restAfterRefusal' },
            { target: 'waiting', actions: 'withdrawTake' },
          ],
          over: { target: 'waiting', actions: 'withdrawTake' },
          unwant: { target: 'observing', actions: ['unwant', 'withdrawTake'] },
          stop: { target: 'observing', actions: ['markStopping', 'withdrawTake'] },
          eligible: { guard: 'isVeto', target: 'waiting', actions: ['noteFlag', 'withdrawTake'] },
        },
        initial: 'asking',
        states: {
          asking: {
            after: {
              untilAttemptEnds: [
                { guard: 'isAttemptOver', target: '#candidate.waiting', actions: 'withdrawTake' },
                { target: 'asking', reenter: true },
              ],
            },
          },
        },
      },

      /** T8: the holder would hand over; a live session of this node is named to it, opened for the purpose if need be. */
      consenting: {
        entry: 'consent',
        on: {
          // What it answered may be lost, and whoever stops its work is not done yet.
          offered: { guard: 'mayConsent', target: 'consenting', reenter: true, actions: 'noteOffer' },
          opened: { target: 'consenting', reenter: true },
          record: [
            { guard: 'hasWon', target: 'master', actions: ['take', 'announceAcquired'] },
            { guard: 'isNamed', target: 'resigning.givingBack', actions: 'takeUnasked' },
            { target: 'waiting' },
          ],
          notOpened: 'waiting',
          over: 'waiting',
          unwant: { target: 'observing', actions: 'unwant' },
          stop: { target: 'observing', actions: 'markStopping' },
          eligible: { guard: 'isVeto', target: 'waiting', actions: 'noteFlag' },
        },
        initial: 'offered',
        states: {
          offered: {
            after: {
              untilOfferEnds: [
                { guard: 'isOfferOver', target: '#candidate.waiting' },
                { target: 'offered', reenter: true },
              ],
            },
          },
        },
      },

      /** The record names us. Whether we may act is for `isMaster()` to say, at each use (T5). */
      master: {
        initial: 'fit',
        on: {
          record: [
            // T6 before all else: what is learned after the end changes nothing.
            { guard: 'isLapsed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'expired' } } },
            { guard: 'isDeposed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'deposed' } } },
          ],
          over: { target: 'lapsed', actions: 'loseWithSession' },
          grace: { actions: 'noteGrace' },
          resign: [
            { guard: 'isLapsed', target: 'lapsed', actions: { type: 'lose', params: { lostBy: 'expired' } } },
            {
              guard: 'isSettled',
              target: 'resigning.givingBack',
              actions: { type: 'lose', params: { lostBy: 'resigned' } },
            },
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
            target: 'resigning',
            actions: ['markStopping', { type: 'lose', params: { lostBy: 'closed' } }],
          },
        },
        states: {
          fit: { on: { eligible: { guard: 'isVeto', target: 'unfit', actions: 'noteFlag' } } },
          /** Vetoed: health is asked before each renewal, and what is unhealthy then gives back. */
          unfit: {
            on: { eligible: { guard: 'isBlessing', target: 'fit', actions: 'noteFlag' } },
            after: {
              untilRenewal: [
                {
                  guard: 'isLapsed',
                  target: '#candidate.lapsed',
                  actions: { type: 'lose', params: { lostBy: 'expired' } },
                },
                {
                  guard: 'isVetoed',
                  target: '#candidate.resigning',
                  actions: { type: 'lose', params: { lostBy: 'resigned', reason: 'not eligible' } },
                },
              ],
            },
          },
        },
      },

      /** T7: given up already, and told so. First all work stops, then the record is given back. */
      resigning: {
        initial: 'stopping',
        on: { over: { target: '#candidate.lapsed', actions: 'announceLeft' } },
        states: {
          /** The session is renewed meanwhile: nobody may take the record while something still works by it. */
          stopping: {
            on: {
              settled: 'givingBack',
              record: { guard: 'isDeposed', target: '#candidate.lapsed' },
            },
            after: {
              untilOverrun: [
                { guard: 'isOverrun', target: '#candidate.lapsed', actions: 'announceOverrun' },
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
              over: { target: '#candidate.givenBack', actions: 'announceLeft' },
              record: { guard: 'isDeposed', target: '#candidate.givenBack', actions: 'restAfterResigning' },
              outcome: [
                { guard: 'isDeposed', target: '#candidate.givenBack', actions: 'restAfterResigning' },
                { guard: 'isResignationRefused', target: 'givingBack', reenter: true, actions: 'disinherit' },
              ],
            },
            states: {
              asking: {
                after: {
                  untilResubmission: [
                    { guard: 'isOverrun', target: '#candidate.givenBack', actions: 'announceOverrun' },
                    { guard: 'isResubmissionDue', target: '#candidate.resigning.givingBack', reenter: true },
                    { target: 'asking', reenter: true },
                  ],
                },
              },
            },
          },
        },
      },

      /** T6: lost, and told so. Nothing is asked for anew before all work of the old term has stopped. */
      lapsed: { on: { settled: 'givenBack' } },

      /** Nothing of it is left here. */
      givenBack: {
        always: [
          { guard: 'isWanted', target: 'waiting', actions: ['letGo', 'refrain'] },
          { target: 'observing', actions: ['letGo', 'refrain'] },
        ],
      },
    },
  });

const now = ({ input }: CandidateContext): number => input.lease().input.clock.now();

const until = (c: CandidateContext, atMs: number): number => whole(atMs - now(c));

function present<T>(value: T | null | undefined): T {
  invariant(value !== null && value !== undefined, 'T1 what is sent was made ready first');
  return value;
}

function held({ mastership }: CandidateContext): HeldTerm {
  invariant(mastership !== null, 'T7 only what is held is given back');
  return mastership;
}
