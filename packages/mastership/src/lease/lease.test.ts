import { type Command, commandId, type MasterNews, type Session } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { encodeMasterCommand, type Take } from '../commands.ts';
import { MasterView } from '../fold/master-view.ts';
import { Bench, contentOf, DRIFT } from '../testing/lease-bench.ts';
import { leaseRules } from './lease.rules.ts';
import { deadlineOf, leaseInForceMs, mayCount, shortestLeaseMs } from './licence.ts';
import { Sights } from './sights.ts';

/** What 1000 ms give their holder: 1 % for a slow clock and 10 ms of guard taken off (T1). */
const HOLD_MS = 980;
/** What everybody else waits: 1 % added for a fast clock (T2). */
const WAIT_MS = 1_010;

/** Stopped for two leases at the so-many-th look from now. */
class StoppedClock extends VirtualClock {
  looksLeft = Number.POSITIVE_INFINITY;
  override now(): number {
    if (--this.looksLeft === 0) this.stall(2_000);
    return super.now();
  }
}

describe('asking', () => {
  it('opens a session and asks to be master in one command', () => {
    const bench = new Bench({ metadata: { address: 'here' } });
    bench.send({ type: 'want' });
    bench.clock.advance(25);
    expect(contentOf(bench.last('open'))).toEqual({
      type: 'open',
      node: 'a',
      incarnation: 'a1',
      leaseMs: 1_000,
      take: { election: 'group', expectedVersion: 0, holder: null, metadata: { address: 'here' } },
    });
    const term = bench.choose(bench.last('open'));
    expect(bench.all('acquired')).toMatchObject([{ election: 'group', term, version: term, session: term }]);
    expect(bench.licence()).toMatchObject({ term, version: term, leaseMs: 1_000 });
    expect(bench.isMaster()).toBe(true);
  });

  it("the seed's node C: cut off during two renewals it asks with a stale version, and gets nothing but the news", () => {
    const c = new Bench();
    const session = c.otherMaster();
    c.send({ type: 'want' });
    c.clock.advance(WAIT_MS + 50);
    const stale = c.last('open');
    expect(contentOf(stale)).toMatchObject({ take: { holder: { session, version: session } } });
    c.otherRenews(session);
    c.otherRenews(session);
    c.choose(stale);
    expect(c.isMaster()).toBe(false);
    expect(c.all('acquired')).toEqual([]);
    expect(c.record).toMatchObject({ master: session, term: session });
    expect(c.state()).toEqual({ waiting: { watching: 'content' } });
  });

  it('an open but empty session of a refused take is ended: nothing lingers', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25);
    bench.otherMaster();
    const session = bench.choose(bench.last('open'));
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session });
    bench.choose(bench.last('end'));
    expect(bench.fold.view.session(session)).toBeUndefined();
    expect(bench.context.endings.size).toBe(0);
  });

  it('T11: does not poll: one proposal after one wait', () => {
    const bench = new Bench();
    bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.advance(HOLD_MS - 1);
    expect(bench.emitted).toEqual([]);
    for (const wakesAtMs of [HOLD_MS, HOLD_MS + 25, WAIT_MS + 25]) {
      expect(bench.proposals('open')).toEqual([]);
      expect(bench.clock.nextAtMs()).toBe(1_000 + wakesAtMs);
      bench.clock.advance(wakesAtMs + 1_000 - bench.clock.now());
    }
    expect(bench.emitted.map(({ type }) => type)).toEqual(['aboutToAsk', 'propose']);
  });

  it("B1: the log hears of it after the holder's own deadline, and as long before the asking as T2 is longer", () => {
    const bench = new Bench();
    bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.advance(HOLD_MS + 24);
    expect(bench.all('aboutToAsk')).toEqual([]);
    bench.clock.advance(1);
    expect(bench.all('aboutToAsk')).toEqual([{ type: 'aboutToAsk', silent: 'b' }]);
    bench.clock.advance(WAIT_MS - HOLD_MS - 1);
    expect(bench.proposals('open')).toEqual([]);
    bench.clock.advance(1);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(bench.all('aboutToAsk')).toHaveLength(1);
  });

  it('B1, B6: no longer ahead than who grants a promise gives time, whatever clocks do', () => {
    const bench = new Bench({ drift: { ...DRIFT, maxDriftPpm: 200_000 } });
    bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.advance(1_200 + 25 - 50 - 1);
    expect(bench.emitted).toEqual([]);
    bench.clock.advance(1);
    expect(bench.all('aboutToAsk')).toEqual([{ type: 'aboutToAsk', silent: 'b' }]);
    bench.clock.advance(49);
    expect(bench.proposals('open')).toEqual([]);
    bench.clock.advance(1);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('B1: a holder that renews is not done without, however late', () => {
    const bench = new Bench();
    const session = bench.otherMaster();
    bench.send({ type: 'want' });
    for (let i = 0; i < 4; i++) {
      bench.clock.advance(HOLD_MS + 20);
      bench.otherRenews(session);
    }
    bench.clock.advance(HOLD_MS - 1);
    expect(bench.emitted).toEqual([]);
  });

  it('T11: jitter of up to a twentieth of the lease, less for higher priority, none after Resign', () => {
    const askedAfter = (priority: number, freed: boolean, heir: string | null = null): number => {
      const bench = new Bench({ priority, heirOf: () => heir });
      const session = bench.otherMaster();
      if (freed) bench.other({ type: 'resign', election: 'group', session, term: session });
      const startMs = bench.clock.now();
      bench.send({ type: 'want' });
      for (let i = 0; i < 3_000 && bench.proposals('open').length === 0; i++) bench.clock.advance(1);
      return bench.clock.now() - startMs;
    };
    expect(askedAfter(0, false)).toBe(WAIT_MS + 25);
    expect(askedAfter(80, false)).toBe(WAIT_MS + 5);
    expect(askedAfter(100, false)).toBe(WAIT_MS);
    expect(askedAfter(300, false)).toBe(WAIT_MS); // Never before T2 ends, whatever number it is.
    expect(askedAfter(0, true)).toBeLessThanOrEqual(1);
    expect(askedAfter(0, false, 'a')).toBe(WAIT_MS); // The heir at once,
    expect(askedAfter(0, false, 'c')).toBe(WAIT_MS + 25); // the others no sooner than
    expect(askedAfter(80, false, 'c')).toBe(WAIT_MS + 5); // Whoever is preferred gives way to no heir.
  });

  it('T11: after a Resign it is the turn of who waited longest; the others give way for a two-hundredth of the lease each', () => {
    const askedAfter = (masters: readonly string[]): number => {
      const bench = new Bench();
      bench.send({ type: 'want' });
      bench.send({ type: 'eligible', value: false }); // Looks on for now, and sees them come and go.
      for (const node of masters) {
        const incarnation = `${node}-${bench.position}`;
        const take = { election: 'group', expectedVersion: bench.record.version, holder: null, metadata: {} };
        const open = { type: 'open', node, incarnation, leaseMs: 1_000, take } as const;
        const session = bench.choose(encodeMasterCommand(`${incarnation}/1`, open));
        const resign = { type: 'resign', election: 'group', session, term: session } as const;
        bench.choose(encodeMasterCommand(`${incarnation}/2`, resign));
      }
      const startMs = bench.clock.now();
      bench.send({ type: 'eligible', value: true });
      for (let i = 0; i < 1_000 && bench.proposals('open').length === 0; i++) bench.clock.advance(1);
      return bench.clock.now() - startMs;
    };
    expect(askedAfter(['b', 'c', 'd'])).toBe(0); // Never was.
    expect(askedAfter(['a', 'b', 'c'])).toBe(0); // Longest ago.
    expect(askedAfter(['b', 'a', 'c'])).toBe(5); // After b.
    expect(askedAfter(['b', 'c', 'd', 'a', 'b'])).toBe(10); // After c and d.
  });

  it.each(['eligible', 'caughtUp'] as const)('T11: asks only if %s, and then at once', (type) => {
    const bench = new Bench();
    bench.send({ type, value: false });
    bench.send({ type: 'want' });
    bench.clock.advance(5_000);
    expect(bench.emitted).toEqual([]);
    expect(bench.state()).toEqual({ waiting: 'vetoed' });
    bench.send({ type, value: true });
    bench.clock.advance(30);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('presumes the holder silent whose wait has just ended', () => {
    const bench = new Bench();
    bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.advance(WAIT_MS + 25);
    expect(bench.all('propose').at(-1)?.presumedSilent).toBe('b');
  });

  it('asks anew, with a new id and a new instant, when no answer came in three quarters of the lease', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25 + 749);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.clock.advance(2);
    const [first, second] = bench.proposals('open');
    expect(second?.id).not.toBe(first?.id);
    expect(bench.withdrawn).toEqual([first?.id]);
  });

  it('a command given up for lost that is chosen after all makes master while its lease is ahead', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25 + 800);
    const [first, second] = bench.proposals('open');
    if (!first || !second) throw new Error('two were asked for');
    bench.choose(first);
    expect(bench.isMaster()).toBe(true);
    expect(bench.remainingMs).toBe(HOLD_MS - 800);
    const stray = bench.choose(second);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: stray });
    expect(bench.isMaster()).toBe(true);
  });

  it('fault 1: an answer that comes after its lease makes nobody master; the session is ended', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25);
    const late = bench.last('open');
    bench.clock.advance(HOLD_MS);
    bench.choose(late);
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('acquired')).toEqual([]);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: bench.record.master });
  });

  it('a process that is stopped at any line of winning goes on, and is no master when its lease is over by then', () => {
    for (let looks = 1; looks <= 20; looks++) {
      const clock = new StoppedClock();
      const bench = new Bench({ clock });
      bench.send({ type: 'want' });
      clock.advance(25);
      clock.looksLeft = looks;
      bench.choose(bench.last('open'));
      if (clock.looksLeft > 0) expect(looks).toBeGreaterThan(3);
      else expect(bench.isMaster()).toBe(false);
      expect(bench.actor.getSnapshot().status).toBe('active');
    }
  });

  it('a process that is stopped at any line of waking for a holder who has renewed asks when that is silent too', () => {
    let isStopped = true;
    for (let looks = 1; isStopped; looks++) {
      const clock = new StoppedClock();
      const bench = new Bench({ clock });
      const session = bench.otherMaster();
      bench.send({ type: 'want' });
      clock.advance(500);
      bench.otherRenews(session);
      clock.advance(HOLD_MS - 501);
      clock.looksLeft = looks;
      clock.advance(10);
      isStopped = clock.looksLeft <= 0;
      clock.looksLeft = Number.POSITIVE_INFINITY;
      clock.advance(isStopped ? 100 : WAIT_MS);
      expect(bench.proposals('open'), `stopped at look ${looks}`).toHaveLength(1);
    }
  });

  it('who no longer wants withdraws, and ends what opens after all', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25);
    bench.send({ type: 'unwant' });
    expect(bench.withdrawn).toEqual([bench.last('open').id]);
    const session = bench.choose(bench.last('open'));
    expect(bench.isMaster()).toBe(false);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session });
  });

  it('a refusal for a reason that stays is not repeated without rest', () => {
    const bench = new Bench({ leaseMs: 99 });
    bench.send({ type: 'want' });
    for (let i = 0; i < 100; i++) {
      bench.clock.advance(10);
      const asked = bench.proposals('open').at(-1);
      if (asked && bench.state() !== 'waiting') bench.choose(asked);
    }
    expect(bench.proposals('open').length).toBeLessThan(100);
    expect(bench.record.version).toBe(0);
  });
});

