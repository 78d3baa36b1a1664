import { type ElectionEvent, electionLogic, electionMachine, jsonView, masterWork } from '@synod/xstate';
import { ledgerWriter } from '@synod/xstate/examples/ledger-writer.machine.ts';
import { type JsonView, type Mastership, MastershipLostError } from 'synod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnyActor, createActor, sendTo, setup, waitFor } from 'xstate';
import { leaseMs, type World, world } from './world.ts';

let w: World;
const started: AnyActor[] = [];
beforeEach(async () => {
  w = await world();
});
afterEach(async () => {
  for (const actor of started.splice(0)) actor.stop();
  await w.close();
});

type Node = 'a' | 'b' | 'c';
const election = (node: Node) => w.groups[node].election();

function begin<Actor extends AnyActor>(actor: Actor): Actor {
  started.push(actor);
  actor.start();
  return actor;
}

/** What an actor of an election emits, in words. */
function told(actor: AnyActor): string[] {
  const words: string[] = [];
  actor.on('*', (event) => {
    const { type, ...rest } = event as ElectionEvent;
    if (rest.election !== 'group') words.push('of another election');
    if (type === 'synod.master.lost') words.push(`lost ${'cause' in rest ? rest.cause : ''}`);
    else if (type === 'synod.master.changed')
      words.push(`master ${'current' in rest ? (rest.current?.node ?? 'nobody') : ''}`);
    else if (type === 'synod.refused') words.push(`refused ${'asked' in rest ? `${rest.asked} ${rest.code}` : ''}`);
    else words.push('elected');
  });
  return words;
}

const isPlain = (value: unknown): void => expect(JSON.parse(JSON.stringify(value))).toEqual(value);

describe('electionLogic', () => {
  const asCandidate = (node: Node) => begin(createActor(electionLogic(election(node)), { clock: w.clock }));

  it('tells that it is elected, that it lost, and who is master; and asks again', async () => {
    const a = createActor(electionLogic(election('a')), { clock: w.clock });
    const words = told(a);
    begin(a);
    await w.pass(leaseMs);
    expect(words).toEqual(['master nobody', 'master a', 'elected']);
    expect(a.getSnapshot().context).toMatchObject({ term: election('a').master?.term, leaseMs, lostBy: null });
    asCandidate('b');
    w.network.disconnect('a');
    await w.pass(2 * leaseMs);
    expect(words.slice(3)).toEqual(['lost expired']);
    expect(a.getSnapshot().context).toMatchObject({ term: null, lostBy: 'expired' });
    w.network.reconnect('a');
    await w.pass(leaseMs);
    expect(words.at(-1)).toBe('master b');
    expect(election('b').isMaster()).toBe(true);
  });

  it('one that looks on gives nothing back of what another actor of the process holds', async () => {
    asCandidate('a');
    await w.pass(leaseMs);
    const onlooker = begin(createActor(electionLogic(election('a')), { clock: w.clock, input: { campaign: false } }));
    await w.pass(leaseMs);
    const { term } = election('a').master ?? {};
    for (const type of ['synod.resign', 'synod.withdraw'] as const) onlooker.send({ type });
    onlooker.stop();
    await w.pass(leaseMs);
    expect([election('a').isMaster(), election('a').master?.term]).toEqual([true, term]);
  });

  it('hands over when it is told to resign, and waits for its turn', async () => {
    const a = asCandidate('a');
    await w.pass(leaseMs);
    const words = told(a);
    asCandidate('b');
    a.send({ type: 'synod.resign' });
    // In the step in which it is told to.
    expect([election('a').isMaster(), words]).toEqual([false, ['lost resigned']]);
    await w.pass(leaseMs / 4);
    expect(election('b').isMaster()).toBe(true);
    w.network.disconnect('b');
    await w.pass(3 * leaseMs);
    expect(election('a').isMaster()).toBe(true);
  });

  it('T8: hands over to the node that it is told to, and says when that one does not agree', async () => {
    const a = asCandidate('a');
    await w.pass(leaseMs);
    const words = told(a);
    asCandidate('b');
    asCandidate('c');
    await w.pass(leaseMs / 4);
    a.send({ type: 'synod.transfer', to: 'c' });
    await w.pass(leaseMs / 4);
    expect(election('c').isMaster()).toBe(true);
    expect(words).toEqual(['lost resigned', 'master c']);
    a.send({ type: 'synod.transfer', to: 'b' });
    await w.pass(leaseMs);
    expect(words.slice(2)).toEqual(['refused synod.transfer ERR_SYNOD_MASTERSHIP_LOST']);
    expect(election('c').isMaster()).toBe(true);
  });

  it('asks for nothing while it is withdrawn, and campaigns when told to', async () => {
    const a = begin(createActor(electionLogic(election('a')), { clock: w.clock, input: { campaign: false } }));
    await w.pass(2 * leaseMs);
    expect(election('a').isMaster()).toBe(false);
    a.send({ type: 'synod.campaign' });
    await w.pass(leaseMs);
    expect(election('a').isMaster()).toBe(true);
    a.send({ type: 'synod.withdraw' });
    expect(election('a').isMaster()).toBe(false);
    await w.pass(3 * leaseMs);
    expect(a.getSnapshot().context).toMatchObject({ isCandidate: false, lostBy: 'resigned', current: null });
  });

  it('gives the mastership back when it is stopped, and tells nothing more', async () => {
    const a = asCandidate('a');
    await w.pass(leaseMs);
    const words = told(a);
    asCandidate('b');
    a.stop();
    expect(election('a').isMaster()).toBe(false);
    await w.pass(leaseMs / 4);
    expect(election('b').isMaster()).toBe(true);
    expect(words).toEqual([]);
  });

  it('is done when the group is closed', async () => {
    const a = asCandidate('a');
    await w.pass(leaseMs);
    void w.groups.a.close();
    await w.pass(leaseMs);
    expect(a.getSnapshot().status).toBe('done');
  });

  it('is in error when this process may not be master of it', async () => {
    const watcher = await w.observer();
    const a = createActor(electionLogic(watcher.election()), { clock: w.clock });
    a.subscribe({ error: () => {} });
    begin(a);
    await w.pass(1);
    void watcher.close();
    expect(a.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'ERR_SYNOD_CONFIG' } });
  });

  it('comes back from a kept snapshot without the mastership that it held', async () => {
    const a = asCandidate('a');
    await w.pass(leaseMs);
    const kept = JSON.parse(JSON.stringify(a.getPersistedSnapshot()));
    a.stop();
    const again = begin(createActor(electionLogic(election('a')), { clock: w.clock, snapshot: kept }));
    expect(again.getSnapshot().context.term).toBeNull();
    await w.pass(leaseMs);
    expect(again.getSnapshot().context.term).toBe(election('a').master?.term);
  });
});

