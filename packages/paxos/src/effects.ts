import type { EventObject, MachineContext } from 'xstate';
import { enqueueActions } from 'xstate';

/**
 * Makes the actions of a machine whose rules work on one object and say what is to be done: an action calls its rule, and
 * what the rule adds to `out` is emitted. A rule that asks for nothing emits nothing.
 *
 * Not plain functions: those are skipped when a transition is computed without being run, and the rules with them.
 */
export const effectsOf =
  <Context extends MachineContext, Event extends EventObject, Emitted extends EventObject>() =>
  (work: (context: Context, event: Event, out: Emitted[]) => void) =>
    enqueueActions<Context, Event, undefined, Event, never, never, never, never, Emitted>(
      ({ context, event, enqueue }) => {
        const out: Emitted[] = [];
        work(context, event, out);
        for (const emitted of out) enqueue.emit(emitted);
      },
    );
