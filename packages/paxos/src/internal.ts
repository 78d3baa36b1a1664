// For packages of this workspace that drive the rules without the machines: the explorer of `@synod/simulator`.
export { initialLearner } from './learner/learner.rules.ts';
export { chosenElsewhere, hasHole, initialProposer, isCaughtUp, noteWish, WINDOW } from './proposer/proposer.rules.ts';
