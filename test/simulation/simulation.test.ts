import {
  type Fault,
  type Plan,
  type PlanOptions,
  planOf,
  Recorder,
  realRules,
  run,
  search,
  seeingWireCodec,
  xstateRules,
} from '@synod/simulator';
import { describe, expect, it } from 'vitest';
import { drain } from './drain.ts';
import { failureInWords } from './report.ts';

/** As many as each test run looks at; `npm run sim` looks at as many as it is told. */
const SEEDS = 2000;
const BLOCK = 200;

describe('a run', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => 1 + 37 * i);
  const traceOf = async (seed: number, options: Partial<Parameters<typeof run>[1]> = {}): Promise<string> =>
    (await run(planOf(seed), { drain, ...options })).trace;

  it.each(seeds)(
    'is the same for the same seed, whatever interprets, encodes, drains or watches it: %i',
    async (seed) => {
      const trace = await traceOf(seed);
      expect(await traceOf(seed)).toBe(trace);
      expect(await traceOf(seed, { rules: xstateRules })).toBe(trace);
      expect(await traceOf(seed, { codec: seeingWireCodec })).toBe(trace);
      expect(await traceOf(seed, { drain: (then) => void setImmediate(then) })).toBe(trace);
      const recorder = new Recorder();
      expect(await traceOf(seed, { watcher: recorder, onGroup: (group) => recorder.attach(group) })).toBe(trace);
    },
  );

  it('is another for another seed', async () => {
    const traces = await Promise.all(seeds.map((seed) => traceOf(seed)));
    expect(new Set(traces).size).toBe(seeds.length);
  });

  it('covers at least three leases of faults before a majority is healed', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { healAtMs, leaseMs, faults } = planOf(seed);
      expect(healAtMs).toBeGreaterThanOrEqual(3 * leaseMs);
      for (const { atMs } of faults) expect(atMs).toBeLessThan(healAtMs);
    }
  });
});

describe('seeds that once failed', () => {
  it.each<[number, string, PlanOptions?]>([
    [4001, 'the last words of a leader that was alone were lost on the way to a candidate', { nodes: 1 }],
    [4529, 'two twins and a folder that was put back began a group of their own'],
    [6_065_499, 'a message came again before the process that was held up had said it'],
    [6_108_325, 'a message came again before the process that was held up had said it'],
    [8172, 'a node was healed while it left, its last flush on a slow disk'],
    [16_303, 'a node was healed while it left, its last flush on a slow disk'],
    [9_053_085, 'a member missed the last slots before a quiet, and was behind for ever'],
    [9_081_467, 'a member missed the last slots before a quiet, and who led was gone'],
    [20_288_962, 'the lease of the only candidate had become shorter than its patience with a leader that was cut off'],
    [30_006_055, 'a group was to rest while a timer that was set before was late'],
    [30_155_479, 'a group was to rest while a slow disk was at a flush that it had begun before'],
    [9_113_120, 'a node was healed while it opened its journal on a slow disk'],
    [101_296, 'a connection broke and was back before the member that joined looked: it took that for the end'],
    [102_326, 'a connection broke and was back before the candidate that joined looked: it took that for the end'],
    [23, 'an offer that was not answered was repeated without end in its last trace of a millisecond'],
    [5_052_474, 'a process was stopped between two looks at the session it waits for, and waited for ever'],
  ])('%i: %s', async (seed, _, options) => {
    // They failed before commands came again, machines of masters slept and work took its time: without that each is the run it was.
    const isOlder = (fault: Fault) => fault.kind !== 'sleep' && (fault.kind !== 'replay' || fault.of === undefined);
    const plan = planOf(seed, { ...options, faults: planOf(seed, options).faults.filter(isOlder) });
    const { violation, healedLeases } = await run({ ...plan, user: { ...plan.user, lasting: 0 } }, { drain });
    expect(violation).toBe(null);
    expect(healedLeases).toBeLessThan(3);
  });

  it.each([
    [3993, 'a process that was stopped came back with messages first, before the timer that tells of the end'],
    [16_163, 'a process that was held up twice had its timers after the messages'],
    [19_638, 'a process was held up in the step in which it came back, its deadline behind it'],
    [90_093_865, 'a process was stopped and started again in the middle of a step that took longer than that'],
    [90_166_480, 'the wall clock told a master that its machine had slept: what it was giving back was free by then'],
    [90_132_755, 'a lease was shortened while nobody could hear of it: who left was told that what it held was free'],
    [90_201_050, 'a candidate heard of the end of a session before that of the mastership, and was told of neither'],
    [214, 'a candidate heard of a master before its session, and was told of nobody when that came'],
  ])('%i, as it is drawn today: %s', async (seed) => {
    expect((await run(planOf(seed), { drain })).violation).toBe(null);
  });
});

describe('a healed majority', () => {
  it('must have a master of its own: what is left of the lease of one that is cut off is none', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const plan: Plan = { ...planOf(seed, { nodes: 3, faults: [] }), isFormed: true, others: 'cut off' };
      let healed: readonly string[] = [];
      let masters = (): readonly string[] => [];
      const { violation } = await run(plan, {
        drain,
        watcher: {
          healed: (nodes) => {
            healed = nodes;
          },
        },
        onGroup: ({ lives }) => {
          masters = () => [...lives].filter((life) => life.isMaster()).map(({ node }) => node);
        },
      });
      expect(violation).toBe(null);
      expect(masters().filter((node) => healed.includes(node))).toHaveLength(1);
    }
  });
});

describe('whole groups under faults: safe, and a healed majority has a master', () => {
  const blocks = Array.from({ length: SEEDS / BLOCK }, (_, i) => ({ from: 1 + i * BLOCK, through: (i + 1) * BLOCK }));

  it.each(blocks)('seeds $from to $through', { timeout: 120_000 }, async ({ from }) => {
    const { failures, schedules, terms } = await search({ drain, rules: realRules, from, seeds: BLOCK });
    expect(failures.map(failureInWords).join('\n')).toBe('');
    expect(schedules).toBe(BLOCK);
    expect(terms).toBeGreaterThan(BLOCK);
  });
});
