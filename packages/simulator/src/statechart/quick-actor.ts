import type { Event } from './parts.ts';

/** What a {@link QuickActor} runs: the logic of `quick()`. */
export interface QuickLogic {
  getInitialSnapshot(scope: QuickActor, input: unknown): QuickSnapshot;
  transition(snapshot: QuickSnapshot, event: Event, scope: QuickActor): QuickSnapshot;
}

export interface QuickSnapshot {
  readonly status: 'active' | 'done' | 'stopped' | 'error';
  readonly error?: unknown;
  /** The same, in status `error`. */
  failed(error: unknown): QuickSnapshot;
}

/** Of an actor that could not even begin. */
class Stillborn implements QuickSnapshot {
  readonly status = 'error';
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }

  failed(error: unknown): QuickSnapshot {
    return new Stillborn(error);
  }
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
 * A machine's actor, as XState's are from outside: one event at a time, effects when the snapshot is in place, then
 * the observers. Without what only inspectors and devtools ask for, which is most of the cost of an event.
 */
export class QuickActor {
  readonly id: string;
  readonly sessionId: string;
  /** As XState's interpreter looks for it when a child is stopped. */
  readonly _parent: Parent | null;
  readonly system: unknown;
  readonly #logic: QuickLogic;
  readonly #handlers = new Map<string, readonly Handler[]>();
  /** Emitted last, and who hears it. */
  #lastType = '';
  #lastHandlers: readonly Handler[] | undefined = undefined;
  #observers: readonly Observer[] = [];
  /** Sent while another event is at work. */
  readonly #waiting: Event[] = [];
  /** Functions are called, events emitted. The list is used again and again: only the first {@link #planned} count. */
  readonly #effects: ((() => void) | Event)[] = [];
  #planned = 0;
  #snapshot: QuickSnapshot;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #isAtWork = false;

  constructor(logic: QuickLogic, options: { id: string; input: unknown; parent: Parent | null; system: unknown }) {
    const { id, input, parent, system } = options;
    this.id = id;
    this.sessionId = `quick:${id}`;
    this._parent = parent;
    this.system = system;
    this.#logic = logic;
    try {
      this.#snapshot = logic.getInitialSnapshot(this, input);
    } catch (error) {
      this.#snapshot = new Stillborn(error);
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
    if (this.#state === 'running' && !this.#isAtWork) this.#work(event);
    else if (this.#state !== 'stopped') this.#waiting.push(event);
  }

  on(type: string, handler: Handler): { unsubscribe(): void } {
    this.#handlers.set(type, [...(this.#handlers.get(type) ?? []), handler]);
    this.#lastType = '';
    return {
      unsubscribe: () => {
        const left = this.#handlers.get(type)?.filter((other) => other !== handler);
        if (left) this.#handlers.set(type, left);
        this.#lastType = '';
      },
    };
  }

  subscribe(observer: Observer | ((snapshot: QuickSnapshot) => void)): { unsubscribe(): void } {
    const added = typeof observer === 'function' ? { next: observer } : observer;
    this.#observers = [...this.#observers, added];
    return {
      unsubscribe: () => {
        this.#observers = this.#observers.filter((other) => other !== added);
      },
    };
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
    const first = this.#state === 'running' ? this.#waiting.shift() : undefined;
    if (first) this.#work(first);
    return this;
  }

  /** Of one without a parent. */
  stop(): this {
    this._stop();
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
    this.#effects[this.#planned++] = effect;
  }

  /** As `defer(() => emit(event))`. */
  deferEmission(event: Event): void {
    this.#effects[this.#planned++] = event;
  }

  emit(event: Event): void {
    const handlers = this.#handlersOf(event.type);
    if (!handlers) return;
    for (let i = 0; i < handlers.length; i++) {
      try {
        (handlers[i] as Handler)(event);
      } catch (error) {
        report(error);
      }
    }
  }

  #handlersOf(type: string): readonly Handler[] | undefined {
    if (type === this.#lastType) return this.#lastHandlers;
    this.#lastType = type;
    this.#lastHandlers = this.#handlers.get(type);
    return this.#lastHandlers;
  }

  #work(first: Event): void {
    this.#isAtWork = true;
    let event: Event | undefined = first;
    while (event !== undefined) {
      try {
        this.#snapshot = this.#logic.transition(this.#snapshot, event, this);
      } catch (error) {
        this.#snapshot = this.#snapshot.failed(error);
        this.#fail(error);
        break;
      }
      this.#settle();
      event = this.#waiting.length > 0 ? this.#waiting.shift() : undefined;
    }
    this.#isAtWork = false;
  }

  /** The snapshot is in place: its effects happen, and whoever watches is told. */
  #settle(): void {
    const effects = this.#effects;
    // An effect may plan others.
    for (let i = 0; i < this.#planned; i++) {
      const effect = effects[i] as (() => void) | Event;
      if (typeof effect !== 'function') this.emit(effect);
      else if (!this.#happens(effect)) break;
    }
    this.#planned = 0;
    const snapshot = this.#snapshot;
    const { status } = snapshot;
    if (status === 'active' || status === 'done') {
      const observers = this.#observers;
      for (let i = 0; i < observers.length; i++) {
        try {
          (observers[i] as Observer).next?.(snapshot);
        } catch (error) {
          report(error);
        }
      }
    }
    if (status === 'active') return;
    if (status === 'error') return this.#fail(snapshot.error);
    this.#end();
    if (status === 'done') this._parent?.send({ type: `xstate.done.actor.${this.id}` });
  }

  /** @returns false when it threw: the actor has failed, and none of the effects behind it happens. */
  #happens(effect: () => void): boolean {
    try {
      effect();
      return true;
    } catch (error) {
      this.#snapshot = this.#snapshot.failed(error);
      return false;
    }
  }

  #end(): void {
    this.#state = 'stopped';
    this.#waiting.length = 0;
    const observers = this.#observers;
    this.#observers = [];
    for (const observer of observers) observer.complete?.();
    this.#handlers.clear();
    this.#lastType = '';
  }

  #fail(error: unknown): void {
    this.#state = 'stopped';
    this.#waiting.length = 0;
    const observers = this.#observers;
    this.#observers = [];
    for (const observer of observers) observer.error?.(error);
    this.#handlers.clear();
    this.#lastType = '';
    this._parent?.send({ type: `xstate.error.actor.${this.id}`, error } as Event);
  }
}

/** What a listener throws harms no actor; nobody handles it, and the program says so. */
function report(error: unknown): void {
  void Promise.reject(error);
}
