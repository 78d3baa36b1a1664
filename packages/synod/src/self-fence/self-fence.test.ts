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
  expect(heard).toEqual(['elected', 'extended', 'lost']);
  await fence.stop();
});

it('T12: may be late by what the lease in force takes off at its end, not by what that of the join did', async () => {
  const set = vi.spyOn(SharedDeadline.prototype, 'set').mockImplementation(() => {});
  const fence = await SelfFence.start(
    'orders',
    (leaseMs) => leaseMs / 100,
    () => {},
  );
  const events = new EventTarget();
  let leaseMs = 3000;
  const group = {
    addEventListener: events.addEventListener.bind(events),
    closed: new Promise(() => {}),
    election: () => ({ master: { leaseMs } }),
  };
  fence.guard(group as unknown as Group);
  const tell = (type: string, detail: object) => events.dispatchEvent(new CustomEvent(type, { detail }));
  tell('elected', { election: 'group', deadlineAtMs: 10_000 });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(10_030));
  leaseMs = 500;
  tell('extended', { deadlineAtMs: 20_000 });
  expect(set).toHaveBeenLastCalledWith(monotonicNs(20_005));
  await fence.stop();
  set.mockRestore();
});
