import { AsyncLocalStorage } from 'node:async_hooks';
import { ClosedError, type MasterRecord, MastershipLostError, TimeoutError } from '@synod/protocol';
import { settle, VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it, vi } from 'vitest';
import { type Candidate, GroupElection } from './election.ts';
import type { Scope } from './scope.ts';
import type { Mastership } from './types.ts';

const record = (master: number | null, version: number): MasterRecord => ({
  election: 'group',
  master,
  term: version,
  version,
  setBy: '',
  metadata: {},
  node: 'a',
  cause: 'vacant',
});

/** An election over a candidate that is elected and deposed by hand. */
function world(scope?: Scope) {
  const clock = new VirtualClock();
  const told: string[] = [];
  const errors: unknown[] = [];
  const ended: number[] = [];
  const resigned: { readonly isSettled: boolean }[] = [];
  const state = { isMaster: false, term: 0, isWanted: false };
  const candidate: Candidate = {
    isMaster: () => state.isMaster,
    term: () => (state.isMaster ? state.term : null),
    remainingMs: () => (state.isMaster ? 500 : 0),
    want: () => {
      if (!state.isWanted) told.push('want');
      state.isWanted = true;
    },
    unwant: () => {
      if (state.isWanted) told.push('unwant');
      state.isWanted = false;
    },
    resign: (_, isSettled) => {
      told.push('resign');
      resigned.push({ isSettled });
      state.isMaster = false;
    },
    isStandingBy: () => false,
    heir: async () => null,
    grace: (graceMs) => told.push(`grace ${graceMs}`),
    settled: () => told.push('settled'),
  };
  let present = record(null, 0);
  const election = new GroupElection({
    name: 'group',
    leaseMs: () => 1000,
    clock,
    candidate,
    refusal: () => new Error('no candidate'),
    noQuorum: () => null,
    record: () => ({
      record: present,
      session:
        present.master === null
          ? null
          : { id: 1, node: 'a', incarnation: 'i', leaseMs: 1000, version: 1, setBy: 'i/1', openedBy: 'i/1' },
    }),
    isSelf: () => true,
    askPresent: async () => {},
    onEnded: (term) => void ended.push(term),
    onError: (error) => void errors.push(error),
    scope,
  });
  return {
    clock,
    told,
    resigned,
    errors,
    ended,
    election,
    elect(term: number) {
      state.isMaster = true;
      state.term = term;
      present = record(1, term);
      election.changed();
      election.acquired(term);
    },
    /** As from a snapshot: the record has changed, and nobody was told of it before. */
    electUnheard(term: number) {
      state.isMaster = true;
      state.term = term;
      present = record(1, term);
      election.acquired(term);
    },
    /** By the clock it is over; nobody has been told yet. */
    lapse() {
      state.isMaster = false;
    },
    lose(lostBy = 'expired') {
      state.isMaster = false;
      election.lost(state.term, lostBy);
    },
    free(version: number) {
      present = { ...record(null, version), term: state.term };
      election.changed();
    },
  };
}

const forever = (mastership: Mastership) =>
  new Promise<void>((resolve) => mastership.signal.addEventListener('abort', () => resolve()));

