import { type JournalRecord, type Message, wireCodec } from '@synod/protocol';
import { MemoryDisk, MemoryJournal, settle } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';

const record: JournalRecord = { type: 'promised', ballot: { round: 1, nodeId: 'a', incarnation: 'i' } };
const reply = (slot: number) => ({
  to: 'b',
  message: { type: 'chosen', slot, ballot: { round: 1, nodeId: 'a', incarnation: 'i' } } as Message,
});

/** A journal whose flushes end when the test says so. */
async function outbox() {
  const journal = new MemoryJournal(new MemoryDisk());
  await journal.open({ group: 'g', node: 'a' });
  const flushes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const sent: number[] = [];
  const failures: unknown[] = [];
  const held = Object.assign(Object.create(journal) as typeof journal, {
    append: () => {},
    flush: () => new Promise<void>((resolve, reject) => void flushes.push({ resolve, reject })),
  });
  const box = new Outbox({
    codec: wireCodec,
    journal: held,
    send: (_to, message) => void (message.type === 'chosen' && sent.push(message.slot)),
    onFailure: (error) => void failures.push(error),
  });
  return { box, flushes, sent, failures };
}

describe('P3, nothing is sent before what it says is durable', () => {
  it('replies leave after the flush that holds their records', async () => {
    const { box, flushes, sent } = await outbox();
    box.add({ records: [record], replies: [reply(1)] });
    await settle();
    expect(sent).toEqual([]);
    flushes[0]?.resolve();
    await settle();
    expect(sent).toEqual([1]);
  });

  it('records that arrive while a flush is under way wait for the next one', async () => {
    const { box, flushes, sent } = await outbox();
    box.add({ records: [record], replies: [reply(1)] });
    box.add({ records: [record], replies: [reply(2)] });
    box.add({ records: [record], replies: [reply(3)] });
    flushes[0]?.resolve();
    await settle();
    expect(sent).toEqual([1]);
    expect(flushes).toHaveLength(2);
    flushes[1]?.resolve();
    await settle();
    expect(sent).toEqual([1, 2, 3]);
  });

  it('once closed it says nothing, and takes a closed journal for no failure', async () => {
    const { box, flushes, sent, failures } = await outbox();
    box.add({ records: [record], replies: [reply(1)] });
    box.add({ records: [record], replies: [reply(2)] });
    box.close();
    flushes[0]?.resolve();
    await settle();
    flushes[1]?.reject(new Error('not open'));
    await settle();
    expect([sent, failures]).toEqual([[], []]);
  });

  it('a reply without records does not overtake a promise that is not durable yet', async () => {
    const { box, flushes, sent } = await outbox();
    box.add({ records: [record], replies: [reply(1)] });
    box.add({ records: [], replies: [reply(2)] });
    await settle();
    expect(sent).toEqual([]);
    flushes[0]?.resolve();
    await settle();
    flushes[1]?.resolve();
    await settle();
    expect(sent).toEqual([1, 2]);
  });

  it('a failed flush is never retried and never answered', async () => {
    const { box, flushes, sent, failures } = await outbox();
    box.add({ records: [record], replies: [reply(1)] });
    box.add({ records: [record], replies: [reply(2)] });
    flushes[0]?.reject(new Error('EIO'));
    await settle();
    box.add({ records: [], replies: [reply(3)] });
    await settle();
    expect(sent).toEqual([]);
    expect(failures).toHaveLength(1);
    expect(flushes).toHaveLength(1);
  });
});
