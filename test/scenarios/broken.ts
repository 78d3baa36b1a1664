import { leaseRules } from '@synod/mastership';
import { proposerRules } from '@synod/paxos';
import { invariant } from '@synod/protocol';
import { type FormationRules, type FormationState, formationRules } from '@synod/runtime';
import { type Broken, controls, type Rules, rulesOf } from '@synod/simulator';

/** Rules as they were before a bug was mended, and rules that a scenario stands for; besides the controls. */
const BROKEN: Readonly<Record<string, Broken>> = {
  /** A promise of one is enough to lead. */
  'leads-alone': { proposer: { hasPrepareQuorum: () => true } },
  /** A candidate waits for nobody. */
  'no-wait': { lease: { waitEndsAtMs: () => 0 } },
  /** A candidate waits a lease also for what was given back. */
  'waits-for-what-is-free': {
    lease: {
      askAtMs(c) {
        const { leaseMs, input } = c.input.lease();
        const isFirst = input.view.record(c.input.election).term === 0;
        return leaseRules.askAtMs(c) + (isFirst ? 0 : leaseMs);
      },
    },
  },
  /** Whoever wants to be next asks when the record is free, and not before. */
  'nobody-stands-by': { lease: { mayStandBy: () => false } },
  /** Before "a slot that was proposed and is held by nobody is filled". */
  'proposed-slot-not-filled': {
    proposer: {
      fill: () => {},
      takeOver(state) {
        state.seen = 0;
        proposerRules.takeOver(state);
      },
    },
  },
  /** Before "a process stopped while it wins does not leave its group": the action looked at the clock again. */
  'looks-twice-at-the-clock': {
    lease: {
      hold(c, session, request) {
        invariant(c.rules.openedSession(c, [session]) !== null, 'a look at the clock is not enough');
        return leaseRules.hold(c, session, request);
      },
    },
  },
  /** Before "a formed group is joined by a late voter though a third was wiped": whoever was wiped was looked at first. */
  'wiped-voter-stops-formation': {
    formation: {
      begin: (state) => unlessInConflict(state, formationRules.begin(state)),
      hear: (state, heard) => unlessInConflict(state, formationRules.hear(state, heard)),
    },
  },
};

type FormationStep = ReturnType<FormationRules['begin']>;

function unlessInConflict({ isFormed, conflict }: FormationState, step: FormationStep): FormationStep {
  if (isFormed || conflict === null || !step.state.isFormed) return step;
  return { ...step, state: { ...step.state, isFormed: false, conflict }, records: [] };
}

/** @throws Error when nothing of this name is known. */
export function brokenRules(name: string): Rules {
  const known = BROKEN[name];
  if (known) return rulesOf(known);
  const control = controls.find((found) => found.name === name);
  for (const engine of control?.engines ?? []) return engine.kind === 'seeds' ? engine.rules() : rulesOf(engine.broken);
  throw new Error(`nothing broken is called ${name}`);
}
