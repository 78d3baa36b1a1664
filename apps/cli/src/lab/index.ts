export {
  type FindNatsServerOptions,
  findNatsServer,
  type Log,
  NatsServerNotFoundError,
  type NatsServerProgram,
} from './find-nats-server.ts';
export { type NatsCluster, startNatsCluster } from './nats-cluster.ts';
export { type NatsServer, type StartNatsServerOptions, startNatsServer } from './nats-server.ts';
export {
  judgeHistory,
  type Overlap,
  overlapMs,
  parseHistory,
  readHistories,
  type Tenure,
  type Verdict,
} from './overlap.ts';
