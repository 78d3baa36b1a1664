import type { Formation, JournalRecord, NodeId, Received } from '@synod/protocol';
import { type AnyActorLogic, assign, emit, enqueueActions, setup } from 'xstate';
import { type FormationRules, type FormationState, formationRules } from './formation.rules.ts';

/** What the four roles begin with; made when the configuration is known. A candidate has but a lease. */
export interface RoleInputs {
  readonly acceptor?: unknown;
  readonly learner?: unknown;
  readonly proposer?: unknown;
  readonly lease: unknown;
}

export interface GroupInput {
  readonly role: 'member' | 'candidate' | 'observer';
  /** Why this member may not vote although its store is in the configuration (P5); `null` if it may. */
  readonly damage: string | null;
  readonly formation: FormationState;
  /** I1. */
  readonly claimMs: number;
  /** How often an unformed store says what it keeps. */
  readonly announceMs: number;
  /** Gives each role its input. Called once, on entering `voter` or `follower`. */
  readonly inputs: (formation: FormationState) => RoleInputs;
}

export interface GroupContext extends GroupInput {
  readonly roles: RoleInputs | null;
}

export type GroupEvent =
  | Received<Formation>
  /** The node leaves: the roles stop. */
  | { readonly type: 'leave' }
  /** The node must not go on: another life of its id (I1), a broken invariant, a failed actor. */
  | { readonly type: 'fail'; readonly reason: string };

export type GroupEmitted =
  /** Persist, then send: the same law as for the acceptor (P3). `to: null` only asks to persist. */
  | {
      readonly type: 'formation.bundle';
      readonly records: readonly JournalRecord[];
      readonly announce: { readonly to: NodeId | 'all'; readonly message: Formation } | null;
    }
  | { readonly type: 'claim' };

/**
 * The four roles of a member, and what it is made of for each election it minds: `lease` is the session that they hang on.
 * The simulator hands in broken ones.
 */
export interface RoleMachines {
  readonly acceptor: AnyActorLogic;
  readonly learner: AnyActorLogic;
  readonly proposer: AnyActorLogic;
  readonly lease: AnyActorLogic;
  /** Not invoked: there may be thousands, and each child more would make every other one dearer (limits.md). */
  readonly candidate: AnyActorLogic;
}

/**
 * One member's life in a group, the root of its actors: it claims its node id (I1), forms the group or finds it formed (I5),
 * then plays its roles until it leaves.
 */
export const groupMachine = (roles: RoleMachines, rules: FormationRules = formationRules) =>
  setup({
    types: {} as { input: GroupInput; context: GroupContext; events: GroupEvent; emitted: GroupEmitted },
    actors: { ...roles },
    delays: { claim: ({ context }) => context.claimMs, announce: ({ context }) => context.announceMs },
    guards: {
      isObserver: ({ context }) => context.role === 'observer',
      isCandidate: ({ context }) => context.role === 'candidate',
      isVoter: ({ context }) => context.formation.isFormed && context.damage === null,
      isFollower: ({ context }) =>
        context.formation.foreign !== null || (context.formation.isFormed && context.damage !== null),
    },
    actions: {
      claim: emit({ type: 'claim' }),
      begin: enqueueActions(({ context, enqueue }) => {
        const step = rules.begin(context.formation);
        enqueue.assign({ formation: step.state });
        if (step.records.length > 0) enqueue.emit({ type: 'formation.bundle', records: step.records, announce: null });
      }),
      announce: emit(({ context }) => ({
        type: 'formation.bundle',
        records: [],
        announce: { to: 'all', message: rules.message(context.formation, !context.formation.isFormed) },
      })),
      hear: enqueueActions(({ context, event, enqueue }) => {
        if (event.type !== 'formation') return;
        const step = rules.hear(context.formation, event);
        enqueue.assign({ formation: step.state });
        if (step.announce) {
          const message = rules.message(step.state, !step.state.isFormed);
          enqueue.emit({ type: 'formation.bundle', records: step.records, announce: { to: 'all', message } });
        } else if (event.wantsAnswer) {
          const message = rules.message(step.state, false);
          enqueue.emit({ type: 'formation.bundle', records: step.records, announce: { to: event.from, message } });
        }
      }),
      prepareRoles: assign({ roles: ({ context }) => context.inputs(context.formation) }),
    },
  }).createMachine({
    id: 'group',
    context: ({ input }) => ({ ...input, roles: null }),
    initial: 'claiming',
    on: {
      leave: '.left',
      fail: '.failed',
      formation: { actions: 'hear' },
    },
    states: {
      claiming: {
        entry: 'claim',
        after: { claim: 'forming' },
      },
      forming: {
        entry: ['begin', 'announce'],
        always: [
          { guard: 'isObserver', target: 'watching' },
          { guard: 'isCandidate', target: 'candidate' },
          { guard: 'isVoter', target: 'voter' },
          { guard: 'isFollower', target: 'follower' },
        ],
        after: { announce: { target: 'forming', reenter: true } },
      },
      /** In the configuration: acceptor, learner, proposer and candidate. */
      voter: {
        entry: 'prepareRoles',
        invoke: [
          {
            id: 'acceptor',
            src: 'acceptor',
            input: ({ context }: { context: GroupContext }) => context.roles?.acceptor,
          },
          { id: 'learner', src: 'learner', input: ({ context }: { context: GroupContext }) => context.roles?.learner },
          {
            id: 'proposer',
            src: 'proposer',
            input: ({ context }: { context: GroupContext }) => context.roles?.proposer,
          },
          { id: 'lease', src: 'lease', input: ({ context }: { context: GroupContext }) => context.roles?.lease },
        ],
      },
      /** A store outside the configuration, or a damaged one: it learns and serves what it learned, and never votes (I2, P5). */
      follower: {
        entry: 'prepareRoles',
        invoke: [
          { id: 'learner', src: 'learner', input: ({ context }: { context: GroupContext }) => context.roles?.learner },
        ],
      },
      /** No member: others vote and append for it; the lease is here. */
      candidate: {
        entry: 'prepareRoles',
        invoke: [
          { id: 'lease', src: 'lease', input: ({ context }: { context: GroupContext }) => context.roles?.lease },
        ],
      },
      /** No member: it hears of masters. */
      watching: {},
      left: { type: 'final' },
      failed: { type: 'final' },
    },
  });
