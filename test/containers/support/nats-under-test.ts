import { createServer } from 'node:net';
import { startNatsServer } from '@synod/cli/internal';
import { NatsContainer } from '@testcontainers/nats';
import type { ContainerRuntimeClient } from 'testcontainers';
import { natsImage } from './engine.ts';

/** One NATS server with JetStream that can be hurt. It keeps its address and its streams whatever is done to it. */
export interface NatsUnderTest {
  readonly connection: { readonly servers: string; readonly user?: string; readonly pass?: string };
  /** It stands still, and its connections with it. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** It ends without a word; {@link NatsUnderTest.start} starts it again. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** It ends in order, and starts again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** In a container of the engine. */
export async function natsContainer(engine: ContainerRuntimeClient): Promise<NatsUnderTest> {
  // A port that the engine chooses is another one after a restart.
  const container = await withFreePort((host) =>
    new NatsContainer(natsImage).withJetStream().withExposedPorts({ container: 4222, host }).start(),
  );
  const { servers, user, pass } = container.getConnectionOptions();
  const handle = engine.container.getById(container.getId());
  return {
    connection: { servers: servers as string, user: user as string, pass: pass as string },
    pause: () => handle.pause(),
    resume: () => handle.unpause(),
    kill: () => handle.kill(),
    start: () => handle.start(),
    restart: () => handle.restart(),
    stop: async () => {
      await handle.unpause().catch(() => {}); // A paused one cannot be stopped.
      await container.stop({ timeout: 1000 });
    },
  };
}

/** The same as a process of this machine. */
export async function natsProcess(): Promise<NatsUnderTest> {
  const server = await startNatsServer({ jetstream: true });
  return {
    connection: { servers: server.url },
    pause: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
    kill: () => server.kill('SIGKILL'),
    start: () => server.restart(),
    restart: () => server.restart(),
    stop: () => server.stop(),
  };
}

/** A free port may be taken by another process before it is used: then another one. */
async function withFreePort<T>(use: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await use(await freePort());
    } catch (error) {
      if (attempt === 3 || !/port is already allocated|address already in use/.test((error as Error).message))
        throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
