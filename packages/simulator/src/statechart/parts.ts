/**
 * What is read of a machine that XState has parsed: its state nodes, with transitions resolved and the timers of `after` among
 * their entry and exit actions. Names as in XState 5; the version is pinned by the lockfile, and the tests compare.
 */
export interface StateNode {
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly parent?: StateNode;
  readonly states: Readonly<Record<string, StateNode>>;
  /** Of the document. */
  readonly order: number;
  readonly entry: readonly unknown[];
  readonly exit: readonly unknown[];
  readonly invoke: readonly Invoke[];
  readonly initial: { readonly target: readonly StateNode[]; readonly actions: readonly unknown[] };
  readonly transitions: ReadonlyMap<string, readonly Transition[]>;
  readonly always?: readonly Transition[];
}

export interface Transition {
  readonly source: StateNode;
  readonly target?: readonly StateNode[];
  readonly guard?: unknown;
  readonly actions: readonly unknown[];
  readonly reenter: boolean;
}

export interface Invoke {
  readonly id: string;
  readonly src: string;
  readonly input?: unknown;
}

export interface Machine {
  readonly id: string;
  readonly root: StateNode;
  readonly config: { readonly context?: unknown };
  readonly implementations: {
    readonly actions: Readonly<Record<string, unknown>>;
    readonly guards: Readonly<Record<string, unknown>>;
    readonly delays: Readonly<Record<string, unknown>>;
    readonly actors: Readonly<Record<string, unknown>>;
  };
}

export interface Event {
  readonly type: string;
}

export type Context = Readonly<Record<string, unknown>>;

/** A machine uses something that the quick interpreter does not know: XState's own runs it then. */
export class Unsupported extends Error {}
