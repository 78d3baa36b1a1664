import {
  candidateMachine,
  type FoldRules,
  foldRules,
  type HolderClock,
  type HolderClockOptions,
  type LeaseRules,
  leaseRules,
  type MasterView,
  sessionMachine,
} from '@synod/mastership';
import {
  type AcceptorRules,
  acceptorMachine,
  acceptorRules,
  type LearnerRules,
  learnerMachine,
  learnerRules,
  type ProposerRules,
  proposerMachine,
  proposerRules,
  type RecoveryRules,
  recoveryRules,
} from '@synod/paxos';
import type { Journal } from '@synod/protocol';
import { type FormationRules, formationRules, type RoleMachines, type VoteRules, voteRules } from '@synod/runtime';
import { quickInterpreter, quickMachines } from '../group/actors.ts';
import type { Rules } from '../group/life.ts';

/** Single functions in place of those of production. */
export interface Broken {
  readonly acceptor?: Partial<AcceptorRules>;
  readonly proposer?: Partial<ProposerRules>;
  readonly learner?: Partial<LearnerRules>;
  readonly lease?: Partial<LeaseRules>;
  readonly fold?: Partial<FoldRules>;
  readonly formation?: Partial<FormationRules>;
  readonly recovery?: Partial<RecoveryRules>;
  readonly votes?: Partial<VoteRules>;
  readonly heard?: () => MasterView;
  readonly holderClock?: (options: HolderClockOptions) => HolderClock;
  readonly journal?: (journal: Journal) => Journal;
  readonly served?: NonNullable<Rules['served']>;
}

/** Rules for whole groups, with what is broken in place: the machines of production play by them. */
export function rulesOf(broken: Broken, machines: Partial<RoleMachines> = {}): Rules {
  return {
    machines: quickMachines({
      acceptor: acceptorMachine({ ...acceptorRules, ...broken.acceptor }),
      learner: learnerMachine({ ...learnerRules, ...broken.learner }),
      proposer: proposerMachine({ ...proposerRules, ...broken.proposer }),
      lease: sessionMachine({ ...leaseRules, ...broken.lease }),
      candidate: candidateMachine({ ...leaseRules, ...broken.lease }),
      ...machines,
    }),
    fold: { ...foldRules, ...broken.fold },
    formation: { ...formationRules, ...broken.formation },
    recovery: { ...recoveryRules, ...broken.recovery },
    votes: { ...voteRules, ...broken.votes },
    ...(broken.heard ? { heard: broken.heard } : {}),
    ...(broken.holderClock ? { holderClock: broken.holderClock } : {}),
    ...(broken.journal ? { journal: broken.journal } : {}),
    ...(broken.served ? { served: broken.served } : {}),
    interpreter: quickInterpreter,
  };
}
