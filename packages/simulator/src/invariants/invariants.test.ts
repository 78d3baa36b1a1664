import type { Applied } from '@synod/mastership';
import { freshAcceptor, type Recovered, recover } from '@synod/paxos';
import { type Address, type JournalRecord, type Message, pack } from '@synod/protocol';
import type { Master, Mastership } from '@synod/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Life } from '../group/life.ts';
import type { Act } from '../group/watcher.ts';
import type { Machine } from '../world/machine.ts';
import type { Process } from '../world/process.ts';
import { isSame } from './agreement.ts';
import { equalFolds, packsAlike } from './equal-folds.ts';
import { fencesRefuse } from './fences-refuse.ts';
import type { Invariant, Observed } from './invariant.ts';
import { noInterleaving } from './no-interleaving.ts';
import { noneDeposed } from './none-deposed.ts';
import { nothingLost } from './nothing-lost.ts';
import { noticesCome } from './notices-come.ts';
import { promisesKept } from './promises-kept.ts';
import { recoveredAsWritten } from './recovered-as-written.ts';
import { samePrefix } from './same-prefix.ts';
import { toldLast } from './told-last.ts';
import { vetoesCount } from './vetoes-count.ts';
import { workWithin } from './work-within.ts';

/** As much of a life as these look at; `state` is what its fold holds. */
function life(node: string, id: number, position = 0, state = 'x'): Life {
  return {
    node,
    id,
    incarnation: `${node}-${id}`,
    isReady: true,
    role: 'member',
    process: { isRunning: true },
    fold: { position, rows: () => [state] },
  } as unknown as Life;
}

/** Lets an invariant look on. @returns what it says is broken. */
function watched(invariant: Invariant, lives: readonly Life[] = []) {
  const broken: string[] = [];
  const observed = {
    group: { lives: new Set(lives) },
    isWithinDrift: true,
    isOutcast: () => false,
    isPutBack: () => false,
    isUnaware: () => false,
  };
  const watching = invariant.watch(observed as unknown as Observed, (what) => void broken.push(what));
  return { broken, ...watching };
}

const command = (position: number, id: string): Applied => ({ id, position, applied: true, news: null });

const act = (of: Life, term: number, more: Partial<Act> = {}): Act => {
  return { life: of, election: 'group', term, decidedMs: 0, isFenced: true, isAccepted: true, ...more };
};

const [a, b] = [life('a', 1), life('b', 2)];

describe('same prefix everywhere', () => {
  it('says nothing of nodes that apply the same', () => {
    const { broken, applied, restored } = watched(samePrefix);
    for (const node of [a, b]) for (const position of [1, 2]) applied?.(node, command(position, `c/${position}`));
    restored?.(b, 9);
    applied?.(b, command(10, 'c/10'));
    expect(broken).toEqual([]);
  });

  it.each([
    ['another command', [1, 'c/1'], [1, 'c/2'], 'another node'],
    ['a command left out', [1, 'c/1'], [2, 'c/2'], 'left out position 1'],
  ] as const)('sees %s', (_, [first, ofA], [second, ofB], what) => {
    const { broken, applied } = watched(samePrefix);
    applied?.(a, command(first, ofA));
    applied?.(b, command(second, ofB));
    expect(broken.join()).toContain(what);
  });

  it('sees a node that goes back', () => {
    const { broken, applied, restored } = watched(samePrefix);
    applied?.(a, command(1, 'c/1'));
    applied?.(a, command(2, 'c/2'));
    applied?.(a, command(2, 'c/2'));
    restored?.(a, 1);
    expect(broken).toHaveLength(2);
  });
});

describe('folds are equal everywhere', () => {
  it.each([
    ['the same', 'x', 0],
    ['another', 'y', 1],
  ])('%s state after one position', (_, state, count) => {
    const { broken, finished } = watched(equalFolds, [
      life('a', 1, 5, 'x'),
      life('b', 2, 5, state),
      life('c', 3, 4, 'z'),
    ]);
    finished?.(new Set());
    expect(broken).toHaveLength(count);
  });

  it('looks also while the run goes on, and at snapshots', () => {
    const { broken, applied, restored } = watched(equalFolds);
    applied?.(life('a', 1, 8, 'x'), command(8, 'c/1'));
    applied?.(life('b', 2, 8, 'y'), command(8, 'c/1'));
    restored?.(life('c', 3, 8, 'z'), 8);
    expect(broken).toHaveLength(2);
  });

  it('takes for the same what a snapshot makes the same bytes of', () => {
    const field = fc.constantFrom(null, 0, 1, -1, '0', 'a', '');
    const fields = fc.array(fc.tuple(fc.constantFrom('x', 'y'), field), { maxLength: 2 }).map(Object.fromEntries);
    const rows = fc.array(fc.oneof(field, fields, fc.array(field, { maxLength: 2 })), { maxLength: 2 });
    fc.assert(
      fc.property(rows, rows, (a, b) => packsAlike(a, b) === isSame(pack(a), pack(b))),
      { numRuns: 2_000, examples: [[[{ x: 0, y: 1 }], [{ y: 1, x: 0 }]]] },
    );
  });
});