describe('outside the log', () => {
  it('T7: a record that was heard before the session it names is acted upon once that is heard', () => {
    const heard = new MasterView();
    const bench = new Bench({ view: heard.view });
    const hear = (news: MasterNews) => bench.send({ type: 'applied', news: heard.hear(news) ?? news });
    bench.send({ type: 'want' });
    bench.clock.advance(100);
    const { id } = bench.last('open');
    bench.clock.advance(760); // Given up for lost, and asked anew.
    const record = { election: 'group', master: 7, term: 9, version: 9, setBy: id, metadata: {}, node: 'a' } as const;
    hear({ position: 9, sessions: [], ended: [], records: [{ ...record, cause: 'vacant' }] });
    expect(bench.isMaster()).toBe(false);
    const session = { id: 7, node: 'a', incarnation: 'a1', leaseMs: 1_000, version: 7, setBy: id, openedBy: id };
    hear({ position: 9, sessions: [session], ended: [], records: [] });
    expect(bench.isMaster()).toBe(true);
  });
});

describe('being offered a mastership (T8)', () => {
  it.each([
    [200, 1_000],
    [1_000, 200],
  ])("is waited for half of the shorter lease: own %i ms, the holder's %i ms", (own, theirs) => {
    const bench = new Bench({ leaseMs: own });
    const term = bench.otherMaster(theirs);
    bench.send({ type: 'want' });
    for (let i = 0; i < 3; i++) {
      bench.otherRenews(term, theirs);
      bench.send({ type: 'offered', from: 'b', term });
      expect(bench.state()).toEqual({ consenting: 'offered' });
      bench.clock.advance(90);
    }
    // What it answered may be lost: told as often as it is asked.
    bench.choose(bench.last('open'));
    bench.send({ type: 'offered', from: 'b', term });
    expect(bench.all('consent').length).toBeGreaterThan(1);
    bench.clock.advance(102);
    expect(bench.state()).toMatchObject({ waiting: expect.anything() });
  });
});

