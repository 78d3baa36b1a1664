import { type AnyActorLogic, type AnyStateMachine, createActor } from 'xstate';
import { type Configuration, Configurations, type Maker, type Plan, Ready } from './configuration.ts';
import { type Context, type Event, type Invoke, type Machine, type Transition, Unsupported } from './parts.ts';
import { QuickActor, type QuickLogic } from './quick-actor.ts';

/**
 * Runs a machine's definition (its states, guards, actions and delays, as they are) several times faster than XState's own
 * interpreter: what follows from states alone is reckoned once, and no objects are made for inspectors that nobody has. A
 * simulation spends most of its time in statecharts.
 *
 * Nothing of the protocol stands here. A test runs the same seeds through both, and every run must leave the same trace.
 *
 * @throws Unsupported when the machine uses something that is not known here.
 */
export function quick(machine: AnyStateMachine): AnyActorLogic {
  return logicOf(machine as unknown as Machine) as unknown as AnyActorLogic;
}

/** What an actor is between two events, in the shape of XState's snapshots as far as anybody here reads them. */
class Snapshot {
  readonly status: 'active' | 'done' | 'stopped' | 'error';
  readonly context: Context;
  readonly configuration: Configuration<Work>;
  readonly value: unknown;
  readonly children: Children;
  readonly output = undefined;
  readonly error: unknown;
  /** Timers of `after` that run, by the number of their event. */
  readonly timers: Timers;

  constructor(status: Snapshot['status'], step: Kept, configuration: Configuration<Work>, error?: unknown) {
    this.status = status;
    this.context = step.context;
    this.configuration = configuration;
    this.value = configuration.value;
    this.children = step.children;
    this.timers = step.timers;
    this.error = error;
  }

  matches(test: unknown): boolean {
    return this.configuration.matches(test);
  }

  /** An error met it: all else stays as it was. */
  failed(error: unknown): Snapshot {
    return new Snapshot('error', this, this.configuration, error);
  }
}

type Kept = Pick<Step, 'context' | 'children' | 'timers'>;

const NOTHING = Object.freeze({});

/** Actors that the machine invokes, by id. */
type Children = Readonly<Record<string, Child>>;
type Child = ReturnType<typeof createActor> | QuickActor;
type Timers = unknown[];

interface Scope {
  readonly self: { send(event: Event): void };
  readonly system: { readonly _clock: Clock; _unregister(child: ReturnType<typeof createActor>): void };
  stopChild(child: Child): void;
  defer(effect: () => void): void;
  emit(event: Event): void;
  /** Of a {@link QuickActor}. */
  deferEmission?(event: Event): void;
}

interface Clock {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** What an action does, its parameters bound. */
type Bound = (step: Step) => void;
/** Given the step, which is what XState's functions are given too: context, event, self and system. */
type Action = (step: Step, params?: unknown) => void;
type Guard = (step: { readonly context: Context; readonly event: Event }, params?: unknown) => boolean;

type Work = readonly Bound[];

/** One event at work: the context as it is so far, and where effects go that happen when the snapshot is in place. */
class Step {
  context: Context;
  children: Children;
  readonly event: Event;
  readonly scope: Scope;
  readonly timers: Timers;
  /** True while the actor has not begun: its effects wait until it does, as XState has it. */
  readonly isInitial: boolean;
  hasChanged = false;

  constructor(context: Context, event: Event, scope: Scope, timers: Timers, children: Children, isInitial: boolean) {
    this.context = context;
    this.children = children;
    this.event = event;
    this.scope = scope;
    this.timers = timers;
    this.isInitial = isInitial;
  }

  get self(): Scope['self'] {
    return this.scope.self;
  }

  get system(): Scope['system'] {
    return this.scope.system;
  }