describe('no acknowledged command is lost', () => {
  const lives = [life('a', 1, 3), life('b', 2, 3)];
  const [of = a, other = b] = lives;

  it.each([
    ['is there', 'a-1/7', 0],
    ['is not', 'b-2/7', 1],
  ])('what its submitter saw applied %s at another node', (_, id, count) => {
    const { broken, applied, finished } = watched(nothingLost, lives);
    applied?.(of, command(3, 'a-1/7'));
    applied?.(other, command(3, id));
    finished?.(new Set());
    expect(broken.length > 0 ? 1 : 0).toBe(count);
  });

  it('what was applied before the healing is applied by all who rest', () => {
    const { broken, applied, healed, finished } = watched(nothingLost, lives);
    for (const position of [3, 4]) applied?.(of, command(position, `a-1/${position}`));
    applied?.(other, command(3, 'a-1/3'));
    finished?.(new Set(['b']));
    expect(broken).toEqual([]);
    healed?.();
    finished?.(new Set(['b']));
    expect(broken.join()).toContain('b has not applied position 4');
  });
});

describe('the end of a mastership', () => {
  const TERM = 3;
  const clock = { monotonic: (atMs: number) => atMs };

  /** One process that holds `group` by a lease until 100 ms. */
  function held(more: { isOver?: boolean; givenUpAtMs?: number | null; term?: number } = {}) {
    const { isOver = false, givenUpAtMs = null, term = TERM } = more;
    const claims = [{ stamp: { atMs: 0 }, holdMs: 100 }];
    const candidate = { getSnapshot: () => ({ context: { mastership: { term, givenUpAtMs } } }) };
    return {
      ...a,
      mayHold: !isOver,
      machine: { clock, timers: { now: { lateMs: 10 } } },
      actors: {
        lease: { getSnapshot: () => ({ context: { holding: { isOver, claims } } }) },
        candidates: new Map([['group', candidate]]),
      },
    } as unknown as Life;
  }

  function watchedAt(life: Life, world: { nowMs: number }) {
    const process = {
      owner: life,
      freeSinceMs: 0,
      get nowMs() {
        return world.nowMs;
      },
    };
    Object.assign(life, { process });
    const broken: string[] = [];
    const observed = { group: { world } } as unknown as Observed;
    const fail = (what: string) => void broken.push(what);
    return {
      broken,
      process: process as unknown as Process,
      ...noticesCome.watch(observed, fail),
      ...workWithin.watch(observed, fail),
    };
  }

  const mastership = (signal: AbortSignal) => ({ election: 'group', term: TERM, signal }) as unknown as Mastership;

  it.each([
    ['is held', {}, 0],
    ['was given up', { givenUpAtMs: 5 }, 2],
    ['went with its session', { isOver: true }, 2],
    ['is of a later term', { term: 4 }, 2],
  ])('is told in the step in which it comes: one that %s', (_, more, count) => {
    const life = held();
    const { broken, process, given, elected, stepped } = watchedAt(life, { nowMs: 1 });
    given?.(life, mastership(new AbortController().signal));
    elected?.(life, TERM, 'group');
    Object.assign(life, held(more), { process });
    stepped?.(process);
    expect(broken).toHaveLength(count);
  });

  it('is demanded of nobody who was told', () => {
    const life = held();
    const { broken, process, given, elected, deposed, stepped } = watchedAt(life, { nowMs: 1 });
    given?.(life, mastership(AbortSignal.abort()));
    elected?.(life, TERM, 'group');
    deposed?.(life, TERM, 'expired', 'group');
    Object.assign(life, held({ isOver: true }), { process });
    stepped?.(process);
    expect(broken).toEqual([]);
  });

  it('is told when timers have fired: they are late, and all that is due in one instant comes first', () => {
    const life = held();
    const world = { nowMs: 1 };
    const { broken, process, given, stepped } = watchedAt(life, world);
    given?.(life, mastership(new AbortController().signal));
    for (const atMs of [1, 100, 111, 300, 300]) {
      world.nowMs = atMs;
      stepped?.(process);
    }
    expect(broken).toEqual([]);
    world.nowMs = 301;
    stepped?.(process);
    expect(broken.join()).toContain('nobody is told');
  });

  it('is told when timers have fired: of a process that could not run it is demanded when it can again', () => {
    const life = held();
    const world = { nowMs: 300 };
    const { broken, process, given, stepped } = watchedAt(life, world);
    given?.(life, mastership(new AbortController().signal));
    stepped?.(process);
    Object.assign(process, { freeSinceMs: 400 });
    world.nowMs = 400;
    stepped?.(process);
    expect(broken).toEqual([]);
    world.nowMs = 401;
    stepped?.(process);
    expect(broken.join()).toContain('nobody is told');
  });

  it.each([
    ['in time', 99, 0],
    ['late', 101, 1],
  ])('is no time to begin work: %s', (_, atMs, count) => {
    const life = held();
    const { broken, effectBegan } = watchedAt(life, { nowMs: atMs });
    effectBegan?.(life, mastership(new AbortController().signal));
    expect(broken).toHaveLength(count);
  });
});

