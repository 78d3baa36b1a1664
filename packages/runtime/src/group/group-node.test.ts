import { afterEach, describe, expect, it } from 'vitest';
import { TestWorld } from '../testing/test-world.ts';

describe('a group over ports in memory', () => {
  let world = new TestWorld();
  afterEach(() => world.close());

  it('forms, elects one master, keeps it', async () => {
    world = new TestWorld();
    await world.start();
    for (const node of world.voters) world.campaign(node);
    await world.untilMaster();
    const [master] = world.masters();
    await world.advance(10 * world.leaseMs);
    expect(world.masters()).toEqual([master]);
    expect(world.held).toHaveLength(1);
  });
});
