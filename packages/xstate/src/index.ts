export { groupMachine, jsonView, roleMachines } from 'synod';
export { electionMachine } from './election/election.machine.ts';
export {
  type ElectionActorRef,
  type ElectionLogic,
  type ElectionSnapshot,
  electionLogic,
} from './election/election-logic.ts';
export type { ElectionCommand, ElectionContext, ElectionEvent, ElectionInput } from './election/events.ts';
export { type MasterWorkArguments, masterWork } from './election/master-work.ts';
export {
  type NatsActorRef,
  natsActorRef,
  type SentEvents,
  type ServeActorOptions,
  serveActor,
} from './nats/nats-actor-ref.ts';