  effect(effect: () => void): void {
    const { scope } = this;
    if (this.isInitial) scope.defer(() => scope.defer(effect));
    else scope.defer(effect);
  }
}

function logicOf(machine: Machine) {
  const configurations = new Configurations<Work>(machine, new ActionTable(machine));
  const beginning = configurations.begin();

  const transition = (snapshot: Snapshot, event: Event, scope: Scope): Snapshot => {
    const { context, configuration, timers, children } = snapshot;
    const { type } = event;
    const selector = configuration.selector(type);
    if (selector === null && configuration.always === null && !type.startsWith('xstate.')) return snapshot;
    const step = new Step(context, event, scope, timers, children, false);
    if (type === 'xstate.stop') {
      end(step);
      return new Snapshot('stopped', step, configuration);
    }
    let next = configuration;
    let isDone = false;
    if (selector !== null) {
      const { regions, outer } = selector;
      let first: Ready<Work> | null = null;
      let more: Ready<Work>[] | null = null;
      for (let i = 0; i < regions.length; i++) {
        const found = firstOf(regions[i] as readonly Ready<Work>[], step);
        if (found === null) continue;
        if (first === null) first = found;
        else if (more === null) more = [first, found];
        else more.push(found);
      }
      first ??= firstOf(outer, step);
      if (first !== null) {
        const plan = more === null ? first.planFrom(configuration) : configuration.planOf(more);
        follow(plan, step);
        next = plan.next;
        isDone = plan.ending !== null;
      }
    } else if (type.startsWith('xstate.error.actor.')) {
      end(step);
      return new Snapshot('error', step, configuration, (event as { error?: unknown }).error);
    }
    while (!isDone && next.always !== null) {
      const plan = eventless(next, next.always, step);
      if (plan === null) break;
      next = plan.next;
      isDone = plan.ending !== null;
    }
    const isSame = next === configuration && step.context === context && step.children === children;
    if (!isDone && isSame) return snapshot;
    return new Snapshot(isDone ? 'done' : 'active', step, next);
  };

  const getInitialSnapshot = (scope: Scope, input: unknown): Snapshot => {
    const event = { type: 'xstate.init', input };
    const step = new Step(NOTHING, event, scope, [], NOTHING, true);
    try {
      const { context } = machine.config;
      step.context = (
        typeof context === 'function' ? context({ input, self: scope.self }) : (context ?? {})
      ) as Context;
      follow(beginning, step);
      let { next } = beginning;
      let isDone = false;
      while (!isDone && next.always !== null) {
        const plan = eventless(next, next.always, step);
        if (plan === null) break;
        next = plan.next;
        isDone = plan.ending !== null;
      }
      return new Snapshot(isDone ? 'done' : 'active', step, next);
    } catch (error) {
      return new Snapshot('error', step, beginning.next, error);
    }
  };

  return {
    isQuick: true,
    id: machine.id,
    config: machine.config,
    implementations: machine.implementations,
    transition,
    getInitialSnapshot,
    getPersistedSnapshot: (snapshot: Snapshot) => snapshot,
    start: () => {},
  };
}

const isQuick = (logic: unknown): logic is QuickLogic => (logic as { isQuick?: boolean }).isQuick === true;

/** An actor without a parent: a quick one if that can run its machine, and all that the machine invokes. */
export const createQuickActor: typeof createActor = (logic, ...[options]) => {
  const { id = 'root', clock, input } = (options ?? {}) as { id?: string; clock?: Clock; input?: unknown };
  if (!isQuick(logic) || !clock || !Object.values((logic as unknown as Machine).implementations.actors).every(isQuick))
    return createActor(logic, options as never);
  const system = { _clock: clock };
  return new QuickActor(logic, { id, input, parent: null, system }) as unknown as ReturnType<
    typeof createActor<typeof logic>
  >;
};

/** The first whose guard passes. */
function firstOf(candidates: readonly Ready<Work>[], step: Step): Ready<Work> | null {
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as Ready<Work>;
    if (candidate.guard === null || (candidate.guard as Guard)(step)) return candidate;
  }
  return null;
}

/** One round of eventless transitions. @returns what was done; `null` when none is enabled, or they changed nothing. */
function eventless(
  configuration: Configuration<Work>,
  always: readonly (readonly Ready<Work>[])[],
  step: Step,
): Plan<Work> | null {
  let first: Ready<Work> | null = null;
  let more: Ready<Work>[] | null = null;
  for (let i = 0; i < always.length; i++) {
    const found = firstOf(always[i] as readonly Ready<Work>[], step);
    if (found === null || found === first || more?.includes(found)) continue;
    if (first === null) first = found;
    else if (more === null) more = [first, found];
    else more.push(found);
  }
  if (first === null) return null;
  const plan = more === null ? first.planFrom(configuration) : configuration.planOf(more);
  step.hasChanged = false;
  follow(plan, step);
  return step.hasChanged || plan.next !== configuration ? plan : null;
}

function follow(plan: Plan<Work>, step: Step): void {
  const { work, ending } = plan;
  run(work, step);
  if (ending === null) return;
  run(ending, step);
  end(step);
}

function run(work: Work, step: Step): void {
  for (let i = 0; i < work.length; i++) (work[i] as Bound)(step);
}

