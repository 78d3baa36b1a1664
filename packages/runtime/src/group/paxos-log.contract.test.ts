import { consensusLogContract } from '@synod/protocol/testing';
import { TestWorld } from '../testing/test-world.ts';

consensusLogContract('the Paxos log of three members', async () => {
  const world = new TestWorld();
  await world.start();
  const nodes = world.voters.map((node) => world.node(node).log);
  return { nodes, firstPosition: 1, step: () => world.clock.advanceAsync(1), close: () => world.close() };
});