describe('standing by (T11)', () => {
  const heir = () => {
    const bench = new Bench({ heirOf: (node) => (node === 'b' ? 'a' : 'c') });
    const session = bench.otherMaster();
    bench.send({ type: 'want' });
    return { bench, session };
  };
  const resignOf = (session: number) => ({ type: 'resign', election: 'group', session, term: session }) as const;

  it('the heir of a holder tells it what to append behind its Resign, once for each renewal; others tell nothing', () => {
    const { bench, session } = heir();
    expect(bench.all('standBy').map(({ to, command }) => [to, contentOf(command as Command)])).toEqual([
      [
        'b',
        expect.objectContaining({
          type: 'open',
          take: expect.objectContaining({ expectedVersion: session, holder: null }),
        }),
      ],
    ]);
    bench.clock.advance(300);
    expect(bench.all('standBy')).toHaveLength(1);
    bench.otherRenews(session);
    expect(bench.all('standBy')).toHaveLength(2);
    expect(new Set(bench.all('standBy').map(({ command }) => command?.id)).size).toBe(2);

    const other = new Bench();
    other.otherMaster();
    other.send({ type: 'want' });
    expect(other.emitted).toEqual([]);
  });

  it.each(['eligible', 'caughtUp'] as const)('stands by only if %s', (type) => {
    const bench = new Bench({ heirOf: () => 'a' });
    bench.otherMaster();
    bench.send({ type, value: false });
    bench.send({ type: 'want' });
    expect(bench.all('standBy')).toEqual([]);
    bench.send({ type, value: true });
    bench.clock.advance(2);
    expect(bench.all('standBy')).toHaveLength(1);
  });

  it('T1: what it gives counts from when it stood by, not from when the holder gave back', () => {
    const { bench, session } = heir();
    const [offer] = bench.all('standBy');
    bench.clock.advance(700);
    bench.other(resignOf(session));
    bench.choose(offer?.command as Command);
    expect(bench.isMaster()).toBe(true);
    expect(deadlineOf(bench.context)).toBeCloseTo(bench.clock.now() - 700 + HOLD_MS, 5);
    bench.clock.advance(HOLD_MS - 700);
    expect(bench.isMaster()).toBe(false);
  });

  it('T1, fault 1: chosen after its lease it makes nobody master, and its session is ended', () => {
    const { bench, session } = heir();
    const [offer] = bench.all('standBy');
    bench.clock.advance(990);
    bench.other(resignOf(session));
    bench.choose(offer?.command as Command);
    expect(bench.isMaster()).toBe(false);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: bench.position });
  });

  it('chosen while the record is held it changes no record, whoever sent it', () => {
    const { bench, session } = heir();
    bench.choose(bench.all('standBy')[0]?.command as Command);
    expect(bench.record).toMatchObject({ master: session, term: session });
    expect(bench.isMaster()).toBe(false);
  });

  it('who no longer wants ends what it stood by for', () => {
    const { bench, session } = heir();
    const [offer] = bench.all('standBy');
    bench.send({ type: 'unwant' });
    bench.other(resignOf(session));
    const opened = bench.choose(offer?.command as Command);
    expect(bench.isMaster()).toBe(false);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: opened });
  });

  it('T3: more standbys than are remembered: what an older one opens is held by nobody, and ended', () => {
    const { bench, session } = heir();
    const [oldest] = bench.all('standBy');
    for (let i = 0; i < 8; i++) bench.otherRenews(session);
    expect(bench.all('standBy')).toHaveLength(9);
    bench.other(resignOf(session));
    const opened = bench.choose(oldest?.command as Command);
    expect(bench.record.master).toBe(opened);
    expect(bench.isMaster()).toBe(false);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: opened });
  });

  it('what has opened is remembered until it has ended, however often masters change meanwhile', () => {
    const bench = new Bench({ heirOf: () => 'a' });
    const own = bench.becomeMaster();
    bench.send({ type: 'resign', isSettled: true });
    bench.choose(bench.last('resign'));
    bench.clock.advance(250);
    for (let i = 0; i < 9; i++) bench.other(resignOf(bench.otherMaster()));
    expect(bench.proposals('end')).toEqual([]);
    bench.otherRenews(bench.otherMaster());
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: own });
  });

  it('T9: who stands by no more wakes for nothing once nothing can come of it', () => {
    const { bench } = heir();
    expect(mayCount(bench.context)).toBe(true);
    bench.send({ type: 'unwant' });
    bench.clock.advance(999);
    expect(mayCount(bench.context)).toBe(true);
    bench.clock.advance(2);
    expect(mayCount(bench.context)).toBe(false);
  });

  /** `b` stands by for what `a` holds; `fits` says how its taking differs from the one that fits. */
  const stoodBy = (take: Partial<Take> = {}, sinceMs = 0) => {
    const bench = new Bench();
    const term = bench.becomeMaster();
    const content = { election: 'group', expectedVersion: term, holder: null, metadata: {}, ...take };
    const command = encodeMasterCommand(commandId('b1', 7), {
      type: 'open',
      node: 'b',
      incarnation: 'b1',
      leaseMs: 1_000,
      take: content,
    });
    bench.send({ type: 'standby', election: 'group', from: 'b', command });
    bench.clock.advance(sinceMs);
    bench.send({ type: 'resign' });
    bench.send({ type: 'settled' });
    const [resign] = bench
      .all('propose')
      .filter(({ command: { body } }) => contentOf({ body } as Command).type === 'resign');
    return { command, resign };
  };

  it('the holder has it appended right behind its Resign', () => {
    const { command, resign } = stoodBy();
    expect(resign?.followedBy).toBe(command);
  });

  it.each([
    ['names another version', { expectedVersion: 1_000 }, 0],
    ['names another election', { election: 'other' }, 0],
    ['names a holder', { holder: { session: 1, version: 1 } }, 0],
    ['is older than half a lease', {}, 510],
  ])('but not one that %s', (_, take, sinceMs) => {
    expect(stoodBy(take, sinceMs).resign).toEqual({ type: 'propose', command: expect.anything() });
  });

  it('nor one that would have little left of a lease shorter than ours', () => {
    const appended = (leaseMs: number) => {
      const bench = new Bench();
      const term = bench.becomeMaster();
      const take = { election: 'group', expectedVersion: term, holder: null, metadata: {} };
      const open = { type: 'open', node: 'b', incarnation: 'b1', leaseMs, take } as const;
      const command = encodeMasterCommand(commandId('b1', 7), open);
      bench.send({ type: 'standby', election: 'group', from: 'b', command });
      bench.clock.advance(60);
      bench.send({ type: 'resign', isSettled: true });
      return bench.all('propose').at(-1)?.followedBy === command;
    };
    expect(appended(100)).toBe(false);
    expect(appended(200)).toBe(true);
  });

  it('whoever took it back is not appended', () => {
    const bench = new Bench();
    const term = bench.becomeMaster();
    const take = { election: 'group', expectedVersion: term, holder: null, metadata: {} };
    const open = { type: 'open', node: 'b', incarnation: 'b1', leaseMs: 1_000, take } as const;
    const command = encodeMasterCommand(commandId('b1', 7), open);
    const standby = { type: 'standby', election: 'group', command } as const;
    bench.send({ ...standby, from: 'b' });
    bench.send({ ...standby, from: 'c', command: null });
    bench.send({ ...standby, from: 'b', command: null });
    bench.send({ type: 'resign', isSettled: true });
    expect(bench.all('propose').at(-1)).not.toHaveProperty('followedBy');
  });

  it('who no longer wants, or stops, takes it back while the record is held', () => {
    for (const event of [{ type: 'unwant' }, { type: 'stop', mode: 'resign' }] as const) {
      const { bench } = heir();
      bench.send(event);
      expect(bench.all('standBy').map(({ command }) => command === null)).toEqual([false, true]);
    }
  });

  it('who stops stays for a moment, and ends what was chosen all the same', () => {
    const { bench, session } = heir();
    const [offer] = bench.all('standBy');
    bench.send({ type: 'stop', mode: 'resign' });
    expect(bench.isStopped).toBe(false);
    bench.other(resignOf(session));
    const opened = bench.choose(offer?.command as Command);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: opened });
    bench.clock.advance(100);
    expect(bench.isStopped).toBe(false);
    bench.choose(bench.last('end'));
    expect(bench.isStopped).toBe(true);

    const other = heir().bench;
    other.send({ type: 'stop', mode: 'resign' });
    other.clock.advance(51);
    expect(other.isStopped).toBe(true);
  });

  it('gives back in one step when nothing works by the mastership', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'resign', isSettled: true });
    expect(bench.isMaster()).toBe(false);
    const types = bench.emitted.map(({ type }) => type);
    expect(types.slice(types.indexOf('lost'))).toEqual(['lost', 'propose']);
  });
});

