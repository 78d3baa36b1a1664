import { type Command, commandId } from '@synod/protocol';
import { describe, expect, it } from 'vitest';
import { encodeMasterCommand } from '../commands.ts';
import { Bench, contentOf, DRIFT } from '../testing/lease-bench.ts';

const HOLD_MS = 980;
const WAIT_MS = 1_010;

/** Wants all of these, and is master of all. */
function masterOf(elections: readonly string[], bench = new Bench()): Bench {
  for (const election of elections) bench.send({ type: 'want' }, election);
  bench.clock.advance(100);
  let chosen = 0;
  const choose = () => {
    for (const { command } of bench.all('propose').slice(chosen)) {
      chosen++;
      bench.choose(command);
    }
  };
  choose(); // The session, and one election with it.
  choose(); // The others, by that session.
  return bench;
}

function giveBack(bench: Bench, election: string): void {
  bench.send({ type: 'unwant' }, election);
  bench.send({ type: 'settled' }, election);
  bench.choose(bench.last('resign'));
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `shard-${i}`);

/** `b` holds all of them, by one session; this node wants them. */
function waitingFor(elections: readonly string[], maxDriftPpm = DRIFT.maxDriftPpm) {
  const bench = new Bench({ drift: { ...DRIFT, maxDriftPpm } });
  const session = bench.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs: 1_000, take: null });
  for (const election of elections) {
    bench.other({ type: 'beMaster', session, election, expectedVersion: 0, holder: null, metadata: {} });
    bench.send({ type: 'want' }, election);
  }
  return { bench, session };
}

