import { candidateMachine, type FoldRules, foldRules, leaseRules } from '@synod/mastership';
import { learnerMachine } from '@synod/paxos';
import { assign, enqueueActions } from 'xstate';
import type { Plan } from '../run/plan.ts';
import { type Broken, rulesOf } from './broken.ts';
import type { Control } from './control.ts';

/** Resign is said once and lost, and while it is waited for the session goes on being renewed. */
const resignsIntoTheVoid = () =>
  candidateMachine({ ...leaseRules, overrunAtMs: () => Number.POSITIVE_INFINITY }).provide({
    actions: { submitResignation: assign({}) },
  });

const vetoed = new WeakSet<object>();

/** In the others nobody's health is asked. */
const isVetoed = ({ faults }: Plan): boolean => faults.some(({ kind }) => kind === 'veto');

/** A state machine that looks at more than its log: every tenth renewal is refused, by some of the nodes. */
function differsBetweenNodes(): Broken {
  const seen = new WeakMap<object, { readonly isOdd: boolean; renewals: number }>();
  let nodes = 0;
  return {
    fold: {
      refuseRenew(change, command) {
        const node = seen.get(change.state) ?? { isOdd: ++nodes % 2 === 1, renewals: 0 };
        seen.set(change.state, node);
        if (node.isOdd && ++node.renewals % 10 === 0) return 'version';
        return foldRules.refuseRenew.call(this as FoldRules, change, command);
      },
    },
  };
}

/** Mistakes that only whole groups show: most leave one without a master for ever (section 9, "stuck for ever"). */
export const groupControls: readonly Control[] = [
  {
    name: 'chosen-slot-nobody-tells',
    rule: 'N2, B1c',
    sentence: 'Nobody answers for a chosen slot, and nobody leads to have it told again.',
    engines: [
      {
        kind: 'seeds',
        seed: 3,
        rules: () =>
          rulesOf(
            {},
            {
              learner: learnerMachine().provide({
                actions: { answer: enqueueActions(() => {}), sayStuck: enqueueActions(() => {}) },
              }),
            },
          ),
      },
    ],
    finds: /progress/,
  },
  {
    name: 'stuck-slot-nobody-leads',
    rule: 'B1c',
    sentence: 'A slot that stays unlearned is no reason to lead.',
    engines: [
      {
        kind: 'seeds',
        seed: 71,
        rules: () =>
          rulesOf({}, { learner: learnerMachine().provide({ actions: { sayStuck: enqueueActions(() => {}) } }) }),
      },
    ],
    finds: /progress/,
  },
  {
    name: 'veto-never-lifted',
    rule: 'T11; section 9, "all members vetoed"',
    sentence: 'A member that was vetoed once never asks again.',
    engines: [
      {
        kind: 'seeds',
        seed: 16,
        rules: () =>
          rulesOf({
            lease: {
              mayAsk(c) {
                if (!c.isEligible) vetoed.add(c.input);
                return !vetoed.has(c.input) && leaseRules.mayAsk(c);
              },
            },
          }),
      },
    ],
    finds: /progress/,
  },
  {
    name: 'veto-ignored',
    rule: 'T11, "only if healthy and not vetoed"',
    sentence: 'A member that is vetoed asks all the same, and takes what it is given.',
    engines: [
      {
        kind: 'seeds',
        seed: 5,
        rules: () =>
          rulesOf({
            lease: {
              mayAsk: (c) => leaseRules.mayAsk({ ...c, isEligible: true }),
              hasWon: (c) => leaseRules.hasWon({ ...c, isEligible: true }),
            },
          }),
        concerns: isVetoed,
      },
    ],
    finds: /a veto counts/,
  },
  {
    name: 'resign-lost-session-renewed',
    rule: 'T7',
    sentence: 'Resign is said once and lost, and the session goes on being renewed.',
    engines: [{ kind: 'seeds', seed: 7, rules: () => rulesOf({}, { candidate: resignsIntoTheVoid() }) }],
    finds: /progress/,
  },
  {
    name: 'never-renews',
    rule: 'T10',
    sentence: 'A holder renews later than its lease runs out: there is always a new master soon, and none that stays.',
    engines: [
      { kind: 'seeds', seed: 1, rules: () => rulesOf({ lease: { renewAtMs: () => Number.POSITIVE_INFINITY } }) },
    ],
    finds: /let its mastership of \w+ run out/,
  },
  {
    name: 'fold-differs-between-nodes',
    rule: 'N1; section 3, "the same at every node"',
    sentence: 'What becomes of a command depends on more than the log: on who applies it.',
    engines: [{ kind: 'seeds', seed: 2, rules: () => rulesOf(differsBetweenNodes()) }],
    finds: /folds are equal everywhere/,
  },
];
