import type { Group } from '@synod/runtime';
import { expect, it } from 'vitest';
import { SelfFence } from './self-fence.ts';

it('hears of a renewal once, however much is held: never for each mastership', async () => {
  const fence = await SelfFence.start('orders', 10, () => {});
  const heard: string[] = [];
  const group = { addEventListener: (type: string) => heard.push(type), closed: new Promise(() => {}) };
  fence.guard(group as unknown as Group);
  expect(heard).toEqual(['elected', 'extended', 'lost']);
  await fence.stop();
});
