import { type Election, type Mastership, MastershipLostError } from 'synod';
import { type AnyActorRef, fromPromise, type NonReducibleUnknown, type PromiseActorLogic } from 'xstate';
import { heldOf } from './held.ts';

export interface MasterWorkArguments<Input> {
  /** `assert()` and `run()` compare the clock; `term` goes with every effect (F1). */
  readonly mastership: Mastership;
  /** Aborts when the mastership is over, or the state that invoked this is left. */
  readonly signal: AbortSignal;
  readonly input: Input;
  readonly self: AnyActorRef;
}

/**
 * `fromPromise` for what only a master does: invoke it in the state in which yours is master. It begins by a mastership that
 * holds at that instant, or fails with a MastershipLostError; a mastership is handed over only when all such work has settled
 * (T7). Its result counts only if the lease still holds then.
 */
export const masterWork = <Output, Input = NonReducibleUnknown>(
  election: Election,
  work: (work: MasterWorkArguments<Input>) => PromiseLike<Output> | Output,
): PromiseActorLogic<Output, Input> =>
  fromPromise<Output, Input>(async ({ input, self, signal }) => {
    const mastership = heldOf(election);
    if (mastership === null) throw new MastershipLostError(election.name, 0, 'not elected');
    const either = AbortSignal.any([signal, mastership.signal]);
    return mastership.run(async () => work({ mastership, signal: either, input, self: self as AnyActorRef }));
  });
