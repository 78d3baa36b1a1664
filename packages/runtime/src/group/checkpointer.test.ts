import { MemoryDisk, MemoryJournal, settle, VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { Checkpointer } from './checkpointer.ts';

/** A checkpointer over a journal whose writes take 10 ms. */
async function checkpointer() {
  const clock = new VirtualClock();
  const disk = new MemoryDisk();
  const journal = new MemoryJournal(disk, { clock, flushMs: 10 });
  await journal.open({ group: 'g', node: 'a' });
  const state = { cuts: 0, through: 7, trimmed: [] as number[], failures: [] as unknown[] };
  const made = new Checkpointer({
    journal,
    cut: () => {
      state.cuts++;
      const { through } = state;
      return {
        records: [new Uint8Array([through])],
        snapshot: { through, position: through, bytes: new Uint8Array() },
      };
    },
    trim: ({ through }) => void state.trimmed.push(through),
    onFailure: (error) => void state.failures.push(error),
  });
  return { clock, disk, made, state };
}

describe('P6', () => {
  it('trims only what stands in a snapshot that is durable, and no more than that', async () => {
    const { clock, disk, made, state } = await checkpointer();
    void made.review(0);
    state.through = 9; // goes on meanwhile
    await settle();
    expect(state.trimmed).toEqual([]);
    await clock.advanceAsync(10);
    expect(disk.image.records).toEqual([new Uint8Array([7])]);
    expect(state.trimmed).toEqual([7]);
  });

  it('one at a time', async () => {
    const { clock, made, state } = await checkpointer();
    void made.review(0);
    void made.review(0);
    await clock.advanceAsync(30);
    expect(state.cuts).toBe(1);
  });

  it('trims nothing when it failed, and says so', async () => {
    const { clock, disk, made, state } = await checkpointer();
    disk.failNext();
    void made.review(0);
    await clock.advanceAsync(10);
    expect([state.trimmed, state.failures.length]).toEqual([[], 1]);
  });
});
