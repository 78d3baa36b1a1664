import type { Received } from '@synod/protocol';
import { assertEvent, setup } from 'xstate';
import { effectsOf } from '../effects.ts';
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
  readonly learnedThrough: AcceptorInput['learnedThrough'];
  readonly state: AcceptorState;
}

const effect = effectsOf<AcceptorContext, AcceptorEvent, AcceptorEmitted>();

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
      promise: effect(({ state, store, learnedThrough }, event, out) => {
        assertEvent(event, 'prepares');
        rules.learned(state, learnedThrough());
        gather(event.messages, out, (message, draft) => rules.prepare(state, store, message, draft));
      }),
      accept: effect(({ state, store }, event, out) => {
        assertEvent(event, 'accepts');
        gather(event.messages, out, (message, draft) => rules.accept(state, store, message, draft));
      }),
      trim: effect(({ state }, event) => {
        assertEvent(event, 'trim');
        rules.trim(state, event.through);
      }),
    },
    guards: { mayVote: ({ context }) => context.mayVote },
  }).createMachine({
    id: 'acceptor',
    context: ({ input: { recovered, ...input } }) => ({ ...input, state: recovered }),
    initial: 'starting',
    states: {
      starting: { always: [{ guard: 'mayVote', target: 'voting' }, { target: 'abstaining' }] },
      // Serves as learner only: not in the configuration, not formed, or its journal is damaged (I2, I5, P5).
      abstaining: {
        on: {
          vote: 'voting',
          trim: { actions: 'trim' },
          'journal.failed': 'stopped',
        },
      },
      voting: {
        on: {
          prepares: { actions: 'promise' },
          accepts: { actions: 'accept' },
          trim: { actions: 'trim' },
          abstain: 'abstaining',
          'journal.failed': 'stopped',
        },
      },
      // P3: never retried, never answered.
      stopped: {},
    },
  });

/** One bundle for all messages of an event; none if there is nothing to say. */
function gather<M>(
  messages: readonly Received<M>[],
  out: AcceptorEmitted[],
  answer: (message: Received<M>, draft: Draft) => void,
): void {
  const bundle = { type: 'bundle', records: [], replies: [] } as const satisfies Draft & AcceptorEmitted;
  for (const message of messages) answer(message, bundle);
  if (bundle.replies.length > 0) out.push(bundle);
}
