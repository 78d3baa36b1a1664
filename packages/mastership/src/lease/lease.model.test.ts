import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FoldRules, foldRules } from '../fold/fold.rules.ts';
import { type Action, World } from '../testing/lease-world.ts';
import { type LeaseRules, leaseRules } from './lease.rules.ts';

const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom('want', 'resign', 'unwant', 'restart'), election: fc.nat(2) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom('pause', 'cut', 'deaf', 'sleep'),
      forMs: fc.integer({ min: 100, max: 700 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('leaseMs' as const), value: fc.constantFrom(100, 200, 600) }) },
) as fc.Arbitrary<Action>;

const schedule = fc.record({
  seed: fc.integer(),
  nodes: fc.constantFrom(2, 3),
  elections: fc.constantFrom(['group'], ['group', 'one', 'two']),
  leaseMs: fc.constantFrom(200, 600),
  rates: fc.constantFrom([1, 1, 1], [0.99, 1.01, 1], [1.01, 0.99, 0.99], [0.99, 1.01, 1.01]),
  loss: fc.constantFrom(0, 0.1, 0.4),
  delayMs: fc.constantFrom(4, 40, 150),
  steps: fc.array(fc.record({ node: fc.nat(3), gapMs: fc.integer({ min: 1, max: 250 }), action }), { maxLength: 14 }),
});
type Schedule = typeof schedule extends fc.Arbitrary<infer T> ? T : never;

const STEP_MS = 3;

/** Runs a schedule, then lets it calm down. @returns whose overlap was seen, and how often there was a master. */
function run({ steps, ...options }: Schedule, rules: LeaseRules = leaseRules, fold: FoldRules = foldRules) {
  const world = new World({ ...options, rules, foldRules: fold });
  const seen = { overlaps: [] as string[], instants: 0, withMaster: 0 };
  const pass = (forMs: number) => {
    for (let leftMs = forMs; leftMs > 0; leftMs -= STEP_MS) {
      world.clock.advance(Math.min(STEP_MS, leftMs));
      seen.instants += 1;
      for (const election of world.elections) {
        const names = world.masters(election).map(({ name }) => name);
        if (names.length > 0) seen.withMaster += 1 / world.elections.length;
        if (names.length > 1) seen.overlaps.push(`${world.clock.now()}: ${names} of ${election}`);
      }
    }
  };
  for (let i = 0; i < options.nodes; i++) world.do(i, { type: 'want' });
  pass(300);
  for (const { node, gapMs, action } of steps) {
    world.do(node, action);
    pass(gapMs);
  }
  for (let i = 0; i < options.nodes; i++) world.do(i, { type: 'want' });
  pass(1_500);
  return seen;
}

describe('candidates over one log', () => {
  it('S2: while rates stay within ρ, at most one isMaster() is true at any real instant', { timeout: 60_000 }, () => {
    let [instants, withMaster] = [0, 0];
    fc.assert(
      fc.property(schedule, (given) => {
        const seen = run(given);
        instants += seen.instants;
        withMaster += seen.withMaster;
        expect(seen.overlaps).toEqual([]);
      }),
      { numRuns: Number(process.env['LEASE_MODEL_RUNS'] ?? 60) },
    );
    // Not because nobody ever was.
    expect(withMaster / instants).toBeGreaterThan(0.3);
  });

  it('L1: when all is calm and all can talk, there is a master within two leases', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(2, 3), (seed, nodes) => {
        const world = new World({ seed, nodes, leaseMs: 200, rates: [0.99, 1.01, 1], loss: 0, delayMs: 4 });
        for (let i = 0; i < nodes; i++) world.do(i, { type: 'want' });
        world.clock.advance(100);
        const [master] = world.masters();
        expect(master).toBeDefined();
        master?.do({ type: 'pause', forMs: 5_000 });
        world.clock.advance(2 * 200 + 50);
        expect(world.masters()).toHaveLength(1);
        expect(world.masters()).not.toContain(master);
      }),
      { numRuns: 20 },
    );
  });
});

/** Each of these breaks one rule of section 9; the model must notice, or it shows nothing. */
interface Control {
  readonly rules?: Partial<LeaseRules>;
  readonly fold?: Partial<FoldRules>;
  /** Where chance alone would take long: what happens first. */
  readonly first?: Schedule['steps'];
}

const controls: Record<string, Control> = {
  'T1 lease counted from learning': {
    rules: {
      hold(c, session, request) {
        return leaseRules.hold(c, session, { ...request, stamp: c.input.holderClock.stamp(c.leaseMs) });
      },
    },
  },
  'T2 no wait': { rules: { waitEndsAtMs: (c) => c.input.clock.now() } },
  'T4 the latest renewal rules': { rules: { claims: (requests) => requests.slice(-1) } },
  'T4 a shorter renewal that only others learn': {
    rules: { claims: (requests, { setBy }) => requests.filter(({ id }) => id === setBy) },
    first: [
      { node: 3, gapMs: 20, action: { type: 'deaf', forMs: 700 } },
      { node: 3, gapMs: 500, action: { type: 'leaseMs', value: 100 } },
    ],
  },
  'T2 a renewal that does not move the wait': {
    rules: {
      waitEndsAtMs(c, session) {
        return leaseRules.waitEndsAtMs(c, { ...session, setBy: session.openedBy });
      },
    },
  },
  'T3 replay makes master': {
    rules: {
      rememberedOpening(c, { node, setBy, leaseMs }) {
        if (node !== c.input.self) return undefined;
        const stamp = c.input.holderClock.stamp(leaseMs);
        return { id: setBy, leaseMs, holdMs: 0.9 * leaseMs, expectedVersion: null, stamp };
      },
    },
  },
  'T7 a term given up is still acted by': {
    rules: {
      holds(c) {
        const mastership = c.mastership && { ...c.mastership, givenUpAtMs: null };
        return leaseRules.holds({ ...c, mastership });
      },
    },
  },
  'T5 expiry by timer alone': { rules: { holds: (c) => c.mastership !== null && c.mastership.givenUpAtMs === null } },
  'section 3 no version of the session': {
    fold: {
      refuseTake(change, session, take) {
        const refusal = foldRules.refuseTake.call(this, change, session, take);
        return refusal === 'renewed' ? null : refusal;
      },
    },
  },
};

describe('controls: the model finds what is broken', () => {
  it.each(Object.entries(controls))('%s', { timeout: 60_000 }, (_, { rules, fold, first = [] }) => {
    const found = fc.check(
      fc.property(schedule, (given) => {
        const steps = [...first, ...given.steps];
        return run({ ...given, steps }, { ...leaseRules, ...rules }, { ...foldRules, ...fold }).overlaps.length === 0;
      }),
      { numRuns: 300, seed: 1, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
