import { afterAll, beforeAll, describe, expect, it, onTestFailed, vi } from 'vitest';
import { Compose, type WatchLine, whyNoCompose } from './support/compose.ts';

const reason = await whyNoCompose();
const members = ['n1', 'n2', 'n3'];
const until = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 60_000, interval: 50 });

describe('docker-compose.yml', () => {
  const compose = new Compose({ SYNOD_LEASE_MS: '2000', SYNOD_GROUP: 'compose' });

  beforeAll(async () => {
    if (reason === undefined) await compose.up();
  });
  afterAll(async () => {
    if (reason === undefined) await compose.down();
  });

  it('elects a master; kills its container, and the watcher tells of the next; loses a NATS server, and still has one', async ({
    skip,
  }) => {
    skip(reason !== undefined, reason);
    onTestFailed(async () => console.error(await compose.logs()));

    const first = await until(() => newest(compose.lines));
    expect(await masterSaid(first.master)).toEqual(first);
    expect(await healthOf('master-watch')).toMatchObject({ isConnected: true, ...first });

    await compose.kill(first.master);
    const next = await until(() => newest(compose.lines, first.term));
    expect(next.master).not.toBe(first.master);
    expect(await masterSaid(next.master)).toEqual(next);

    // Back from its journal it is a voter again, and nobody's mastership ends for that.
    await compose.up();
    const status = JSON.parse(await compose.synod(next.master, 'status', '--json')) as { members: { state: string }[] };
    expect(status.members.map(({ state }) => state)).toEqual(members.map(() => 'voter'));
    expect(await masterSaid(first.master)).toEqual(next);

    await compose.kill('nats-2');
    await until(async () => {
      const said = await Promise.all(members.map(masterSaid));
      expect(new Set(said.map(({ master }) => master)).size).toBe(1);
      expect(said[0]?.term).toBeGreaterThanOrEqual(next.term);
    });
  });

  /** Who is master, as members say who are asked from inside one. */
  async function masterSaid(service: string): Promise<{ master: string; term: number }> {
    const { master, term } = JSON.parse(await compose.synod(service, 'whois', '--json'));
    return { master: master.node, term };
  }

  async function healthOf(service: string): Promise<unknown> {
    const response = await fetch(`http://${await compose.port(service, 8080)}/`);
    expect(response.status).toBe(200);
    return response.json();
  }
});

/** The newest master that the watcher told of. @throws while it has told of none after that term. */
function newest(lines: readonly WatchLine[], beyond = 0): { master: string; term: number } {
  const line = lines.findLast(({ type }) => type === 'synod.master.elected.v1');
  if (!line?.master || !line.term || line.term <= beyond) throw new Error(`no master after term ${beyond}`);
  return { master: line.master, term: line.term };
}
