import { type Configuration, configurationDigest } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applySlot,
  type Change,
  type Configurations,
  eraOf,
  formedAs,
  hasCaughtUp,
  membershipRules,
  newestEra,
  type Voter,
  type VoterId,
  voterId,
} from './configurations.rules.ts';
import { dutyRules, quorumOf } from './duties.rules.ts';

const store = (node: string, storeId = 'a'): Voter => ({ node, storeId });
const [n1, n2, n3, n4] = [store('n1'), store('n2'), store('n3'), store('n4')];
const ids = (...voters: Voter[]): Set<VoterId> => new Set(voters.map(voterId));

const configuration: Configuration = {
  group: 'g',
  epoch: 0,
  voters: [n1, n2, n3],
  quorum: 'majority',
  maxDriftPpm: 10_000,
  guardDivisor: 100,
  firstPosition: 1,
};

const three = formedAs(configuration, 32, [n4]);
const replace: Change = { type: 'replace', voter: n3, learner: n4, follows: 0 };

const play = (changes: Readonly<Record<number, Change>>, through: number, from: Configurations = three) => {
  let state = from;
  while (state.through < through) state = applySlot(state, state.through + 1, changes[state.through + 1] ?? null);
  return state;
};

describe('a change (section 8)', () => {
  it('chosen in slot s takes effect at slot s + 32', () => {
    const state = play({ 5: replace }, 5);
    expect(eraOf(state, 36).configuration.voters).toEqual([n1, n2, n3]);
    expect(eraOf(state, 37).configuration.voters).toEqual([n1, n2, n4]);
  });

  it('is unknown where the window does not reach', () => {
    expect(() => eraOf(play({}, 5), 38)).toThrow(/section 8/);
  });

  it('does not apply before the former one is in force', () => {
    const remove: Change = { type: 'remove', voter: n1, follows: 1 };
    expect(newestEra(play({ 5: replace, 36: remove }, 36)).configuration.epoch).toBe(1);
    expect(newestEra(play({ 5: replace, 37: remove }, 37)).configuration.epoch).toBe(2);
  });

  it('names the epoch it follows: of two that were asked for at once one applies', () => {
    const late = play({ 5: replace, 40: { type: 'remove', voter: n2, follows: 0 } }, 40);
    expect(newestEra(late).configuration).toMatchObject({ epoch: 1, voters: [n1, n2, n4] });
  });

  it('adds as learner, then as voter', () => {
    const n5 = store('n5');
    const promote: Change = { type: 'promote', learner: n5, follows: 1 };
    expect(membershipRules.refusal(three, 1, { ...promote, follows: 0 })).toBe('it was not admitted');
    const state = play({ 1: { type: 'admit', learner: n5, follows: 0 }, 33: promote }, 33);
    expect(eraOf(state, 64).configuration.voters).toEqual([n1, n2, n3]);
    expect(eraOf(state, 64).learners).toEqual([n4, n5]);
    expect(eraOf(state, 65).configuration.voters).toEqual([n1, n2, n3, n5]);
    expect(eraOf(state, 65).learners).toEqual([n4]);
  });

  it.each<[string, Change]>([
    ['it is admitted', { type: 'admit', learner: n4, follows: 0 }],
    ['it is no member', { type: 'remove', voter: store('n3', 'b'), follows: 0 }],
    ['it is no voter', { type: 'replace', voter: n4, learner: n4, follows: 0 }],
    ['it was not admitted', { type: 'replace', voter: n3, learner: store('n5'), follows: 0 }],
  ])('is refused: %s', (why, change) => {
    expect(membershipRules.refusal(three, 1, change)).toBe(why);
  });

  it('leaves one voter at least, and no two stores of one node', () => {
    const one = formedAs({ ...configuration, voters: [n1] }, 32);
    expect(membershipRules.refusal(one, 1, { type: 'remove', voter: n1, follows: 0 })).toBe('nobody would be left');
    const again = formedAs(configuration, 32, [store('n3', 'b')]);
    const learner = store('n3', 'b');
    expect(membershipRules.refusal(again, 1, { type: 'promote', learner, follows: 0 })).toMatch(/another store/);
    expect(membershipRules.refusal(again, 1, { type: 'replace', voter: n2, learner, follows: 0 })).toMatch(/another/);
    expect(membershipRules.refusal(again, 1, { type: 'replace', voter: n3, learner, follows: 0 })).toBeNull();
  });

  it('has no more than nine voters', () => {
    const nine = Array.from({ length: 9 }, (_, i) => store(`n${i}`));
    const full = formedAs({ ...configuration, voters: nine }, 32, [store('x')]);
    expect(membershipRules.refusal(full, 1, { type: 'promote', learner: store('x'), follows: 0 })).toMatch(/9 voters/);
  });

  it('waits for a learner that lacks more than the window holds', () => {
    expect(hasCaughtUp(68, 100, 32)).toBe(true);
    expect(hasCaughtUp(67, 100, 32)).toBe(false);
  });
});

