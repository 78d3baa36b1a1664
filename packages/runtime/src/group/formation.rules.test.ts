import type { Configuration, Formation, JournalRecord, NodeId } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FormationState, type FormationStep, formationRules } from './formation.rules.ts';

const voters = ['a', 'b', 'c'];

const fresh = (self: NodeId, storeId = `${self}1`, overrides: Partial<FormationState> = {}): FormationState => ({
  self,
  storeId,
  wished: {
    group: 'g',
    epoch: 0,
    voters,
    quorum: 'majority',
    maxDriftPpm: 10_000,
    guardDivisor: 100,
    firstPosition: 1,
  },
  livedThrough: 0,
  named: null,
  asked: 0,
  isDamaged: false,
  kept: null,
  isFormed: false,
  heard: new Map(),
  foreign: null,
  conflict: null,
  ...overrides,
});

const configuration = (stores: Record<string, string>): Configuration => ({
  ...fresh('a').wished,
  voters: Object.entries(stores).map(([node, storeId]) => ({ node, storeId })),
});

const ofA = configuration({ a: 'a1', b: 'b1', c: 'c1' });

const says = (
  from: NodeId,
  storeId: string,
  kept: Configuration | null = null,
  isFormed = false,
): Formation & { from: NodeId } => ({
  type: 'formation',
  from,
  storeId,
  kept,
  isFormed,
  wantsAnswer: true,
});

const hearAll = (state: FormationState, ...messages: (Formation & { from: NodeId })[]): FormationStep =>
  messages.reduce<FormationStep>((step, message) => formationRules.hear(step.state, message), {
    state,
    records: [],
    announce: false,
  });

