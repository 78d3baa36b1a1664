import { afterEach, describe, expect, it } from 'vitest';
import { TestWorld } from '../testing/test-world.ts';

const worlds: TestWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const candidate = { membership: { role: 'candidate' } } as const;
const observer = { membership: { role: 'observer' } } as const;

const COUNT = 120;
const elections = Array.from({ length: COUNT }, (_, i) => `shard-${i}`);

/** Messages of 8 kB at most: what is known of so many elections takes several. */
async function started(): Promise<TestWorld> {
  const world = new TestWorld({ maxPayloadBytes: 8_192 });
  worlds.push(world);
  await world.start();
  return world;
}

async function join(world: TestWorld, node: string, options: object): Promise<void> {
  const { started: joined } = world.launch(node, options);
  let isJoined = false;
  void joined.then(() => {
    isJoined = true;
  });
  await world.until(() => isJoined, 5 * world.leaseMs);
}

/** Node by node, so that no batch of takings is larger than a message. */
async function hold(world: TestWorld, node: string): Promise<void> {
  for (const election of elections) {
    void world
      .node(node)
      .election(election)
      .campaign()
      .catch(() => {});
    await world.until(() => world.node(node).election(election).isMaster(), 2 * world.leaseMs);
  }
}

const heard = (world: TestWorld, node: string) =>
  elections.map((election) => world.node(node).election(election).master?.node ?? null);
const all = (node: string | null) => elections.map(() => node);

describe('more elections than a message can tell of', () => {
  it('who comes late hears of all of them', async () => {
    const world = await started();
    await hold(world, 'a');
    await join(world, 'watch', observer);
    expect(heard(world, 'watch')).toEqual(all('a'));
    await join(world, 'web', candidate);
    expect(heard(world, 'web')).toEqual(all('a'));
  });

  it('whois tells of all of them', async () => {
    const world = await started();
    await join(world, 'watch', observer);
    world.network.disconnect('watch');
    await hold(world, 'a');
    world.network.reconnect('watch');
    const asked = world.node('watch').election('shard-7').whois();
    await world.advance(world.leaseMs);
    expect(await asked).toMatchObject({ node: 'a' });
    expect(heard(world, 'watch')).toEqual(all('a'));
  });

  it('a session that ended while nobody could tell has ended for who hears the present in pieces', async () => {
    const world = await started();
    await hold(world, 'a');
    await join(world, 'watch', observer);
    const { sessions } = world.status('watch');
    const [held] = sessions.filter(({ node }) => node === 'a');
    world.network.disconnect('watch');
    world.crash('a');
    await world
      .until(() => !world.status('b').sessions.some(({ id }) => id === held?.id), 5 * world.leaseMs)
      .catch(() => {});
    void world
      .node('b')
      .election('shard-0')
      .campaign()
      .catch(() => {});
    await world.until(() => world.node('b').election('shard-0').isMaster(), 5 * world.leaseMs);
    world.network.reconnect('watch');
    await world.advance(world.leaseMs);
    expect(world.status('watch').sessions.map(({ id }) => id)).not.toContain(held?.id);
    expect(heard(world, 'watch').slice(1)).toEqual(all(null).slice(1));
  });

  it('the end of a holder of all of them is heard at once, though it frees more than a message tells', async () => {
    const world = await started();
    await hold(world, 'a');
    await join(world, 'watch', observer);
    await join(world, 'web', candidate);
    let asked = 0;
    world.network.tap(({ from }) => {
      if (from === 'watch') asked++;
    });
    const closing = world.node('a').close();
    await world.until(() => heard(world, 'watch').every((node) => node === null), world.leaseMs);
    await world.advance(20);
    expect(heard(world, 'web')).toEqual(all(null));
    expect(asked).toBe(0);
    await world.advance(world.leaseMs);
    await closing;
  });

  it('a candidate keeps its lease over a change of leader, and hears what changed meanwhile', async () => {
    const world = await started();
    await join(world, 'web', candidate);
    await hold(world, 'web');
    const { master } = world.node('web').election('shard-0');
    const leader = world.status('a').leader ?? 'a';
    world.crash(leader);
    await world.advance(4 * world.leaseMs);
    expect(world.node('web').election('shard-0').master).toMatchObject({ node: 'web', term: master?.term });
    expect(elections.every((election) => world.node('web').election(election).isMaster())).toBe(true);
  });
});
