import { setup } from 'xstate';
import type { LearnerEmitted, LearnerEvent, LearnerInput } from './learner.rules.ts';

export const learnerMachine = () =>
  setup({
    types: {} as { input: LearnerInput; context: LearnerInput; events: LearnerEvent; emitted: LearnerEmitted },
  }).createMachine({
    id: 'learner',
    context: ({ input }) => input,
    initial: 'current',
    states: { current: {} },
  });