describe('T1: requestedAt is read before the command leaves', () => {
  it('the clocks are stamped first, then the command is emitted: for the taking and for each renewal', () => {
    const bench = new Bench();
    const order: string[] = [];
    const stamp = bench.holderClock.stamp.bind(bench.holderClock);
    bench.holderClock.stamp = (leaseMs) => {
      order.push('stamp');
      return stamp(leaseMs);
    };
    bench.onPropose(({ command }) => order.push(contentOf(command).type));
    bench.becomeMaster();
    bench.clock.advance(500);
    expect(order).toEqual(['stamp', 'open', 'stamp', 'renew', 'stamp', 'renew']);
  });

  it('the term is counted from the request: time in queue, network and log is taken off', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.clock.advance(25);
    bench.clock.stall(300);
    bench.choose(bench.last('open'));
    expect(bench.remainingMs).toBe(HOLD_MS - 300);
    expect(deadlineOf(bench.context)).toBe(1_025 + HOLD_MS);
  });

  it('a proposal that is slow to leave costs its holder, not the others', () => {
    const clock = new VirtualClock();
    const bench = new Bench({ clock });
    bench.onPropose(() => clock.stall(120));
    bench.send({ type: 'want' });
    clock.advance(25);
    bench.choose(bench.last('open'));
    expect(bench.remainingMs).toBe(HOLD_MS - 120);
  });
});