describe('I5, formation has two steps', () => {
  it('a store that knows all storeIds keeps that configuration, and says so', () => {
    const step = hearAll(fresh('a'), says('b', 'b1'), says('c', 'c1'));
    expect(step.state.kept).toEqual(ofA);
    expect(step.records).toEqual([{ type: 'kept', configuration: ofA }]);
    expect(step.announce).toBe(true);
    expect(step.state.isFormed).toBe(false);
  });

  it('keeps nothing while one storeId is missing', () => {
    expect(hearAll(fresh('a'), says('b', 'b1')).state.kept).toBeNull();
    expect(formationRules.waitsFor(hearAll(fresh('a'), says('b', 'b1')).state)).toEqual(['c']);
  });

  it('is formed only after hearing from every voter that it keeps the very same one', () => {
    const kept = fresh('a', 'a1', { kept: ofA });
    expect(hearAll(kept, says('b', 'b1', ofA)).state.isFormed).toBe(false);
    const formed = hearAll(kept, says('b', 'b1', ofA), says('c', 'c1', ofA));
    expect(formed.state.isFormed).toBe(true);
    expect(formed.records).toEqual([{ type: 'formed' }]);
  });

  it('a repeated word of one voter is no word of another', () => {
    const kept = fresh('a', 'a1', { kept: ofA });
    expect(hearAll(kept, says('b', 'b1', ofA), says('b', 'b1', ofA)).state.isFormed).toBe(false);
  });

  it('never keeps a second configuration: a wipe in the middle stops formation until an operator decides', () => {
    const kept = fresh('a', 'a1', { kept: ofA });
    const step = hearAll(kept, says('b', 'b1', ofA), says('c', 'c2'));
    expect(step.state).toMatchObject({ kept: ofA, isFormed: false });
    expect(step.state.conflict).toContain('wiped');
  });

  it('differing kept configurations stop formation', () => {
    const other = { ...ofA, maxDriftPpm: 20_000 };
    const step = hearAll(fresh('a', 'a1', { kept: ofA }), says('b', 'b1', other));
    expect(step.state.conflict).toContain('another configuration');
    expect(step.state.isFormed).toBe(false);
  });

  it('a store that is not in the configuration it hears of is a learner', () => {
    const step = hearAll(fresh('c', 'c2'), says('a', 'a1', ofA, true));
    expect(step.state).toMatchObject({ foreign: ofA, kept: null, isFormed: false });
  });

  it('does not follow a configuration that was kept and never formed', () => {
    const step = hearAll(fresh('c', 'c2'), says('a', 'a1', ofA, false));
    expect(step.state).toMatchObject({ foreign: null, kept: null, isFormed: false });
    expect(step.state.conflict).toContain('operator');
  });

  it('a store that forgot what it kept was rolled back, and does not vote', () => {
    const step = hearAll(fresh('b', 'b1'), says('a', 'a1', ofA, true));
    expect(step.state).toMatchObject({ foreign: ofA, isFormed: false });
    expect(step.state.conflict).toContain('rolled back');
  });

  it('one that keeps the same and is formed has heard from everybody', () => {
    const step = hearAll(fresh('b', 'b1', { kept: ofA }), says('a', 'a1', ofA, true));
    expect(step.state.isFormed).toBe(true);
  });

  it('a damaged store keeps nothing new', () => {
    const step = hearAll(fresh('a', 'a1', { isDamaged: true }), says('b', 'b1'), says('c', 'c1'));
    expect(step.state).toMatchObject({ kept: null, isFormed: false });
  });

  it('a group of one forms by itself', () => {
    const alone = fresh('a', 'a1', { wished: { ...fresh('a').wished, voters: ['a'] } });
    const step = formationRules.begin(alone);
    expect(step.state.isFormed).toBe(true);
    expect(step.records.map((record) => record.type)).toEqual(['kept', 'formed']);
  });

  it('refuses a first position that a former group of this name has passed', () => {
    const step = hearAll(fresh('a', 'a1', { livedThrough: 500 }), says('b', 'b1'), says('c', 'c1'));
    expect(step.state.kept).toBeNull();
    expect(step.state.conflict).toContain('500');
  });

  it('a voter that is late learns from a formed one, though a third was wiped meanwhile', () => {
    const kept = fresh('a', 'a1', { kept: ofA });
    const wiped = hearAll(kept, says('b', 'b2'));
    expect(wiped.state.conflict).toContain('wiped');
    const told = formationRules.hear(wiped.state, says('c', 'c1', ofA, true));
    expect(told.state).toMatchObject({ isFormed: true, conflict: null });
    expect(told.records).toEqual([{ type: 'formed' }]);
  });

  it('a bootstrap names the storeIds, once the others were asked', () => {
    const named = { a: 'a1', b: 'b1', c: 'c1' };
    const once = formationRules.begin(fresh('a', 'a1', { named }));
    expect(once.state.kept).toBeNull();
    const twice = formationRules.begin(once.state);
    expect(twice.state).toMatchObject({ kept: ofA, isFormed: false });
  });

  it('a bootstrap is refused if any node that answers keeps a configuration', () => {
    const state = fresh('a', 'a1', { named: { a: 'a1', b: 'b1', c: 'c2' }, asked: 1 });
    const step = formationRules.begin(hearAll(state, says('b', 'b1', ofA)).state);
    expect(step.state).toMatchObject({ kept: null, isFormed: false });
    expect(step.state.conflict).toContain('bootstrap refused: b keeps');
  });

  it('a bootstrap given twice, with different stores, never forms two groups', () => {
    const one = formationRules.begin(fresh('a', 'a1', { named: { a: 'a1', b: 'b1', c: 'c1' }, asked: 1 }));
    const two = formationRules.begin(fresh('b', 'b1', { named: { a: 'a1', b: 'b1', c: 'c2' }, asked: 1 }));
    const at = (state: FormationState, ...others: FormationState[]) =>
      hearAll(state, ...others.map((other) => ({ ...formationRules.message(other, false), from: other.self }))).state;
    const third = at(fresh('c', 'c1'), one.state, two.state);
    expect([at(one.state, two.state, third), at(two.state, one.state, third), third].map((s) => s.isFormed)).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('however messages are ordered, repeated and lost and whoever is wiped: no two formed configurations', () => {
    const events = fc.array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({
            kind: fc.constant('say' as const),
            from: fc.constantFrom(...voters),
            to: fc.constantFrom(...voters),
          }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('wipe' as const), node: fc.constantFrom(...voters) }) },
        {
          weight: 1,
          arbitrary: fc.record({ kind: fc.constant('restart' as const), node: fc.constantFrom(...voters) }),
        },
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(events, (schedule) => {
        const durable = new Map<NodeId, JournalRecord[]>(voters.map((node) => [node, []]));
        const wipes = new Map<NodeId, number>();
        const states = new Map(voters.map((node) => [node, fresh(node)]));
        const formed = new Set<string>();
        for (const event of schedule) {
          if (event.kind === 'say') {
            const speaker = states.get(event.from) as FormationState;
            const message = { ...formationRules.message(speaker, false), from: event.from };
            const step = formationRules.hear(states.get(event.to) as FormationState, message);
            states.set(event.to, step.state);
            durable.get(event.to)?.push(...step.records);
            if (step.state.isFormed) formed.add(JSON.stringify(step.state.kept?.voters));
          } else if (event.kind === 'wipe') {
            const life = (wipes.get(event.node) ?? 1) + 1;
            wipes.set(event.node, life);
            durable.set(event.node, []);
            states.set(event.node, fresh(event.node, `${event.node}${life}`));
          } else {
            const records = durable.get(event.node) ?? [];
            const kept = records.find((record) => record.type === 'kept');
            const { storeId } = states.get(event.node) as FormationState;
            states.set(
              event.node,
              fresh(event.node, storeId, {
                kept: kept?.type === 'kept' ? kept.configuration : null,
                isFormed: records.some((record) => record.type === 'formed'),
              }),
            );
          }
        }
        return formed.size <= 1;
      }),
      { numRuns: 500 },
    );
  });
});