describe('promises are kept', () => {
  const ballot = (round: number) => ({ round, nodeId: 'b', incarnation: 'b-1' });
  const store = { storeId: 'a-1', incarnations: 1 };
  const machine = {} as Machine;
  const address: Address = { role: 'proposer', to: 'b' };
  const accepted = (slot: number, round: number) => ({ type: 'accepted', ballot: ballot(round), slot, store }) as const;
  const promise = (round: number, trimmedThrough = 0): Message => ({
    type: 'promise',
    ballot: ballot(round),
    fromSlot: 1,
    to: 0,
    lastSlot: 0,
    entries: [],
    trimmedThrough,
    chosenThrough: 0,
    store,
  });

  it('accepting at a ballot that was never promised is a promise too', () => {
    const { broken, durable, said } = watched(promisesKept);
    durable?.(machine, 'a-1', { type: 'accepted', slot: 1, ballot: ballot(2), value: new Uint8Array(1) });
    said?.(a, address, accepted(1, 2));
    said?.(a, address, promise(2));
    expect(broken).toEqual([]);
    said?.(a, address, promise(1));
    expect(broken.join()).toContain('below a ballot it answered');
  });

  it('what is said to be trimmed stands in a durable snapshot', () => {
    const { broken, durable, said } = watched(promisesKept);
    durable?.(machine, 'a-1', { type: 'promised', ballot: ballot(1) });
    durable?.(machine, 'a-1', { type: 'snapshot', through: 4, position: 4, bytes: new Uint8Array(1) });
    said?.(a, address, promise(1, 4));
    expect(broken).toEqual([]);
    said?.(a, address, promise(1, 5));
    expect(broken.join()).toContain('(P6)');
  });

  it('what is trimmed stands in a durable snapshot, whatever is said next', () => {
    const { broken, durable, said } = watched(promisesKept);
    const acceptor = { ...freshAcceptor(), trimmedThrough: 4 };
    const voter = { ...a, storeId: 'a-1', acceptor } as unknown as Life;
    durable?.(machine, 'a-1', { type: 'snapshot', through: 4, position: 4, bytes: new Uint8Array(1) });
    said?.(voter, address, { type: 'fetch', fromSlot: 1, toSlot: 2 });
    expect(broken).toEqual([]);
    acceptor.trimmedThrough = 5;
    said?.(voter, address, { type: 'fetch', fromSlot: 1, toSlot: 2 });
    expect(broken.join()).toContain('(P6)');
  });
});

describe('what is durable is recovered', () => {
  const ballot = (round: number) => ({ round, nodeId: 'b', incarnation: 'b-1' });
  const records: readonly JournalRecord[] = [
    { type: 'formed' },
    { type: 'promised', ballot: ballot(1) },
    { type: 'snapshot', through: 3, position: 3, bytes: new Uint8Array(1) },
    { type: 'accepted', slot: 4, ballot: ballot(2), value: new Uint8Array(1) },
    { type: 'peer', storeId: 'b-1', incarnations: 2 },
  ];
  const whole = recover(records);
  const { acceptor } = whole;

  it.each<[string, Partial<Recovered>, string]>([
    ['all of it', {}, ''],
    ['a promise less', { acceptor: { ...acceptor, promised: ballot(1) } }, '(P2)'],
    ['an acceptance less', { acceptor: { ...acceptor, accepted: new Map() } }, '(P2)'],
    ['no snapshot', { acceptor: { ...acceptor, trimmedThrough: 0 } }, '(P6)'],
    ['an opening less', { peers: new Map([['b-1', 1]]) }, '(I2)'],
    ['no formation', { isFormed: false }, '(I5)'],
  ])('%s', (_, less, rule) => {
    const machine = { disk: { damage: null } } as unknown as Machine;
    const { broken, durable, recovered } = watched(recoveredAsWritten);
    for (const record of records) durable?.(machine, 'a-1', record);
    recovered?.({ ...a, machine, storeId: 'a-1' } as unknown as Life, { ...whole, ...less });
    expect(broken).toHaveLength(rule === '' ? 0 : 1);
    expect(broken.join()).toContain(rule);
  });
});

