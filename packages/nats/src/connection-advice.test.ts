import { describe, expect, it } from 'vitest';
import { adviseConnection } from './connection-advice.ts';
import type { NatsConnectionLike } from './nats-connection.ts';

const connectionWith = (options?: object): NatsConnectionLike => ({ options }) as unknown as NatsConnectionLike;
const good = { reconnect: true, maxReconnectAttempts: -1, pingInterval: 1000, maxPingOut: 2 };

describe('adviseConnection', () => {
  it('says nothing of a connection that suits the lease, nor of one that hides its options', () => {
    expect(adviseConnection(connectionWith(good), 2000)).toEqual([]);
    expect(adviseConnection(connectionWith(), 2000)).toEqual([]);
  });

  it('warns of a client that gives up', () => {
    expect(adviseConnection(connectionWith({ ...good, maxReconnectAttempts: 10 }), 2000)).toEqual([
      expect.stringMatching(/after 10 attempts.*maxReconnectAttempts: -1/),
    ]);
    expect(adviseConnection(connectionWith({ ...good, reconnect: false }), 2000)).toHaveLength(1);
  });

  it('warns of a server that takes no large messages', () => {
    const connection = { ...connectionWith(good), info: { max_payload: 65_536 } } as NatsConnectionLike;
    expect(adviseConnection(connection, 2000)).toEqual([expect.stringMatching(/65536 bytes.*max_payload/)]);
  });

  it('31: warns of pings that notice a stalled path after the lease is over', () => {
    expect(adviseConnection(connectionWith({ ...good, pingInterval: 120_000 }), 3000)).toEqual([
      expect.stringMatching(/after 240000 ms.*lease is 3000 ms.*pingInterval: 1500/),
    ]);
  });
});
