import { between } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptorRules } from './acceptor/acceptor.rules.ts';
import { learnerRules } from './learner/learner.rules.ts';
import { proposerRules } from './proposer/proposer.rules.ts';
import { LEASE_MS } from './testing/fixtures.ts';
import { type Rules, TestGroup } from './testing/test-group.ts';

/** How often each kind of step comes, at least and at most: each schedule draws its own mix. */
const WEIGHTS = {
  deliver: [10, 60],
  deliverFirst: [20, 80],
  flush: [20, 50],
  lose: [0, 6],
  repeat: [0, 6],
  advance: [1, 6],
  submit: [6, 16],
  lead: [2, 10],
  crash: [0, 3],
  restart: [5, 8],
  checkpoint: [0, 3],
  cut: [0, 3],
  join: [1, 3],
} as const;

type Kind = keyof typeof WEIGHTS;

/** One schedule: everything in it follows from the seed. */
function run(group: TestGroup, steps: number): void {
  const { random } = group;
  const below = (limit: number) => Math.floor(random.next() * limit);
  const kinds = (Object.entries(WEIGHTS) as [Kind, readonly [number, number]][]).flatMap(([kind, [low, high]]) =>
    new Array<Kind>(Math.round(between(random, low, high))).fill(kind),
  );
  for (let step = 0; step < steps && group.violations.length === 0; step++) {
    const node = group.node(group.ids[below(group.ids.length)] as string);
    const message = below(group.wire.length);
    switch (kinds[below(kinds.length)]) {
      case 'deliver':
        group.deliver(message);
        break;
      case 'deliverFirst':
        group.deliver(0);
        break;
      case 'flush':
        for (const one of group.nodes.values()) if (random.next() < 0.7) one.flush();
        break;
      case 'lose':
        group.take(message);
        break;
      case 'repeat': {
        const sent = group.wire[message];
        if (sent) group.wire.push(sent);
        break;
      }
      case 'advance':
        group.clock.advance(random.next() * (LEASE_MS / 8));
        break;
      case 'submit':
        for (const one of group.nodes.values()) if (one.isLeading) one.submit();
        break;
      case 'lead':
        node.lead('master');
        break;
      case 'crash':
        node.crash();
        break;
      case 'restart':
        node.restart();
        break;
      case 'checkpoint':
        node.checkpoint();
        break;
      case 'cut':
        group.cutOff = node.id;
        break;
      case 'join':
        group.cutOff = null;
        break;
    }
  }
}

/** Runs random schedules until one breaks S1 or an invariant. */
function firstViolation(rules: Partial<Rules>, schedules: number, steps: number): string | null {
  for (let seed = 1; seed <= schedules; seed++) {
    const group = new TestGroup(seed, rules);
    run(group, steps);
    if (group.violations.length > 0) return `seed ${seed}: ${group.violations[0]}`;
  }
  return null;
}

describe('three nodes under loss, repetition, reordering, crashes, restarts and checkpoints', () => {
  it('S1: all say the same of every slot; L1: when the faults end, a command is chosen and applied everywhere', () => {
    let chosen = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const group = new TestGroup(seed);
        run(group, 500);
        expect(group.violations).toEqual([]);
        chosen += group.chosen.size;

        // Whoever wants to lead asks as the log does: again and again.
        group.heal(() => false, 1);
        const n1 = group.node('n1');
        const before = Math.max(0, ...group.chosen.keys());
        const isDone = () => {
          const last = Math.max(0, ...group.chosen.keys());
          return last > before && [...group.nodes.values()].every((node) => node.applied.length === last);
        };
        for (let tries = 0; tries < 10 && !isDone(); tries++) {
          if (n1.isLeading) n1.submit();
          else n1.lead();
          group.heal(() => isDone() || (n1.isLeading && group.wire.length === 0), 1 / 3);
        }
        expect(group.violations).toEqual([]);
        expect(isDone()).toBe(true);
        const [first, ...others] = [...group.nodes.values()].map(({ applied }) => applied);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 60 },
    );
    // Schedules in which nothing is ever chosen would show nothing.
    expect(chosen).toBeGreaterThan(100);
  });
});

