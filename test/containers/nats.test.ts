import { connect, type NatsConnection } from '@nats-io/transport-node';
import { lastEvents, type MasterEvent } from '@synod/nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findEngine, natsImage } from './support/engine.ts';
import { GroupUnderTest } from './support/group-under-test.ts';
import { type NatsUnderTest, natsContainer, natsProcess } from './support/nats-under-test.ts';

const engine = await findEngine();
const leaseMs = 1000;

it(`has a container of ${natsImage} to run against`, ({ skip }) => {
  skip(typeof engine === 'string', `${engine}; the same tests ran against a nats-server process instead`);
});

describe(`over NATS in a ${typeof engine === 'string' ? 'process' : 'container'}`, () => {
  let nats: NatsUnderTest;
  let group: GroupUnderTest;
  let count = 0;

  beforeAll(async () => {
    nats = typeof engine === 'string' ? await natsProcess() : await natsContainer(engine);
  });
  afterAll(() => nats?.stop());

  beforeEach(async () => {
    group = new GroupUnderTest(`orders-${++count}`);
    await group.start(nats.connection, leaseMs);
  });
  afterEach(async () => {
    await group.stop();
    expect(group.overlaps()).toEqual([]);
  });

  it('three members elect one master, and the stream keeps the event', async () => {
    const { node, term } = await group.untilOneMaster();
    await untilLastEvent({ type: 'synod.master.elected.v1', node, term });
  });

  it('nobody is master while NATS stands still for longer than a lease; one is when it goes on', async () => {
    const { term } = await group.untilOneMaster();
    await nats.pause();
    await group.untilNoMaster();
    await nats.resume();
    const next = await group.untilOneMaster(term);
    await untilLastEvent({ type: 'synod.master.elected.v1', ...next });
  });

  it('nobody is master after NATS was killed; one is when it is back, and the stream remembers', async () => {
    const { term } = await group.untilOneMaster();
    await nats.kill();
    await group.untilNoMaster();
    await nats.start();
    const next = await group.untilOneMaster(term);
    await untilLastEvent({ type: 'synod.master.elected.v1', ...next });
  });

  it('one is master after NATS was restarted', async () => {
    await group.untilOneMaster();
    await nats.restart();
    // Whose lease runs on meanwhile may lose it yet: who is master is asked as often as the stream is.
    await untilLastEvent(async () => {
      const { node, term } = await group.untilOneMaster();
      return { type: 'synod.master.elected.v1', node, term };
    });
  });

  /** Publishing an event is not waited for by anybody, so the stream may lag behind the election. */
  async function untilLastEvent(expected: Summary | (() => Promise<Summary>)): Promise<void> {
    await using connection = disposable(await connect({ ...nats.connection }));
    await vi.waitFor(
      async () => {
        const [event] = await lastEvents(connection.nats, group.name, 'group');
        expect(summaryOf(event)).toEqual(typeof expected === 'function' ? await expected() : expected);
      },
      { timeout: 15_000, interval: 20 },
    );
  }
});

interface Summary {
  readonly type: string;
  readonly node: string;
  readonly term: number;
}

const summaryOf = (event: MasterEvent | undefined) =>
  event && { type: event.type, node: event.data.current?.node, term: event.data.term };

const disposable = (nats: NatsConnection) => ({ nats, [Symbol.asyncDispose]: () => nats.close() });