describe('T2: the wait is keyed by command id', () => {
  it('runs from the first sight of the id, chosen or not; hearing it again does not restart it', () => {
    const bench = new Bench();
    const session = bench.otherMaster();
    bench.send({ type: 'want' });
    bench.send({ type: 'seen', id: commandId('b1', 2) });
    for (let i = 0; i < 5; i++) {
      bench.clock.advance(100);
      bench.send({ type: 'seen', id: commandId('b1', 2) });
    }
    expect(bench.otherRenews(session)).toBe(2);
    expect(bench.fold.view.session(session)?.setBy).toBe('b1/2');
    bench.clock.advance(WAIT_MS - 500 + 24);
    expect(bench.proposals('open')).toEqual([]);
    bench.clock.advance(2);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(contentOf(bench.last('open'))).toMatchObject({ take: { holder: { session, version: 2 } } });
  });

  it('a renewal that was seen and never chosen moves nothing; the one chosen after it counts from its own sight', () => {
    const bench = new Bench();
    const session = bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.advance(200);
    bench.send({ type: 'seen', id: 'b1/77' });
    bench.clock.advance(600);
    bench.otherRenews(session);
    const renewedAtMs = bench.clock.now();
    bench.clock.advance(WAIT_MS + 24);
    expect(bench.proposals('open')).toEqual([]);
    bench.clock.advance(1);
    expect(bench.proposals('open')).toHaveLength(1);
    expect(bench.clock.now() - renewedAtMs).toBe(WAIT_MS + 25);
  });

  it("lasts by the lease of the command in setBy, not by one's own (fault 17)", () => {
    const bench = new Bench({ leaseMs: 200 });
    bench.otherMaster(4_000);
    bench.send({ type: 'want' });
    bench.clock.advance(4_039);
    expect(bench.proposals('open')).toEqual([]);
    bench.clock.advance(10);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('begins anew in a new incarnation: what the log tells at start is seen then', () => {
    const before = new Bench();
    before.otherMaster();
    before.clock.advance(900);
    const after = new Bench({ clock: before.clock });
    after.fold.restore(before.fold.snapshot());
    after.send({ type: 'applied', news: after.fold.everything() });
    after.send({ type: 'want' });
    after.clock.advance(WAIT_MS - 1);
    expect(after.proposals('open')).toEqual([]);
    after.clock.advance(30);
    expect(after.proposals('open')).toHaveLength(1);
  });

  it('a timer that fires early or late decides nothing', () => {
    const bench = new Bench();
    bench.otherMaster();
    const { clock } = bench;
    const setTimeout = clock.setTimeout.bind(clock);
    clock.setTimeout = (callback, delayMs) => setTimeout(callback, Math.max(0, delayMs - 1));
    bench.send({ type: 'want' });
    clock.advance(WAIT_MS + 24);
    expect(bench.proposals('open')).toEqual([]);
    clock.advance(2);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('sights are bounded, and the setBy of a live session is never forgotten', () => {
    const session: Session = {
      id: 1,
      node: 'b',
      incarnation: 'b1',
      leaseMs: 1_000,
      version: 1,
      setBy: 'b1/1',
      openedBy: 'b1/1',
    };
    const view = new MasterView();
    view.hear({ position: 1, sessions: [session], ended: [], records: [] });
    const sights = new Sights(view.view);
    sights.note('b1/1', 5);
    for (let i = 2; i < 20_000; i++) sights.note(commandId('x', i), 5 + i);
    expect(sights.size).toBeLessThanOrEqual(2_048);
    expect(sights.note('b1/1', 99_999)).toBe(5);
    expect(sights.note('x/19999', 99_999)).toBe(5 + 19_999);
  });
});

describe('T3: only by command ids whose requestedAt is remembered', () => {
  it("own BeMaster replayed after a restart gives nothing, and is waited for like any other's", () => {
    const before = new Bench({ self: 'a', incarnation: 'a1' });
    before.becomeMaster();
    const replayed = before.last('open');

    const after = new Bench({ self: 'a', incarnation: 'a2' });
    after.send({ type: 'want' });
    after.choose(replayed);
    expect(after.record).toMatchObject({ master: 1, node: 'a' });
    expect(after.isMaster()).toBe(false);
    after.clock.advance(WAIT_MS - 1);
    expect(after.emitted).toEqual([]);
    after.clock.advance(30);
    expect(contentOf(after.last('open'))).toMatchObject({ take: { holder: { session: 1, version: 1 } } });
    expect(after.all('propose').at(-1)).not.toHaveProperty('presumedSilent');
  });

  it('nor does it in the same incarnation, once its instant is forgotten', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    const take = { election: 'group', expectedVersion: 0, holder: null, metadata: {} };
    const open = { type: 'open', node: 'a', incarnation: 'a1', leaseMs: 1_000, take } as const;
    bench.choose(encodeMasterCommand('a1/900', open));
    expect(bench.record.master).toBe(1);
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('acquired')).toEqual([]);
  });
});

describe('T4: the deadline is computed', () => {
  it("three renewals outstanding, only the first applied: the deadline is the first one's", () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(725);
    const [first, second, third] = bench.proposals('renew');
    if (!first || !second || !third) throw new Error('three were asked for');
    expect(deadlineOf(bench.context)).toBe(1_025 + HOLD_MS);
    bench.choose(first);
    expect(deadlineOf(bench.context)).toBe(1_275 + HOLD_MS);
    bench.choose(second);
    bench.choose(third);
    expect(deadlineOf(bench.context)).toBe(1_275 + HOLD_MS);
    expect(bench.all('renewed')).toHaveLength(1);
    expect(bench.licence()).toMatchObject({ version: 2, deadlineAtMs: 1_275 + HOLD_MS });
  });

  it('a renewal of unknown outcome leaves the earlier deadline in force; found chosen later it counts from its request', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(225);
    const unknown = bench.last('renew');
    bench.clock.advance(400);
    expect(bench.remainingMs).toBe(HOLD_MS - 700);
    bench.choose(unknown);
    expect(deadlineOf(bench.context)).toBe(1_275 + HOLD_MS);
  });

  it('a superseded renewal is withdrawn', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(725);
    const [first, second, third] = bench.proposals('renew');
    if (first) bench.choose(first);
    expect(bench.withdrawn).toEqual([second?.id, third?.id]);
    expect(bench.context.holding?.requests.map(({ id }) => id)).toEqual([first?.id]);
  });

  it('a shorter lease that only others learn: it lowers the deadline before it leaves', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'leaseMs', value: 300 });
    let leftWhenSent = Number.NaN;
    bench.onPropose(() => {
      leftWhenSent = bench.remainingMs;
    });
    bench.clock.advance(175);
    const short = bench.last('renew');
    expect(contentOf(short)).toMatchObject({ leaseMs: 300 });
    // 300 ms less 1 % and 5 ms of guard: others may take the record 303 ms after they saw this command.
    expect(leftWhenSent).toBe(292);
    bench.clock.advance(292);
    expect(bench.isMaster()).toBe(false);
    bench.clock.advance(2);
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'expired' }]);
  });

  it('and says so before it leaves, once, and not of a renewal for as long as before', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(175);
    const told: unknown[] = [];
    bench.onPropose(() => told.push(bench.all('shortened').length));
    bench.send({ type: 'leaseMs', value: 300 });
    bench.clock.advance(250);
    expect(bench.all('shortened')).toHaveLength(1);
    expect(shortestLeaseMs(bench.context)).toBe(300);
    bench.clock.advance(75);
    expect(told.length).toBeGreaterThan(1);
    expect(told.every((count) => count === 1)).toBe(true);
  });

  it('and says so of a shorter one that ends no sooner: others wait less after its end', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(600);
    bench.send({ type: 'leaseMs', value: 300 });
    bench.clock.advance(100);
    const [opened] = bench.context.holding?.claims ?? [];
    expect(contentOf(bench.last('renew'))).toMatchObject({ leaseMs: 300 });
    expect(deadlineOf(bench.context)).toBe((opened?.stamp.atMs ?? 0) + HOLD_MS);
    expect(shortestLeaseMs(bench.context)).toBe(300);
    expect(bench.all('shortened')).toHaveLength(1);
  });

  it('a longer lease (T12) is renewed by when it is chosen: until then each attempt falls within the shorter one (T10)', () => {
    const bench = new Bench({ leaseMs: 200 });
    bench.becomeMaster();
    bench.send({ type: 'leaseMs', value: 5_000 });
    bench.clock.advance(80);
    const asked = bench.proposals('renew').map((command) => contentOf(command));
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.every((renewal) => renewal.type === 'renew' && renewal.leaseMs === 5_000)).toBe(true);
    expect(leaseInForceMs(bench.context)).toBe(200);
    bench.choose(bench.last('renew'));
    expect(bench.isMaster()).toBe(true);
    expect(leaseInForceMs(bench.context)).toBe(5_000);
    const count = bench.proposals('renew').length;
    bench.clock.advance(1_000);
    expect(bench.proposals('renew')).toHaveLength(count + 1);
  });

  it('and old news never raises it: a longer renewal of before, chosen first, does not hide the shorter one', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(175);
    const long = bench.last('renew');
    bench.send({ type: 'leaseMs', value: 300 });
    bench.clock.advance(250);
    expect(contentOf(bench.last('renew'))).toMatchObject({ leaseMs: 300, expectedVersion: 1 });
    expect(bench.remainingMs).toBe(292);
    bench.choose(long);
    // The shorter one names a version that is gone: it will be refused, so it bounds nothing any more.
    expect(deadlineOf(bench.context)).toBe(1_275 + HOLD_MS);
    expect(bench.all('withdraw')).toHaveLength(1);
  });
});

