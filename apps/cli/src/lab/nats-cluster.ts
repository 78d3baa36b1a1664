import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type NatsServer, type StartNatsServerOptions, startNatsServer } from './nats-server.ts';

export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  /** Of every server, for a client's list. */
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

const attempts = 3;
const readyTimeoutMs = 30_000;

/** Starts `size` NATS servers that know each other; resolves when each is connected to all others. */
export async function startNatsCluster(
  size = 3,
  options: Omit<StartNatsServerOptions, 'port' | 'storeDir'> = {},
): Promise<NatsCluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(size, options);
    } catch (error) {
      // A port that was free may be taken by another process before the server binds it.
      const isTaken = error instanceof Error && error.message.includes('address already in use');
      if (!isTaken || attempt === attempts) throw error;
    }
  }
}

async function start(size: number, options: Omit<StartNatsServerOptions, 'port' | 'storeDir'>): Promise<NatsCluster> {
  // JetStream counts the routes of its configuration to know how large the cluster will be, so all must be named before
  // the first server starts; client ports can be the server's own choice.
  const routePorts = await freePorts(size);
  const results = await Promise.allSettled(
    routePorts.map((routePort, index) => {
      const routes = routePorts.filter((port) => port !== routePort).map((port) => `"nats://127.0.0.1:${port}"`);
      const cluster = `cluster { name: "lab", listen: "127.0.0.1:${routePort}", routes: [${routes.join(', ')}] }`;
      const extraConfig = [`server_name: "nats-${index + 1}"`, cluster, options.extraConfig ?? ''].join('\n');
      return startNatsServer({ ...options, extraConfig });
    }),
  );
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
    const signal = AbortSignal.timeout(readyTimeoutMs);
    await Promise.all(servers.map((server) => untilConnected(server, size - 1, options.jetstream === true, signal)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, urls: servers.map(({ url }) => url), stop };
}

/** The server offers no event for this, so it is asked again and again. */
async function untilConnected(server: NatsServer, others: number, jetstream: boolean, signal: AbortSignal) {
  for (;;) {
    const routes = (await monitor(server, 'routez', signal)) as { routes?: { remote_id: string }[] };
    const connected = new Set(routes.routes?.map((route) => route.remote_id)).size;
    if (connected >= others && (!jetstream || (await hasMetaLeader(server, signal)))) return;
    await delay(10, undefined, { signal });
  }
}

async function hasMetaLeader(server: NatsServer, signal: AbortSignal): Promise<boolean> {
  const state = (await monitor(server, 'jsz', signal)) as { meta_cluster?: { leader?: string } };
  return Boolean(state.meta_cluster?.leader);
}

async function monitor(server: NatsServer, page: string, signal: AbortSignal): Promise<unknown> {
  return (await fetch(`${server.monitorUrl}/${page}`, { signal })).json();
}

/** Ports that no one listens on now. All are held at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const holders = await Promise.all(Array.from({ length: count }, hold));
  const ports = holders.map((holder) => (holder.address() as { port: number }).port);
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
}

function hold(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
