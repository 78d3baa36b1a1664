import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnyActorLogic,
  type AnyStateMachine,
  assign,
  createActor,
  emit,
  enqueueActions,
  raise,
  SimulatedClock,
  setup,
} from 'xstate';
import { quick } from './quick.ts';

type Event = { readonly type: 'a' | 'b' | 'c' | 'd' | 'go' | 'back' | 'boom'; readonly n: number };

interface Context {
  readonly count: number;
  readonly log: readonly string[];
}

/** Everything that the machines of production use, in one: each entry, exit and transition says its name in order. */
const machine = setup({
  types: {} as { context: Context; events: Event; emitted: { type: 'said'; words: string } },
  delays: { soon: ({ context }) => 5 + (context.count % 3), late: 20 },
  guards: {
    isEven: ({ context }) => context.count % 2 === 0,
    isMany: ({ context }) => context.count >= 4,
    isSmall: ({ event }) => 'n' in event && event.n < 3,
    isOver: ({ context }) => context.count > 40,
  },
  actions: {
    count: assign({ count: ({ context }) => context.count + 1 }),
    reset: assign(({ context }) => ({ ...context, count: 0 })),
    nothing: assign({}),
    say: emit(({ context, event }, { name }: { name: string }) => ({
      type: 'said',
      words: `${name} ${context.count} ${event.type}`,
    })),
    keep: assign(({ context }, { name }: { name: string }) => ({ log: [...context.log, name].slice(-20) })),
    burst: enqueueActions((given) => {
      const { context, enqueue, check } = given;
      enqueue.emit({ type: 'said', words: `burst ${context.count}` });
      enqueue.assign({ count: context.count + 2 });
      enqueue('count' as never);
      if (check('isEven' as never)) enqueue.emit({ type: 'said', words: `even ${context.count}` });
      enqueue.emit(({ context: later }) => ({ type: 'said', words: `from ${given.context.count} to ${later.count}` }));
      enqueue.emit({ type: 'said', words: `burst over, still ${given.context.count}` });
    }),
    fail: assign((): Partial<Context> => {
      throw new Error('boom');
    }),
  },
}).createMachine({
  id: 'child',
  context: { count: 0, log: [] },
  initial: 'side',
  entry: { type: 'say', params: { name: '+root' } },
  states: {
    side: {
      type: 'parallel',
      entry: { type: 'say', params: { name: '+side' } },
      exit: { type: 'say', params: { name: '-side' } },
      on: {
        d: { target: 'side', reenter: true, actions: ['reset', { type: 'say', params: { name: 'd' } }] },
        boom: [{ guard: 'isMany', actions: ['count', 'fail'] }, { actions: 'count' }],
      },
      states: {
        left: {
          initial: 'one',
          on: { c: { target: '.two', actions: { type: 'say', params: { name: 'left c' } } } },
          states: {
            one: {
              entry: [{ type: 'say', params: { name: '+one' } }, 'count'],
              exit: { type: 'say', params: { name: '-one' } },
              on: {
                a: [{ guard: 'isEven', target: 'two', actions: 'count' }, { actions: ['count', 'nothing'] }],
                go: '#child.away',
              },
              after: { soon: { target: 'two', actions: { type: 'say', params: { name: 'soon' } } } },
            },
            two: {
              initial: 'inner',
              entry: [
                { type: 'keep', params: { name: 'two' } },
                { type: 'say', params: { name: '+two' } },
              ],
              exit: { type: 'say', params: { name: '-two' } },
              on: { a: { target: 'one' }, b: { target: 'two', reenter: true } },
              states: {
                inner: {
                  entry: { type: 'say', params: { name: '+inner' } },
                  exit: { type: 'say', params: { name: '-inner' } },
                  always: { guard: 'isMany', target: 'deep' },
                },
                deep: { after: { late: { target: 'inner', actions: 'reset' } } },
              },
            },
          },
        },
        right: {
          initial: 'calm',
          states: {
            calm: {
              entry: { type: 'say', params: { name: '+calm' } },
              exit: { type: 'say', params: { name: '-calm' } },
              on: { a: { guard: 'isSmall', actions: 'burst' }, b: 'busy' },
            },
            busy: {
              entry: ['burst', { type: 'say', params: { name: '+busy' } }],
              after: { soon: { target: 'busy', reenter: true }, late: 'calm' },
              on: { a: 'calm', go: '#child.away' },
            },
          },
        },
      },
    },
    away: {
      entry: { type: 'say', params: { name: '+away' } },
      exit: { type: 'say', params: { name: '-away' } },
      always: { guard: 'isOver', target: 'over' },
      on: { back: 'side', c: { actions: 'count' } },
      after: {
        late: [
          { guard: 'isEven', target: 'side' },
          { target: 'away', reenter: true, actions: 'count' },
        ],
      },
    },
    over: { type: 'final', entry: { type: 'say', params: { name: '+over' } } },
  },
});

