import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { eventsOf, type MasterEvent, type NatsConnectionLike } from '@synod/nats';
import type { MasterRecord } from '@synod/protocol';
import { connect as connect2 } from 'nats';
import { expect, vi } from 'vitest';

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

/** Waits for what a check asserts: nothing here waits for a time. */
export const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 15_000, interval: 5 });

/** What tests do with a connection of either client, besides handing it to Synod. */
export interface TestConnection extends NatsConnectionLike {
  close(): Promise<void>;
  drain(): Promise<void>;
}

/** Options that both clients know, and tests use. */
export type ConnectOptions = Pick<NodeConnectionOptions, 'user' | 'pass' | 'noEcho' | 'inboxPrefix' | 'name'>;

export type Connect = (servers: string | readonly string[], options?: ConnectOptions) => Promise<TestConnection>;

/** As `join` advises it, and quick to come back: these tests break connections on purpose. */
const optionsFor = (servers: string | readonly string[], options: ConnectOptions) => ({
  servers: [servers].flat(),
  maxReconnectAttempts: -1,
  reconnectTimeWait: 10,
  reconnectJitter: 0,
  ...options,
});

/** A connection of the newer client: what tests look at the server with. */
export const connectTo = (
  servers: string | readonly string[],
  options: NodeConnectionOptions = {},
): Promise<NatsConnection> => connect({ ...optionsFor(servers, {}), ...options });

/** Both clients that a user may have; what is said of a connection holds for either. */
export const clients: readonly (readonly [client: string, connect: Connect])[] = [
  ['@nats-io/transport-node 3', (servers, options = {}) => connect(optionsFor(servers, options))],
  ['nats 2', (servers, options = {}) => connect2(optionsFor(servers, options))],
];

/** Runs what was put on it when a test is over, the last first. */
export function cleanups(): { add(cleanup: () => Promise<unknown>): void; run(): Promise<void> } {
  const added: (() => Promise<unknown>)[] = [];
  return {
    add: (cleanup) => void added.push(cleanup),
    run: async () => {
      for (const cleanup of added.splice(0).reverse()) await cleanup();
    },
  };
}

export const recordOf = (node: string, version: number, more: Partial<MasterRecord> = {}): MasterRecord => ({
  election: 'group',
  master: version,
  term: version,
  version,
  setBy: `inc/${version}`,
  metadata: {},
  node,
  cause: 'vacant',
  ...more,
});

/** As `teller` tells that the record is so. */
export function eventOf(teller: string, record: MasterRecord, group = 'orders'): MasterEvent {
  const [event] = eventsOf({ group, node: teller, previous: null, next: record, session: null, timeMs: Date.now() });
  expect(event).toBeDefined();
  return event as MasterEvent;
}