describe('masterWork', () => {
  it('T7: is told to stop in the step in which the mastership ends, and the next waits until it has', async () => {
    const seen: { mastership: Mastership; signal: AbortSignal }[] = [];
    let finish = () => {};
    const write = (mastership: Mastership, signal: AbortSignal) => {
      seen.push({ mastership, signal });
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const a = begin(createActor(ledgerWriter(election('a'), write), { clock: w.clock }));
    await w.pass(leaseMs);
    expect(a.getSnapshot()).toMatchObject({ value: 'writing', context: { master: 'a' } });
    expect(seen.map(({ mastership }) => mastership.term)).toEqual([election('a').master?.term]);
    const b = begin(
      createActor(
        ledgerWriter(election('b'), () => new Promise(() => {})),
        { clock: w.clock },
      ),
    );
    a.send({ type: 'hand over' });
    expect(a.getSnapshot().value).toBe('following');
    expect(seen[0]?.signal.aborted).toBe(true);
    await w.pass(leaseMs / 2);
    expect(b.getSnapshot().value).toBe('following');
    finish();
    await w.pass(leaseMs / 4);
    expect(b.getSnapshot()).toMatchObject({ value: 'writing', context: { master: 'b' } });
    expect(a.getSnapshot()).toMatchObject({ value: 'following', context: { master: 'b' } });
  });

  it('does not begin without a mastership', async () => {
    const work = createActor(masterWork(election('a'), () => 'done'));
    work.subscribe({ error: () => {} });
    begin(work);
    await w.pass(1);
    expect(work.getSnapshot().error).toBeInstanceOf(MastershipLostError);
  });

  it('gives its result to the state that invoked it', async () => {
    const machine = setup({
      actors: {
        election: electionLogic(election('a')),
        work: masterWork(election('a'), ({ mastership, input }: { mastership: Mastership; input: number }) => {
          return mastership.term * input;
        }),
      },
    }).createMachine({
      invoke: { src: 'election' },
      initial: 'following',
      states: {
        following: { on: { 'synod.master.elected': 'working' } },
        working: { invoke: { src: 'work', input: 2, onDone: 'done' } },
        done: { type: 'final' },
      },
      output: ({ event }) => (event as unknown as { output: number }).output,
    });
    const actor = begin(createActor(machine, { clock: w.clock }));
    await w.pass(leaseMs);
    expect(actor.getSnapshot()).toMatchObject({ status: 'done' });
  });
});

describe('electionMachine', () => {
  function watched(node: Node, campaign = true) {
    const actor = createActor(electionMachine(election(node)), { clock: w.clock, input: { campaign } });
    const values: string[] = [];
    actor.subscribe(({ value }) => {
      const word = typeof value === 'string' ? value : `master ${value.master}`;
      if (values.at(-1) !== word) values.push(word);
    });
    return { actor: begin(actor), values };
  }

  it('who comes back from a snapshot of a master is none, and asks anew', async () => {
    const machine = (node: Node, snapshot?: unknown) =>
      begin(createActor(electionMachine(election(node)), { clock: w.clock, snapshot: snapshot as never }));
    const before = machine('a');
    await w.pass(leaseMs);
    expect(before.getSnapshot().matches('master')).toBe(true);
    const persisted = JSON.parse(JSON.stringify(before.getPersistedSnapshot()));
    before.stop();
    const b = machine('b');
    await w.pass(leaseMs);
    const after = machine('a', persisted);
    expect(after.getSnapshot().context).toMatchObject({ isCandidate: true, term: null, current: null });
    await w.pass(leaseMs);
    expect(after.getSnapshot().value).toBe('waiting');
    b.stop();
    await w.pass(leaseMs);
    expect(after.getSnapshot().matches('master')).toBe(true);
  });

  it('goes through the states of a mastership', async () => {
    const { actor: a, values } = watched('a');
    await w.pass(3 * leaseMs);
    expect(values).toEqual(['campaigning', 'master fresh']);
    const b = watched('b');
    await w.pass(leaseMs);
    expect(b.values).toEqual(['campaigning', 'waiting']);
    a.send({ type: 'synod.resign' });
    await w.pass(leaseMs / 2);
    // Nobody is master between the two, for no longer than a command takes: that news may be overtaken.
    const settled = (words: string[]) => words.filter((word) => word !== 'campaigning');
    expect(settled(values.slice(2))).toEqual(['resigning', 'waiting']);
    expect(settled(b.values.slice(2))).toEqual(['master fresh']);
    values.length = 0;
    b.values.length = 0;
    w.network.disconnect('b');
    await w.pass(2 * leaseMs);
    // The answer to a renewal may have been on its way.
    const [first] = b.values;
    expect(b.values.slice(first === 'master fresh' ? 1 : 0).slice(0, 2)).toEqual([
      'master renewing',
      'master endangered',
    ]);
    expect(values.at(-1)).toEqual('master fresh');
  });

  it('is fresh again when renewals are answered again', async () => {
    const { values } = watched('a');
    await w.pass(2 * leaseMs);
    w.network.disconnect('a');
    await w.pass(0.7 * leaseMs);
    w.network.reconnect('a');
    await w.pass(leaseMs);
    expect(values.at(-1)).toBe('master fresh');
    expect(values).toContain('master renewing');
    expect(election('a').isMaster()).toBe(true);
  });

  it('observes until it is told to campaign', async () => {
    const { actor, values } = watched('a', false);
    await w.pass(leaseMs);
    actor.send({ type: 'synod.campaign' });
    await w.pass(leaseMs);
    actor.send({ type: 'synod.withdraw' });
    await w.pass(leaseMs);
    expect(values).toEqual(['observing', 'campaigning', 'master fresh', 'resigning', 'observing']);
  });

  it('tells its parent the same events, and is done with the group', async () => {
    const machine = setup({
      types: {} as { events: ElectionEvent | { type: 'hand over' } },
      actors: { election: electionMachine(election('a')) },
    }).createMachine({
      invoke: { id: 'election', src: 'election', onDone: '.left' },
      initial: 'following',
      states: {
        following: { on: { 'synod.master.elected': 'leading' } },
        leading: {
          on: {
            'hand over': { actions: sendTo('election', { type: 'synod.resign' }) },
            'synod.master.lost': 'following',
          },
        },
        left: {},
      },
    });
    const actor = begin(createActor(machine, { clock: w.clock }));
    await w.pass(leaseMs);
    expect(actor.getSnapshot().value).toBe('leading');
    actor.send({ type: 'hand over' });
    expect(actor.getSnapshot().value).toBe('following');
    void w.groups.a.close();
    await w.pass(leaseMs);
    await waitFor(actor, ({ value }) => value === 'left');
  });
});

it("Stately's inspector: contexts are plain, and every inspection event survives a round trip through JSON", async () => {
  const shown: JsonView[] = [];
  const types = new Set<string>();
  const inspect = (event: unknown) => {
    const {
      type,
      event: sent,
      snapshot,
    } = event as { type: string; event?: unknown; snapshot?: { context?: unknown } };
    types.add(type);
    if (sent !== undefined) isPlain(sent);
    if (snapshot?.context !== undefined) isPlain(snapshot.context);
    const text = JSON.stringify(event);
    expect(JSON.parse(text)).toEqual(jsonView(event));
    shown.push(jsonView(event));
  };
  const machine = setup({
    actors: { election: electionLogic(election('a')), mirror: electionMachine(election('b')) },
  }).createMachine({ invoke: [{ src: 'election' }, { src: 'mirror' }] });
  const writer = ledgerWriter(election('c'), () => new Promise(() => {}));
  begin(createActor(machine, { clock: w.clock, inspect }));
  begin(createActor(writer, { clock: w.clock, inspect }));
  await w.pass(2 * leaseMs);
  const [first] = (['a', 'b', 'c'] as const).filter((node) => election(node).isMaster());
  w.network.disconnect(first as string);
  await w.pass(3 * leaseMs);
  w.network.reconnect(first as string);
  await w.pass(2 * leaseMs);
  const text = JSON.stringify(shown);
  for (const word of ['synod.master.elected', 'synod.master.lost', 'synod.master.changed'])
    expect(text).toContain(word);
  for (const type of ['@xstate.actor', '@xstate.event', '@xstate.snapshot', '@xstate.microstep'])
    expect(types).toContain(type);
});
