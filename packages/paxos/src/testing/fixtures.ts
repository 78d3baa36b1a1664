import {
  type Accept,
  type Ballot,
  type Command,
  encodeBatch,
  majority,
  type NodeId,
  type Prepare,
  type Promised,
  type Received,
  type Store,
  type Value,
} from '@synod/protocol';
import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import {
  type ActorRefFrom,
  type AnyActorLogic,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type InputFrom,
} from 'xstate';
import type { LearnerInput } from '../learner/learner.rules.ts';
import type { ProposerInput } from '../proposer/proposer.rules.ts';

/** A lease whose parts are round numbers. */
export const LEASE_MS = 3_000;

export const store: Store = { storeId: 'store-n1', incarnations: 1 };

export const ballot = (round: number, nodeId: NodeId): Ballot => ({ round, nodeId, incarnation: `${nodeId}-i1` });

export const command = (id: string, machine = 'kv', bytes = 1): Command => ({
  id,
  machine,
  body: new Uint8Array(bytes),
});

/** A batch of one command. */
export const value = (id: string): Value => encodeBatch([command(`${id}/1`)]);

export const from = <M>(sender: NodeId, message: M): Received<M> => ({ ...message, from: sender });

export const prepare = (by: Ballot, fromSlot = 1): Received<Prepare> =>
  from(by.nodeId, { type: 'prepare', ballot: by, fromSlot });

export const accept = (by: Ballot, slot: number, value: Value): Received<Accept> =>
  from(by.nodeId, { type: 'accept', ballot: by, slot, value });

/** One page that holds all a voter has. */
export function promise(
  sender: NodeId,
  to: Ballot,
  fields: Partial<Omit<Promised, 'type' | 'ballot'>> = {},
): Received<Promised> {
  const last = Math.max(0, ...(fields.entries ?? []).map(({ slot }) => slot), fields.trimmedThrough ?? 0);
  return from(sender, {
    type: 'promise',
    ballot: to,
    fromSlot: 1,
    to: last,
    lastSlot: last,
    entries: [],
    trimmedThrough: 0,
    chosenThrough: 0,
    store,
    ...fields,
  });
}

/** An actor under a virtual clock, and what it emitted. */
export interface Played<M extends AnyStateMachine> {
  readonly actor: ActorRefFrom<M>;
  readonly clock: VirtualClock;
  /** What was emitted since the last look. */
  take(): EmittedFrom<M & AnyActorLogic>[];
  /** Set when the actor failed: a broken invariant. */
  error(): unknown;
}

/** Starts a machine and listens. */
export function play<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  clock = new VirtualClock(),
): Played<M> {
  const actor = createActor(machine as AnyStateMachine, { input, clock });
  const emitted: EmittedFrom<M & AnyActorLogic>[] = [];
  let error: unknown;
  actor.on('*', (event) => emitted.push(event as EmittedFrom<M & AnyActorLogic>));
  actor.subscribe({
    error: (reason) => {
      error = reason;
    },
  });
  actor.start();
  return {
    actor: actor as unknown as ActorRefFrom<M>,
    clock,
    take: () => emitted.splice(0),
    error: () => error,
  };
}

export const learnerInput = (clock: VirtualClock, overrides: Partial<LearnerInput> = {}): LearnerInput => ({
  self: 'n1',
  others: ['n2', 'n3'],
  quorum: majority(['n1', 'n2', 'n3']),
  leaseMs: () => LEASE_MS,
  clock,
  random: seededRandom(1),
  held: () => undefined,
  proposedThrough: () => 0,
  snapshot: () => null,
  recovered: { through: 0, learned: new Map() },
  ...overrides,
});

export const proposerInput = (clock: VirtualClock, overrides: Partial<ProposerInput> = {}): ProposerInput => ({
  self: 'n1',
  incarnation: 'n1-i1',
  leaseMs: () => LEASE_MS,
  clock,
  random: seededRandom(1),
  quorum: majority(['n1', 'n2', 'n3']),
  lastRound: 0,
  learned: () => ({ through: 0, known: 0 }),
  isMaster: () => false,
  ...overrides,
});