describe('what a change asks of a store (section 8)', () => {
  const silentFrom = (through: number) => dutyRules.answers(play({ 5: replace }, through), n3);

  it('a removed voter answers until it has applied s + 31', () => {
    expect([silentFrom(5), silentFrom(35), silentFrom(36)]).toEqual([true, true, false]);
  });

  it('one that comes in answers once it has applied the change', () => {
    expect(dutyRules.answers(play({ 5: replace }, 4), n4)).toBe(false);
    expect(dutyRules.answers(play({ 5: replace }, 5), n4)).toBe(true);
  });

  it('a removed voter is relieved when a quorum of the new configuration has applied s + 31', () => {
    const state = play({ 5: replace }, 36);
    const by = (...applied: [Voter, number][]) =>
      dutyRules.isRelieved(state, n3, new Map(applied.map(([voter, through]) => [voterId(voter), through])));
    expect(by([n1, 36], [n3, 36])).toBe(false);
    expect(by([n1, 36], [n4, 35])).toBe(false);
    expect(by([n1, 36], [n4, 36])).toBe(true);
    const all = new Map([n1, n2, n4].map((voter) => [voterId(voter), 99]));
    expect(dutyRules.isRelieved(play({ 5: replace }, 35), n3, all)).toBe(false);
  });

  it('a voter is never relieved, a learner always', () => {
    const all = new Map([n1, n2, n3, n4].map((voter) => [voterId(voter), 99]));
    expect(dutyRules.isRelieved(play({}, 50), n3, all)).toBe(false);
    expect(dutyRules.isRelieved(play({}, 50), n4, all)).toBe(true);
  });

  it('a removed voter that is taken in again votes again', () => {
    const changes: Record<number, Change> = {
      5: replace,
      40: { type: 'admit', learner: n3, follows: 1 },
      80: { type: 'promote', learner: n3, follows: 2 },
    };
    expect(dutyRules.answers(play(changes, 79), n3)).toBe(false);
    expect(dutyRules.answers(play(changes, 80), n3)).toBe(true);
  });
});

describe('what a change asks of a leader (section 8)', () => {
  it('it holds promises of a quorum of the configuration of the slot it proposes in', () => {
    const state = play({ 5: replace }, 10);
    const may = (slot: number, ...promised: Voter[]) => dutyRules.mayPropose(state, ids(...promised), slot);
    expect([may(36, n1, n3), may(37, n1, n3)]).toEqual([true, false]);
    expect([may(36, n1, n4), may(37, n1, n4)]).toEqual([false, true]);
    expect([may(36, n1, n2), may(37, n1, n2)]).toEqual([true, true]);
  });

  it('a slot is decided by the quorum of its own configuration', () => {
    const state = play({ 5: replace }, 10);
    const isDecided = (slot: number, ...accepted: Voter[]) => dutyRules.isDecided(state, ids(...accepted), slot);
    expect([isDecided(36, n1, n3), isDecided(37, n1, n3)]).toEqual([true, false]);
    expect([isDecided(36, n1, n4), isDecided(37, n1, n4)]).toEqual([false, true]);
  });

  it('a promise of the store that was replaced is none of the one in its place (I2)', () => {
    const learner = store('n3', 'b');
    const state = play({ 1: { ...replace, learner } }, 32, formedAs(configuration, 32, [learner]));
    expect(dutyRules.mayPropose(state, ids(n1, n3), 33)).toBe(false);
    expect(dutyRules.mayPropose(state, ids(n1, learner), 33)).toBe(true);
  });

  it('a Prepare asks all whose slots are not applied', () => {
    expect(dutyRules.asked(play({ 5: replace }, 4))).toEqual([n1, n2, n3]);
    expect(dutyRules.asked(play({ 5: replace }, 5))).toEqual([n1, n2, n3, n4]);
    expect(dutyRules.asked(play({ 5: replace }, 36))).toEqual([n1, n2, n4]);
  });

  it('it fills slots until the change is in force', () => {
    expect(dutyRules.fillThrough(play({}, 5))).toBe(0);
    expect(dutyRules.fillThrough(play({ 5: replace }, 5))).toBe(36);
  });
});