describe('many elections on one session', () => {
  it('opens one session: the first election in the same command, all others by it in the next turn', () => {
    const elections = names(50);
    const bench = masterOf(elections);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(bench.proposals('beMaster')).toHaveLength(49);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
    expect(new Set([...bench.candidacies.licences()].map(({ session }) => session))).toEqual(new Set([1]));
    expect(bench.fold.view.held(1).size).toBe(50);
  });

  it('one command renews all, and tells the candidates nothing', () => {
    const elections = names(20);
    const bench = masterOf(elections);
    let events = 0;
    for (const election of elections) bench.candidacies.candidate(election)?.subscribe(() => events++);
    for (let i = 0; i < 40; i++) {
      bench.clock.advance(100);
      const renewal = bench.proposals('renew').at(-1);
      if (renewal && bench.fold.view.session(1)?.setBy !== renewal.id) bench.choose(renewal);
    }
    expect(bench.proposals('renew').length).toBeLessThan(20);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
    expect(events).toBe(0);
  });

  it('who waits for a holder of many is not woken by its renewals, and asks for all in one turn when it is silent', () => {
    const elections = names(20);
    const bench = new Bench();
    const session = bench.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs: 1_000, take: null });
    for (const election of elections) {
      bench.other({ type: 'beMaster', session, election, expectedVersion: 0, holder: null, metadata: {} });
      bench.send({ type: 'want' }, election);
    }
    let events = 0;
    for (const election of elections) bench.candidacies.candidate(election)?.subscribe(() => events++);
    for (let i = 0; i < 20; i++) {
      bench.clock.advance(250);
      bench.otherRenews(session);
    }
    expect(events).toBe(0);
    bench.clock.advance(WAIT_MS - 1);
    expect(bench.all('propose')).toEqual([]);
    bench.clock.advance(60);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(contentOf(bench.last('open'))).toMatchObject({ take: { holder: { session } } });
    bench.choose(bench.last('open'));
    bench.clock.advance(60); // Free by expiry: jitter once more.
    expect(bench.proposals('beMaster')).toHaveLength(19);
    for (const command of bench.proposals('beMaster')) bench.choose(command);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
  });

  it('of those that wait for one holder one asks, and nobody is woken for nothing', () => {
    const elections = names(200);
    const { bench } = waitingFor(elections);
    bench.clock.advance(WAIT_MS - 1);
    let events = 0;
    for (const election of elections) bench.candidacies.candidate(election)?.subscribe(() => events++);
    bench.clock.advance(60);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(events).toBeLessThan(5);
    bench.choose(bench.last('open'));
    expect(bench.proposals('beMaster')).toHaveLength(199);
  });

  it('if that one comes to nothing, more and more of them ask', () => {
    const elections = names(200);
    const { bench } = waitingFor(elections);
    bench.clock.advance(WAIT_MS + 60);
    const asking = () =>
      elections.filter((election) => Object.hasOwn(bench.state(election) as object, 'campaigning')).length;
    expect(asking()).toBe(1);
    bench.clock.advance(80);
    expect(asking()).toBe(9);
    bench.clock.advance(400);
    expect(asking()).toBe(200);
  });

  it('the others hear of the silence a tenth of a lease after the wait has ended, however soon the first heard', () => {
    const { bench } = waitingFor(names(200), 200_000);
    const watching = () =>
      names(200).filter((election) => JSON.stringify(bench.state(election)).includes('watching')).length;
    bench.clock.advance(1_200 - 51);
    expect(watching()).toBe(200);
    bench.clock.advance(1);
    expect(watching()).toBe(199);
    bench.clock.advance(149);
    expect(watching()).toBe(199);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.clock.advance(1);
    expect(watching()).toBe(191);
  });

  it('a holder who was heard again after one had asked is waited for again by all', () => {
    const elections = names(20);
    const { bench, session } = waitingFor(elections);
    bench.clock.advance(WAIT_MS + 60);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.otherRenews(session);
    bench.choose(bench.last('open')); // Refused: the session opens, and holds nothing.
    expect(bench.fold.view.record('shard-0').master).toBe(session);
    bench.clock.advance(WAIT_MS - 1);
    expect(bench.proposals('beMaster')).toHaveLength(0);
    bench.clock.advance(60);
    expect(bench.proposals('open').length + bench.proposals('beMaster').length).toBe(2);
  });

  it('of many that change together those who wait hear a while later, and once', () => {
    const elections = names(200);
    const { bench, session } = waitingFor(elections);
    const events = new Map<string, number>();
    for (const election of elections) {
      bench.candidacies.candidate(election)?.subscribe(() => events.set(election, (events.get(election) ?? 0) + 1));
    }
    const take = (holder: number, name: string) =>
      bench.other(
        {
          type: 'beMaster',
          session: holder,
          election: name,
          expectedVersion: bench.fold.view.record(name).version,
          holder: null,
          metadata: {},
        },
        'c1',
      );
    const other = bench.other({ type: 'open', node: 'c', incarnation: 'c1', leaseMs: 3_000, take: null }, 'c1');
    bench.other({ type: 'expire', session, expectedVersion: session }, 'c1');
    expect(events.size).toBe(32);
    for (const election of elections.slice(32)) take(other, election);
    expect(events.size).toBe(32);
    bench.clock.advance(240); // Nothing is to be asked for: whoever asked for them has better things to do.
    expect(events.size).toBe(32);
    bench.clock.advance(60);
    expect(events.size).toBe(200);
    expect(elections.slice(32).every((election) => events.get(election) === 1)).toBe(true);
    expect(elections.slice(32).every((election) => bench.candidate(election).aim?.holder?.session === other)).toBe(
      true,
    );
  });

  it('resigning one keeps the others, and the session with them', () => {
    const bench = masterOf(['one', 'two']);
    bench.send({ type: 'unwant' }, 'one');
    expect(bench.isMaster('one')).toBe(false);
    expect(bench.isMaster('two')).toBe(true);
    bench.send({ type: 'settled' }, 'one');
    bench.choose(bench.last('resign'));
    expect(bench.fold.view.record('one').master).toBeNull();
    bench.clock.advance(250);
    bench.choose(bench.last('renew'));
    expect(bench.isMaster('two')).toBe(true);
    expect(bench.proposals('end')).toEqual([]);
  });

  it('the session goes when the last of them has been given back', () => {
    const bench = masterOf(['one', 'two']);
    for (const election of ['one', 'two']) giveBack(bench, election);
    bench.clock.advance(99);
    expect(bench.session).toEqual({ open: 'fresh' });
    bench.clock.advance(1);
    expect(bench.session).toBe('closed');
    bench.otherRenews(bench.otherMaster());
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: 1 });
  });

  it('who asks soon after that asks by the same session', () => {
    const bench = masterOf(['one']);
    const { deadlineAtMs } = bench.licence('one') ?? {};
    giveBack(bench, 'one');
    for (const election of ['two', 'three']) {
      bench.send({ type: 'want' }, election);
      bench.clock.advance(30);
      bench.choose(bench.last('beMaster'));
      expect(bench.licence(election)).toMatchObject({ session: 1, deadlineAtMs });
      giveBack(bench, election);
    }
    expect(bench.proposals('open')).toHaveLength(1);
    expect(bench.proposals('end')).toEqual([]);
  });

  it('T7: a session that nobody uses is let go before it would have to be renewed', () => {
    const bench = masterOf(['one']);
    bench.clock.advance(60);
    giveBack(bench, 'one');
    bench.clock.advance(64);
    expect(bench.session).toEqual({ open: 'fresh' });
    bench.clock.advance(1);
    expect(bench.session).toBe('closed');
    expect(bench.proposals('renew')).toEqual([]);
  });

  it('T11: and at once where this node stands by, which opens a session of its own', () => {
    const bench = new Bench({ heirOf: (node) => (node === 'b' ? 'a' : 'c') });
    bench.otherMaster();
    masterOf(['one'], bench);
    giveBack(bench, 'one');
    expect(bench.session).toEqual({ open: 'fresh' });
    bench.send({ type: 'want' });
    expect(bench.session).toBe('closed');
    expect(bench.all('standBy')).toHaveLength(1);
  });

  it('who may not ask because the session has lapsed looks again when it is let go', () => {
    const bench = masterOf(['one']);
    const session = bench.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs: 3_000, take: null });
    const two = { type: 'beMaster', session, election: 'two', holder: null, metadata: {} } as const;
    bench.other({ ...two, expectedVersion: 0 });
    bench.send({ type: 'want' }, 'two');
    bench.send({ type: 'unwant' }, 'one');
    bench.send({ type: 'settled' }, 'one');
    bench.clock.stall(1_000); // No timer has told that the session is over.
    const { term } = bench.fold.view.record('two');
    const back = bench.other({ type: 'resign', session, election: 'two', term });
    bench.other({ ...two, expectedVersion: back });
    expect(bench.state('two')).toEqual({ waiting: 'vetoed' });
    bench.choose(bench.last('resign'));
    expect(bench.session).toBe('closed');
    expect(bench.state('two')).toEqual({ waiting: { watching: 'content' } });
  });

  it('T7: one that cannot be given back in a lease takes down all: the session is not renewed any more', () => {
    const bench = masterOf(['one', 'two']);
    bench.send({ type: 'resign' }, 'one');
    for (let i = 0; i < 11; i++) {
      bench.clock.advance(100);
      const renewal = bench.proposals('renew').at(-1);
      if (renewal && bench.fold.view.session(1)?.setBy !== renewal.id) bench.choose(renewal);
    }
    expect(bench.all('overrun')).toMatchObject([{ election: 'one' }]);
    expect(bench.isMaster('two')).toBe(false);
    expect(bench.all('lost')).toMatchObject([
      { election: 'one', lostBy: 'resigned' },
      { election: 'two', lostBy: 'resigned' },
    ]);
    const sent = bench.proposals('renew').length;
    bench.clock.advance(2_000);
    expect(bench.proposals('renew')).toHaveLength(sent);
    bench.send({ type: 'settled' }, 'two');
    expect(bench.proposals('end')).toEqual([]);
    bench.send({ type: 'settled' }, 'one');
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: 1 });
  });

  it('T7: a record that comes to the session unasked is given back, never acted by', () => {
    const bench = masterOf(['one']);
    const take = { election: 'two', expectedVersion: 0, holder: null, metadata: {} };
    bench.choose(encodeMasterCommand('a1/900', { type: 'beMaster', session: 1, ...take }));
    expect(bench.fold.view.record('two').master).toBe(1);
    expect(bench.isMaster('two')).toBe(false);
    expect(bench.all('acquired')).toHaveLength(1);
    expect(contentOf(bench.last('resign'))).toEqual({ type: 'resign', election: 'two', session: 1, term: 2 });
    bench.choose(bench.last('resign'));
    expect(bench.fold.view.record('two').master).toBeNull();
    expect(bench.isMaster('one')).toBe(true);
  });

  it('what was lapsed from before any timer said so is freed by the end of the session', () => {
    const bench = masterOf(['one']);
    bench.clock.stall(2_000);
    bench.send({ type: 'resign' }, 'one');
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'expired' }]);
    bench.send({ type: 'settled' }, 'one');
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: 1 });
  });

  it('T6: nothing is asked for anew before the work of every mastership of the session has stopped', () => {
    const bench = masterOf(['one', 'two']);
    bench.clock.advance(1_000);
    bench.send({ type: 'settled' }, 'one');
    bench.clock.advance(500);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.send({ type: 'settled' }, 'two');
    bench.choose(bench.last('end'));
    bench.clock.advance(50);
    expect(bench.proposals('open').length).toBeGreaterThan(1);
  });
});

