import type { Event } from './parts.ts';

/** What a {@link QuickActor} runs: the logic of `quick()`. */
export interface QuickLogic {
  getInitialSnapshot(scope: QuickActor, input: unknown): QuickSnapshot;
  transition(snapshot: QuickSnapshot, event: Event, scope: QuickActor): QuickSnapshot;
}

export interface QuickSnapshot {
  readonly status: 'active' | 'done' | 'stopped' | 'error';
  readonly error?: unknown;
}

interface Observer {
  next?(snapshot: QuickSnapshot): void;
  error?(error: unknown): void;
  complete?(): void;
}

type Handler = (event: Event) => void;

interface Parent {
  send(event: Event): void;
}

/**
 * A child of a machine, as XState's actors are from outside: one event at a time, effects when the snapshot is in place, then
 * the observers. Without what only inspectors and devtools ask for, which is most of the cost of an event.
 */
export class QuickActor {
  readonly id: string;
  readonly sessionId: string;
  /** As XState's interpreter looks for it when a child is stopped. */
  readonly _parent: Parent;
  readonly system: unknown;
  readonly #logic: QuickLogic;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #observers: Observer[] = [];
  readonly #waiting: Event[] = [];
  /** Functions are called, events emitted. */
  readonly #effects: ((() => void) | Event)[] = [];
  #snapshot: QuickSnapshot;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #isAtWork = false;

  constructor(logic: QuickLogic, options: { id: string; input: unknown; parent: Parent; system: unknown }) {
    const { id, input, parent, system } = options;
    this.id = id;
    this.sessionId = `quick:${id}`;
    this._parent = parent;
    this.system = system;
    this.#logic = logic;
    try {
      this.#snapshot = logic.getInitialSnapshot(this, input);
    } catch (error) {
      this.#snapshot = { status: 'error', error };
    }
  }

  /** The logic is given the actor as its scope. */
  get self(): this {
    return this;
  }

  getSnapshot(): QuickSnapshot {
    return this.#snapshot;
  }

  send(event: Event): void {
    if (this.#state === 'stopped') return;
    this.#waiting.push(event);
    if (this.#state === 'running' && !this.#isAtWork) this.#work();
  }

  on(type: string, handler: Handler): { unsubscribe(): void } {
    const handlers = this.#handlers.get(type) ?? [];
    this.#handlers.set(type, handlers);
    handlers.push(handler);
    return { unsubscribe: () => void handlers.splice(handlers.indexOf(handler), 1) };
  }

  subscribe(observer: Observer | ((snapshot: QuickSnapshot) => void)): { unsubscribe(): void } {
    const added = typeof observer === 'function' ? { next: observer } : observer;
    this.#observers.push(added);
    return { unsubscribe: () => void this.#observers.splice(this.#observers.indexOf(added), 1) };
  }

  start(): this {
    if (this.#state !== 'new') return this;
    this.#state = 'running';
    if (this.#snapshot.status === 'error') {
      this.#fail(this.#snapshot.error);
      return this;
    }
    this.#isAtWork = true;
    this.#settle();
    this.#isAtWork = false;
    this.#work();
    return this;
  }

  /** For the parent's interpreter. */
  _stop(): void {
    this.#waiting.length = 0;
    if (this.#state === 'running') this.send({ type: 'xstate.stop' });
    else this.#state = 'stopped';
  }

  stopChild(child: { _stop(): void }): void {
    child._stop();
  }

  defer(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** As `defer(() => emit(event))`. */
  deferEmission(event: Event): void {
    this.#effects.push(event);
  }

  emit(event: Event): void {
    const handlers = this.#handlers.get(event.type);
    if (handlers) for (let i = 0; i < handlers.length; i++) (handlers[i] as Handler)(event);
  }

  #work(): void {
    this.#isAtWork = true;
    const waiting = this.#waiting;
    while (waiting.length > 0 && this.#state === 'running') {
      const event = waiting.shift() as Event;
      try {
        this.#snapshot = this.#logic.transition(this.#snapshot, event, this);
      } catch (error) {
        this.#snapshot = { status: 'error', error };
        this.#fail(error);
        break;
      }
      this.#settle();
    }
    this.#isAtWork = false;
  }

  /** The snapshot is in place: its effects happen, and whoever watches is told. */
  #settle(): void {
    const effects = this.#effects;
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i] as (() => void) | Event;
      if (typeof effect === 'function') effect();
      else this.emit(effect);
    }
    effects.length = 0;
    const snapshot = this.#snapshot;
    const { status } = snapshot;
    if (status === 'active' || status === 'done')
      for (const observer of [...this.#observers]) observer.next?.(snapshot);
    if (status === 'active') return;
    if (status === 'error') return this.#fail(snapshot.error);
    this.#end();
    if (status === 'done') this._parent.send({ type: `xstate.done.actor.${this.id}` });
  }

  #end(): void {
    this.#state = 'stopped';
    this.#waiting.length = 0;
    for (const observer of this.#observers.splice(0)) observer.complete?.();
    this.#handlers.clear();
  }

  #fail(error: unknown): void {
    this.#state = 'stopped';
    this.#waiting.length = 0;
    for (const observer of this.#observers.splice(0)) observer.error?.(error);
    this.#handlers.clear();
    this._parent.send({ type: `xstate.error.actor.${this.id}`, error } as Event);
  }
}
