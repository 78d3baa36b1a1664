import { type Machine, type StateNode, type Transition, Unsupported } from './parts.ts';

/** A transition, made ready to be run. */
export class Ready<Work> {
  readonly source: StateNode;
  readonly transition: Transition;
  /** `null` for none. */
  readonly guard: ((args: never) => boolean) | null;
  readonly work: Work;
  /** From where it was taken last, which mostly is the one place, and what it did then. */
  #from: Configuration<Work> | null = null;
  #plan: Plan<Work> | null = null;

  constructor(transition: Transition, guard: Ready<Work>['guard'], work: Work) {
    this.source = transition.source;
    this.transition = transition;
    this.guard = guard;
    this.work = work;
  }

  /** What it does when it is taken alone. */
  planFrom(from: Configuration<Work>): Plan<Work> {
    if (this.#from !== from || this.#plan === null) {
      this.#from = from;
      this.#plan = from.plan(this);
    }
    return this.#plan;
  }
}

/** Makes the parts of a machine ready: what is asked at each event is looked up once. */
export interface Maker<Work> {
  transition(transition: Transition): Ready<Work>;
  /** Exit actions, and what is to be stopped. */
  exit(node: StateNode): Work;
  /** Entry actions, and what is to be started. */
  entry(node: StateNode): Work;
  /** One after the other, as one. */
  inOrder(works: readonly Work[]): Work;
}

/**
 * What selects the transitions of one event: in each region the first whose guard passes, from the leaf outwards; where none
 * does in any region, the first from the parallel state outwards.
 */
export interface Selector<Work> {
  readonly regions: readonly (readonly Ready<Work>[])[];
  readonly outer: readonly Ready<Work>[];
}

/** What a set of transitions does to a configuration: the same each time, so it is reckoned once. */
export interface Plan<Work> {
  /** Exits, the innermost first; the transitions' own; entries, the outermost first. */
  readonly work: Work;
  readonly next: Configuration<Work>;
  /** Set when a final state of the machine was entered: exits of all that is active then. */
  readonly ending: Work | null;
}

/**
 * The set of active state nodes, with everything that follows from it alone. Interned by {@link Configurations}: there are a
 * few dozen of a machine, and a run meets them again and again. The order of the nodes is that in which they were entered, for
 * XState's interpreter goes through them in that order.
 */
export class Configuration<Work> {
  readonly nodes: readonly StateNode[];
  readonly value: unknown;
  /** Of each active leaf, the eventless transitions from it outwards; `null` when there are none at all. */
  readonly always: readonly (readonly Ready<Work>[])[] | null;
  readonly #all: Configurations<Work>;
  readonly #selectors = new Map<string, Selector<Work> | null>();
  /** Asked last, which mostly is asked again. */
  #lastEvent = '';
  #lastSelector: Selector<Work> | null = null;
  readonly #plans = new Map<Ready<Work>, Plan<Work>>();
  /** Of two transitions in two regions. */
  readonly #pairs = new Map<Ready<Work>, Map<Ready<Work>, Plan<Work>>>();
  readonly #matches = new Map<unknown, boolean>();

  constructor(all: Configurations<Work>, nodes: readonly StateNode[]) {
    this.#all = all;
    this.nodes = nodes;
    this.value = stateValueOf(all.machine.root, childrenIn(nodes));
    const always = nodes
      .filter(isLeaf)
      .map((leaf) => all.ready([...outwards(leaf)].flatMap((node) => node.always ?? [])));
    this.always = always.some((transitions) => transitions.length > 0) ? always : null;
  }

