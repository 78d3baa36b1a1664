import { setup } from 'xstate';
import type { ProposerEmitted, ProposerEvent, ProposerInput } from './proposer.rules.ts';

export const proposerMachine = () =>
  setup({
    types: {} as { input: ProposerInput; context: ProposerInput; events: ProposerEvent; emitted: ProposerEmitted },
  }).createMachine({
    id: 'proposer',
    context: ({ input }) => input,
    initial: 'idle',
    states: { idle: {}, postponed: {}, preparing: {}, catchingUp: {}, leading: {}, stopped: {} },
  });