describe('runWhileMaster', () => {
  it('runs the work only while master, and again after a loss', async () => {
    const w = world();
    const terms: number[] = [];
    const running = w.election.runWhileMaster((mastership) => {
      terms.push(mastership.term);
      return forever(mastership);
    });
    await settle();
    expect(terms).toEqual([]);
    w.elect(5);
    await settle();
    expect(terms).toEqual([5]);
    w.lose();
    w.free(6);
    await settle();
    w.elect(7);
    await settle();
    expect(terms).toEqual([5, 7]);
    w.election.close(new ClosedError('over'));
    await running;
  });

  it('F3: a mastership has ended when its work has stopped, or its lease is over: told once', async () => {
    const ways: [string, (w: ReturnType<typeof world>) => void, boolean][] = [
      ['resigned', ({ lose }) => lose('resigned'), false],
      ['expired', ({ lose }) => lose('expired'), true],
      ['deposed', ({ lose }) => lose('deposed'), true],
      ['failed', ({ election }) => election.close(new Error('failed')), true],
    ];
    for (const [way, over, isAtOnce] of ways) {
      const w = world();
      const { promise: work, resolve: stop } = Promise.withResolvers<void>();
      const running = w.election.runWhileMaster(() => work);
      running.catch(() => {});
      w.elect(5);
      await settle();
      over(w);
      await settle();
      expect([way, ...w.ended]).toEqual(isAtOnce ? [way, 5] : [way]);
      stop();
      await settle();
      w.election.overrun(5);
      expect([way, ...w.ended]).toEqual([way, 5]);
    }
  });

  it('F3: nor does it last longer than its lease, though work goes on', async () => {
    const w = world();
    void w.election.runWhileMaster(() => new Promise(() => {}));
    w.elect(5);
    await settle();
    w.lose('resigned');
    await settle();
    expect(w.ended).toEqual([]);
    w.election.overrun(5);
    expect(w.ended).toEqual([5]);
  });

  it('takes work that finds the lease over by the clock, before the notice of it, for work that stopped', async () => {
    const w = world();
    const terms: number[] = [];
    const running = w.election.runWhileMaster(async (mastership) => {
      terms.push(mastership.term);
      await new Promise<void>((resolve) => void w.clock.setTimeout(resolve, 600));
      mastership.assert();
    });
    w.elect(5);
    await settle();
    w.lapse();
    await w.clock.advanceAsync(600);
    w.lose();
    w.free(6);
    await settle();
    expect(w.errors).toEqual([]);
    expect(w.told).not.toContain('resign');
    w.elect(7);
    await settle();
    expect(terms).toEqual([5, 7]);
    w.election.close(new ClosedError('over'));
    await w.clock.advanceAsync(600);
    await running;
  });

  it('never runs work twice at once: a new term is not asked for before the old work has ended', async () => {
    const w = world();
    let running = 0;
    let most = 0;
    let finish = () => {};
    void w.election.runWhileMaster(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      running--;
    });
    w.elect(5);
    await settle();
    w.lose();
    await settle();
    expect(w.told).not.toContain('settled');
    finish();
    await settle();
    expect(w.told).toContain('settled');
    w.elect(7);
    await settle();
    expect(most).toBe(1);
    w.election.close(new ClosedError('over'));
    finish();
  });

  it.each(['told', 'not told yet'])('work does not begin by a mastership that is over already, %s', async (how) => {
    const w = world();
    let runs = 0;
    void w.election.runWhileMaster((mastership) => {
      runs++;
      return forever(mastership);
    });
    w.elect(5);
    if (how === 'told') w.lose('deposed');
    else w.lapse();
    await settle();
    expect(runs).toBe(0);
    expect(w.told).toContain('settled');
    w.free(6);
    w.elect(7);
    await settle();
    expect(runs).toBe(1);
    w.election.close(new ClosedError('over'));
  });

  it('who waits for a resignation hears of its end, though the next mastership came without the news between', async () => {
    const w = world();
    const campaign = w.election.campaign();
    w.elect(5);
    const mastership = await campaign;
    const resigning = mastership.resign();
    await settle();
    void w.election.campaign();
    w.electUnheard(7);
    await resigning;
    w.election.close(new ClosedError('over'));
  });

  it('work that returns while it is master resigns, and that is the end', async () => {
    const w = world();
    const running = w.election.runWhileMaster(() => {});
    w.elect(5);
    await settle();
    expect(w.told).toContain('resign');
    w.free(6);
    await running;
    expect(w.told.at(-1)).toBe('unwant');
  });

  it('T7: acting stops before the resignation leaves, which waits for running effects', async () => {
    const w = world();
    const campaign = w.election.campaign();
    w.elect(5);
    const mastership = await campaign;
    let finish = () => {};
    const effect = mastership.run(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    effect.catch(() => {});
    const resigning = mastership.resign();
    expect(w.election.isMaster()).toBe(false);
    expect(mastership.signal.aborted).toBe(true);
    await settle();
    expect(w.told).not.toContain('settled');
    finish();
    await expect(effect).rejects.toBeInstanceOf(MastershipLostError);
    await settle();
    expect(w.told).toContain('settled');
    w.free(6);
    await resigning;
  });

  it('T7: what resigns in its first step is at work: the record is given back when it has stopped', async () => {
    for (const begin of ['work', 'effect'] as const) {
      const w = world();
      const { promise: rest, resolve: finish } = Promise.withResolvers<void>();
      const resignsAtOnce = (mastership: Mastership) => {
        void mastership.resign();
        return rest;
      };
      const campaigning = begin === 'effect' ? w.election.campaign() : null;
      const running = campaigning
        ? campaigning.then((mastership) => mastership.run(() => resignsAtOnce(mastership))).catch(() => {})
        : w.election.runWhileMaster(resignsAtOnce);
      w.elect(5);
      await settle();
      expect([begin, w.resigned]).toEqual([begin, [{ isSettled: false }]]);
      expect([begin, w.told.includes('settled')]).toEqual([begin, false]);
      finish();
      await settle();
      expect([begin, w.told.includes('settled')]).toEqual([begin, true]);
      w.free(6);
      w.election.close(new ClosedError('closed'));
      await running;
    }
  });

  it('T7: a signal that was aborted before the turn of the work came gives back, and begins nothing', async () => {
    const w = world();
    const controller = new AbortController();
    let hasBegun = false;
    const running = w.election.runWhileMaster(
      () => {
        hasBegun = true;
      },
      { signal: controller.signal },
    );
    w.elect(5);
    controller.abort();
    await running;
    expect(hasBegun).toBe(false);
    expect(w.resigned).toEqual([{ isSettled: true }]);
  });

  it('resign inside the work does not wait for the work', async () => {
    const w = world();
    const running = w.election.runWhileMaster((mastership) => mastership.resign());
    w.elect(5);
    await settle();
    w.free(6);
    await settle();
    w.election.close(new ClosedError('over'));
    await running;
  });

  it.each([
    ['run', false],
    ['runWhileMaster', false],
    ['run', true],
    ['runWhileMaster', true],
  ])('resign inside %s does not wait for what it is called by, awaited calls later: %s', async (begin, isLater) => {
    const w = world(new AsyncLocalStorage<unknown>());
    const told: string[] = [];
    const work = async (mastership: Mastership) => {
      if (isLater) await new Promise<void>((resolve) => void w.clock.setTimeout(resolve, 10));
      await mastership.resign();
      told.push('resigned');
    };
    const campaigning = begin === 'run' ? w.election.campaign() : null;
    const running = campaigning
      ? campaigning.then((mastership) => mastership.run(() => work(mastership))).catch(() => {})
      : w.election.runWhileMaster(work);
    w.elect(5);
    await w.clock.advanceAsync(10);
    expect(told).toEqual(['resigned']);
    expect(w.told).toContain('settled');
    w.free(6);
    w.election.close(new ClosedError('over'));
    await running;
  });

  it('T7: resign from elsewhere waits until the work has ended and the record is free', async () => {
    const w = world(new AsyncLocalStorage<unknown>());
    let held: Mastership | undefined;
    const { promise: rest, resolve: finish } = Promise.withResolvers<void>();
    const running = w.election.runWhileMaster(async (mastership) => {
      held = mastership;
      // What the work started goes on when the work is over: then it waits like anybody else.
      void rest.then(() => rest).then(() => settle().then(() => late.push(mastership.resign())));
      await rest;
    });
    const late: Promise<void>[] = [];
    w.elect(5);
    await settle();
    let isResigned = false;
    const resigning = held?.resign().then(() => {
      isResigned = true;
    });
    await settle();
    expect([w.told.includes('settled'), isResigned]).toEqual([false, false]);
    finish();
    await settle();
    await settle();
    expect([w.told.includes('settled'), isResigned, late.length]).toEqual([true, false, 1]);
    let isLateResigned = false;
    void late[0]?.then(() => {
      isLateResigned = true;
    });
    await settle();
    expect(isLateResigned).toBe(false);
    w.free(6);
    await resigning;
    await late[0];
    w.election.close(new ClosedError('over'));
    await running;
  });

  it('an AbortError after a loss is swallowed; other errors follow onError', async () => {
    const w = world();
    const boom = new Error('boom');
    let fail: Error | null = null;
    const running = w.election.runWhileMaster(
      async (mastership) => {
        await forever(mastership);
        throw fail ?? new DOMException('aborted', 'AbortError');
      },
      { onError: 'throw' },
    );
    running.catch(() => {});
    w.elect(5);
    await settle();
    w.lose();
    w.free(6);
    await settle();
    expect(w.errors).toEqual([]);
    fail = boom;
    w.elect(7);
    await settle();
    w.lose();
    w.free(8);
    await expect(running).rejects.toBe(boom);
  });

  it('by default an error is reported, the mastership resigned, and it asks again', async () => {
    const w = world();
    let runs = 0;
    void w.election.runWhileMaster(async (mastership) => {
      if (++runs === 1) throw new Error('boom');
      await forever(mastership);
    });
    w.elect(5);
    await settle();
    expect(w.errors).toHaveLength(1);
    expect(w.told).toContain('resign');
    w.free(6);
    await settle();
    w.elect(7);
    await settle();
    expect(runs).toBe(2);
    w.election.close(new ClosedError('over'));
  });

  it('work that has all the time it wants is no error, however long it goes on', async () => {
    const w = world();
    const setTimeout = vi.spyOn(w.clock, 'setTimeout');
    void w.election.runWhileMaster(() => new Promise<void>(() => {}), { graceMs: Number.POSITIVE_INFINITY });
    w.elect(1);
    await w.clock.advanceAsync(1);
    w.lose();
    await w.clock.advanceAsync(10_000);
    expect([w.errors, setTimeout.mock.calls]).toEqual([[], []]);
    expect(w.told).toContain(`grace ${Number.MAX_SAFE_INTEGER}`);
  });

  it('work that outlives graceMs after a loss is an error event', async () => {
    const w = world();
    void w.election.runWhileMaster(() => new Promise<void>(() => {}), { graceMs: 100 });
    w.elect(5);
    await settle();
    w.lose();
    await w.clock.advanceAsync(99);
    expect(w.errors).toEqual([]);
    await w.clock.advanceAsync(2);
    expect(w.errors[0]).toBeInstanceOf(TimeoutError);
    w.election.close(new ClosedError('over'));
  });

  it('its signal stops the work, resigns and resolves', async () => {
    const w = world();
    const abort = new AbortController();
    const running = w.election.runWhileMaster(forever, { signal: abort.signal });
    w.elect(5);
    await settle();
    abort.abort();
    await settle();
    expect(w.told).toContain('resign');
    w.free(6);
    await running;
  });
});

