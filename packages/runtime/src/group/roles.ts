import { candidateMachine, sessionMachine } from '@synod/mastership';
import { acceptorMachine, learnerMachine, proposerMachine } from '@synod/paxos';
import type { MessageType, Role } from '@synod/protocol';
import type { ActorRefFrom } from 'xstate';
import type { NodeOptions } from '../options.ts';
import type { RoleMachines } from './group.machine.ts';

export interface Roles {
  readonly acceptor: ActorRefFrom<ReturnType<typeof acceptorMachine>>;
  readonly learner: ActorRefFrom<ReturnType<typeof learnerMachine>>;
  readonly proposer: ActorRefFrom<ReturnType<typeof proposerMachine>>;
  readonly lease: ActorRefFrom<ReturnType<typeof sessionMachine>>;
}

/** The real machines; a simulation hands in broken ones. */
export const realMachines: RoleMachines = {
  acceptor: acceptorMachine(),
  learner: learnerMachine(),
  proposer: proposerMachine(),
  lease: sessionMachine(),
  candidate: candidateMachine(),
};

/** What each kind of node listens to. A member follows the log: the news of it are for those who do not. */
export const HEARS: Readonly<Record<NodeOptions['membership']['role'], readonly Role[]>> = {
  member: ['identity', 'learner', 'formation', 'acceptor', 'proposer', 'candidate', 'log'],
  candidate: ['identity', 'news', 'candidate'],
  observer: ['identity', 'news'],
};

/** Who is to hear a message. */
export const RECIPIENT: Readonly<Record<MessageType, Role>> = {
  prepare: 'acceptor',
  accept: 'acceptor',
  promise: 'proposer',
  reject: 'proposer',
  accepted: 'proposer',
  trimmed: 'proposer',
  standby: 'proposer',
  chosen: 'learner',
  fetch: 'learner',
  learned: 'learner',
  snapshot: 'learner',
  news: 'news',
  outcomes: 'news',
  present: 'learner',
  append: 'log',
  claim: 'identity',
  claimed: 'identity',
  formation: 'formation',
  wish: 'candidate',
  offer: 'candidate',
  consent: 'candidate',
  share: 'candidate',
};