describe('no master is deposed', () => {
  it.each([
    ['resigned', 0],
    ['expired', 0],
    ['deposed', 1],
  ])('%s', (lostBy, count) => {
    const { broken, deposed } = watched(noneDeposed);
    deposed?.(a, 3, lostBy, 'group');
    expect(broken).toHaveLength(count);
  });
});

describe('a veto counts', () => {
  it('for who would become master, until it is lifted', () => {
    const { broken, healthAsked, elected } = watched(vetoesCount);
    healthAsked?.(a, true);
    healthAsked?.(b, false);
    elected?.(a, 3, 'group');
    expect(broken).toEqual([]);
    elected?.(b, 4, 'group');
    expect(broken).toHaveLength(1);
    healthAsked?.(b, true);
    elected?.(b, 5, 'group');
    expect(broken).toHaveLength(1);
  });
});

describe('what is told of a master last is so', () => {
  const master = (node: string, term: number) => ({ node, term }) as Master;

  /** It listens in some of the runs: this is one of them. */
  function listening(present: Master | null) {
    const of = { ...life('x', 1), group: { election: () => ({ master: present }) } } as unknown as Life;
    const broken: string[] = [];
    const seed = Array.from({ length: 100 }, (_, i) => i).find((i) => toldLast.watch(observedAt(i), () => {}).changed);
    const watching = toldLast.watch(observedAt(seed ?? 0), (what) => void broken.push(what));
    return { of, broken, step: { owner: of } as unknown as Process, ...watching };
  }
  const observedAt = (seed: number) => ({ group: { settings: { seed } } }) as unknown as Observed;

  it('says nothing while that is so, and of what nobody was told of', () => {
    const { of, broken, step, changed, applied, stepped } = listening(master('a', 7));
    applied?.(of, command(7, 'c/7'));
    stepped?.(step);
    changed?.(of, 'jobs', null);
    changed?.(of, 'jobs', master('a', 7));
    applied?.(of, command(8, 'c/8'));
    stepped?.(step);
    expect(broken).toEqual([]);
  });

  it.each([
    ['nobody', null],
    ['another', master('b', 7)],
    ['an earlier term', master('a', 6)],
  ])('sees that %s was told', (_, told) => {
    const { of, broken, step, changed, heard, stepped } = listening(master('a', 7));
    changed?.(of, 'jobs', told);
    stepped?.(step);
    expect(broken).toEqual([]);
    heard?.(of, 'b', { type: 'news', changes: [] }, 0);
    stepped?.(step);
    expect(broken).toHaveLength(1);
    expect(broken[0]).toContain('x was told last that jobs is held by');
  });
});

describe('fences', () => {
  it('refuse older terms, and nothing else', () => {
    const { broken, acted } = watched(fencesRefuse);
    acted?.(act(a, 3));
    acted?.(act(b, 7));
    acted?.(act(a, 3, { isAccepted: false }));
    acted?.(act(a, 3, { isFenced: false }));
    expect(broken).toEqual([]);
    acted?.(act(a, 3));
    acted?.(act(b, 7, { isAccepted: false }));
    expect(broken).toHaveLength(2);
  });
});

describe('no work of two masters interleaves', () => {
  it('says nothing of one after the other', () => {
    const { broken, acted } = watched(noInterleaving);
    for (const [of, term] of [
      [a, 3],
      [a, 3],
      [b, 7],
    ] as const)
      acted?.(act(of, term));
    expect(broken).toEqual([]);
  });

  it('sees work that goes on, and a term that two processes write with', () => {
    const { broken, acted } = watched(noInterleaving);
    for (const [of, term] of [
      [a, 3],
      [b, 7],
      [a, 3],
    ] as const)
      acted?.(act(of, term));
    expect(broken.join()).toContain('work of term 3 goes on');
    acted?.(act(b, 3));
    expect(broken.join()).toContain('two processes write with term 3');
  });
});