/** A thousand wants in one turn; each command is chosen as it comes. */
function masterOfThousands(elections: readonly string[]): Bench {
  const bench = new Bench();
  for (const election of elections) bench.send({ type: 'want' }, election);
  let chosen = 0;
  for (let ms = 0; ms < 400; ms += 2) {
    bench.clock.advance(2);
    const proposals = bench.all('propose');
    for (; chosen < proposals.length; chosen++) bench.choose(proposals[chosen]?.command as Command);
  }
  return bench;
}

describe('thousands of elections at one node', () => {
  const HOLDS = 1_500;

  it('so many ask at a time as a leader chooses in a fraction of a lease, and each that has its answer makes room', () => {
    const elections = names(HOLDS);
    const bench = new Bench();
    for (const election of elections) bench.send({ type: 'want' }, election);
    bench.clock.advance(100);
    bench.choose(bench.last('open'));
    bench.clock.advance(100);
    const asked = bench.proposals('beMaster').length;
    expect(asked).toBeLessThanOrEqual(512);
    expect(asked).toBeGreaterThan(500);
    bench.clock.advance(100);
    expect(bench.proposals('beMaster')).toHaveLength(asked);
    for (const command of bench.proposals('beMaster').slice(0, 100)) bench.choose(command);
    bench.clock.advance(100);
    expect(bench.proposals('beMaster')).toHaveLength(asked + 100);
  });

  it('all of them are held in the end, by one session', () => {
    const elections = names(HOLDS);
    const bench = masterOfThousands(elections);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('a thousand of a dead holder are asked for in one turn by whoever ended its session, more as there is room', () => {
    const elections = names(HOLDS);
    const { bench } = waitingFor(elections);
    bench.clock.advance(WAIT_MS + 60);
    bench.choose(bench.last('open'));
    const asked = bench.proposals('beMaster').length;
    expect(asked).toBeGreaterThan(1_000);
    expect(asked).toBeLessThanOrEqual(1_024);
    for (const command of bench.proposals('beMaster')) bench.choose(command);
    let chosen = asked;
    for (let ms = 0; ms < 200; ms++) {
      bench.clock.advance(1);
      const proposals = bench.proposals('beMaster');
      for (; chosen < proposals.length; chosen++) bench.choose(proposals[chosen] as Command);
    }
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
  });

  it('while more ask than have room none hears of the silence of another holder, and one does when there is room again', () => {
    const { bench } = waitingFor(names(1_000));
    const other = bench.other({ type: 'open', node: 'c', incarnation: 'c1', leaseMs: 1_000, take: null }, 'c1');
    const elections = names(3_000).map((name) => `other-${name}`);
    for (const election of elections) {
      const take = { election, expectedVersion: 0, holder: null, metadata: {} };
      bench.other({ type: 'beMaster', session: other, ...take }, 'c1');
      bench.send({ type: 'want' }, election);
    }
    bench.clock.advance(500);
    bench.otherRenews(other, 1_000, 'c1');
    bench.clock.advance(WAIT_MS - 500 + 60);
    bench.choose(bench.last('open'));
    const freed = bench.proposals('beMaster');
    expect(freed).toHaveLength(999);
    const asking = () =>
      elections.filter((election) => bench.candidacies.candidate(election)?.getSnapshot().context.attempt);
    bench.clock.advance(600);
    expect(asking()).toHaveLength(0);
    for (const command of freed) bench.choose(command);
    bench.clock.advance(120);
    expect(asking()).toHaveLength(1);
  });

  it('nor do more ask when a node is healthy again: they hear of it as there is room, and of a veto at once', () => {
    const elections = names(HOLDS);
    const bench = new Bench();
    bench.candidacies.tellAll({ type: 'eligible', value: false });
    for (const election of elections) bench.send({ type: 'want' }, election);
    bench.clock.advance(300);
    bench.candidacies.tellAll({ type: 'eligible', value: true });
    bench.clock.advance(100);
    bench.choose(bench.last('open'));
    bench.clock.advance(100);
    const asked = bench.proposals('beMaster');
    expect(asked.length).toBeLessThanOrEqual(512);
    expect(asked.length).toBeGreaterThan(500);
    const unheard = elections.filter((election) => JSON.stringify(bench.state(election)).includes('vetoed'));
    bench.send({ type: 'eligible', value: false }, unheard[0]);
    let chosen = 0;
    for (let ms = 0; ms < 200; ms++) {
      const proposals = bench.proposals('beMaster');
      for (; chosen < proposals.length; chosen++) bench.choose(proposals[chosen] as Command);
      bench.clock.advance(1);
    }
    expect(elections.filter((election) => !bench.isMaster(election))).toEqual([unheard[0]]);
  });

  it('a wish that nobody heard yet is taken back unheard', () => {
    const elections = names(HOLDS);
    const bench = new Bench();
    for (const election of elections) bench.send({ type: 'want' }, election);
    const unheard = elections.filter((election) => bench.candidacies.candidate(election) === undefined);
    expect(unheard.length).toBeGreaterThan(500);
    for (const election of elections) bench.send({ type: 'unwant' }, election);
    bench.clock.advance(1_000);
    expect(unheard.every((election) => bench.candidacies.candidate(election) === undefined)).toBe(true);
    expect(bench.proposals('beMaster')).toEqual([]);
  });

  it('T5: when their session lapses none of them is held at that instant, and all hear of it, a few in a turn', () => {
    const elections = names(HOLDS);
    const bench = masterOfThousands(elections);
    const { deadlineAtMs } = bench.licence('shard-0') ?? { deadlineAtMs: Number.NaN };
    bench.clock.advance(deadlineAtMs - bench.clock.now() + 2);
    expect(elections.some((election) => bench.isMaster(election))).toBe(false);
    expect([...bench.candidacies.licences()]).toEqual([]);
    expect(bench.all('lost').length).toBeLessThan(200);
    bench.clock.advance(200);
    expect(new Set(bench.all('lost').map(({ election }) => election)).size).toBe(HOLDS);
    expect(bench.all('lost').every(({ lostBy }) => lostBy === 'expired')).toBe(true);
  });

  it('T6: no session is asked for before the last of them has heard that the old one is over, and its work has stopped', () => {
    const elections = names(HOLDS);
    const bench = masterOfThousands(elections);
    const { deadlineAtMs } = bench.licence('shard-0') ?? { deadlineAtMs: Number.NaN };
    bench.clock.advance(deadlineAtMs - bench.clock.now() + 2);
    let settled = 0;
    const settle = () => {
      const lost = bench.all('lost');
      for (; settled < lost.length; settled++) bench.send({ type: 'settled' }, lost[settled]?.election);
    };
    settle();
    expect(settled).toBeLessThan(HOLDS);
    bench.clock.advance(1);
    expect(bench.proposals('end')).toEqual([]);
    expect(bench.proposals('open')).toHaveLength(1);
    for (let ms = 0; ms < 200; ms++) {
      bench.clock.advance(1);
      settle();
    }
    expect(settled).toBe(HOLDS);
    expect(bench.proposals('end')).toHaveLength(1);
    bench.choose(bench.last('end'));
    bench.clock.advance(100);
    expect(bench.proposals('open').length).toBeGreaterThan(1);
  });

  it('T6: who noticed before it was told that the old session is over is not told so of the next one', () => {
    const elections = names(65);
    const bench = masterOfThousands(elections);
    const isLost = (election: string) => bench.all('lost').some((lost) => lost.election === election);
    while (bench.all('lost').length < 64) bench.clock.advance(1);
    const [last] = elections.filter((election) => !isLost(election));
    for (const type of ['unwant', 'settled', 'want'] as const) bench.send({ type }, last);
    for (const election of elections) bench.send({ type: 'settled' }, election);
    bench.choose(bench.last('end'));
    bench.choose(bench.last('open'));
    for (const command of bench.proposals('beMaster').slice(64)) bench.choose(command);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
    bench.clock.advance(2);
    expect(elections.every((election) => bench.isMaster(election))).toBe(true);
  });

  it('a node that leaves at once tells all of them before it says that it has stopped', () => {
    const elections = names(HOLDS);
    const bench = masterOfThousands(elections);
    bench.send({ type: 'stop', mode: 'abandon' });
    expect(bench.all('lost')).toHaveLength(HOLDS);
    expect(bench.emitted.at(-1)).toMatchObject({ type: 'stopped' });
  });
});

/**
 * Schedules that would give an election two masters if the lease were not the session's alone. `others` is the instant from
 * which somebody who saw every command of the holder at once may take what it holds.
 */
describe('S2 with a shared session', () => {
  it('an election taken late in the lease is held no longer than those taken first', () => {
    const bench = masterOf(['one']);
    const until = bench.licence('one')?.deadlineAtMs ?? 0;
    bench.clock.advance(700); // Renewals are sent and lost.
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(40);
    bench.choose(bench.last('beMaster'));
    expect(bench.isMaster('two')).toBe(true);
    expect(bench.licence('two')?.deadlineAtMs).toBeCloseTo(until, 6);
    expect(until).toBeLessThanOrEqual(1_025 + HOLD_MS);
    bench.clock.advance(until - bench.clock.now());
    expect(bench.isMaster('one')).toBe(false);
    expect(bench.isMaster('two')).toBe(false);
  });

  it('an election taken while a renewal is in flight hangs on the earlier deadline until the renewal is applied', () => {
    const bench = masterOf(['one']);
    bench.clock.advance(225);
    const renewal = bench.last('renew');
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(40);
    bench.choose(bench.last('beMaster'));
    expect(bench.licence('two')?.deadlineAtMs).toBeCloseTo(1_025 + HOLD_MS, 6);
    bench.choose(renewal);
    expect(bench.licence('two')?.deadlineAtMs).toBeCloseTo(bench.licence('one')?.deadlineAtMs ?? 0, 6);
    expect(bench.licence('two')?.deadlineAtMs).toBeCloseTo(1_275 + HOLD_MS, 6);
  });

  it('a shorter renewal in flight lowers the deadline of an election that is taken after it was sent', () => {
    const bench = masterOf(['one']);
    bench.send({ type: 'leaseMs', value: 300 });
    bench.clock.advance(200);
    expect(contentOf(bench.last('renew'))).toMatchObject({ leaseMs: 300 });
    const sentAtMs = bench.context.holding?.requests.at(-1)?.stamp.atMs ?? 0;
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(20);
    bench.choose(bench.last('beMaster'));
    expect(bench.licence('two')?.deadlineAtMs).toBeCloseTo(sentAtMs + 292, 6);
  });

  it('expiry of the session and a partial takeover: what nobody has taken yet is over all the same', () => {
    const bench = masterOf(['one', 'two', 'three']);
    const taker = bench.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs: 1_000, take: null });
    const { version } = bench.fold.view.record('one');
    bench.isDeaf = true; // Told by the fold's view alone, as between the two.
    const holder = { session: 1, version: 1 };
    bench.other({ type: 'beMaster', session: taker, election: 'one', expectedVersion: version, holder, metadata: {} });
    expect(bench.fold.view.record('one').master).toBe(taker);
    for (const election of ['one', 'two', 'three']) expect(bench.isMaster(election)).toBe(false);
    bench.isDeaf = false;
    bench.send({ type: 'applied', news: bench.fold.everything() });
    expect(bench.all('lost')).toHaveLength(3);
    expect(bench.fold.view.record('two')).toMatchObject({ master: null, cause: 'expired' });
  });

  it('a take by the old session that is chosen after its end gives nothing', () => {
    const bench = masterOf(['one']);
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(40);
    const late = bench.last('beMaster');
    bench.other({ type: 'expire', session: 1, expectedVersion: 1 });
    bench.choose(late);
    expect(bench.fold.view.record('two').master).toBeNull();
    expect(bench.isMaster('two')).toBe(false);
  });

  it('nor one that is chosen after the session has lapsed here and before anybody ended it', () => {
    const bench = masterOf(['one']);
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(40);
    const late = bench.last('beMaster');
    bench.clock.stall(1_000);
    bench.choose(late);
    expect(bench.fold.view.record('two').master).toBe(1);
    expect(bench.isMaster('two')).toBe(false);
    expect(bench.all('acquired').map(({ election }) => election)).toEqual(['one']);
    bench.clock.advance(5);
    bench.send({ type: 'settled' }, 'one');
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: 1 });
  });

  it('nor by a new session of the same node: a record that names the old one is not held', () => {
    const bench = masterOf(['one']);
    bench.send({ type: 'want' }, 'two');
    bench.clock.advance(40);
    const late = bench.last('beMaster');
    bench.clock.advance(1_000);
    bench.send({ type: 'settled' }, 'one'); // Its end is asked for, and not chosen yet.
    bench.other({ type: 'open', node: 'z', incarnation: 'z1', leaseMs: 1_000, take: null }, 'z1');
    bench.clock.advance(100);
    for (const command of bench.proposals('open').slice(1)) bench.choose(command);
    bench.choose(late);
    const { master } = bench.fold.view.record('two');
    expect(bench.isMaster('two')).toBe(master !== null && master === bench.context.holding?.session);
  });

  it('a sight of a renewal that names the whole session moves the wait for each of its elections', () => {
    const bench = new Bench();
    const session = bench.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs: 1_000, take: null });
    for (const election of ['one', 'two']) {
      bench.other({ type: 'beMaster', session, election, expectedVersion: 0, holder: null, metadata: {} });
      bench.send({ type: 'want' }, election);
    }
    bench.clock.advance(900);
    bench.send({ type: 'seen', id: commandId('b1', 4) });
    bench.clock.advance(50);
    bench.otherRenews(session); // The fourth of its commands.
    bench.clock.advance(WAIT_MS - 50 - 1);
    expect(bench.all('propose')).toEqual([]);
    bench.clock.advance(60);
    expect(bench.proposals('open')).toHaveLength(1);
  });
});
