import { setup } from 'xstate';
import { type LeaseContext, type LeaseRules, leaseRules } from './lease.rules.ts';
import type { LeaseEmitted, LeaseEvent, LeaseInput } from './lease.types.ts';

export const leaseMachine = (_rules: LeaseRules = leaseRules) =>
  setup({
    types: {} as { input: LeaseInput; context: LeaseContext; events: LeaseEvent; emitted: LeaseEmitted },
  }).createMachine({
    id: 'lease',
    context: ({ input }) => ({ input }),
    initial: 'observing',
    states: { observing: {} },
  });