describe('T5: expiry is compared, not timed', () => {
  it('clock stalls: isMaster() is false before any timer runs', () => {
    const bench = new Bench();
    bench.becomeMaster();
    expect(bench.remainingMs).toBe(HOLD_MS - 75);
    bench.clock.stall(HOLD_MS - 75 - 1);
    expect(bench.isMaster()).toBe(true);
    bench.clock.stall(1);
    expect(bench.isMaster()).toBe(false);
    expect(bench.licence()).toBeNull();
    expect(bench.remainingMs).toBe(0);
    expect(bench.all('lost')).toEqual([]);
    bench.clock.advance(0);
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'expired', term: 1 }]);
  });

  it('the record applied here must say so, even before the machine has heard of the change', () => {
    const bench = new Bench();
    const session = bench.becomeMaster();
    bench.isDeaf = true;
    bench.other({ type: 'expire', session, expectedVersion: session });
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('lost')).toEqual([]);
    bench.send({ type: 'applied', news: bench.fold.everything() });
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'deposed' }]);
  });

  it('costs about two readings of clocks', () => {
    const bench = new Bench();
    bench.becomeMaster();
    let readings = 0;
    const [now, wallNow] = [bench.clock.now.bind(bench.clock), bench.clock.wallNow.bind(bench.clock)];
    bench.clock.now = () => now() + 0 * readings++;
    bench.clock.wallNow = () => wallNow() + 0 * readings++;
    expect(bench.isMaster()).toBe(true);
    expect(readings).toBeLessThanOrEqual(3);
  });
});

describe('T6: a session whose deadline has passed is over', () => {
  it('even if a renewal is learned a moment later; new session, new term', () => {
    const bench = new Bench();
    const first = bench.becomeMaster();
    bench.clock.advance(200);
    const renewal = bench.last('renew');
    bench.clock.stall(2_000);
    bench.choose(renewal);
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('lost')).toMatchObject([{ term: first, lostBy: 'expired' }]);
    expect(bench.all('renewed')).toEqual([]);

    bench.clock.advance(5_000);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.send({ type: 'settled' });
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: first });
    bench.choose(bench.last('end'));
    bench.clock.advance(30);
    const second = bench.choose(bench.last('open'));
    expect(bench.isMaster()).toBe(true);
    expect(bench.record).toMatchObject({ master: second, term: second });
    expect(second).toBeGreaterThan(first);
  });

  it('the renewals of a lapsed session are withdrawn: they would only make others wait', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(1_500);
    expect(bench.withdrawn).toEqual(bench.proposals('renew').map(({ id }) => id));
    expect(bench.proposals('renew')).toHaveLength(3);
  });

  it('nothing is asked for before all work of the old term has stopped', () => {
    const bench = new Bench();
    const session = bench.becomeMaster();
    bench.clock.advance(1_000);
    expect(bench.state()).toBe('lapsed');
    bench.other({ type: 'expire', session, expectedVersion: session });
    bench.clock.advance(9_000);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.send({ type: 'settled' });
    bench.clock.advance(40);
    expect(bench.proposals('open')).toHaveLength(2);
    expect(bench.proposals('end')).toEqual([]);
  });
});