describe('a learner left behind leads (B2, P2)', () => {
  /** n3 sleeps while slots 1 to 3 are chosen and trimmed; then it prepares before it has heard of them. */
  function oversleep(rules: Partial<Rules>): TestGroup {
    const group = new TestGroup(1, rules);
    const n1 = group.node('n1');
    const n3 = group.node('n3');
    n3.crash();
    n1.lead();
    group.step(() => n1.isLeading);
    for (let slot = 1; slot <= 3; slot++) {
      n1.submit();
      group.step(() => n1.applied.length === slot && group.node('n2').applied.length === slot);
    }
    n1.checkpoint();
    group.node('n2').checkpoint();
    n3.restart();
    group.wire.length = 0;
    n3.lead();
    group.step(() => n3.isLeading);
    n3.submit();
    group.step(() => n3.applied.length === 4);
    return group;
  }

  it('it fetches what is trimmed, proposes after it, and all agree', () => {
    const group = oversleep({});
    expect(group.violations).toEqual([]);
    expect(group.node('n3').applied).toHaveLength(4);
    expect(group.node('n3').applied).toEqual([...group.chosen.values()]);
  });

  it('control: a proposer that does not look at trimmedThrough chooses a second value', () => {
    const { violations } = oversleep({
      proposer: {
        ...proposerRules,
        notePromise: (state, input, message) =>
          proposerRules.notePromise(state, input, { ...message, trimmedThrough: 0, chosenThrough: 0, lastSlot: 0 }),
      },
      acceptor: {
        ...acceptorRules,
        accept: (state, store, message, draft) => {
          const { trimmedThrough } = state;
          state.trimmedThrough = 0;
          acceptorRules.accept(state, store, message, draft);
          state.trimmedThrough = trimmedThrough;
        },
      },
    });
    expect(violations[0]).toMatch(/^S1/);
  });
});

// Each broken rule must be found: that shows the schedules can find such things at all.
describe('controls: a broken rule is found', () => {
  const controls: readonly [string, Partial<Rules>][] = [
    [
      'P1: the promise is forgotten',
      {
        acceptor: {
          ...acceptorRules,
          accept: (state, store, message, draft) => {
            state.promised = message.ballot;
            acceptorRules.accept(state, store, message, draft);
          },
        },
      },
    ],
    [
      'P3: a restarted acceptor has forgotten what it accepted',
      {
        acceptor: {
          ...acceptorRules,
          accept: (state, store, message, draft) => {
            acceptorRules.accept(state, store, message, draft);
            draft.records.length = 0;
          },
        },
      },
    ],
    [
      'B2: a no-op in place of what was accepted',
      {
        proposer: {
          ...proposerRules,
          notePromise: (state, input, message) => proposerRules.notePromise(state, input, { ...message, entries: [] }),
        },
      },
    ],
    [
      'B3: one voter is enough',
      {
        proposer: {
          ...proposerRules,
          noteAccepted: (state, input, message, out) => {
            for (const voter of input.quorum.voters) {
              proposerRules.noteAccepted(state, input, { ...message, from: voter }, out);
            }
          },
        },
      },
    ],
    [
      'B3: a value held at another ballot is used',
      {
        learner: {
          ...learnerRules,
          chosen: (state, input, message, out) => {
            let held: Uint8Array | undefined;
            for (let round = 40; round > 0 && !held; round--) {
              for (const nodeId of ['n1', 'n2', 'n3']) {
                for (let life = 1; life < 9; life++) {
                  held ??= input.held(message.slot, { round, nodeId, incarnation: `${nodeId}-${life}` });
                }
              }
            }
            learnerRules.chosen(state, { ...input, held: () => held }, message, out);
          },
        },
      },
    ],
  ];
  it.each(controls)('%s', { timeout: 20_000 }, (_, rules) => {
    expect(firstViolation(rules, 400, 400)).not.toBeNull();
  });
});
