import type { Group } from '@synod/runtime';
import { expect, it, vi } from 'vitest';
import { monotonicNs } from '../system-clock.ts';
import { SelfFence } from './self-fence.ts';
import { SharedDeadline } from './shared-deadline.ts';

it('hears of a renewal once, however much is held: never for each mastership', async () => {
  const fence = await SelfFence.start(
    'orders',
    () => 10,
    () => {},
  );
  const heard: string[] = [];
  const group = { addEventListener: (type: string) => heard.push(type), closed: new Promise(() => {}) };
  fence.guard(group as unknown as Group);
  expect(heard).toEqual(['elected', 'extended', 'shortened', 'ended']);
  await fence.stop();
});

it('T12: may be late by what the lease in force takes off at its end, and hears of a shorter one before it is renewed by', async () => {
  const set = vi.spyOn(SharedDeadline.prototype, 'set').mockImplementation(() => {});
  const fence = await SelfFence.start(
    'orders',
    (leaseMs) => leaseMs / 100,
    () => {},
  );
  const events = new EventTarget();
  const group = { addEventListener: events.addEventListener.bind(events), closed: new Promise(() => {}) };
  fence.guard(group as unknown as Group);
  const tell = (type: string, detail: object) => events.dispatchEvent(new CustomEvent(type, { detail }));
  tell('elected', { election: 'group', deadlineAtMs: 10_000, leaseMs: 3000 });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(10_030));
  tell('shortened', { deadlineAtMs: 9000, leaseMs: 500 });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(9005));
  tell('extended', { deadlineAtMs: 20_000, leaseMs: 500 });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(20_005));
  tell('lost', { election: 'group', term: 1, lostBy: 'resigned' });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(20_005));
  tell('ended', { election: 'group', term: 1, isLeaseOver: false });
  expect(set).toHaveBeenLastCalledWith(null);
  // One lease for all that is held: who hears of its end last is not to be taken for stuck.
  for (const election of ['group', 'jobs']) tell('elected', { election, deadlineAtMs: 30_000, leaseMs: 500 });
  tell('ended', { election: 'group', term: 2, isLeaseOver: false });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(30_005));
  tell('elected', { election: 'group', deadlineAtMs: 30_000, leaseMs: 500 });
  tell('ended', { election: 'jobs', term: 3, isLeaseOver: true });
  expect(set).toHaveBeenLastCalledWith(null);
  await fence.stop();
  set.mockRestore();
});
