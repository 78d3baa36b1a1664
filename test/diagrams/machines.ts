import { candidateMachine, sessionMachine } from '@synod/mastership';
import { acceptorMachine, learnerMachine, proposerMachine } from '@synod/paxos';
import { groupMachine } from '@synod/runtime';
import { electionMachine } from '@synod/xstate';
import type { Election } from 'synod';
import type { AnyStateMachine } from 'xstate';

export interface Diagram {
  /** In the markers: `<!-- diagram:acceptor -->` … `<!-- /diagram -->`. */
  readonly name: string;
  /** From the top of the repository. */
  readonly readme: string;
  readonly machine: AnyStateMachine;
}

const lease = sessionMachine();
const candidate = candidateMachine();
const acceptor = acceptorMachine();
const learner = learnerMachine();
const proposer = proposerMachine();

/** Every machine that a package's README shows. */
export const diagrams: readonly Diagram[] = [
  { name: 'acceptor', readme: 'packages/paxos/README.md', machine: acceptor },
  { name: 'learner', readme: 'packages/paxos/README.md', machine: learner },
  { name: 'proposer', readme: 'packages/paxos/README.md', machine: proposer },
  { name: 'session', readme: 'packages/mastership/README.md', machine: lease },
  { name: 'candidate', readme: 'packages/mastership/README.md', machine: candidate },
  {
    name: 'group',
    readme: 'packages/runtime/README.md',
    machine: groupMachine({ acceptor, learner, proposer, lease, candidate }),
  },
  {
    name: 'election',
    readme: 'packages/xstate/README.md',
    // Drawn, not run.
    machine: electionMachine({ name: 'group' } as Election),
  },
];
