import type { Election } from 'synod';
import { type AnyActorRef, assign, emit, sendTo, setup } from 'xstate';
import { electionLogic } from './election-logic.ts';
import {
  changedBy,
  type ElectionCommand,
  type ElectionContext,
  type ElectionEvent,
  type ElectionInput,
  initialContext,
} from './events.ts';
import { heldOf } from './held.ts';

/** More of the lease than this is left while renewals come on time (T10: each is sent by then). */
const FRESH = 1 / 2;
/** Less than this: renewals are unanswered, and the mastership is about to be lost. */
const ENDANGERED = 1 / 4;
/** How often a lease that is not fresh is looked at, as a part of it. */
const LOOK = 1 / 20;

/**
 * An election as a machine, for `onSnapshot` and a diagram; events and commands are those of {@link electionLogic}. Its states
 * are news: whether this process is master the clock says at each look, `election.isMaster()` (T5).
 */
export const electionMachine = (election: Election) => {
  const remainingMs = (): number => heldOf(election)?.remainingMs() ?? 0;
  const machine = setup({
    types: {} as {
      context: ElectionContext;
      events: ElectionEvent | ElectionCommand;
      emitted: ElectionEvent;
      input: ElectionInput | undefined;
    },
    actors: { campaigner: electionLogic(election) },
    delays: {
      untilHalf: ({ context: { leaseMs } }) => Math.max(1, Math.ceil(remainingMs() - FRESH * (leaseMs ?? 0))),
      untilNextLook: ({ context: { leaseMs } }) => Math.max(1, LOOK * (leaseMs ?? 0)),
    },
    guards: {
      isCandidate: ({ context }) => context.isCandidate,
      isObserver: ({ context }) => !context.isCandidate,
      isHeldElsewhere: ({ context: { current } }) => current !== null && !current.isSelf,
      isHeldNowhereElse: ({ context: { current } }) => current === null || current.isSelf,
      isReleased: ({ context: { current } }) => current?.isSelf !== true,
      isGivenUp: ({ event }) => event.type === 'synod.master.lost' && event.cause === 'resigned',
      isFresh: ({ context: { leaseMs } }) => remainingMs() > FRESH * (leaseMs ?? 0),
      isEndangered: ({ context: { leaseMs } }) => remainingMs() <= ENDANGERED * (leaseMs ?? 0),
    },
    actions: {
      note: assign(({ event }) => changedBy(event)),
      /** To whoever listens. */
      announce: emit(({ event }) => event as ElectionEvent),
      tellParent: ({ event, self }) => (self as AnyActorRef)._parent?.send(event),
      pass: sendTo('campaigner', ({ event }) => event as ElectionCommand),
    },
  }).createMachine({
    id: 'election',
    context: ({ input }) => initialContext(election.name, input),
    invoke: {
      id: 'campaigner',
      src: 'campaigner',
      input: ({ context }) => ({ campaign: context.isCandidate }),
      onDone: '.over',
    },
    initial: 'observing',
    on: {
      'synod.campaign': { actions: ['note', 'pass'] },
      'synod.withdraw': { actions: ['note', 'pass'] },
      'synod.resign': { actions: 'pass' },
      'synod.transfer': { actions: 'pass' },
      'synod.refused': { actions: ['announce', 'tellParent'] },
      'synod.master.changed': { actions: ['note', 'announce', 'tellParent'] },
      'synod.master.elected': { actions: ['note', 'announce', 'tellParent'], target: '.master' },
    },
    states: {
      /** Asks for nothing. */
      observing: {
        always: { guard: 'isCandidate', target: 'waiting' },
      },
      /** Somebody else is master. */
      waiting: {
        always: [
          { guard: 'isObserver', target: 'observing' },
          { guard: 'isHeldNowhereElse', target: 'campaigning' },
        ],
      },
      /** Nobody is: asks. */
      campaigning: {
        always: [
          { guard: 'isObserver', target: 'observing' },
          { guard: 'isHeldElsewhere', target: 'waiting' },
        ],
      },
      /** How much of the lease is left, as of the last look: timers wake, the clock says. */
      master: {
        initial: 'fresh',
        on: {
          'synod.master.lost': [
            { guard: 'isGivenUp', target: 'resigning', actions: ['note', 'announce', 'tellParent'] },
            { target: 'waiting', actions: ['note', 'announce', 'tellParent'] },
          ],
        },
        states: {
          fresh: {
            after: { untilHalf: [{ guard: 'isFresh', target: 'fresh', reenter: true }, { target: 'renewing' }] },
          },
          /** Renewals should have been answered by now. */
          renewing: { after: { untilNextLook: looks } },
          /** It is about to be lost. */
          endangered: { after: { untilNextLook: looks } },
        },
      },
      /** Acts no more; the work settles, then the others are told (T7). */
      resigning: {
        always: { guard: 'isReleased', target: 'waiting' },
      },
      over: { type: 'final' },
    },
  });
  const restore = machine.restoreSnapshot.bind(machine);
  // A mastership outlives no process: whoever comes back asks anew.
  machine.restoreSnapshot = (persisted, scope) => {
    const { status, context } = persisted as unknown as { status: string; context: ElectionContext };
    if (status !== 'active') return restore(persisted, scope);
    const fresh = { value: 'observing', context: initialContext(election.name, { campaign: context.isCandidate }) };
    return restore({ ...persisted, ...fresh } as typeof persisted, scope);
  };
  return machine;
};

const looks = [
  { guard: 'isFresh', target: 'fresh' },
  { guard: 'isEndangered', target: 'endangered', reenter: true },
  { target: 'renewing', reenter: true },
] as const;