describe('campaign', () => {
  it.each([Number.POSITIVE_INFINITY, 2 ** 31])('a timeoutMs of %s is no timeout at all', async (timeoutMs) => {
    const w = world();
    const setTimeout = vi.spyOn(w.clock, 'setTimeout');
    const campaign = w.election.campaign({ timeoutMs });
    expect(setTimeout).not.toHaveBeenCalled();
    w.elect(7);
    expect((await campaign).term).toBe(7);
  });

  it('times that are none are refused, each named', async () => {
    const w = world();
    for (const wrong of [-1, Number.NaN, '5' as unknown as number]) {
      await expect(w.election.campaign({ timeoutMs: wrong })).rejects.toThrow(`timeoutMs is ${wrong}`);
      await expect(w.election.runWhileMaster(forever, { graceMs: wrong })).rejects.toThrow(`graceMs is ${wrong}`);
      await expect(w.election.transfer('b', { timeoutMs: wrong })).rejects.toThrow(`timeoutMs is ${wrong}`);
    }
    expect(w.told).toEqual([]);
  });

  it('gives up after timeoutMs, and asks no more', async () => {
    const w = world();
    const campaign = w.election.campaign({ timeoutMs: 200 });
    campaign.catch(() => {});
    await w.clock.advanceAsync(201);
    await expect(campaign).rejects.toBeInstanceOf(TimeoutError);
    expect(w.told).toEqual(['want', 'unwant']);
  });

  it('honours its signal', async () => {
    const w = world();
    const abort = new AbortController();
    const campaign = w.election.campaign({ signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(campaign).rejects.toThrow('enough');
  });

  it('who gives up in the very step in which it is elected leaves no mastership without a holder', async () => {
    const w = world();
    const abort = new AbortController();
    const campaign = w.election.campaign({ signal: abort.signal });
    campaign.catch(() => {});
    abort.abort(new Error('enough'));
    w.elect(5);
    await expect(campaign).rejects.toThrow('enough');
    await settle();
    expect(w.told).toContain('resign');
    expect(w.election.isMaster()).toBe(false);
  });

  it('a mastership nobody waits for any more is given back', async () => {
    const w = world();
    w.elect(5);
    await settle();
    expect(w.told).toContain('resign');
  });

  it('two callers hold one after the other', async () => {
    const w = world();
    const first = w.election.campaign();
    const second = w.election.campaign();
    w.elect(5);
    const one = await first;
    expect(one.term).toBe(5);
    const resigning = one.resign();
    await settle();
    w.free(6);
    await resigning;
    w.elect(7);
    expect((await second).term).toBe(7);
    expect(() => one.assert()).toThrow(MastershipLostError);
  });

  it('assert compares at each call, whatever was notified (T5)', async () => {
    const w = world();
    const campaign = w.election.campaign();
    w.elect(5);
    const mastership = await campaign;
    mastership.assert();
    expect(mastership.headers()).toEqual({ 'Synod-Term': '5', 'Synod-Election': 'group' });
    w.elect(9); // another term: this one is over, though nobody said so yet
    expect(() => mastership.assert()).toThrow(MastershipLostError);
  });
});

describe('changes', () => {
  it('the present first, newest wins, nobody is told too', async () => {
    const w = world();
    const changes = w.election.changes();
    expect((await changes.next()).value).toMatchObject({ current: null });
    w.elect(5);
    w.free(6);
    expect((await changes.next()).value).toMatchObject({ current: null, version: 6 });
    const next = changes.next();
    w.elect(7);
    expect((await next).value).toMatchObject({ current: { node: 'a', term: 7 } });
    w.election.close(new ClosedError('over'));
    expect((await changes.next()).done).toBe(true);
  });
});
