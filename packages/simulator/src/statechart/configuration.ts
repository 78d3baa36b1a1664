import { type Machine, type StateNode, type Transition, Unsupported } from './parts.ts';

/** What selects the transitions of one event: the innermost state that has one, in each region of a parallel state. */
export interface Selector {
  /** Selectors of what is inside; of several for a parallel state. */
  readonly inner: readonly Selector[];
  /** The node's own, asked when nothing inside was selected. */
  readonly own: readonly Transition[];
}

/** What a set of transitions does to a configuration: the same each time, so it is reckoned once. */
export interface Plan {
  /** Nodes that are left, the innermost first. */
  readonly exits: readonly StateNode[];
  readonly transitions: readonly Transition[];
  /** Nodes that are entered, the outermost first. */
  readonly entries: readonly StateNode[];
  readonly next: Configuration;
  /** A final state of the machine was entered. */
  readonly isDone: boolean;
}

/**
 * The set of active state nodes, with everything that follows from it alone. Interned by {@link Configurations}: there are a
 * few dozen of a machine, and a run meets them again and again. The order of the nodes is that in which they were entered, for
 * XState's interpreter goes through them in that order.
 */
export class Configuration {
  readonly nodes: readonly StateNode[];
  readonly value: unknown;
  /** Of each active leaf, the eventless transitions from it outwards; `null` when there are none at all. */
  readonly always: readonly (readonly Transition[])[] | null;
  readonly #all: Configurations;
  readonly #selectors = new Map<string, Selector | null>();
  readonly #plans = new Map<Transition, { plan: Plan | null; readonly more: Map<Transition, Plan> }>();
  readonly #matches = new Map<unknown, boolean>();

  constructor(all: Configurations, nodes: readonly StateNode[]) {
    this.#all = all;
    this.nodes = nodes;
    this.value = stateValueOf(all.machine.root, childrenIn(nodes));
    const always = nodes.filter(isLeaf).map((leaf) => [...outwards(leaf)].flatMap((node) => node.always ?? []));
    this.always = always.some((transitions) => transitions.length > 0) ? always : null;
  }

  /** `null` when no active state knows the event. */
  selector(event: string): Selector | null {
    const known = this.#selectors.get(event);
    if (known !== undefined) return known;
    const made = selectorOf(this.#all.machine.root, this.value, event);
    const selector = isEmpty(made) ? null : made;
    this.#selectors.set(event, selector);
    return selector;
  }

  plan(transitions: readonly Transition[]): Plan {
    const [first, second] = transitions as [Transition, Transition?];
    let known = this.#plans.get(first);
    if (!known) {
      known = { plan: null, more: new Map() };
      this.#plans.set(first, known);
    }
    if (second === undefined) {
      known.plan ??= this.#all.plan(this, transitions);
      return known.plan;
    }
    if (transitions.length > 2) return this.#all.plan(this, transitions);
    let plan = known.more.get(second);
    if (!plan) {
      plan = this.#all.plan(this, transitions);
      known.more.set(second, plan);
    }
    return plan;
  }

  matches(test: unknown): boolean {
    if (typeof test !== 'string') return matchesValue(test, this.value);
    let known = this.#matches.get(test);
    if (known === undefined) {
      known = matchesValue(test, this.value);
      this.#matches.set(test, known);
    }
    return known;
  }
}

/** All configurations of one machine, and the steps between them. The algorithm is that of SCXML as XState 5 has it. */
export class Configurations {
  readonly machine: Machine;
  readonly #known = new Map<string, Configuration>();

  constructor(machine: Machine) {
    this.machine = machine;
    check(machine.root);
  }

  of(nodes: readonly StateNode[]): Configuration {
    const key = nodes.map(({ order }) => order).join(' ');
    let configuration = this.#known.get(key);
    if (!configuration) {
      configuration = new Configuration(this, nodes);
      this.#known.set(key, configuration);
    }
    return configuration;
  }

  /** From nothing into the initial states. */
  begin(): Plan {
    const { root } = this.machine;
    const entries = [...initialNodes(root)].sort(byOrder);
    const next = this.of([root, ...entries.filter((node) => node !== root)]);
    return { exits: [], transitions: [], entries, next, isDone: false };
  }