describe('T7: resign', () => {
  it('stops first: isMaster() is false and the loss is told at once, Resign is submitted once all work has stopped', () => {
    const bench = new Bench();
    const term = bench.becomeMaster();
    bench.send({ type: 'resign', reason: 'maintenance' });
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('lost')).toMatchObject([{ term, lostBy: 'resigned', reason: 'maintenance' }]);
    bench.clock.advance(150);
    expect(bench.proposals('resign')).toEqual([]);
    bench.send({ type: 'settled' });
    expect(contentOf(bench.last('resign'))).toEqual({ type: 'resign', election: 'group', session: term, term });
  });

  it('the session is renewed while work is being stopped: nobody takes the record meanwhile', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'resign' });
    bench.clock.advance(250);
    expect(bench.proposals('renew')).toHaveLength(1);
    bench.choose(bench.last('renew'));
    expect(bench.isMaster()).toBe(false);
    expect([...bench.candidacies.licences()]).toEqual([]);
    expect(bench.state()).toEqual({ resigning: 'stopping' });
  });

  it('is resubmitted, with a new id, until it took', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'resign' });
    bench.send({ type: 'settled' });
    bench.clock.advance(260);
    bench.clock.advance(260);
    const ids = bench.proposals('resign').map(({ id }) => id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);
    expect(bench.withdrawn).toEqual(expect.arrayContaining(ids.slice(0, 2)));
    bench.choose(bench.last('resign'));
    expect(bench.record).toMatchObject({ master: null, cause: 'resigned' });
    bench.clock.advance(90);
    expect(bench.proposals('resign')).toHaveLength(3);
  });

  it('the session is ended once somebody renews, so that it is not in the way of the next master', () => {
    const bench = new Bench();
    const session = bench.becomeMaster();
    bench.send({ type: 'resign' });
    bench.send({ type: 'settled' });
    bench.choose(bench.last('resign'));
    bench.clock.advance(100);
    expect(bench.proposals('end')).toEqual([]);
    const next = bench.otherMaster();
    expect(bench.proposals('end')).toEqual([]);
    bench.otherRenews(next);
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session });
  });

  it('resigned never comes back: a renewal chosen later gives nothing', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(180);
    const renewal = bench.last('renew');
    bench.send({ type: 'resign' });
    bench.send({ type: 'settled' });
    bench.choose(renewal);
    expect(bench.isMaster()).toBe(false);
    bench.clock.advance(250);
    const next = bench.last('renew');
    bench.choose(bench.last('resign'));
    expect(bench.withdrawn).toContain(next.id);
    bench.choose(renewal);
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('acquired')).toHaveLength(1);
    expect(bench.all('lost')).toHaveLength(1);
  });

  it('who resigned and still wants lets others ask first', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'resign' });
    bench.send({ type: 'settled' });
    bench.choose(bench.last('resign'));
    bench.clock.advance(99);
    expect(bench.proposals('open')).toHaveLength(1);
    bench.clock.advance(101);
    expect(bench.proposals('open')).toHaveLength(2);
    bench.choose(bench.last('open'));
    expect(bench.isMaster()).toBe(true);
  });

  it('takes no longer than a lease: then the session is left to its end, and that is said', () => {
    const bench = new Bench();
    const term = bench.becomeMaster();
    bench.send({ type: 'unwant' });
    for (let i = 0; i < 6; i++) {
      bench.clock.advance(200);
      const renewal = bench.proposals('renew').at(-1);
      if (renewal) bench.choose(renewal);
    }
    expect(bench.all('overrun')).toEqual([{ type: 'overrun', election: 'group', term }]);
    expect(bench.state()).toBe('lapsed');
    const sent = bench.proposals('renew').length;
    bench.clock.advance(3_000);
    expect(bench.proposals('renew')).toHaveLength(sent);
    bench.send({ type: 'settled' });
    expect(contentOf(bench.last('end'))).toEqual({ type: 'end', session: term });
    expect(bench.state()).toBe('observing');
  });

  it('a Resign that is not chosen within a lease gives way to the end of the session', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'unwant' });
    bench.send({ type: 'settled' });
    bench.clock.advance(1_600);
    expect(bench.proposals('end')).toHaveLength(1);
    expect(bench.state()).toBe('observing');
  });

  it('a veto is asked before each renewal: vetoed, a master gives back', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'eligible', value: false });
    expect(bench.isMaster()).toBe(true);
    bench.clock.advance(180);
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'resigned', reason: 'not eligible' }]);
    expect(bench.isMaster()).toBe(false);
    bench.send({ type: 'settled' });
    bench.choose(bench.last('resign'));
    expect(bench.state()).toEqual({ waiting: 'vetoed' });
  });
});

describe('T9: a machine that slept', () => {
  const asMaster = () => {
    const bench = new Bench();
    bench.becomeMaster();
    return bench;
  };

  it('wall clock runs ahead: isMaster() is false at the first look', () => {
    const bench = asMaster();
    bench.clock.stepWall(2_000);
    expect(bench.isMaster()).toBe(false);
  });

  it('boot clock runs ahead: isMaster() is false from the next tick on', () => {
    const bench = asMaster();
    bench.clock.suspend(2_000);
    bench.clock.stepWall(-2_000);
    bench.holderClock.tick();
    expect(bench.isMaster()).toBe(false);
  });

  it('lapsed: the session is over at once when it is, and else nothing happens', () => {
    const bench = asMaster();
    bench.send({ type: 'lapsed' });
    expect(bench.isMaster()).toBe(true);
    bench.clock.stepWall(2_000);
    bench.send({ type: 'lapsed' });
    expect(bench.emitted).toContainEqual(expect.objectContaining({ type: 'lost', lostBy: 'expired' }));
  });

  it('wall clock put back does nothing', () => {
    const bench = asMaster();
    bench.clock.stepWall(-3_600_000);
    expect(bench.isMaster()).toBe(true);
    expect(bench.remainingMs).toBe(HOLD_MS - 75);
  });

  it('who waits counts by the monotonic clock alone', () => {
    const bench = new Bench();
    bench.otherMaster();
    bench.send({ type: 'want' });
    bench.clock.suspend(60_000);
    bench.clock.advance(WAIT_MS - 1);
    expect(bench.proposals('open')).toEqual([]);
  });
});

describe('T10: renewals', () => {
  it('at a quarter of the lease, give or take a quarter of that, from the last requestedAt', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const bench = new Bench({ seed });
      bench.becomeMaster();
      const times: number[] = [bench.context.holding?.requests[0]?.stamp.atMs ?? 0];
      bench.onPropose(() => times.push(bench.clock.now()));
      bench.clock.advance(850);
      const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
      expect(gaps.length).toBeGreaterThanOrEqual(2);
      for (const gap of gaps) {
        expect(gap).toBeGreaterThanOrEqual(187.5);
        expect(gap).toBeLessThanOrEqual(314.5);
      }
    }
  });

  it('a new attempt with a new id at each such time, even while one is outstanding', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(800);
    const renewals = bench.proposals('renew');
    expect(renewals).toHaveLength(3);
    expect(new Set(renewals.map(({ id }) => id)).size).toBe(3);
    expect(renewals.map(contentOf)).toEqual(
      Array(3).fill({ type: 'renew', session: 1, expectedVersion: 1, leaseMs: 1_000 }),
    );
    expect(bench.withdrawn).toEqual([]);
  });

  it('a session renewed for long is held all the time', () => {
    const bench = new Bench({ seed: 7 });
    bench.becomeMaster();
    bench.onPropose(({ command }) => bench.choose(command));
    for (let i = 0; i < 500; i++) {
      bench.clock.advance(37);
      expect(bench.isMaster()).toBe(true);
    }
    expect(bench.context.holding?.requests.length).toBe(1);
    expect(bench.all('lost')).toEqual([]);
  });
});

