import type { Received } from '@synod/protocol';
import { enqueueActions, setup } from 'xstate';
import {
  type AcceptorEmitted,
  type AcceptorEvent,
  type AcceptorInput,
  type AcceptorRules,
  type AcceptorState,
  acceptorRules,
  type Draft,
} from './acceptor.rules.ts';

export interface AcceptorContext {
  readonly self: AcceptorInput['self'];
  readonly store: AcceptorInput['store'];
  readonly mayVote: boolean;
  readonly state: AcceptorState;
}

/**
 * Acceptor of the log (P1-P6). Votes only while it may, and never again once its journal failed.
 *
 * Everything an event calls for leaves as one `bundle`: the runtime makes its records durable, then sends its replies (P3).
 * A reply without records of its own rides in a bundle too: a Reject tells of a promise that may not be durable yet.
 */
export const acceptorMachine = (rules: AcceptorRules = acceptorRules) =>
  setup({
    types: {} as {
      input: AcceptorInput;
      context: AcceptorContext;
      events: AcceptorEvent;
      emitted: AcceptorEmitted;
    },
    actions: {
      promise: enqueueActions(({ context: { state, store }, event, enqueue }) => {
        if (event.type !== 'prepares') return;
        const bundle = gather(event.messages, (message, draft) => rules.prepare(state, store, message, draft));
        if (bundle) enqueue.emit(bundle);
      }),
      accept: enqueueActions(({ context: { state, store }, event, enqueue }) => {
        if (event.type !== 'accepts') return;
        const bundle = gather(event.messages, (message, draft) => rules.accept(state, store, message, draft));
        if (bundle) enqueue.emit(bundle);
      }),
      learn: ({ context, event }) => {
        if (event.type === 'learned') rules.learned(context.state, event.through);
      },
      trim: ({ context, event }) => {
        if (event.type === 'trim') rules.trim(context.state, event.through);
      },
    },
    guards: { mayVote: ({ context }) => context.mayVote },
  }).createMachine({
    id: 'acceptor',
    context: ({ input: { self, store, mayVote, recovered } }) => ({ self, store, mayVote, state: recovered }),
    initial: 'starting',
    states: {
      starting: { always: [{ guard: 'mayVote', target: 'voting' }, { target: 'abstaining' }] },
      // Serves as learner only: not in the configuration, not formed, or its journal is damaged (I2, I5, P5).
      abstaining: {
        on: {
          vote: 'voting',
          learned: { actions: 'learn' },
          trim: { actions: 'trim' },
          'journal.failed': 'stopped',
        },
      },
      voting: {
        on: {
          prepares: { actions: 'promise' },
          accepts: { actions: 'accept' },
          learned: { actions: 'learn' },
          trim: { actions: 'trim' },
          abstain: 'abstaining',
          'journal.failed': 'stopped',
        },
      },
      // P3: never retried, never answered.
      stopped: {},
    },
  });

function gather<M>(
  messages: readonly Received<M>[],
  answer: (message: Received<M>, draft: Draft) => void,
): AcceptorEmitted | null {
  const draft: Draft = { records: [], replies: [] };
  for (const message of messages) answer(message, draft);
  return draft.replies.length === 0 ? null : { type: 'bundle', ...draft };
}
