import { between } from '@synod/protocol';
import { assertEvent, setup } from 'xstate';
import { effectsOf } from '../effects.ts';
import {
  bringsNews,
  bringsPart,
  fetchFrom,
  initialLearner,
  isBehind,
  isExpecting,
  type LearnerEmitted,
  type LearnerEvent,
  type LearnerInput,
  type LearnerRules,
  type LearnerState,
  learnerRules,
  proposedThrough,
} from './learner.rules.ts';

export interface LearnerContext {
  readonly input: LearnerInput;
  readonly state: LearnerState;
}

const effect = effectsOf<LearnerContext, LearnerEvent, LearnerEmitted>();

/**
 * Learner of the log (N1, N2, B1c). Applies what is chosen in order; asks for what it lacks, at once, first of the one who
 * brought the news, then of everybody.
 *
 * `expecting` is the pulse of a busy node: one timer for all slots that were proposed and are not learned yet, so that the
 * usual case, chosen a moment later, arms nothing. It looks at its end what was proposed meanwhile: nobody need tell it.
 */
export const learnerMachine = (rules: LearnerRules = learnerRules) => {
  /** What hearing something leads to: its own effects, then what can be applied now, then one word about progress. */
  const hear = (work: (context: LearnerContext, event: LearnerEvent, out: LearnerEmitted[]) => void) =>
    effect((context, event, out) => {
      const { state } = context;
      const { through, known } = state;
      work(context, event, out);
      rules.applyInOrder(state, out);
      if (state.through === through && state.known === known) return;
      out.push({ type: 'progress', through: state.through, known: state.known });
    });

  return setup({
    types: {} as {
      input: LearnerInput;
      context: LearnerContext;
      events: LearnerEvent;
      emitted: LearnerEmitted;
    },
    delays: {
      patience: ({ context }) => context.input.leaseMs() / 20,
      again: ({ context: { input } }) => (input.leaseMs() / 10) * between(input.random, 0.75, 1.25),
      stuck: ({ context }) => context.input.leaseMs() / 3,
    },
    guards: {
      isBehind: ({ context }) => isBehind(context.state),
      hasAll: ({ context }) => !isBehind(context.state),
      isExpecting: ({ context: { input, state } }) => isExpecting(state, input),
      isOverdue: ({ context }) => context.state.through < context.state.watched,
      knowsNobody: ({ context: { input, state } }) => state.source === null || state.source === input.self,
      bringsNews: ({ context, event }) =>
        event.type === 'learneds' && event.messages.some((message) => bringsNews(context.state, message)),
      bringsPart: ({ context, event }) =>
        event.type === 'snapshots' && event.messages.some((message) => bringsPart(context.state, message)),
      isFruitless: ({ context, event }) =>
        event.type === 'learneds' && event.messages.some((message) => message.from === context.state.source),
      isStuck: ({ context }) => context.state.through < context.state.stuckAt,
    },
    actions: {
      noteChosen: hear(({ input, state }, event, out) => {
        assertEvent(event, 'chosens');
        for (const message of event.messages) rules.chosen(state, input, message, out);
      }),
      countAccepted: hear(({ input, state }, event, out) => {
        assertEvent(event, 'accepteds');
        for (const message of event.messages) rules.accepted(state, input, message, out);
      }),
      noteDecided: hear(({ input, state }, event, out) => {
        assertEvent(event, 'decided');
        rules.decided(state, input, event.ballot, event.slot, event.value, out);
      }),
      learn: hear(({ state }, event, out) => {
        assertEvent(event, 'learneds');
        for (const message of event.messages) rules.learned(state, message, out);
      }),
      takeSnapshot: hear(({ state }, event, out) => {
        assertEvent(event, 'snapshots');
        for (const message of event.messages) rules.snapshot(state, message, out);
      }),
      noteProposed: hear(({ input, state }, event, out) => {
        assertEvent(event, 'proposed');
        rules.proposed(state, input, event.slots, out);
      }),
      noteBehind: hear(({ state }, event) => {
        assertEvent(event, 'behind');
        rules.behind(state, event.through, event.from);
      }),
      applyRecovered: hear(({ input, state }) => rules.behind(state, state.highest, input.self)),
      answer: effect(({ input, state }, event, out) => {
        assertEvent(event, 'fetches');
        for (const message of event.messages) rules.answer(state, input, message, out);
      }),
      trim: effect(({ state }, event) => {
        assertEvent(event, 'trim');
        rules.trim(state, event.through);
      }),
      askForMore: effect(({ state }, _, out) => out.push(fetchFrom(state, 'all', true))),
      watch: effect(({ input, state }) => {
        state.watched = proposedThrough(state, input);
      }),
      want: effect(({ state }) => {
        state.wanted = Math.max(state.wanted, state.watched);
      }),
      askOne: effect(({ input, state }, _, out) => {
        const { source } = state;
        if (source !== null && source !== input.self && isBehind(state)) out.push(fetchFrom(state, source));
      }),
      askEverybody: effect(({ state }, _, out) => {
        if (!isBehind(state)) return;
        // Whoever began to send a snapshot has fallen silent: the next one begins anew.
        state.part = null;
        out.push(fetchFrom(state, 'all'));
      }),
      noteStuck: effect(({ state }) => {
        state.stuckAt = state.through + 1;
      }),
      sayStuck: effect(({ state }, _, out) => out.push({ type: 'stuck', slot: state.stuckAt, through: state.wanted })),
    },
  }).createMachine({
    id: 'learner',
    context: ({ input }) => ({ input, state: initialLearner(input) }),
    on: {
      chosens: { actions: 'noteChosen' },
      accepteds: { actions: 'countAccepted' },
      decided: { actions: 'noteDecided' },
      learneds: { actions: 'learn' },
      snapshots: { actions: 'takeSnapshot' },
      proposed: { actions: 'noteProposed' },
      behind: { actions: 'noteBehind' },
      fetches: { actions: 'answer' },
      trim: { actions: 'trim' },
      start: { actions: ['applyRecovered', 'askForMore'] },
    },
    initial: 'current',
    states: {
      current: {
        always: [
          { guard: 'isBehind', target: 'behind' },
          { guard: 'isExpecting', target: 'expecting' },
        ],
      },
      expecting: {
        entry: 'watch',
        always: { guard: 'isBehind', target: 'behind' },
        after: {
          patience: [
            { guard: 'isOverdue', actions: 'want', target: 'behind.askingEverybody' },
            { guard: 'isExpecting', target: 'expecting', reenter: true },
            { target: 'current' },
          ],
        },
      },
      behind: {
        always: { guard: 'hasAll', target: 'current' },
        initial: 'askingOne',
        states: {
          askingOne: {
            entry: 'askOne',
            always: { guard: 'knowsNobody', target: 'askingEverybody' },
            on: {
              // What was pushed is a page: the next is asked for at once.
              learneds: [
                { guard: 'bringsNews', actions: 'learn', target: 'askingOne', reenter: true },
                { guard: 'isFruitless', actions: 'learn', target: 'askingEverybody' },
              ],
              snapshots: { guard: 'bringsPart', actions: 'takeSnapshot', target: 'askingOne', reenter: true },
            },
            after: { patience: 'askingEverybody' },
          },
          askingEverybody: {
            entry: 'noteStuck',
            on: {
              learneds: { guard: 'bringsNews', actions: 'learn', target: 'askingOne' },
              snapshots: { guard: 'bringsPart', actions: 'takeSnapshot', target: 'askingOne' },
            },
            after: {
              stuck: [
                { guard: 'isStuck', actions: 'sayStuck', target: 'askingEverybody', reenter: true },
                { target: 'askingEverybody', reenter: true },
              ],
            },
            initial: 'asked',
            states: {
              asked: {
                entry: 'askEverybody',
                after: { again: { target: 'asked', reenter: true } },
              },
            },
          },
        },
      },
    },
  });
};