  plan(from: Configuration, selected: readonly Transition[]): Plan {
    const active = new Set(from.nodes);
    const transitions = withoutConflicts(selected, active);
    const exits = exitSet(transitions, active).sort((a, b) => b.order - a.order);
    for (const node of exits) active.delete(node);
    const entries = entrySet(transitions).sort(byOrder);
    for (const node of entries) active.add(node);
    // Left and entered again: the order of before stays.
    const isSame = active.size === from.nodes.length && from.nodes.every((node) => active.has(node));
    const next = isSame ? from : this.of([...active]);
    return { exits, transitions, entries, next, isDone: entries.some((node) => node.type === 'final') };
  }
}

const byOrder = (a: StateNode, b: StateNode): number => a.order - b.order;

const isLeaf = (node: StateNode): boolean => node.type === 'atomic' || node.type === 'final';

function check(node: StateNode): void {
  if (node.type === 'history') throw new Unsupported(`history state ${node.id}`);
  if (node.type === 'final' && node.parent?.parent) throw new Unsupported(`final state ${node.id} within a state`);
  if (node.type === 'compound' && node.initial.actions.length > 0)
    throw new Unsupported(`initial actions of ${node.id}`);
  for (const event of node.transitions.keys()) if (event.includes('*')) throw new Unsupported(`event ${event}`);
  for (const child of Object.values(node.states)) check(child);
}

function* outwards(node: StateNode): Generator<StateNode> {
  for (let at: StateNode | undefined = node; at; at = at.parent) yield at;
}

/** Proper ancestors, the nearest first, up to but without `end`. */
function ancestors(node: StateNode, end: StateNode | undefined): StateNode[] {
  const found: StateNode[] = [];
  if (end === node) return found;
  for (let at = node.parent; at && at !== end; at = at.parent) found.push(at);
  return found;
}

function isInside(node: StateNode, outer: StateNode | undefined): boolean {
  for (let at = node.parent; at; at = at.parent) if (at === outer) return true;
  return outer === undefined;
}

function domainOf({ source, target = [], reenter }: Transition): StateNode | undefined {
  if (!reenter && target.every((node) => node === source || isInside(node, source))) return source;
  const [first = source, ...rest] = [...target, source];
  const common = ancestors(first, undefined).find((node) => rest.every((other) => isInside(other, node)));
  if (common) return common;
  return reenter ? undefined : [...outwards(source)].at(-1);
}

function exitSet(transitions: readonly Transition[], active: ReadonlySet<StateNode>): StateNode[] {
  const left = new Set<StateNode>();
  for (const transition of transitions) {
    if (!transition.target?.length) continue;
    const domain = domainOf(transition);
    if (transition.reenter && transition.source === domain) left.add(domain);
    for (const node of active) if (isInside(node, domain)) left.add(node);
  }
  return [...left];
}

function withoutConflicts(selected: readonly Transition[], active: ReadonlySet<StateNode>): Transition[] {
  if (selected.length < 2) return [...selected];
  const kept = new Set<Transition>();
  for (const transition of selected) {
    const exits = exitSet([transition], active);
    const preempted: Transition[] = [];
    let isPreempted = false;
    for (const other of kept) {
      if (!exitSet([other], active).some((node) => exits.includes(node))) continue;
      if (isInside(transition.source, other.source)) preempted.push(other);
      else {
        isPreempted = true;
        break;
      }
    }
    if (isPreempted) continue;
    for (const other of preempted) kept.delete(other);
    kept.add(transition);
  }
  return [...kept];
}

function entrySet(transitions: readonly Transition[]): StateNode[] {
  const entered = new Set<StateNode>();
  const addInside = (node: StateNode): void => {
    if (node.type === 'compound') {
      const [initial] = node.initial.target as [StateNode];
      entered.add(initial);
      addInside(initial);
      addAround(ancestors(initial, node), undefined);
    } else if (node.type === 'parallel') addRegions(node);
  };
  const addRegions = (node: StateNode): void => {
    for (const region of Object.values(node.states)) {
      if ([...entered].some((inner) => isInside(inner, region))) continue;
      entered.add(region);
      addInside(region);
    }
  };
  const addAround = (nodes: readonly StateNode[], within: StateNode | undefined): void => {
    for (const node of nodes) {
      if (!within || isInside(node, within)) entered.add(node);
      if (node.type === 'parallel') addRegions(node);
    }
  };
  for (const transition of transitions) {
    const { source, target = [], reenter } = transition;
    const domain = domainOf(transition);
    for (const node of target) {
      if (source !== node || source !== domain || reenter) entered.add(node);
      addInside(node);
    }
    for (const node of target) {
      const around = ancestors(node, domain);
      if (domain?.type === 'parallel') around.push(domain);
      addAround(around, !source.parent && reenter ? undefined : domain);
    }
  }
  return [...entered];
}

function initialNodes(node: StateNode, found = new Set<StateNode>()): Set<StateNode> {
  found.add(node);
  if (node.type === 'compound') initialNodes(node.initial.target[0] as StateNode, found);
  else if (node.type === 'parallel') for (const child of Object.values(node.states)) initialNodes(child, found);
  return found;
}

type Children = ReadonlyMap<StateNode, readonly StateNode[]>;

function childrenIn(nodes: readonly StateNode[]): Children {
  const children = new Map<StateNode, StateNode[]>();
  for (const node of nodes) {
    if (!node.parent) continue;
    const siblings = children.get(node.parent);
    if (siblings) siblings.push(node);
    else children.set(node.parent, [node]);
  }
  return children;
}

function stateValueOf(node: StateNode, children: Children): unknown {
  const inside = children.get(node);
  if (!inside) return {};
  const [first] = inside as [StateNode];
  if (node.type === 'compound' && isLeaf(first)) return first.key;
  return Object.fromEntries(inside.map((child) => [child.key, stateValueOf(child, children)]));
}

/** Goes down the state value as XState does, so that regions come in the same order. */
function selectorOf(node: StateNode, value: unknown, event: string): Selector {
  const own = node.transitions.get(event) ?? [];
  if (typeof value === 'string') {
    return { inner: [{ inner: [], own: node.states[value]?.transitions.get(event) ?? [] }], own };
  }
  const inner = Object.entries(value as object).map(([key, inside]) =>
    selectorOf(node.states[key] as StateNode, inside, event),
  );
  return { inner, own };
}

const isEmpty = ({ inner, own }: Selector): boolean => own.length === 0 && inner.every(isEmpty);

function matchesValue(test: unknown, value: unknown): boolean {
  if (typeof value === 'string') return test === value;
  const held = value as Record<string, unknown>;
  if (typeof test === 'string') return test in held;
  return Object.entries(test as object).every(([key, inner]) => key in held && matchesValue(inner, held[key]));
}
