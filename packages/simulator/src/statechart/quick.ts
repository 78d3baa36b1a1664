import { type AnyActorLogic, type AnyStateMachine, createActor } from 'xstate';
import { type Configuration, Configurations, type Plan, type Selector } from './configuration.ts';
import { type Context, type Event, type Invoke, type Machine, type Transition, Unsupported } from './parts.ts';

/**
 * Runs a machine's definition (its states, guards, actions and delays, as they are) several times faster than XState's own
 * interpreter: what follows from states alone is reckoned once, and no objects are made for inspectors that nobody has. A
 * simulation spends most of its time in statecharts; with this it sees ten times as many schedules.
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
  readonly configuration: Configuration;
  readonly children: Children;
  readonly output = undefined;
  readonly error: unknown;
  /** Timers of `after` that run, by the id of their event. */
  readonly timers: Map<string, unknown>;

  constructor(
    status: Snapshot['status'],
    context: Context,
    configuration: Configuration,
    timers: Map<string, unknown>,
    children: Children,
    error?: unknown,
  ) {
    this.status = status;
    this.context = context;
    this.configuration = configuration;
    this.timers = timers;
    this.children = children;
    this.error = error;
  }

  get value(): unknown {
    return this.configuration.value;
  }

  matches(test: unknown): boolean {
    return this.configuration.matches(test);
  }
}

const NOTHING = Object.freeze({});

/** Actors that the machine invokes, by id. */
type Children = Readonly<Record<string, Child>>;
type Child = ReturnType<typeof createActor>;

interface Scope {
  readonly self: { send(event: Event): void };
  readonly system: { readonly _clock: Clock; _unregister(child: Child): void };
  stopChild(child: Child): void;
  defer(effect: () => void): void;
  emit(event: Event): void;
}

interface Clock {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

interface Args {
  readonly context: Context;
  readonly event: Event;
  readonly self: unknown;
  readonly system: unknown;
}

/** What an action does, once its reference is resolved. */
type Action = (step: Step, params: unknown) => void;

interface Bound {
  readonly action: Action;
  readonly params: unknown;
}

/** One event at work: the context as it is so far, and what is to be done when the snapshot is in place. */
class Step {
  context: Context;
  readonly event: Event;
  readonly scope: Scope;
  readonly timers: Map<string, unknown>;
  /** True while the actor has not begun: its effects wait until it does, as XState has it. */
  readonly isInitial: boolean;
  children: Children;
  hasChanged = false;

  constructor(
    context: Context,
    event: Event,
    scope: Scope,
    timers: Map<string, unknown>,
    children: Children,
    isInitial: boolean,
  ) {
    this.context = context;
    this.children = children;
    this.event = event;
    this.scope = scope;
    this.timers = timers;
    this.isInitial = isInitial;
  }

  get args(): Args {
    return { context: this.context, event: this.event, self: this.scope.self, system: this.scope.system };
  }