/** Nothing of the machine goes on. */
function end(step: Step): void {
  const { timers } = step;
  for (const handle of timers) if (handle !== undefined) step.scope.system._clock.clearTimeout(handle);
  timers.length = 0;
  for (const id of Object.keys(step.children)) stops(id)(step);
}

/** The actions and guards of a machine, each resolved once. */
class ActionTable implements Maker<Work> {
  readonly #machine: Machine;
  readonly #named = new Map<string, Action>();
  /** By the id of the event that a timer raises. */
  readonly #timers = new Map<string, number>();
  readonly #enqueuer: Enqueuer;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#enqueuer = enqueuer(
      (action) => this.#bind(action),
      (guard) => this.#guardOf(guard),
    );
  }

  transition(transition: Transition): Ready<Work> {
    const { guard, actions } = transition;
    const passes = guard === undefined ? null : this.#guardOf(guard);
    return new Ready(
      transition,
      passes as Ready<Work>['guard'],
      actions.map((action) => this.#bind(action)),
    );
  }

  exit({ exit, invoke }: Transition['source']): Work {
    return [...exit.map((action) => this.#bind(action)), ...invoke.map(({ id }) => stops(id))];
  }

  entry({ entry, invoke }: Transition['source']): Work {
    return [...entry.map((action) => this.#bind(action)), ...invoke.map((child) => spawns(this.#machine, child))];
  }

  inOrder(works: readonly Work[]): Work {
    return works.flat();
  }

  #bind(action: unknown): Bound {
    if (typeof action === 'string') return this.#name(action);
    if (typeof action === 'function') return this.#resolve(action as Builtin);
    const { type, params } = action as Named;
    const named = this.#name(type);
    return typeof params === 'function' ? (step) => named(step, params(step)) : (step) => named(step, params);
  }

  #name(name: string): Action {
    let action = this.#named.get(name);
    if (!action) {
      const implementation = this.#machine.implementations.actions[name];
      if (typeof implementation !== 'function') throw new Unsupported(`action ${name}`);
      action = this.#resolve(implementation as unknown as Builtin);
      this.#named.set(name, action);
    }
    return action;
  }

  #guardOf(guard: unknown): Guard {
    if (typeof guard === 'function' && !('check' in guard)) return guard as Guard;
    const { type, params } = typeof guard === 'string' ? { type: guard, params: undefined } : (guard as Named);
    const implementation = this.#machine.implementations.guards[type];
    if (typeof implementation !== 'function' || 'check' in implementation) throw new Unsupported(`guard ${type}`);
    if (params === undefined) return implementation as Guard;
    return (step) => implementation(step, typeof params === 'function' ? params(step) : params);
  }

  /** XState's own actions say what they are; any other function is a user's. */
  #resolve(action: Builtin): Action {
    switch (action.type) {
      case 'xstate.assign':
        return assigns(action.assignment as Assignment);
      case 'xstate.emit':
        return emits(action.event);
      case 'xstate.raise':
        return this.#raises(action);
      case 'xstate.cancel':
        return cancels(this.#timerOf(action.sendId as string));
      case 'xstate.enqueueActions':
        return enqueues(action.collect as Collect, this.#enqueuer);
      default:
        throw new Unsupported(`action ${action.type ?? action.name} of ${this.#machine.id}`);
    }
  }

  #raises({ event, id, delay }: Builtin): Action {
    // Without a delay it would be an event of the same step.
    if (typeof event !== 'object' || id === undefined || delay === undefined) throw new Unsupported('raise');
    const raised = event as Event;
    const timer = this.#timerOf(id);
    const named = typeof delay === 'string' ? this.#machine.implementations.delays[delay] : delay;
    return (step) => {
      const delayMs = typeof named === 'function' ? (named as (args: Step) => number)(step) : (named as number);
      const { scope, timers } = step;
      step.effect(() => {
        const handle = scope.system._clock.setTimeout(() => {
          timers[timer] = undefined;
          scope.self.send(raised);
        }, delayMs);
        timers[timer] = handle;
      });
    };
  }

  #timerOf(id: string): number {
    let timer = this.#timers.get(id);
    if (timer === undefined) {
      timer = this.#timers.size;
      this.#timers.set(id, timer);
    }
    return timer;
  }
}

interface Named {
  readonly type: string;
  readonly params?: unknown;
}

/** Actions as XState's creators make them: functions with their parts as properties. */
interface Builtin {
  readonly type?: string;
  readonly name: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly id?: string;
  readonly delay?: unknown;
  readonly sendId?: unknown;
  readonly collect?: unknown;
}

type Collect = (args: object, params: unknown) => void;

