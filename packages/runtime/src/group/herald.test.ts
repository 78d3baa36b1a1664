import { encodeMasterCommand, type MasterCommand, MasterFold } from '@synod/mastership';
import { type CommandId, commandId, type Message, NO_BALLOT } from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { Herald } from './herald.ts';

/** A herald over a fold. What it says is noted with the microtask in which it does: a client writes between two. */
function heralding() {
  const fold = new MasterFold();
  const said: { readonly type: Message['type']; readonly turn: number; readonly message: Message }[] = [];
  const heard: number[] = [];
  const state = { isLeading: true };
  let turn = 0;
  const herald = new Herald({
    fold,
    incarnation: 'self',
    clock: new VirtualClock(),
    leaseMs: () => 1000,
    maxPayloadBytes: () => 1_000_000,
    isLeading: () => state.isLeading,
    send: (_to, message) => {
      said.push({ type: message.type, turn, message });
      // What a client does when something is published.
      void Promise.resolve().then(() => turn++);
    },
    tellLease: () => {},
    onApplied: ({ position }) => heard.push(position),
    guard: (work) => work(),
  });
  fold.onApplied((applied) => herald.applied(applied, true));
  let position = 0;
  const apply = (node: string, asked: MasterCommand, from: string | null = null) => {
    const id: CommandId = commandId(`${node}-life`, ++position);
    const command = encodeMasterCommand(id, asked);
    if (from !== null) herald.asked(command, from);
    herald.chosen('all', { type: 'chosen', ballot: NO_BALLOT, slot: position });
    fold.apply(position, command);
    return position;
  };
  /** Opens a session, with which it takes. */
  const take = (node: string, election: string, from: string | null = null) =>
    apply(
      node,
      {
        type: 'open',
        node,
        incarnation: `${node}-life`,
        leaseMs: 1000,
        take: { election, expectedVersion: 0, holder: null, metadata: {} },
      },
      from,
    );
  const written = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
    return said.splice(0);
  };
  return { herald, state, heard, apply, take, written };
}

const types = (said: readonly { readonly type: string }[]) => said.map(({ type }) => type);
const turns = (said: readonly { readonly turn: number }[]) => new Set(said.map(({ turn }) => turn)).size;

describe('what an outsider asked for', () => {
  it('is answered first: all else of it is written after that', async () => {
    const { herald, heard, apply, take, written } = heralding();
    const session = take('web', 'jobs', 'web');
    herald.tellApplied();
    expect(heard).toEqual([]);
    const taken = await written();
    expect(types(taken)).toEqual(['outcomes', 'chosen', 'news']);
    expect(turns(taken)).toBe(2);
    expect(heard).toEqual([session]);
    // So is a renewal, and what was refused.
    apply('web', { type: 'renew', session, expectedVersion: session, leaseMs: 1000 }, 'web');
    herald.tellApplied();
    expect(turns(await written())).toBe(2);
    apply('web', { type: 'resign', election: 'jobs', session, term: 99 }, 'web');
    herald.tellApplied();
    const refused = await written();
    expect(types(refused)).toEqual(['outcomes', 'chosen']);
    expect(turns(refused)).toBe(2);
  });

  it.each<readonly [string, (w: ReturnType<typeof heralding>, term: number) => void]>([
    [
      'frees something',
      ({ apply }, term) => apply('web', { type: 'resign', election: 'jobs', session: 1, term }, 'web'),
    ],
    ['ends a session', ({ apply }) => apply('web', { type: 'end', session: 1 }, 'web')],
    [
      'gives it to somebody else',
      ({ apply }, term) =>
        apply('web', { type: 'transfer', election: 'jobs', session: 1, term, to: 2, metadata: {} }, 'web'),
    ],
    ['is a member’s own', ({ take }) => take('a', 'other')],
    [
      'comes with what a member asked for',
      ({ take }) => {
        take('web', 'third', 'web');
        take('a', 'other');
      },
    ],
  ])('is told to all in one where it %s', async (_, happens) => {
    const world = heralding();
    world.take('web', 'jobs');
    world.take('web-2', 'more');
    world.herald.tellApplied();
    await world.written();
    happens(world, 1);
    world.herald.tellApplied();
    const told = await world.written();
    expect(types(told)).toContain('news');
    expect(turns(told)).toBe(1);
  });

  it('is told in its order, though another turn begins before it is written', async () => {
    const { herald, heard, take, written } = heralding();
    take('web', 'jobs', 'web');
    herald.tellApplied();
    herald.tellPutOff();
    take('a', 'other');
    herald.tellApplied();
    const told = await written();
    const news = told.flatMap(({ message }) => (message.type === 'news' ? [message] : []));
    expect(news.map(({ after, changes }) => [after, changes.map(({ position }) => position)])).toEqual([
      [0, [1]],
      [1, [2]],
    ]);
    expect(heard).toEqual([1, 2]);
  });

  it('is told by who led when it was chosen, though another has taken over when the next turn ends', async () => {
    const { herald, state, take, written } = heralding();
    take('web', 'jobs', 'web');
    herald.tellApplied();
    herald.tellPutOff();
    state.isLeading = false;
    expect(types(await written())).toEqual(['outcomes', 'chosen', 'news']);
  });

  it('is told no more by a node that was closed', async () => {
    const { herald, heard, take, written } = heralding();
    take('web', 'jobs', 'web');
    herald.tellApplied();
    herald.close();
    expect(types(await written())).toEqual(['outcomes']);
    expect(heard).toEqual([]);
  });
});
