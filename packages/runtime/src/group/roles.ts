import {
  type LeaseEmitted,
  leaseMachine,
} from '@synod/mastership';
import {
  type AcceptorEmitted,
  acceptorMachine,
  type LearnerEmitted,
  learnerMachine,
  type ProposerEmitted,
  proposerMachine,
} from '@synod/paxos';
import type { MessageType, Role } from '@synod/protocol';
import type { ActorRefFrom } from 'xstate';

export interface Roles {
  readonly acceptor: ActorRefFrom<ReturnType<typeof acceptorMachine>>;
  readonly learner: ActorRefFrom<ReturnType<typeof learnerMachine>>;
  readonly proposer: ActorRefFrom<ReturnType<typeof proposerMachine>>;
  readonly lease: ActorRefFrom<ReturnType<typeof leaseMachine>>;
}

export type RoleEmitted = AcceptorEmitted | LearnerEmitted | ProposerEmitted | LeaseEmitted;

/** The real machines; a simulation hands in broken ones. */
export const realMachines = () => ({
  acceptor: acceptorMachine(),
  learner: learnerMachine(),
  proposer: proposerMachine(),
  lease: leaseMachine(),
});

/** Who is to hear a message. */
export const RECIPIENT: Readonly<Record<MessageType, Role>> = {
  prepare: 'acceptor',
  accept: 'acceptor',
  promise: 'proposer',
  reject: 'proposer',
  accepted: 'proposer',
  trimmed: 'proposer',
  chosen: 'learner',
  fetch: 'learner',
  learned: 'learner',
  snapshot: 'learner',
  news: 'learner',
  append: 'log',
  claim: 'identity',
  claimed: 'identity',
  formation: 'formation',
};
