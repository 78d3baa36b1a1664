import { candidateMachine, type FoldRules, foldRules, leaseRules } from '@synod/mastership';
import { waitMs } from '@synod/protocol';
import { assign } from 'xstate';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, SeedsEngine } from './control.ts';

const found = (seed: number, broken: Broken): readonly [SeedsEngine] => [
  { kind: 'seeds', seed, rules: () => rulesOf(broken) },
];

/** Where commands are asked for again, long after: what is wrong about one that is chosen twice shows nowhere else. */
const foundWhereAskedAgain = (seed: number, broken: Broken): readonly [SeedsEngine] => [
  {
    kind: 'seeds',
    seed,
    rules: () => rulesOf(broken),
    concerns: ({ faults }) => faults.some((fault) => fault.kind === 'replay' && fault.of === 'commands'),
  },
];

/** What was refused once is asked for again, as it was: the one that is named has long left. */
const insistsOnItsHeir = () =>
  candidateMachine({ ...leaseRules, overrunAtMs: () => Number.POSITIVE_INFINITY }).provide({
    actions: { disinherit: assign({}) },
  });

/** Broken rules of several elections, of hand-over, of priority and of settings that change. */
export const handOverControls: readonly Control[] = [
  {
    name: 'transfer-keeps-the-term',
    rule: 'S1; section 3, Transfer',
    sentence: 'Who is handed an election goes on with the term of the one before.',
    engines: found(5, {
      fold: {
        transfer(change, command, to) {
          const { term } = change.record(command.election);
          foldRules.transfer(change, command, to);
          change.putRecord({ ...change.record(command.election), term });
        },
      },
    }),
    finds: /terms grow|interleaves/,
  },
  {
    name: 'refused-transfer-repeated',
    rule: 'T7, "after a refused Transfer too"',
    sentence:
      'A Transfer that was refused, because its target has ended, is submitted again and again, and never Resign.',
    engines: [{ kind: 'seeds', seed: 497, rules: () => rulesOf({}, { candidate: insistsOnItsHeir() }) }],
    finds: /progress/,
  },
  {
    name: 'unasked-record-kept',
    rule: 'T7, "for a record that comes to a session not wanting it"',
    sentence:
      'Who agreed to be handed an election, and wants it no more when it comes, neither acts by it nor gives it back.',
    engines: found(2037, {
      lease: {
        isNamed: () => false,
        hasWon: (c) =>
          leaseRules.isNamed(c) && c.isWanted && c.isEligible && !c.isStopping && !leaseRules.isLapsed(c.input.lease()),
      },
    }),
    finds: /progress/,
  },
  {
    name: 'resigns-any-term',
    rule: 'section 3, Resign, "master and term match"; fault 9',
    sentence: 'A Resign of an earlier term frees the record, when the same session has taken it again.',
    engines: foundWhereAskedAgain(341, {
      fold: {
        refuseResign(change, command) {
          const refusal = foldRules.refuseResign.call(foldRules, change, command);
          const { master } = change.record(command.election);
          return refusal === 'term' && master === command.session ? null : refusal;
        },
      },
    }),
    finds: /at most one master|no master is deposed/,
  },
  {
    name: 'ended-session-frees-one',
    rule: 'section 3, "Ending a session frees all its records"',
    sentence: 'The end of a session frees one election of it, and the others name a session that is no more.',
    engines: found(43, {
      fold: {
        end(change, session, cause) {
          const [election] = change.state.registry.held(session.id);
          if (election !== undefined) (this as FoldRules).free(change, election, cause);
          change.dropSession(session);
        },
      },
    }),
    finds: /progress/,
  },
  {
    name: 'priority-does-not-wait',
    rule: 'T2; T11, "less for higher priority"',
    sentence: 'A candidate of a higher priority than none asks without waiting for the holder.',
    engines: found(4, {
      lease: {
        isNear: (c) => leaseRules.isNear(c) || (c.aim !== null && c.priority > 0),
        askAtMs: (c) => (c.aim !== null && c.priority > 0 ? c.notBeforeMs : leaseRules.askAtMs(c)),
      },
    }),
    finds: /at most one master/,
  },
  {
    name: 'waits-by-own-lease',
    rule: 'T2, "leaseMs being that of the command in setBy"; fault 17',
    sentence: 'A candidate waits for as long as its own lease would last, not that of the holder.',
    engines: found(230, {
      lease: {
        waitEndsAtMs: (s, { setBy }) => s.sights.note(setBy, s.input.clock.now()) + waitMs(s.leaseMs, s.input.drift),
      },
    }),
    finds: /at most one master/,
  },
];
