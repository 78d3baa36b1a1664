import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { askWhois, natsBus } from '@synod/nats';
import { type Group, type JoinMembership, join } from 'synod';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cleanups, clients, until } from './support.ts';

const voters = ['n1', 'n2', 'n3'];
/** That of most users. Hundreds of takings at once by a process with a third of a core outlive a lease of a second. */
const leaseMs = 3000;
/** As little as lets a batch of the log through. */
const MAX_PAYLOAD = 300_000;
const elections = Array.from({ length: 600 }, (_, i) => `shard-${i}`);
/** Of each master: all of them together are more than twice what a message holds. */
const metadata = { address: 'x'.repeat(1_000) };

describe.each(clients)('more elections than a message of NATS can tell of, over %s', (_client, connect) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({ extraConfig: `max_payload: ${MAX_PAYLOAD}` });
  });
  afterAll(() => server?.stop());
  const after = cleanups();
  afterEach(after.run);

  async function joined(node: string, membership: JoinMembership): Promise<Group> {
    const connection = await connect(server.url);
    after.add(() => connection.close());
    const group = await join(connection, { group: 'orders', node, membership, leaseMs, events: false });
    after.add(() => group.close());
    return group;
  }

  async function member(node: string): Promise<Group> {
    const journal = await mkdtemp(pathOf(tmpdir(), 'synod-large-'));
    after.add(() => rm(journal, { recursive: true, force: true }));
    return joined(node, { role: 'member', voters, journal });
  }

  const heard = (group: Group) =>
    elections.filter((election) => group.election(election).master?.node === 'web').length;

  it('candidates, observers, whois and whoever comes late hear of all of them', async () => {
    await Promise.all(voters.map(member));
    const early = await joined('early', { role: 'observer' });
    const web = await joined('web', { role: 'candidate' });
    const masterships = elections.map((election) => web.election(election, { metadata }).campaign());
    await Promise.all(masterships);
    await until(() => expect(heard(early)).toBe(elections.length));

    const late = await joined('late', { role: 'observer' });
    await until(() => expect(heard(late)).toBe(elections.length));
    const other = await joined('other', { role: 'candidate' });
    await until(() => expect(heard(other)).toBe(elections.length));

    const connection = await connect(server.url);
    after.add(() => connection.close());
    const bus = natsBus(connection, { group: 'orders', node: 'ops' });
    after.add(() => bus.close());
    const whois = await askWhois(bus, { timeoutMs: 10_000, waitMs: 2_000 });
    expect(whois?.isMajority).toBe(true);
    const told = [...(whois?.elections.values() ?? [])].filter(({ current }) => current?.node === 'web');
    expect(told).toHaveLength(elections.length);

    // One command frees all of them: its news are several messages.
    await web.close();
    await until(() => expect([heard(early), heard(late), heard(other)]).toEqual([0, 0, 0]));
  });
});
