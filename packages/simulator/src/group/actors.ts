import { type CandidateInput, candidateMachine, sessionMachine } from '@synod/mastership';
import { acceptorMachine, learnerMachine, proposerMachine } from '@synod/paxos';
import type { Clock } from '@synod/protocol';
import type { Interpreter, RoleMachines } from '@synod/runtime';
import type { ActorRefFrom, AnyActorLogic, AnyStateMachine } from 'xstate';
import { Unsupported } from '../statechart/parts.ts';
import { createQuickActor, quick } from '../statechart/quick.ts';

/** The living roles of one life, as far as they have begun. */
export interface Actors {
  learner?: ActorRefFrom<ReturnType<typeof learnerMachine>>;
  proposer?: ActorRefFrom<ReturnType<typeof proposerMachine>>;
  lease?: ActorRefFrom<ReturnType<typeof sessionMachine>>;
  /** By election. */
  readonly candidates: Map<string, ActorRefFrom<ReturnType<typeof candidateMachine>>>;
}

/** The machines of production. */
export const realMachines = (): RoleMachines => ({
  acceptor: acceptorMachine(),
  learner: learnerMachine(),
  proposer: proposerMachine(),
  lease: sessionMachine(),
  candidate: candidateMachine(),
});

/** The same machines, by the quick interpreter. */
export function quickMachines({ acceptor, learner, proposer, lease, candidate }: RoleMachines): RoleMachines {
  return {
    acceptor: interpretQuickly(acceptor),
    learner: interpretQuickly(learner),
    proposer: interpretQuickly(proposer),
    lease: interpretQuickly(lease),
    candidate: interpretQuickly(candidate),
  };
}

/** A machine that uses what the quick interpreter does not know stays with XState's own. */
export function interpretQuickly<Machine extends AnyActorLogic>(machine: Machine): Machine {
  try {
    return quick(machine as unknown as AnyStateMachine) as unknown as Machine;
  } catch (error) {
    if (error instanceof Unsupported) return machine;
    throw error;
  }
}

/** The quick interpreter, as the runtime asks for one. */
export const quickInterpreter: Interpreter = { logic: interpretQuickly, createActor: createQuickActor };

/**
 * By the clock of its process: the one port that every role but the acceptor has as its own. Kept at the clock and in no
 * WeakMap: what such a map holds outlives every collection of the young generation, and here that is whole worlds.
 */
const ACTORS = Symbol('actors');

type SeatedClock = Clock & { [ACTORS]?: Actors | null };

const watched = new WeakSet<AnyActorLogic>();

/** The roles that begin with this clock are put into `actors`. */
export function expectActors(clock: SeatedClock, actors: Actors): void {
  clock[ACTORS] = actors;
}

/** They have begun, or never will. */
export function forgetActors(clock: SeatedClock): void {
  clock[ACTORS] = null;
}

/**
 * Lets the roles of these machines be looked at from outside. An inspector would see them too, and cost more than the whole
 * simulation: it makes an object of every event.
 */
export function watchActors(machines: RoleMachines): RoleMachines {
  for (const role of ['learner', 'proposer', 'lease'] as const) {
    watch(machines[role], ({ clock }: { clock: SeatedClock }, self) => {
      const actors = clock[ACTORS];
      if (actors) (actors as unknown as Record<string, unknown>)[role] = self;
    });
  }
  watch(machines.candidate, ({ election, lease }: CandidateInput, self) => {
    const { clock }: { clock: SeatedClock } = lease().input;
    clock[ACTORS]?.candidates.set(election, self as ActorRefFrom<ReturnType<typeof candidateMachine>>);
  });
  return machines;
}

function watch<Input>(machine: AnyActorLogic, note: (input: Input, self: unknown) => void): void {
  if (watched.has(machine)) return;
  watched.add(machine);
  const begin = machine.getInitialSnapshot;
  machine.getInitialSnapshot = function (this: AnyActorLogic, scope, input) {
    note(input as Input, scope.self);
    return begin.call(this, scope, input);
  };
}