/** Invokes it, again and again, and notes how it ended. */
const parentOf = (child: AnyActorLogic) =>
  setup({
    types: {} as { context: { endings: string[] }; events: { type: 'again' } },
    actors: { child },
    actions: {
      noteEnd: assign(({ context, event }) => ({ endings: [...context.endings, event.type] })),
    },
  }).createMachine({
    context: { endings: [] },
    initial: 'with',
    states: {
      with: {
        invoke: {
          id: 'child',
          src: 'child',
          onDone: { target: 'without', actions: 'noteEnd' },
          onError: { target: 'without', actions: 'noteEnd' },
        },
        on: { again: { target: 'with', reenter: true } },
      },
      without: { on: { again: 'with' } },
    },
  });

type Act = Event | { readonly type: 'wait'; readonly ms: number } | { readonly type: 'again' };

const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constantFrom('a', 'b', 'c', 'd', 'go', 'back', 'boom'),
        n: fc.nat({ max: 5 }),
      }) as fc.Arbitrary<Event>,
    },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(1, 4, 6, 21) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('again' as const) }) },
  ),
  { maxLength: 60 },
);

interface Living {
  on(type: string, handler: (event: { readonly words: string }) => void): unknown;
  subscribe(observer: object): unknown;
  send(event: Event): void;
  getSnapshot(): {
    readonly status: string;
    readonly value: unknown;
    readonly context: unknown;
    readonly error?: unknown;
  };
}

/** Hears an actor, and answers some of what it says with an event of its own: in the middle of its step. */
function listen(actor: Living, log: unknown[]): void {
  actor.on('said', ({ words }) => {
    log.push(words);
    if (words.startsWith('burst over')) actor.send({ type: 'c', n: 0 });
  });
  actor.subscribe({
    next: ({ value, context, status }: ReturnType<Living['getSnapshot']>) =>
      log.push(JSON.stringify({ value, context, status })),
    error: (error: unknown) => log.push(`error ${String(error)}`),
    complete: () => log.push('complete'),
  });
}

const look = (actor: Living): unknown => {
  const { status, value, context, error } = actor.getSnapshot();
  return JSON.stringify({ status, value, context, error: error === undefined ? '' : String(error) });
};

/** As the root of a system. */
function alone(logic: AnyActorLogic, script: readonly Act[]): unknown[] {
  const log: unknown[] = [];
  const clock = new SimulatedClock();
  const actor = createActor(logic, { clock });
  listen(actor as unknown as Living, log);
  actor.start();
  for (const act of script) {
    log.push(`> ${JSON.stringify(act)}`);
    if (actor.getSnapshot().status !== 'active') break;
    if (act.type === 'wait') clock.increment(act.ms);
    else if (act.type !== 'again') actor.send(act);
    log.push(look(actor as unknown as Living));
  }
  actor.stop();
  return [...log, look(actor as unknown as Living)];
}

/** As a child that a machine invokes. */
function invoked(interpret: (machine: AnyStateMachine) => AnyActorLogic, script: readonly Act[]): unknown[] {
  const log: unknown[] = [];
  const clock = new SimulatedClock();
  const parent = createActor(interpret(parentOf(interpret(machine)) as unknown as AnyStateMachine), { clock });
  parent.start();
  let known: Living | undefined;
  for (const act of script) {
    const living = (parent.getSnapshot() as { children: Record<string, Living> }).children['child'];
    if (living && living !== known) listen(living, log);
    known = living;
    log.push(`> ${JSON.stringify(act)}`);
    if (act.type === 'wait') clock.increment(act.ms);
    else if (act.type === 'again') parent.send(act);
    else if (living?.getSnapshot().status === 'active') living.send(act);
    if (known) log.push(look(known));
    const { value, context } = parent.getSnapshot() as { value: unknown; context: unknown };
    log.push(JSON.stringify({ value, context }));
  }
  parent.stop();
  return log;
}

describe('the quick interpreter does what XState does', () => {
  it('as a root, whatever comes', () => {
    fc.assert(
      fc.property(acts, (script) => {
        expect(alone(quick(machine), script)).toEqual(alone(machine, script));
      }),
      { numRuns: 300 },
    );
  });

  it('as a child: started, stopped, done, failed', () => {
    fc.assert(
      fc.property(acts, (script) => {
        expect(invoked(quick, script)).toEqual(invoked((same) => same, script));
      }),
      { numRuns: 300 },
    );
  });

  it('leaves to XState what it does not know', () => {
    const at = (actions: unknown) =>
      quick(setup({}).createMachine({ on: { a: { actions } } } as never) as unknown as AnyStateMachine);
    expect(() => at(raise({ type: 'b' }, { id: 'b' }))).toThrow('raise');
    expect(() => at(() => {})).toThrow('action');
  });
});
