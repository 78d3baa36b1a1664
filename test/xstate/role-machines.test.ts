import { freshAcceptor } from '@synod/paxos';
import { groupMachine, jsonView, roleMachines } from '@synod/xstate';
import { expect, it } from 'vitest';
import { createActor } from 'xstate';

it("the role machines run under a user's inspector, which gets a JSON view of what they hold", () => {
  const seen: string[] = [];
  const acceptor = createActor(roleMachines.acceptor, {
    input: {
      self: 'n1',
      store: { storeId: 's1', incarnations: 1, flushes: 1 },
      recovered: freshAcceptor(),
      mayVote: true,
    },
    inspect: (event) => {
      const shown = jsonView(event);
      expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
      seen.push(event.type);
    },
  });
  acceptor.start();
  acceptor.send({ type: 'learned', through: 0 });
  acceptor.stop();
  expect(new Set(seen)).toContain('@xstate.event');
  expect(new Set(seen)).toContain('@xstate.snapshot');
});

it('all of them make the machine of a node', () => {
  const machine = groupMachine(roleMachines);
  expect(Object.keys(machine.states)).toContain('voter');
  for (const role of ['acceptor', 'learner', 'proposer', 'lease']) expect(roleMachines).toHaveProperty(role);
});
