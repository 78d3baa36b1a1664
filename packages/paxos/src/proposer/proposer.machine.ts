import { between } from '@synod/protocol';
import { assertEvent, setup } from 'xstate';
import { effectsOf } from '../effects.ts';
import {
  chosenElsewhere,
  hasHole,
  initialProposer,
  isCaughtUp,
  isDueSooner,
  noteWish,
  type ProposerEmitted,
  type ProposerEvent,
  type ProposerInput,
  type ProposerRules,
  type ProposerState,
  planResend,
  proposerRules,
} from './proposer.rules.ts';

export interface ProposerContext {
  readonly input: ProposerInput;
  readonly state: ProposerState;
}

const effect = effectsOf<ProposerContext, ProposerEvent, ProposerEmitted>();

/**
 * Proposer of the log (B1-B7): idle → preparing → leading → idle. Safety depends on none of its timers, and on no order of
 * messages.
 *
 * One timer for all open slots: it is armed when the first opens, and finds out at its end what is due. It outlasts the last of
 * them: the usual case, chosen a moment after another, arms nothing.
 */
export const proposerMachine = (rules: ProposerRules = proposerRules) =>
  setup({
    types: {} as {
      input: ProposerInput;
      context: ProposerContext;
      events: ProposerEvent;
      emitted: ProposerEmitted;
    },
    delays: {
      // B6: what is left of the wait.
      postponement: ({ context: { input, state } }) => Math.max(0, state.notBeforeMs - input.clock.now()),
      // B5: growing.
      resendPrepare: ({ context }) => context.state.resendMs,
      resend: ({ context: { input, state } }) => state.wakesAtMs - input.clock.now(),
      // An attempt without a quorum is given up for one with a new ballot.
      attempt: ({ context: { input } }) => between(input.random, input.leaseMs() / 3, input.leaseMs() / 2),
    },
    guards: {
      mayPrepareNow: ({ context: { input, state }, event }) =>
        (event.type === 'lead' && event.reason === 'master') || input.clock.now() >= state.notBeforeMs,
      isForMaster: ({ event }) => event.type === 'lead' && event.reason === 'master',
      isAhead: ({ event }) => event.type === 'lead' && event.reason === 'ahead',
      // Nothing is to be proposed yet.
      isOnlyAhead: ({ context }) => context.state.wish === 'ahead',
      isForStuck: ({ event }) => event.type === 'lead' && event.reason === 'stuck',
      // A master that lost its mastership while it waited need not lead (B1b).
      isWishVoid: ({ context: { input, state } }) => state.wish === 'master' && !input.isMaster(),
      // Something was chosen since: whoever leads does it well. A wish that still stands is told again (B1).
      isWishGranted: ({ context: { state }, event }) =>
        event.type === 'learned' && event.through > state.wishedAt && state.wish !== 'master',
      isOutbid: ({ context, event }) =>
        (event.type === 'reject' || event.type === 'granted') && rules.isOutbid(context.state, event),
      isOutbidAhead: ({ context: { state }, event }) =>
        state.wish === 'ahead' && (event.type === 'reject' || event.type === 'granted') && rules.isOutbid(state, event),
      isMasterOutbid: ({ context: { input, state }, event }) =>
        (event.type === 'reject' || event.type === 'granted') && rules.isOutbid(state, event) && input.isMaster(),
      hasPrepareQuorum: ({ context: { input, state } }) => rules.hasPrepareQuorum(state, input),
      mayLead: ({ context: { input, state } }) =>
        rules.hasPrepareQuorum(state, input) && isCaughtUp(state, rules.base(state)),
      isCaughtUp: ({ context: { state } }) => isCaughtUp(state, rules.base(state)),
      hasOpenSlots: ({ context }) => context.state.open.size > 0,
      isDueSooner: ({ context }) => isDueSooner(context.state),
      hasHole: ({ context }) => hasHole(context.state),
    },
    actions: {
      noteWish: effect(({ state }, event) => {
        if (event.type === 'lead') noteWish(state, event.reason, event.slot);
      }),
      wishAsMaster: effect(({ state }) => noteWish(state, 'master')),
      dropWish: effect(({ state }) => noteWish(state, null)),
      noteRound: effect(({ state }, event) => {
        if (event.type === 'round') rules.noteRound(state, event.round);
        if (event.type === 'granted') rules.noteRound(state, event.ballot.round);
        if (event.type === 'reject') rules.noteRound(state, event.promised.round);
      }),
      noteLearned: effect(({ state }, event) => {
        assertEvent(event, 'learned');
        rules.noteLearned(state, event.through, event.known);
      }),
      askLearned: effect(({ input, state }) => {
        const { through, known } = input.learned();
        rules.noteLearned(state, through, known);
      }),
      backOff: effect(({ input, state }) => rules.backOff(state, input)),
      postpone: effect(({ input, state }) => rules.postpone(state, input)),
      prepare: effect(({ input, state }, _, out) => rules.prepare(state, input, out)),
      resendPrepare: effect(({ input, state }, _, out) => rules.resendPrepare(state, input, out)),
      notePromise: effect(({ input, state }, event) => {
        assertEvent(event, 'promise');
        rules.notePromise(state, input, event);
      }),
      sayBehind: effect(({ state }, _, out) => {
        const chosen = chosenElsewhere(state);
        if (chosen) out.push({ type: 'behind', ...chosen });
      }),
      takeOver: effect(({ state }) => rules.takeOver(state)),
      fill: effect(({ state }, event) => {
        if (event.type === 'lead') rules.fill(state, event.slot ?? 0);
      }),
      sayLeading: effect(({ state }, _, out) => out.push({ type: 'leading', ballot: state.ballot })),
      submit: effect(({ state }, event) => {
        assertEvent(event, 'submit');
        rules.submit(state, event.commands, event.isUrgent, event.learner);
      }),
      withdraw: effect(({ state }, event) => {
        assertEvent(event, 'withdraw');
        rules.withdraw(state, event.ids);
      }),
      propose: effect(({ input, state }, _, out) => rules.propose(state, input, out)),
      countAccepted: effect(({ input, state }, event, out) => {
        assertEvent(event, 'accepted');
        rules.noteAccepted(state, input, event, out);
      }),
      noteTrimmed: effect(({ state }, event, out) => {
        assertEvent(event, 'trimmed');
        rules.noteTrimmed(state, event, out);
      }),
      resend: effect(({ input, state }, _, out) => rules.resend(state, input, out)),
      planResend: effect(({ input, state }) => planResend(state, input.clock.now())),
      hurry: effect(({ input, state }) => rules.hurry(state, input)),
      stepDown: effect(({ state }, event, out) => {
        const by = event.type === 'reject' ? event.promised : event.type === 'granted' ? event.ballot : null;
        rules.stepDown(state, by, out);
      }),
    },
  }).createMachine({
    id: 'proposer',
    context: ({ input }) => ({ input, state: initialProposer(input) }),
    on: {
      learned: { actions: 'noteLearned' },
      round: { actions: 'noteRound' },
      // B6: gives the other one time.
      granted: { actions: ['noteRound', 'postpone'] },
      reject: { actions: 'noteRound' },
      withdraw: { actions: 'withdraw' },
      stop: { target: '.stopped', actions: 'stepDown' },
    },
    initial: 'idle',
    states: {
      // Nothing is told here of what is learned: it asks when it begins.
      idle: {
        entry: 'dropWish',
        exit: 'askLearned',
        on: {
          lead: [
            { guard: 'mayPrepareNow', actions: 'noteWish', target: 'preparing' },
            // B6: the command says so again when it comes, if it still has to.
            { guard: 'isAhead' },
            { actions: 'noteWish', target: 'postponed' },
          ],
          // Nobody leads here: who asked is told so at once.
          submit: { actions: ['submit', 'stepDown'] },
        },
      },
      postponed: {
        on: {
          lead: { guard: 'isForMaster', actions: 'noteWish', target: 'preparing' },
          granted: { actions: ['noteRound', 'postpone'], target: 'postponed', reenter: true },
          learned: [{ guard: 'isWishGranted', actions: 'noteLearned', target: 'idle' }, { actions: 'noteLearned' }],
          submit: { actions: ['submit', 'stepDown'] },
        },
        after: { postponement: [{ guard: 'isWishVoid', target: 'idle' }, { target: 'preparing' }] },
      },
      preparing: {
        entry: 'prepare',
        always: [
          { guard: 'mayLead', actions: 'sayBehind', target: 'leading' },
          { guard: 'hasPrepareQuorum', actions: 'sayBehind', target: 'catchingUp' },
        ],
        on: {
          promise: { actions: 'notePromise' },
          submit: { actions: 'submit' },
          lead: { guard: 'isOnlyAhead', actions: 'noteWish' },
          reject: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'wishAsMaster'], target: 'preparing', reenter: true },
            { guard: 'isOutbidAhead', actions: ['noteRound', 'stepDown', 'postpone'], target: 'idle' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'backOff'], target: 'postponed' },
            { actions: 'noteRound' },
          ],
          granted: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'wishAsMaster'], target: 'preparing', reenter: true },
            { guard: 'isOutbidAhead', actions: ['noteRound', 'stepDown', 'postpone'], target: 'idle' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'postpone'], target: 'postponed' },
            { actions: 'noteRound' },
          ],
        },
        after: { attempt: { target: 'preparing', reenter: true } },
        initial: 'asking',
        states: {
          asking: {
            on: { reconnected: { actions: ['resendPrepare', 'hurry'], target: 'asking', reenter: true } },
            after: { resendPrepare: { actions: 'resendPrepare', target: 'asking', reenter: true } },
          },
        },
      },
      // Behind base (B2): slots up to there are trimmed at some voter, and fetched before anything is proposed.
      catchingUp: {
        always: { guard: 'isCaughtUp', target: 'leading' },
        on: {
          submit: { actions: 'submit' },
          // Who trimmed may have gone with what it trimmed: a new ballot counts those who are here (B1c).
          lead: [
            { guard: 'isForStuck', actions: 'noteWish', target: 'preparing' },
            { guard: 'isOnlyAhead', actions: 'noteWish' },
          ],
          reject: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'wishAsMaster'], target: 'preparing' },
            { guard: 'isOutbidAhead', actions: ['noteRound', 'stepDown', 'postpone'], target: 'idle' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'backOff'], target: 'postponed' },
            { actions: 'noteRound' },
          ],
          granted: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'wishAsMaster'], target: 'preparing' },
            { guard: 'isOutbidAhead', actions: ['noteRound', 'stepDown', 'postpone'], target: 'idle' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'postpone'], target: 'postponed' },
            { actions: 'noteRound' },
          ],
        },
      },
      leading: {
        entry: ['takeOver', 'sayLeading', 'propose'],
        on: {
          submit: { actions: ['submit', 'propose'] },
          accepted: { actions: 'countAccepted' },
          trimmed: { actions: ['noteTrimmed', 'propose'] },
          learned: { actions: ['noteLearned', 'propose'] },
          // B1c: a slot that only a new ballot fills.
          lead: [
            { guard: 'hasHole', actions: ['noteWish', 'stepDown'], target: 'preparing' },
            { actions: ['fill', 'propose'] },
          ],
          // B6: a master that is outbid prepares again at once; anybody else is idle.
          reject: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'stepDown', 'wishAsMaster'], target: 'preparing' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'backOff'], target: 'idle' },
            { actions: 'noteRound' },
          ],
          granted: [
            { guard: 'isMasterOutbid', actions: ['noteRound', 'stepDown', 'wishAsMaster'], target: 'preparing' },
            { guard: 'isOutbid', actions: ['noteRound', 'stepDown', 'postpone'], target: 'idle' },
            { actions: 'noteRound' },
          ],
        },
        initial: 'quiet',
        states: {
          quiet: { always: { guard: 'hasOpenSlots', target: 'waiting' } },
          waiting: {
            entry: 'planResend',
            // N4: whom it did not ask at once it asks sooner than the timer that runs would.
            always: { guard: 'isDueSooner', target: 'waiting', reenter: true },
            on: {
              reconnected: { guard: 'hasOpenSlots', actions: ['hurry', 'resend'], target: 'waiting', reenter: true },
            },
            after: {
              resend: [
                { guard: 'hasOpenSlots', actions: 'resend', target: 'waiting', reenter: true },
                { target: 'quiet' },
              ],
            },
          },
        },
      },
      stopped: {},
    },
  });
