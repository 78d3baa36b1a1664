import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import type { NatsServer } from '@synod/cli/internal';
import { type Group, type JoinMembership, join, type Shards } from 'synod';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cleanups, clients, type TestConnection, until } from '../nats/support.ts';
import { startGuarded, userOf } from '../permissions/accounts.ts';

const voters = ['n1', 'n2', 'n3'];
const pods = ['web-1', 'web-2', 'web-3'];
const count = 60;
const leaseMs = 1000;

describe.each(clients)('shards of pods that are no voters, each a user of its own, over %s', (_client, connect) => {
  let server: NatsServer;
  beforeAll(async () => {
    const users = [...voters.map((node) => userOf(node, 'member')), ...pods.map((node) => userOf(node, 'candidate'))];
    server = await startGuarded(users);
  });
  afterAll(() => server?.stop());
  const after = cleanups();
  afterEach(after.run);

  async function joined(node: string, membership: JoinMembership): Promise<[Group, TestConnection]> {
    const connection = await connect(server.url, { user: node, pass: 'x' });
    after.add(() => connection.close());
    const group = await join(connection, { group: 'orders', node, membership, leaseMs });
    after.add(() => group.close());
    return [group, connection];
  }

  async function voting(): Promise<void> {
    const joining = voters.map(async (node) => {
      const journal = await mkdtemp(pathOf(tmpdir(), 'synod-shards-'));
      after.add(() => rm(journal, { recursive: true, force: true }));
      return joined(node, { role: 'member', voters, journal });
    });
    await Promise.all(joining);
  }

  it('are spread evenly, over one that comes and one that dies, and each is held once at most', async () => {
    await voting();
    const sets = new Map<string, Shards>();
    const twice: string[] = [];
    const numbers = () => [...sets.values()].map(({ held }) => held.length).sort((a, b) => a - b);
    const begin = async (node: string): Promise<TestConnection> => {
      const [group, connection] = await joined(node, { role: 'candidate' });
      const shards = group.shards({
        count,
        onAcquired({ index, name }) {
          for (const [other, set] of sets)
            if (other !== node && set.mastership(index)) twice.push(`${name} at ${node} and ${other}`);
        },
      });
      sets.set(node, shards);
      return connection;
    };
    await Promise.all(['web-1', 'web-2'].map(begin));
    await until(() => expect(numbers()).toEqual([30, 30]));
    const connection = await begin('web-3');
    await until(() => expect(numbers()).toEqual([20, 20, 20]));

    // Whoever it was linked to sees its socket closed, nobody a word: its lease ends here and there.
    const dead = sets.get('web-3') as Shards;
    await connection.close();
    await until(() => expect(dead.held).toEqual([]));
    sets.delete('web-3');
    await until(() => expect(numbers()).toEqual([30, 30]));

    const closing = sets.get('web-2') as Shards;
    sets.delete('web-2');
    await closing.close();
    expect(closing.held).toEqual([]);
    await until(() => expect(numbers()).toEqual([60]));
    expect(sets.get('web-1')?.holders()).toEqual(new Map([['web-1', 60]]));
    expect(twice).toEqual([]);
  });
});