describe('a node that fails, stops, leads', () => {
  it('P3: a failed journal gives up the mastership at once and for good', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'journal.failed' });
    expect(bench.isMaster()).toBe(false);
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'failed' }]);
    bench.send({ type: 'settled' });
    bench.choose(bench.last('end'));
    bench.clock.advance(10_000);
    expect(bench.proposals('open')).toHaveLength(1);
  });

  it('P3: nor does it ask, failed while it waited', () => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.send({ type: 'journal.failed' });
    bench.clock.advance(10_000);
    expect(bench.emitted).toEqual([]);
  });

  it('stop by resigning: gives back, ends the session, then says it has stopped', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'stop', mode: 'resign' });
    expect(bench.all('lost')).toMatchObject([{ lostBy: 'closed' }]);
    bench.send({ type: 'settled' });
    bench.choose(bench.last('resign'));
    expect(bench.record).toMatchObject({ master: null, cause: 'resigned' });
    expect(bench.all('stopped')).toEqual([]);
    bench.choose(bench.last('end'));
    expect(bench.all('stopped')).toHaveLength(1);
    expect(bench.isStopped).toBe(true);
  });

  it('stop by resigning waits a lease, no longer, for an answer', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'stop', mode: 'resign' });
    bench.send({ type: 'settled' });
    bench.clock.advance(2_600);
    expect(bench.all('stopped')).toHaveLength(1);
  });

  it('stop by resigning asks for the end of the session also when its work outlived a lease', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.send({ type: 'stop', mode: 'resign' });
    bench.clock.advance(5_000);
    expect(bench.all('stopped')).toEqual([]);
    bench.send({ type: 'settled' });
    expect(bench.all('stopped')).toEqual([]);
    bench.choose(bench.last('end'));
    expect(bench.withdrawn.filter((id) => id === bench.last('end').id)).toHaveLength(1);
    expect(bench.all('stopped')).toHaveLength(1);
  });

  it('stop by abandoning: stops now, and leaves nothing being asked for', () => {
    const bench = new Bench();
    bench.becomeMaster();
    bench.clock.advance(200);
    bench.send({ type: 'stop', mode: 'abandon' });
    expect(bench.emitted.slice(-3)).toMatchObject([
      { type: 'lost', lostBy: 'closed' },
      { type: 'withdraw', id: bench.last('renew').id },
      { type: 'stopped' },
    ]);
    expect(bench.isMaster()).toBe(false);
  });

  it.each(['resign', 'abandon'] as const)('who holds nothing stops at once (%s)', (mode) => {
    const bench = new Bench();
    bench.send({ type: 'want' });
    bench.send({ type: 'stop', mode });
    expect(bench.emitted).toEqual([{ type: 'stopped' }]);
  });

  it('the leader expires sessions that fell silent holding nothing, and no others', () => {
    const bench = new Bench();
    const master = bench.otherMaster();
    const empty = bench.other({ type: 'open', node: 'c', incarnation: 'c1', leaseMs: 400, take: null }, 'c1');
    const alive = bench.other({ type: 'open', node: 'd', incarnation: 'd1', leaseMs: 400, take: null }, 'd1');
    bench.send({ type: 'leading', value: true });
    bench.clock.advance(300);
    bench.other({ type: 'renew', session: alive, expectedVersion: alive, leaseMs: 900 }, 'd1');
    bench.clock.advance(103);
    expect(bench.proposals('expire')).toEqual([]);
    bench.clock.advance(60);
    expect(bench.proposals('expire').map(contentOf)).toEqual([
      { type: 'expire', session: empty, expectedVersion: empty },
    ]);
    bench.choose(bench.last('expire'));
    expect(bench.fold.view.session(empty)).toBeUndefined();
    bench.clock.advance(300);
    expect(bench.proposals('expire')).toHaveLength(1);
    bench.clock.advance(700);
    expect(bench.proposals('expire').map(contentOf)).toMatchObject([{ session: empty }, { session: alive }]);
    bench.send({ type: 'leading', value: false });
    expect(bench.withdrawn).toContain(bench.last('expire').id);
    expect(bench.fold.view.session(master)).toBeDefined();
  });

  it('who does not lead expires nothing', () => {
    const bench = new Bench();
    bench.other({ type: 'open', node: 'c', incarnation: 'c1', leaseMs: 400, take: null }, 'c1');
    bench.clock.advance(5_000);
    expect(bench.emitted).toEqual([]);
  });
});

describe('priority', () => {
  const wishes = (told: (bench: Bench) => void): number => {
    const bench = new Bench({ priority: 10 });
    const session = bench.otherMaster();
    bench.send({ type: 'want' });
    for (let at = 0; at < 8_000; at += 50) {
      if (at % 250 === 0) bench.otherRenews(session);
      bench.clock.advance(50);
      told(bench);
    }
    return bench.all('wish').length;
  };

  it('one that is told again, or a lower one, is no reason to ask the same master again sooner', () => {
    const quiet = wishes(() => {});
    expect(quiet).toBeLessThan(6);
    expect(wishes((bench) => bench.send({ type: 'priority', value: 10 }))).toBe(quiet);
    let priority = 1000;
    expect(wishes((bench) => bench.send({ type: 'priority', value: --priority }))).toBeLessThan(quiet + 2);
  });
});

describe('rules handed in', () => {
  it('a control breaks one function, and the machine and its readers follow', () => {
    const bench = new Bench({ rules: { ...leaseRules, claims: (requests) => requests.slice(-1) } });
    bench.becomeMaster();
    bench.clock.advance(725);
    const [first] = bench.proposals('renew');
    if (first) bench.choose(first);
    bench.clock.advance(200);
    expect(bench.context.rules.claims).not.toBe(leaseRules.claims);
  });
});
