import type { Election } from 'synod';
import type { ActorLogic, ActorRef, ActorSystem, AnyActorRef, Snapshot } from 'xstate';
import { Campaigner } from './campaigner.ts';
import {
  changedBy,
  type ElectionCommand,
  type ElectionContext,
  type ElectionEvent,
  type ElectionInput,
  initialContext,
} from './events.ts';

export type ElectionSnapshot = Snapshot<undefined> & { readonly context: ElectionContext };

/** What the actor tells itself: an inspector sees it happen. */
type Told = ElectionEvent | { readonly type: 'synod.ended'; readonly error?: unknown };

export type ElectionLogic = ActorLogic<
  ElectionSnapshot,
  ElectionCommand,
  ElectionInput | undefined,
  // biome-ignore lint/suspicious/noExplicitAny: whatever else runs in the user's system.
  ActorSystem<any>,
  ElectionEvent
>;

export type ElectionActorRef = ActorRef<ElectionSnapshot, ElectionCommand, ElectionEvent>;

/**
 * Actor logic that asks for the mastership of an election as long as it runs: `setup({ actors: { election:
 * electionLogic(group.election()) } })`, then `invoke`. Its parent gets the events of {@link ElectionEvent}, which are emitted
 * too, and sends it {@link ElectionCommand}s. Stopping it gives the mastership back. It is done when the group is closed, and
 * in error when this process had to leave it.
 *
 * `synod.master.lost` arrives in the very step in which the mastership's signal aborts: a state of the parent that is left at
 * once stops what it invokes, {@link masterWork} among it.
 */
export function electionLogic(election: Election): ElectionLogic {
  const campaigners = new WeakMap<AnyActorRef, Campaigner>();
  return {
    config: election.name,
    getInitialSnapshot: (_scope, input) => active(initialContext(election.name, input)),
    start: ({ context }, { self }) => {
      const actor = self as unknown as ActorRef<ElectionSnapshot, Told>;
      const campaigner = new Campaigner(election, {
        tell: (event) => actor.send(event),
        end: (error) => actor.send(error === undefined ? { type: 'synod.ended' } : { type: 'synod.ended', error }),
      });
      campaigners.set(self, campaigner);
      campaigner.start(context.isCandidate);
    },
    transition: (snapshot, received, { self, emit }) => {
      const event = received as ElectionCommand | Told | { readonly type: 'xstate.stop' };
      switch (event.type) {
        case 'xstate.stop':
          campaigners.get(self)?.stop();
          return { ...snapshot, status: 'stopped', error: undefined } as ElectionSnapshot;
        case 'synod.ended':
          return ended(snapshot, event.error);
        case 'synod.campaign':
        case 'synod.withdraw':
        case 'synod.resign':
        case 'synod.transfer':
          campaigners.get(self)?.obey(event);
          return changed(snapshot, event);
        case 'synod.master.elected':
        case 'synod.master.lost':
        case 'synod.master.changed':
        case 'synod.refused':
          emit(event);
          self._parent?.send(event);
          return changed(snapshot, event);
        default:
          return snapshot;
      }
    },
    getPersistedSnapshot: (snapshot) => snapshot,
    // A mastership outlives no process: whoever comes back asks anew.
    restoreSnapshot: (persisted) => {
      const { isCandidate } = (persisted as ElectionSnapshot).context;
      return active(initialContext(election.name, { campaign: isCandidate }));
    },
  };
}

const active = (context: ElectionContext): ElectionSnapshot => ({
  status: 'active',
  output: undefined,
  error: undefined,
  context,
});

const changed = (snapshot: ElectionSnapshot, event: ElectionEvent | ElectionCommand): ElectionSnapshot => ({
  ...snapshot,
  context: { ...snapshot.context, ...changedBy(event) },
});

const ended = (snapshot: ElectionSnapshot, error: unknown): ElectionSnapshot =>
  error === undefined
    ? { ...snapshot, status: 'done', output: undefined, error: undefined }
    : { ...snapshot, status: 'error', output: undefined, error };
