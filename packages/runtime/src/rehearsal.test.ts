import { seededRandom } from '@synod/protocol/testing';
import { expect, it } from 'vitest';
import { rehearse } from './rehearsal.ts';

it('comes to its end within some turns, and leaves nothing behind', async () => {
  let turns = 0;
  await rehearse(seededRandom(1), async () => void turns++);
  expect(turns).toBeGreaterThan(10);
  expect(turns).toBeLessThan(200);
});