  effect(effect: () => void): void {
    const { scope } = this;
    if (this.isInitial) scope.defer(() => scope.defer(effect));
    else scope.defer(effect);
  }
}

function logicOf(machine: Machine) {
  const configurations = new Configurations(machine);
  const actions = new ActionTable(machine);
  const beginning = configurations.begin();

  const select = (selector: Selector, step: Step, found: Transition[]): void => {
    const before = found.length;
    for (const inner of selector.inner) select(inner, step, found);
    if (found.length > before) return;
    for (const transition of selector.own) {
      if (!actions.passes(transition, step)) continue;
      found.push(transition);
      return;
    }
  };

  const selectAlways = (always: readonly (readonly Transition[])[], step: Step): Transition[] => {
    const found: Transition[] = [];
    for (const transitions of always) {
      for (const transition of transitions) {
        if (!actions.passes(transition, step)) continue;
        if (!found.includes(transition)) found.push(transition);
        break;
      }
    }
    return found;
  };

  const follow = (plan: Plan, step: Step): void => {
    for (const node of plan.exits) {
      actions.run(node.exit, step);
      for (const { id } of node.invoke) stop(step, id);
    }
    for (const transition of plan.transitions) actions.run(transition.actions, step);
    for (const node of plan.entries) {
      actions.run(node.entry, step);
      for (const invoke of node.invoke) spawn(step, machine, invoke);
    }
    if (!plan.isDone) return;
    for (const node of [...plan.next.nodes].sort((a, b) => b.order - a.order)) actions.run(node.exit, step);
    end(step);
  };

  /** Eventless transitions, until none is enabled or the last one changed nothing. */
  const settle = (from: Configuration, step: Step): { configuration: Configuration; isDone: boolean } => {
    let configuration = from;
    for (;;) {
      if (configuration.always === null) return { configuration, isDone: false };
      const found = selectAlways(configuration.always, step);
      if (found.length === 0) return { configuration, isDone: false };
      const plan = configuration.plan(found);
      const before = step.hasChanged;
      step.hasChanged = false;
      follow(plan, step);
      const isUnchanged = !step.hasChanged && plan.next === configuration;
      step.hasChanged ||= before;
      configuration = plan.next;
      if (plan.isDone) return { configuration, isDone: true };
      if (isUnchanged) return { configuration, isDone: false };
    }
  };

  const transition = (snapshot: Snapshot, event: Event, scope: Scope): Snapshot => {
    const { context, configuration, timers, children } = snapshot;
    const step = new Step(context, event, scope, timers, children, false);
    if (event.type === 'xstate.stop') {
      end(step);
      return new Snapshot('stopped', context, configuration, timers, step.children);
    }
    const selector = configuration.selector(event.type);
    let next = configuration;
    let isDone = false;
    if (selector === null && event.type.startsWith('xstate.error.actor.')) {
      end(step);
      return new Snapshot('error', context, configuration, timers, step.children, (event as { error?: unknown }).error);
    }
    if (selector !== null) {
      const found: Transition[] = [];
      select(selector, step, found);
      if (found.length > 0) {
        const plan = configuration.plan(found);
        follow(plan, step);
        next = plan.next;
        isDone = plan.isDone;
      }
    }
    if (!isDone) ({ configuration: next, isDone } = settle(next, step));
    if (!isDone && next === configuration && step.context === context) return snapshot;
    return new Snapshot(isDone ? 'done' : 'active', step.context, next, timers, step.children);
  };

  const getInitialSnapshot = (scope: Scope, input: unknown): Snapshot => {
    const timers = new Map<string, unknown>();
    const event = { type: 'xstate.init', input };
    let step = new Step(NOTHING, event, scope, timers, NOTHING, true);
    try {
      const { context } = machine.config;
      const first = typeof context === 'function' ? context({ input, self: scope.self }) : (context ?? {});
      step = new Step(first as Context, event, scope, timers, NOTHING, true);
      follow(beginning, step);
      const { configuration, isDone } = settle(beginning.next, step);
      return new Snapshot(isDone ? 'done' : 'active', step.context, configuration, timers, step.children);
    } catch (error) {
      return new Snapshot('error', step.context, beginning.next, timers, step.children, error);
    }
  };

  return {
    id: machine.id,
    config: machine.config,
    implementations: machine.implementations,
    transition,
    getInitialSnapshot,
    getPersistedSnapshot: (snapshot: Snapshot) => snapshot,
    start: () => {},
  };
}

function spawn(step: Step, machine: Machine, { id, src, input }: Invoke): void {
  const { scope, context, event } = step;
  const logic = machine.implementations.actors[src] as AnyActorLogic | undefined;
  if (!logic) throw new Unsupported(`actor ${src}`);
  const given = typeof input === 'function' ? input({ context, event, self: scope.self }) : input;
  const child = createActor(logic, { id, src, input: given, parent: scope.self as never });
  step.children = { ...step.children, [id]: child };
  step.effect(() => {
    if (child.getSnapshot().status === 'active') child.start();
  });
}

function stop(step: Step, id: string): void {
  const { [id]: child, ...others } = step.children;
  step.children = others;
  if (!child) return;
  step.scope.system._unregister(child);
  step.effect(() => step.scope.stopChild(child));
}

/** Nothing of the machine goes on. */
function end(step: Step): void {
  for (const handle of step.timers.values()) step.scope.system._clock.clearTimeout(handle);
  step.timers.clear();
  for (const id of Object.keys(step.children)) stop(step, id);
}

/** The actions and guards of a machine, each resolved once. */
class ActionTable {
  readonly #machine: Machine;
  readonly #lists = new WeakMap<readonly unknown[], readonly Bound[]>();
  readonly #guards = new WeakMap<Transition, Guard>();
  readonly #named = new Map<string, Action>();
  readonly #enqueuer: Enqueuer;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#enqueuer = enqueuer((transition) => this.#guardOf(transition));
  }