interface Enqueuer {
  step: Step | null;
  /** What the action that enqueues was given: conditions are asked of the context as it was then. */
  given: Given | null;
  readonly enqueue: unknown;
  readonly check: (guard: unknown) => boolean;
}

/** What an action that enqueues is given: the context stays as it is while others take its place. */
class Given {
  readonly context: Context;
  readonly event: Event;
  readonly enqueue: unknown;
  readonly check: Enqueuer['check'];
  readonly #step: Step;

  constructor(step: Step, { enqueue, check }: Enqueuer) {
    this.context = step.context;
    this.event = step.event;
    this.enqueue = enqueue;
    this.check = check;
    this.#step = step;
  }

  get self(): Scope['self'] {
    return this.#step.self;
  }

  get system(): Scope['system'] {
    return this.#step.system;
  }
}

/** One for all calls. What is enqueued happens at once: in the order in which XState lets it happen afterwards. */
function enqueuer(bind: (action: unknown) => Bound, guardOf: (guard: unknown) => Guard): Enqueuer {
  const now = (): Step => made.step as Step;
  const enqueue = Object.assign((action: unknown) => run([bind(action)], now()), {
    emit: (event: unknown) => emit(now(), event, undefined),
    assign: (assignment: Assignment) => assign(now(), assignment, undefined),
  });
  const check = (guard: unknown): boolean => guardOf(guard)(made.given as Parameters<Guard>[0]);
  const made: Enqueuer = { step: null, given: null, enqueue, check };
  return made;
}

function enqueues(collect: Collect, shared: Enqueuer): Action {
  return (step, params) => {
    const { step: outer, given: outerGiven } = shared;
    const given = new Given(step, shared);
    shared.step = step;
    shared.given = given;
    collect(given, params);
    shared.step = outer;
    shared.given = outerGiven;
  };
}

/** All of the context, or some of it: a function of it, or values and functions by key. */
type Assignment = ((step: Step, params: unknown) => Context) | Context;

const assigns =
  (assignment: Assignment): Action =>
  (step, params) =>
    assign(step, assignment, params);

function assign(step: Step, assignment: Assignment, params: unknown): void {
  step.hasChanged = true;
  const { context } = step;
  if (typeof assignment === 'function') {
    const given = assignment(step, params);
    const keys = countOf(given);
    if (keys === 0) return;
    // Rules mostly give the whole context back: it is as good as a copy of it.
    step.context = keys === countOf(context) ? given : { ...context, ...given };
    return;
  }
  const next: Record<string, unknown> = { ...context };
  for (const key in assignment) {
    const part = assignment[key];
    next[key] = typeof part === 'function' ? part(step, params) : part;
  }
  step.context = next;
}

/** Of a plain object, without a list of them. */
function countOf(object: object): number {
  let count = 0;
  for (const _ in object) count++;
  return count;
}

const emits =
  (event: unknown): Action =>
  (step, params) =>
    emit(step, event, params);

function emit(step: Step, event: unknown, params: unknown): void {
  const emitted = (typeof event === 'function' ? event(step, params) : event) as Event;
  const { scope } = step;
  if (scope.deferEmission && !step.isInitial) scope.deferEmission(emitted);
  else step.effect(() => scope.emit(emitted));
}

function cancels(timer: number): Action {
  return (step) => {
    const { scope, timers } = step;
    step.effect(() => {
      const handle = timers[timer];
      if (handle === undefined) return;
      timers[timer] = undefined;
      scope.system._clock.clearTimeout(handle);
    });
  };
}

function spawns(machine: Machine, { id, src, input }: Invoke): Action {
  return (step) => {
    const { scope, context, event } = step;
    const logic = machine.implementations.actors[src] as AnyActorLogic | undefined;
    if (!logic) throw new Unsupported(`actor ${src}`);
    const given = typeof input === 'function' ? input({ context, event, self: scope.self }) : input;
    const { self, system } = scope;
    const child = isQuick(logic)
      ? new QuickActor(logic, { id, input: given, parent: self, system })
      : createActor(logic, { id, src, input: given, parent: self as never });
    step.children = { ...step.children, [id]: child };
    step.effect(() => {
      if (child.getSnapshot().status === 'active') child.start();
    });
  };
}

function stops(id: string): Action {
  return (step) => {
    const { [id]: child, ...others } = step.children;
    step.children = others;
    if (!child) return;
    if (!(child instanceof QuickActor)) step.scope.system._unregister(child);
    step.effect(() => step.scope.stopChild(child));
  };
}
