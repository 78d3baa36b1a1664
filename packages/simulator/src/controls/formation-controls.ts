import { configurationDigest } from '@synod/protocol';
import { type FormationRules, type FormationState, formationRules } from '@synod/runtime';
import { type FormationBounds, FormationWorld } from '../explorer/formation-world.ts';
import { rulesOf } from './broken.ts';
import type { Control, ExplorerEngine } from './control.ts';

type Step = ReturnType<FormationRules['begin']>;

const explored = (bounds: FormationBounds, broken: Partial<FormationRules>): ExplorerEngine => ({
  kind: 'explorer',
  broken: { formation: broken },
  world: () => new FormationWorld(bounds, { ...formationRules, ...broken }),
  sound: () => new FormationWorld(bounds),
});

const three: FormationBounds = { name: 'n1 n2 n3', voters: ['n1', 'n2', 'n3'], wipes: 1, askings: 1 };

/** Forms as soon as a majority says that it keeps the same. */
const byMajority = (step: Step): Step => {
  const { state } = step;
  if (!state.kept || state.isFormed) return step;
  const digest = configurationDigest(state.kept);
  const same = [...state.heard.values()].filter((heard) => heard.keptDigest === digest).length + 1;
  return 2 * same > state.kept.voters.length ? formed(step) : step;
};

const formed = (step: Step): Step => ({
  ...step,
  state: { ...step.state, isFormed: true, conflict: null },
  records: [...step.records, { type: 'formed' }],
});

/** Keeps whatever it hears of last. */
const keepsAnother = (state: FormationState, step: Step, kept: FormationState['kept']): Step => {
  if (!kept || state.isFormed || !kept.voters.some(({ storeId }) => storeId === state.storeId)) return step;
  return { ...step, state: { ...step.state, kept, conflict: null } };
};

const stores = (n1: string, n2: string, n3: string) => ({ n1, n2, n3 });

/** Broken rules of formation (section 6, I5). */
export const formationControls: readonly Control[] = [
  {
    name: 'formation-by-majority',
    rule: 'I5',
    sentence: 'A store votes when a majority keeps the same configuration, and one folder is emptied in the middle.',
    engines: [
      explored(three, {
        begin: (state) => byMajority(formationRules.begin(state)),
        hear: (state, heard) => byMajority(formationRules.hear(state, heard)),
      }),
    ],
    finds: /I5/,
  },
  {
    name: 'keeps-another-configuration',
    rule: 'I5',
    sentence: 'A store that keeps a configuration keeps another when it hears of one.',
    engines: [
      explored(three, {
        hear: (state, heard) => keepsAnother(state, formationRules.hear(state, heard), heard.kept),
      }),
    ],
    finds: /I5|one configuration/,
  },
  {
    name: 'bootstrap-given-twice',
    rule: 'I5, "given once to one node"',
    sentence: 'A bootstrap forms the group at the node it is given to, whatever others keep, and is given to two.',
    engines: [
      explored(
        {
          ...three,
          wipes: 0,
          askings: 2,
          named: { n1: stores('n1-s', 'n2-s', 'n3-s'), n2: stores('n1-s', 'n2-s', 'n3-s2') },
        },
        {
          begin: (state) => {
            const step = formationRules.begin(state);
            return state.named && step.state.kept && !step.state.isFormed ? formed(step) : step;
          },
        },
      ),
    ],
    finds: /I5/,
  },
  {
    name: 'configuration-unchecked',
    rule: 'I3',
    sentence: 'Votes of a store that keeps another configuration count.',
    engines: [
      {
        kind: 'seeds',
        seed: 35,
        rules: () => rulesOf({ votes: { isWelcome: () => true } }),
        concerns: ({ stranger }) => stranger !== null,
      },
    ],
    finds: /agreement/,
  },
];
