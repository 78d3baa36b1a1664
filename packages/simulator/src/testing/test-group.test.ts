import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rulesOf } from '../controls/broken.ts';
import { createTestGroup, type TestGroup, type TestGroupOptions } from './test-group.ts';

async function started(options: TestGroupOptions = {}): Promise<TestGroup> {
  const group = createTestGroup(options);
  onTestFinished(() => group.close());
  await group.start();
  return group;
}

const others = (group: TestGroup, node: string): string[] => group.names.filter((name) => name !== node);

describe('createTestGroup', () => {
  it('has the members asked for, and one of them is master soon', async () => {
    const group = await started({ nodes: 5, seed: 2 });
    expect(group.names).toEqual(['a', 'b', 'c', 'd', 'e']);
    const master = await group.untilMaster();
    expect(group.nowMs).toBeLessThan(500);
    expect(group.node(master).election.isMaster()).toBe(true);
    expect(others(group, master).map((node) => group.node(node).election.isMaster())).not.toContain(true);
  });

  it('lets no time pass but in advance', async () => {
    const group = await started();
    const { nowMs } = group;
    await new Promise((resolve) => setImmediate(resolve));
    expect(group.nowMs).toBe(nowMs);
    await group.advance(1234);
    expect(group.nowMs).toBeCloseTo(nowMs + 1234);
  });

  it('does the same under the same seed, something else under another', async () => {
    const storyOf = async (seed: number): Promise<string> => {
      const group = await started({ seed });
      group.crash(await group.untilMaster());
      await group.advance(3000);
      return group.transcript();
    };
    const story = await storyOf(4);
    expect(await storyOf(4)).toBe(story);
    expect(await storyOf(5)).not.toBe(story);
  });

  it.each([
    ['without a scope', {}],
    ['with one', { scope: new AsyncLocalStorage<unknown>() }],
  ])('resign inside run does not wait for what it is called by, %s', async (_what, options) => {
    const group = await started({ ...options, service: () => {} });
    const [node = ''] = group.names;
    const mastership = await group.complete(group.node(node).election.campaign());
    await group.complete(mastership.run(() => mastership.resign()).catch(() => {}));
    expect(mastership.signal.aborted).toBe(true);
    await group.until(() => group.node(node).election.master?.term !== mastership.term);
  });

  it('with a scope, resign from elsewhere waits for what is under way', async () => {
    const group = await started({ scope: new AsyncLocalStorage<unknown>(), service: () => {} });
    const [node = ''] = group.names;
    const { clock, election } = group.node(node);
    const mastership = await group.complete(election.campaign());
    const told: string[] = [];
    const effect = mastership
      .run(() => new Promise<void>((resolve) => void clock.setTimeout(resolve, 50)).then(() => void told.push('done')))
      .catch(() => {});
    await group.complete(mastership.resign().then(() => void told.push('resigned')));
    await effect;
    expect(told).toEqual(['done', 'resigned']);
  });

  it('crash: another is master after a lease, and not before (T2)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.crash(first);
    expect(group.isUp(first)).toBe(false);
    expect(() => group.node(first)).toThrow(`${first} is down`);
    const start = group.nowMs;
    await group.untilMaster(first);
    expect(group.nowMs - start).toBeGreaterThan(700);
    expect(group.nowMs - start).toBeLessThan(1300);
  });

  it('restart: a new process, which waits for what its former life held (T3)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    const { incarnation } = group.node(first).group.status();
    group.restart(first);
    await group.until(() => group.isUp(first));
    expect(group.node(first).group.status().incarnation).not.toBe(incarnation);
    expect(group.master()).toBe(null);
    await group.untilMaster();
  });

  it('pause: a master that was stopped for too long is none when it wakes (T5)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    const { election } = group.node(first);
    group.pause(first);
    const second = await group.untilMaster(first);
    expect(election.isMaster()).toBe(false);
    group.resume(first);
    await group.advance(2000);
    expect(group.master()).toBe(second);
  });

  it('partition: the majority has a master, the minority none; heal: one for all', async () => {
    const group = await started({ nodes: 5 });
    const first = await group.untilMaster();
    const [second = '', ...rest] = others(group, first);
    group.partition([first, second], rest);
    const next = await group.untilMaster(first);
    expect(rest).toContain(next);
    expect(group.node(first).election.isMaster()).toBe(false);
    expect(group.node(second).election.master?.node).toBe(first);
    group.heal();
    await group.until(() => group.names.every((node) => group.node(node).election.master?.node === next));
  });

  it('cut: one way only; what it gives back undoes it', async () => {
    const group = await started();
    const master = await group.untilMaster();
    const undo = others(group, master).map((node) => group.cut(master, node));
    const next = await group.untilMaster(master);
    for (const heal of undo) heal();
    await group.until(() => group.node(master).election.master?.node === next);
  });

  it('isolate: whoever hears nobody is no master', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.isolate(first);
    await group.until(() => !group.node(first).election.isMaster(), 1000);
    await group.untilMaster(first);
  });

  it('suspend: a master is none when its machine wakes, though its monotonic clock stood still (T9)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    const { election } = group.node(first);
    group.suspend(first);
    await group.advance(1500);
    group.wake(first);
    expect(election.isMaster()).toBe(false);
    await group.untilMaster();
  });

  it('fillDisk: whose disk fails leaves its group (P3)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    const heal = group.fillDisk(first);
    await group.until(() => !group.isUp(first), 1000);
    await group.untilMaster(first);
    heal();
    group.restart(first);
    await group.until(() => group.isUp(first));
  });

  it('lose and hold: single kinds of messages, until they are healed', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.hold({ type: 'accept', from: first });
    const window = { fromMs: group.nowMs + 1 };
    const next = await group.untilMaster(first);
    const heard = new RegExp(`< ${first} +accept slot`);
    expect(group.transcript(window)).not.toMatch(heard);
    group.lose({ type: 'accept', from: next });
    await group.until(() => group.master() === null, 1200);
    expect(group.transcript(window)).not.toMatch(heard);
    group.heal();
    await group.untilMaster();
    expect(group.transcript(window)).toMatch(heard);
  });

  it('a member that is set offline knows, and comes back', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.setOnline(first, false);
    const next = await group.untilMaster(first);
    group.setOnline(first, true);
    await group.until(() => group.node(first).election.master?.node === next);
  });

  it('a wiped folder votes no more, the others go on (I2)', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.wipe(first);
    group.restart(first);
    const next = await group.untilMaster(first);
    group.crash(next);
    await expect(group.untilMaster(next, 5000)).rejects.toThrow('not within 5000 ms');
  });

  it('a group that is not formed yet forms itself', async () => {
    const group = await started({ isForming: true });
    await group.untilMaster();
  });

  it('until says what everybody is doing when it takes too long', async () => {
    const group = await started();
    const master = await group.untilMaster();
    const [other = ''] = others(group, master);
    group.crash(other);
    await expect(group.until(() => false, 100)).rejects.toThrow('not within 100 ms');
    await expect(group.until(() => false, 100)).rejects.toThrow(`${master} is master`);
    await expect(group.until(() => false, 100)).rejects.toThrow(`${other} is down`);
  });

  it('complete: lets time pass for a promise', async () => {
    const group = await started({ service: () => {} });
    const mastership = await group.complete(group.node('b').election.campaign());
    expect(group.master()).toBe('b');
    await group.complete(mastership.resign());
    expect(group.master()).toBe(null);
    await expect(group.complete(new Promise(() => {}), 50)).rejects.toThrow('not within 50 ms');
  });

  it('a service runs again in each process of its member, and waits by its clock', async () => {
    const ran: string[] = [];
    const group = await started({
      service: ({ node, clock, election }) =>
        void election
          .runWhileMaster(async ({ term, signal }) => {
            while (!signal.aborted) {
              ran.push(`${node} ${term}`);
              await new Promise<void>((resolve) => clock.setTimeout(resolve, 100));
            }
          })
          .catch(() => {}),
    });
    await group.advance(1000);
    const [first = ''] = ran;
    expect(ran.length).toBeGreaterThan(8);
    expect(new Set(ran)).toEqual(new Set([first]));
    const [node = ''] = first.split(' ');
    group.restart(node);
    await group.advance(3000);
    expect(new Set(ran).size).toBe(2);
  });

  it('a broken invariant ends the test', async () => {
    const rules = rulesOf({ lease: { waitEndsAtMs: () => 0 } });
    const group = await started({ rules });
    group.isolate(await group.untilMaster());
    await expect(group.advance(3000)).rejects.toThrow('at most one master (S2');
  });

  it('clocks beyond the drift allowed: S2 is not watched any more, terms grow all the same', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.setClockRate(first, 0.5);
    group.isolate(first);
    const { election } = group.node(first);
    await group.until(() => others(group, first).some((node) => group.node(node).election.isMaster()));
    expect(election.isMaster()).toBe(true);
  });

  it('draws and tells what happened', async () => {
    const group = await started();
    const first = await group.untilMaster();
    group.crash(first);
    await group.untilMaster(first);
    expect(group.transcript()).toMatch(new RegExp(`${first} {3}IS MASTER, term 1\\b`));
    const svg = group.picture('a & b');
    expect(svg).toContain('a &amp; b');
    expect(svg).toContain(`crash ${first}`);
    expect(svg.match(/is master with term/g)).toHaveLength(2);
  });

  it('keeps nothing when it is told not to', async () => {
    const group = await started({ isRecording: false });
    await group.untilMaster();
    expect(group.transcript().trim()).toBe('');
  });
});