describe('whatever changes are asked for', () => {
  const stores = ['n1', 'n2', 'n3', 'n4', 'n5'].flatMap((node) => [store(node), store(node, 'b')]);
  const anyStore = fc.constantFrom(...stores);
  const follows = fc.nat({ max: 6 });
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ type: fc.constant('admit' as const), learner: anyStore, follows }),
    fc.record({ type: fc.constant('promote' as const), learner: anyStore, follows }),
    fc.record({ type: fc.constant('remove' as const), voter: anyStore, follows }),
    fc.record({ type: fc.constant('replace' as const), voter: anyStore, learner: anyStore, follows }),
  );
  /** Most follow the newest epoch, so that some of them apply. */
  const slots = fc.array(fc.tuple(fc.option(change), fc.boolean()), { minLength: 20, maxLength: 60 });
  const history = fc.tuple(fc.integer({ min: 1, max: 4 }), slots).map(([distance, slots]) => {
    const states: Configurations[] = [formedAs(configuration, distance, [n4, store('n3', 'b')])];
    for (const [change, isCurrent] of slots) {
      const state = states.at(-1) as Configurations;
      const { epoch } = newestEra(state).configuration;
      const asked = change && isCurrent ? { ...change, follows: epoch } : change;
      states.push(applySlot(state, state.through + 1, asked));
    }
    return states;
  });
  const subset = (bits: number) => new Set(stores.filter((_, i) => bits & (1 << i)).map(voterId));

  it('a slot has one configuration for ever, from the moment the window reaches it', () => {
    fc.assert(
      fc.property(history, (states) => {
        const last = states.at(-1) as Configurations;
        for (const state of states)
          for (let slot = 1; slot <= state.through + state.distance; slot++)
            expect(eraOf(state, slot).configuration).toEqual(eraOf(last, slot).configuration);
      }),
      { numRuns: 50 },
    );
  });

  it('who may propose in a slot and what is decided there have a voter in common, whenever they were asked', () => {
    fc.assert(
      fc.property(
        history,
        fc.nat(),
        fc.nat(),
        fc.array(fc.nat({ max: 1023 }), { minLength: 20 }),
        (states, a, b, sets) => {
          const [one, other] = [states[a % states.length], states[b % states.length]] as [
            Configurations,
            Configurations,
          ];
          const reach = Math.min(one.through, other.through) + one.distance;
          const slots = [
            reach,
            ...one.eras.flatMap(({ from }) => (from <= reach ? [from, Math.max(1, from - 1)] : [])),
          ];
          const missing = slots.filter((slot) =>
            sets.some(
              (set) =>
                dutyRules.mayPropose(one, subset(set), slot) && dutyRules.isDecided(other, subset(1023 - set), slot),
            ),
          );
          expect(missing).toEqual([]);
        },
      ),
    );
  });

  it('one change is under way at a time, and each has an epoch and a digest of its own', () => {
    fc.assert(
      fc.property(history, (states) => {
        const { eras, distance } = states.at(-1) as Configurations;
        eras.forEach(({ configuration, from }, i) => {
          expect(configuration.epoch).toBe(i);
          if (i > 0) expect(from - distance).toBeGreaterThanOrEqual(eras[i - 1]?.from as number);
          expect(new Set(configuration.voters.map(({ node }) => node)).size).toBe(configuration.voters.length);
          expect(configuration.voters.length).toBeGreaterThan(0);
        });
        expect(new Set(eras.map((era) => configurationDigest(era.configuration))).size).toBe(eras.length);
      }),
    );
  });

  it('every quorum that a slot not applied needs answers, at the stores that have applied no more', () => {
    fc.assert(
      fc.property(history, (states) => {
        for (const state of states) {
          const answering = new Set(stores.filter((voter) => dutyRules.answers(state, voter)).map(voterId));
          for (let slot = state.through + 1; slot <= state.through + state.distance; slot++) {
            const { configuration } = eraOf(state, slot);
            for (const voter of configuration.voters) expect(answering).toContain(voterId(voter));
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('when a removed voter is relieved, every quorum that may lead after it has one that can tell the rest', () => {
    fc.assert(
      fc.property(history, fc.nat({ max: 1023 }), anyStore, (states, bits, self) => {
        const state = states.at(-1) as Configurations;
        const told = new Map([...subset(bits)].map((id) => [id, state.through]));
        if (!dutyRules.isRelieved(state, self, told)) return;
        const next =
          state.eras[
            state.eras.findLastIndex(({ configuration }) =>
              configuration.voters.some((v) => voterId(v) === voterId(self)),
            ) + 1
          ];
        if (!next || next === state.eras[0]) return;
        expect(quorumOf(next).isPrepareQuorum(subset(1023 - bits))).toBe(false);
      }),
    );
  });
});