  run(list: readonly unknown[], step: Step): void {
    if (list.length === 0) return;
    let bound = this.#lists.get(list);
    if (!bound) {
      bound = list.map((action) => this.#bind(action));
      this.#lists.set(list, bound);
    }
    for (const { action, params } of bound) {
      action(step, typeof params === 'function' ? params({ context: step.context, event: step.event }) : params);
    }
  }

  passes(transition: Transition, step: Step): boolean {
    if (transition.guard === undefined) return true;
    let guard = this.#guards.get(transition);
    if (!guard) {
      guard = this.#guardOf(transition.guard);
      this.#guards.set(transition, guard);
    }
    return guard({ context: step.context, event: step.event });
  }

  #bind(action: unknown): Bound {
    if (typeof action === 'string') return { action: this.#name(action), params: undefined };
    if (typeof action === 'function') return { action: this.#resolve(action as Builtin), params: undefined };
    const { type, params } = action as { type: string; params?: unknown };
    return { action: this.#name(type), params };
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
    const [name, params] = typeof guard === 'string' ? [guard] : [(guard as Named).type, (guard as Named).params];
    const implementation = this.#machine.implementations.guards[name ?? ''];
    if (typeof implementation !== 'function' || 'check' in implementation) throw new Unsupported(`guard ${name}`);
    if (params === undefined) return implementation as Guard;
    return (args) => implementation(args, typeof params === 'function' ? params(args) : params);
  }

  /** XState's own actions say what they are; any other function is a user's. */
  #resolve(action: Builtin): Action {
    switch (action.type) {
      case 'xstate.assign':
        return assigns(action.assignment);
      case 'xstate.emit':
        return emits(action.event);
      case 'xstate.raise':
        return this.#raises(action);
      case 'xstate.cancel':
        return cancels(action.sendId as string);
      case 'xstate.enqueueActions':
        return this.#enqueues(action.collect as (args: object, params: unknown) => void);
      default:
        throw new Unsupported(`action ${action.type ?? action.name} of ${this.#machine.id}`);
    }
  }

  #raises({ event, id, delay }: Builtin): Action {
    if (typeof event !== 'object' || id === undefined) throw new Unsupported('raise');
    const raised = event as Event;
    const named = typeof delay === 'string' ? this.#machine.implementations.delays[delay] : delay;
    return (step) => {
      const delayMs = typeof named === 'function' ? (named as (args: Args) => number)(step.args) : (named as number);
      const { scope, timers } = step;
      step.effect(() => {
        const handle = scope.system._clock.setTimeout(() => {
          timers.delete(id);
          scope.self.send(raised);
        }, delayMs);
        timers.set(id, handle);
      });
    };
  }

  #enqueues(collect: (args: object, params: unknown) => void): Action {
    const shared = this.#enqueuer;
    return (step, params) => {
      const list: unknown[] = [];
      shared.list = list;
      shared.step = step;
      const { context, event, scope } = step;
      const { enqueue, check } = shared;
      collect({ context, event, enqueue, check, self: scope.self, system: scope.system }, params);
      for (const queued of list) {
        if (queued instanceof Emission) emits(queued.event)(step, undefined);
        else if (queued instanceof Assignment) assigns(queued.assignment)(step, undefined);
        else {
          const { action, params: own } = this.#bind(queued);
          action(step, typeof own === 'function' ? own({ context: step.context, event: step.event }) : own);
        }
      }
    };
  }
}

type Guard = (args: { readonly context: Context; readonly event: Event }, params?: unknown) => boolean;

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

class Emission {
  readonly event: unknown;
  constructor(event: unknown) {
    this.event = event;
  }
}

class Assignment {
  readonly assignment: unknown;
  constructor(assignment: unknown) {
    this.assignment = assignment;
  }
}

interface Enqueuer {
  list: unknown[];
  step: Step | null;
  readonly enqueue: unknown;
  readonly check: (guard: unknown) => boolean;
}

/** One for all calls: what is enqueued is taken out before the next collects. */
function enqueuer(guardOf: (guard: unknown) => Guard): Enqueuer {
  const enqueue = Object.assign((action: unknown) => void made.list.push(action), {
    emit: (event: unknown) => void made.list.push(new Emission(event)),
    assign: (assignment: unknown) => void made.list.push(new Assignment(assignment)),
  });
  const check = (guard: unknown): boolean => {
    const { context, event } = made.step as Step;
    return guardOf(guard)({ context, event });
  };
  const made: Enqueuer = { list: [], step: null, enqueue, check };
  return made;
}

function assigns(assignment: unknown): Action {
  if (typeof assignment === 'function') {
    return (step, params) => assigned(step, assignment(step.args, params) as Context);
  }
  const parts = Object.entries(assignment as object);
  return (step, params) => {
    const partial: Record<string, unknown> = {};
    const { args } = step;
    for (const [key, part] of parts) partial[key] = typeof part === 'function' ? part(args, params) : part;
    assigned(step, partial);
  };
}

function assigned(step: Step, partial: Context): void {
  step.hasChanged = true;
  for (const _key in partial) {
    step.context = Object.assign({}, step.context, partial);
    return;
  }
}

function emits(event: unknown): Action {
  return (step, params) => {
    const emitted = (typeof event === 'function' ? event(step.args, params) : event) as Event;
    const { scope } = step;
    step.effect(() => scope.emit(emitted));
  };
}

function cancels(id: string): Action {
  return (step) => {
    const { scope, timers } = step;
    step.effect(() => {
      const handle = timers.get(id);
      if (handle === undefined) return;
      timers.delete(id);
      scope.system._clock.clearTimeout(handle);
    });
  };
}