  /** `null` when no active state knows the event. */
  selector(event: string): Selector<Work> | null {
    if (event === this.#lastEvent) return this.#lastSelector;
    let selector = this.#selectors.get(event);
    if (selector === undefined) {
      selector = this.#all.selector(this, event);
      this.#selectors.set(event, selector);
    }
    this.#lastEvent = event;
    this.#lastSelector = selector;
    return selector;
  }

  /** What one transition does. */
  plan(transition: Ready<Work>): Plan<Work> {
    let plan = this.#plans.get(transition);
    if (!plan) {
      plan = this.#all.plan(this, [transition]);
      this.#plans.set(transition, plan);
    }
    return plan;
  }

  /** What several do together, of regions side by side. */
  planOf(transitions: readonly Ready<Work>[]): Plan<Work> {
    if (transitions.length !== 2) return this.#all.planOf(this, transitions);
    const [first, second] = transitions as readonly [Ready<Work>, Ready<Work>];
    let pairs = this.#pairs.get(first);
    if (!pairs) {
      pairs = new Map();
      this.#pairs.set(first, pairs);
    }
    let plan = pairs.get(second);
    if (!plan) {
      plan = this.#all.plan(this, transitions);
      pairs.set(second, plan);
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
export class Configurations<Work> {
  readonly machine: Machine;
  readonly #maker: Maker<Work>;
  readonly #known = new Map<string, Configuration<Work>>();
  readonly #ready = new Map<Transition, Ready<Work>>();
  readonly #plans = new Map<string, Plan<Work>>();
  readonly #numbers = new Map<Ready<Work>, number>();

  constructor(machine: Machine, maker: Maker<Work>) {
    this.machine = machine;
    this.#maker = maker;
    this.#check(machine.root);
  }

  /** Everything is made ready once, so that what is not known here is found before anything runs. */
  #check(node: StateNode, isInParallel = false): void {
    const { id, type } = node;
    if (type === 'history') throw new Unsupported(`history state ${id}`);
    if (type === 'final' && node.parent?.parent) throw new Unsupported(`final state ${id} within a state`);
    if (type === 'parallel' && isInParallel) throw new Unsupported(`parallel state ${id} within another`);
    if (type === 'compound' && node.initial.actions.length > 0) throw new Unsupported(`initial actions of ${id}`);
    this.#maker.entry(node);
    this.#maker.exit(node);
    if (node.always) this.ready(node.always);
    for (const [event, transitions] of node.transitions) {
      if (event.includes('*')) throw new Unsupported(`event ${event}`);
      this.ready(transitions);
    }
    for (const child of Object.values(node.states)) this.#check(child, isInParallel || type === 'parallel');
  }

  of(nodes: readonly StateNode[]): Configuration<Work> {
    const key = keyOf(nodes);
    let configuration = this.#known.get(key);
    if (!configuration) {
      configuration = new Configuration(this, nodes);
      this.#known.set(key, configuration);
    }
    return configuration;
  }

  ready(transitions: readonly Transition[]): Ready<Work>[] {
    return transitions.map((transition) => {
      let ready = this.#ready.get(transition);
      if (!ready) {
        ready = this.#maker.transition(transition);
        this.#ready.set(transition, ready);
      }
      return ready;
    });
  }

  /** From nothing into the initial states. */
  begin(): Plan<Work> {
    const { root } = this.machine;
    const entries = [...initialNodes(root)].sort(byOrder);
    const next = this.of([root, ...entries.filter((node) => node !== root)]);
    return { work: this.#maker.inOrder(entries.map((node) => this.#maker.entry(node))), next, ending: null };
  }

  selector(configuration: Configuration<Work>, event: string): Selector<Work> | null {
    const leaves = configuration.nodes.filter(isLeaf);
    const parallel = configuration.nodes.find(({ type }) => type === 'parallel');
    const own = (node: StateNode) => node.transitions.get(event) ?? [];
    // Regions in the order of the state value, which is the order in which XState asks them.
    const regions = parallel ? (childrenIn(configuration.nodes).get(parallel) ?? []) : [this.machine.root];
    const chains = regions.map((region) => {
      const leaf = leaves.find((node) => node === region || isInside(node, region)) as StateNode;
      const chain = [...outwards(leaf)];
      return this.ready(chain.slice(0, chain.indexOf(region) + 1).flatMap(own));
    });
    const outer = parallel ? this.ready([...outwards(parallel)].flatMap(own)) : [];
    const filled = chains.filter((chain) => chain.length > 0);
    return filled.length + outer.length === 0 ? null : { regions: filled, outer };
  }

  planOf(from: Configuration<Work>, selected: readonly Ready<Work>[]): Plan<Work> {
    const key = `${keyOf(from.nodes)}: ${selected.map((ready) => this.#numberOf(ready)).join(' ')}`;
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = this.plan(from, selected);
      this.#plans.set(key, plan);
    }
    return plan;
  }

  plan(from: Configuration<Work>, selected: readonly Ready<Work>[]): Plan<Work> {
    const active = new Set(from.nodes);
    const kept = withoutConflicts(selected, active);
    const transitions = kept.map(({ transition }) => transition);
    const exits = exitSet(transitions, active).sort((a, b) => b.order - a.order);
    for (const node of exits) active.delete(node);
    const entries = entrySet(transitions).sort(byOrder);
    for (const node of entries) active.add(node);
    // Left and entered again: the order of before stays.
    const isSame = active.size === from.nodes.length && from.nodes.every((node) => active.has(node));
    const next = isSame ? from : this.of([...active]);
    const work = this.#maker.inOrder([
      ...exits.map((node) => this.#maker.exit(node)),
      ...kept.map((ready) => ready.work),
      ...entries.map((node) => this.#maker.entry(node)),
    ]);
    const isDone = entries.some((node) => node.type === 'final');
    const left = [...next.nodes].sort((a, b) => b.order - a.order);
    return { work, next, ending: isDone ? this.#maker.inOrder(left.map((node) => this.#maker.exit(node))) : null };
  }

  #numberOf(ready: Ready<Work>): number {
    let number = this.#numbers.get(ready);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(ready, number);
    }
    return number;
  }
}

const keyOf = (nodes: readonly StateNode[]): string => nodes.map(({ order }) => order).join(' ');

const byOrder = (a: StateNode, b: StateNode): number => a.order - b.order;

const isLeaf = (node: StateNode): boolean => node.type === 'atomic' || node.type === 'final';

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

function withoutConflicts<Work>(selected: readonly Ready<Work>[], active: ReadonlySet<StateNode>): Ready<Work>[] {
  if (selected.length < 2) return [...selected];
  const kept = new Set<Ready<Work>>();
  for (const ready of selected) {
    const exits = exitSet([ready.transition], active);
    const preempted: Ready<Work>[] = [];
    let isPreempted = false;
    for (const other of kept) {
      if (!exitSet([other.transition], active).some((node) => exits.includes(node))) continue;
      if (isInside(ready.source, other.source)) preempted.push(other);
      else {
        isPreempted = true;
        break;
      }
    }
    if (isPreempted) continue;
    for (const other of preempted) kept.delete(other);
    kept.add(ready);
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

function matchesValue(test: unknown, value: unknown): boolean {
  if (typeof value === 'string') return test === value;
  const held = value as Record<string, unknown>;
  if (typeof test === 'string') return test in held;
  return Object.entries(test as object).every(([key, inner]) => key in held && matchesValue(inner, held[key]));
}
