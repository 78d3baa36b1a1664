// For packages of this workspace that drive the rules without the machines: the explorer of `@synod/simulator`.

export {
  applySlot,
  type Change,
  type Configurations,
  type Era,
  eraOf,
  formedAs,
  type MembershipRules,
  membershipRules,
  newestEra,
  type Voter,
  type VoterId,
  voterId,
} from './configurations/configurations.rules.ts';
export { type DutyRules, dutyRules, quorumOf } from './configurations/duties.rules.ts';
export { initialLearner } from './learner/learner.rules.ts';
export { chosenElsewhere, hasHole, initialProposer, isCaughtUp, noteWish, WINDOW } from './proposer/proposer.rules.ts';
