import { between } from '@synod/protocol';
import { assertEvent, enqueueActions, setup } from 'xstate';
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
} from './learner.rules.ts';

export interface LearnerContext {
  readonly input: LearnerInput;
  readonly state: LearnerState;
}

/**
 * Learner of the log (N1, N2, B1c). Applies what is chosen in order; asks for what it lacks, at once, first of the one who
 * brought the news, then of everybody.
 *
 * `expecting` is the pulse of a busy node: one timer for all slots that were proposed and are not learned yet, so that the
 * usual case, chosen a moment later, arms nothing.
 */
export const learnerMachine = (rules: LearnerRules = learnerRules) =>
  setup({
    types: {} as {
      input: LearnerInput;
      context: LearnerContext;
      events: LearnerEvent;
      emitted: LearnerEmitted;
    },
    delays: {
      patience: ({ context }) => context.input.leaseMs / 20,
      again: ({ context: { input } }) => (input.leaseMs / 10) * between(input.random, 0.75, 1.25),
      stuck: ({ context }) => context.input.leaseMs / 3,
    },
    guards: {
      isBehind: ({ context }) => isBehind(context.state),
      hasAll: ({ context }) => !isBehind(context.state),
      isExpecting: ({ context }) => isExpecting(context.state),
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
      noteChosen: enqueueActions(({ context, event, enqueue }) => {
        assertEvent(event, 'chosens');
        const { input, state } = context;
        const out = heard(rules, state, (out) => {
          for (const message of event.messages) rules.chosen(state, input, message, out);
        });
        for (const emitted of out) enqueue.emit(emitted);
      }),
      noteDecided: enqueueActions(({ context: { input, state }, event, enqueue }) => {
        assertEvent(event, 'decided');
        const { ballot, slot, value } = event;
        const out = heard(rules, state, (out) => rules.decided(state, input, ballot, slot, value, out));
        for (const emitted of out) enqueue.emit(emitted);
      }),
      learn: enqueueActions(({ context: { state }, event, enqueue }) => {
        assertEvent(event, 'learneds');
        const out = heard(rules, state, (out) => {
          for (const message of event.messages) rules.learned(state, message, out);
        });
        for (const emitted of out) enqueue.emit(emitted);
      }),
      takeSnapshot: enqueueActions(({ context: { state }, event, enqueue }) => {
        assertEvent(event, 'snapshots');
        const out = heard(rules, state, (out) => {
          for (const message of event.messages) rules.snapshot(state, message, out);
        });
        for (const emitted of out) enqueue.emit(emitted);
      }),
      noteProposed: enqueueActions(({ context: { input, state }, event, enqueue }) => {
        assertEvent(event, 'proposed');
        const out = heard(rules, state, (out) => rules.proposed(state, input, event.slots, out));
        for (const emitted of out) enqueue.emit(emitted);
      }),
      noteBehind: enqueueActions(({ context: { state }, event, enqueue }) => {
        assertEvent(event, 'behind');
        const out = heard(rules, state, () => rules.behind(state, event.through, event.from));
        for (const emitted of out) enqueue.emit(emitted);
      }),
      answer: enqueueActions(({ context: { input, state }, event, enqueue }) => {
        assertEvent(event, 'fetches');
        const out: LearnerEmitted[] = [];
        for (const message of event.messages) rules.answer(state, input, message, out);
        for (const emitted of out) enqueue.emit(emitted);
      }),
      trim: ({ context, event }) => {
        assertEvent(event, 'trim');
        rules.trim(context.state, event.through);
      },
      start: enqueueActions(({ context: { state }, enqueue }) => {
        for (const emitted of heard(rules, state, () => {})) enqueue.emit(emitted);
        enqueue.emit(fetchFrom(state, 'all', true));
      }),
      watch: ({ context: { state } }) => {
        state.watched = state.proposed;
      },
      want: ({ context: { state } }) => {
        state.wanted = Math.max(state.wanted, state.watched);
      },
      askOne: enqueueActions(({ context: { input, state }, enqueue }) => {
        const { source } = state;
        if (source !== null && source !== input.self && isBehind(state)) enqueue.emit(fetchFrom(state, source));
      }),
      askEverybody: enqueueActions(({ context: { state }, enqueue }) => {
        if (!isBehind(state)) return;
        // Whoever began to send a snapshot has fallen silent: the next one begins anew.
        state.part = null;
        enqueue.emit(fetchFrom(state, 'all'));
      }),
      noteStuck: ({ context: { state } }) => {
        state.stuckAt = state.through + 1;
      },
      sayStuck: enqueueActions(({ context, enqueue }) => {
        enqueue.emit({ type: 'stuck', slot: context.state.stuckAt });
      }),
    },
  }).createMachine({
    id: 'learner',
    context: ({ input }) => ({ input, state: initialLearner(input) }),
    on: {
      chosens: { actions: 'noteChosen' },
      decided: { actions: 'noteDecided' },
      learneds: { actions: 'learn' },
      snapshots: { actions: 'takeSnapshot' },
      proposed: { actions: 'noteProposed' },
      behind: { actions: 'noteBehind' },
      fetches: { actions: 'answer' },
      trim: { actions: 'trim' },
      start: { actions: 'start' },
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

/** What hearing something leads to: its own effects, then what can be applied now, then one word about progress. */
function heard(rules: LearnerRules, state: LearnerState, hear: (out: LearnerEmitted[]) => void): LearnerEmitted[] {
  const { through, known } = state;
  const out: LearnerEmitted[] = [];
  hear(out);
  rules.applyInOrder(state, out);
  if (state.through !== through || state.known !== known) {
    out.push({ type: 'progress', through: state.through, known: state.known });
  }
  return out;
}
