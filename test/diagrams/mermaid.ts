import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/**
 * Prints a machine as a Mermaid state diagram: states within states, an arrow for each transition with its event, guard and
 * delay, and inside a state what it does without leaving it.
 *
 * An arrow says what leads along it, `event [guard]`, a line each; `[else]` is the last alternative of an event. A line inside
 * a state says what is done there: `entry / action`, `event [guard] / action`.
 */
export function toMermaid(machine: AnyStateMachine): string {
  const { root } = machine;
  const drawing = { idOf: idsOf(root), arrows: arrowsOf(root) };
  const lines = ['stateDiagram-v2', ...indent(inside(root, drawing)), ...indent(everywhere(root, drawing))];
  return `${lines.join('\n')}\n`;
}

interface Drawing {
  readonly idOf: (node: AnyStateNode) => string;
  readonly arrows: readonly Arrow[];
}

interface Arrow {
  readonly from: AnyStateNode;
  readonly to: AnyStateNode;
  /** One for each way to take it. */
  readonly labels: readonly string[];
  /** The state inside whose braces it is written. */
  readonly level: AnyStateNode;
}

/** What stands inside the braces of a state, in the order of the definition. */
function inside(parent: AnyStateNode, drawing: Drawing): string[] {
  const { idOf, arrows } = drawing;
  const children = childrenOf(parent);
  // A parallel state begins in all of its states. Mermaid's own sign for that cannot hold states with states inside.
  const first = parent.type === 'parallel' ? children : (parent.initial.target ?? []);
  const drawn = arrows.filter(({ from, level }) => level === parent && from.parent);
  // A state lies where it is named last, so those that an arrow was drawn to from inside another are named again.
  const named = arrows.filter(({ level }) => level !== parent && level.parent).flatMap(({ from, to }) => [from, to]);
  const again = parent.parent ? children.filter((child) => named.includes(child)) : [];
  return [
    ...first.map((child) => `[*] --> ${idOf(child)}`),
    ...children.flatMap((child) => stateOf(child, drawing)),
    ...drawn.map(({ from, to, labels }) => `${idOf(from)} --> ${idOf(to)} : ${labels.join('<br>')}`),
    ...again.map(idOf),
  ];
}

function stateOf(node: AnyStateNode, drawing: Drawing): string[] {
  const id = drawing.idOf(node);
  const doings = doingsOf(node);
  const name = `state "${node.key}" as ${id}`;
  if (childrenOf(node).length === 0) {
    const end = node.type === 'final' ? [`${id} --> [*]`] : [];
    const isPlain = doings.length === 0 && id === node.key;
    return [isPlain ? id : name, ...doings.map((doing) => `${id} : ${doing}`), ...end];
  }
  const body = [`${name} {`, ...indent(inside(node, drawing)), '}'];
  // A state with states inside has no room for lines of its own.
  return doings.length === 0 ? body : [...body, `note right of ${id}`, ...indent(doings), 'end note'];
}

/** What a state does without being left: on entry and exit, what it invokes, and events that only act. */
function doingsOf(node: AnyStateNode): string[] {
  const what = (name: string, actions: readonly unknown[]) => {
    // XState's own, raise and cancel, are what it makes of `after`: the arrows tell that.
    const names = actions.map(nameOf).filter((action) => !action.startsWith('xstate.'));
    return names.length > 0 ? [plain(`${name} / ${names.join(', ')}`)] : [];
  };
  return [
    ...what('entry', node.entry),
    ...what('exit', node.exit),
    ...node.invoke.map(({ src }) => plain(`invoke ${nameOf(src)}`)),
    ...labelled(node).flatMap(({ label, transition: { target, actions } }) =>
      target ? target.filter((to) => isKin(node, to)).map((to) => `${plain(label)} → ${to.key}`) : what(label, actions),
    ),
  ];
}

/** Mermaid cannot draw an arrow between a state and one around it: that becomes a line in the state where it begins. */
function isKin(from: AnyStateNode, to: AnyStateNode): boolean {
  if (from === to || from.parent === undefined) return false;
  return [`${from.id}.`, `${to.id}.`].some((around) => from.id.startsWith(around) || to.id.startsWith(around));
}

/** One arrow between any two states. */
function arrowsOf(root: AnyStateNode): Arrow[] {
  const levels = [...descendantsOf(root), root].filter((node) => childrenOf(node).length > 0).sort(byEnd);
  return [root, ...descendantsOf(root)].flatMap((from) => {
    const labels = new Map<AnyStateNode, string[]>();
    for (const { label, transition } of labelled(from)) {
      for (const to of transition.target ?? []) {
        if (!isKin(from, to)) labels.set(to, [...(labels.get(to) ?? []), plain(label)]);
      }
    }
    return [...labels].map(([to, labels]) => {
      // Whoever's braces close last can name its state again. The whole diagram has none, and draws no state into them.
      const parents = [from.parent ?? root, to.parent ?? root];
      const level = parents.includes(root) ? root : (levels.find((node) => parents.includes(node)) as AnyStateNode);
      return { from, to, labels, level };
    });
  });
}

/** States by where their braces close: those inside before those around, else as defined. */
function byEnd(a: AnyStateNode, b: AnyStateNode): number {
  if (a.id.startsWith(`${b.id}.`)) return -1;
  return b.id.startsWith(`${a.id}.`) ? 1 : a.order - b.order;
}

/** What the root itself answers, in whatever state. No arrow can come from the whole diagram, so this gets a box. */
function everywhere(root: AnyStateNode, { idOf, arrows }: Drawing): string[] {
  const lines = [
    ...doingsOf(root).map((doing) => `${anyState} : ${doing}`),
    ...arrows
      .filter(({ from }) => from === root)
      .map(({ to, labels }) => `${anyState} --> ${idOf(to)} : ${labels.join('<br>')}`),
  ];
  return lines.length === 0 ? [] : [`state "in any state" as ${anyState}`, ...lines];
}

const anyState = 'any_state';

/** Every transition of a state in the order in which it is tried, each with the words for its arrow. */
function labelled(node: AnyStateNode): { label: string; transition: AnyTransitionDefinition }[] {
  const groups = [...(node.always ? [node.always] : []), ...node.transitions.values()];
  return groups.flatMap((group) =>
    [...byTrigger(group as AnyTransitionDefinition[])].flatMap(([trigger, alternatives]) =>
      alternatives.map((transition, index) => {
        const isElse = transition.guard === undefined && index > 0;
        const guard = transition.guard === undefined ? (isElse ? ['[else]'] : []) : [`[${nameOf(transition.guard)}]`];
        const words = trigger === '' ? (guard.length > 0 ? guard : ['always']) : [trigger, ...guard];
        return { label: words.join(' '), transition };
      }),
    ),
  );
}

function byTrigger(transitions: readonly AnyTransitionDefinition[]): Map<string, AnyTransitionDefinition[]> {
  const groups = new Map<string, AnyTransitionDefinition[]>();
  for (const transition of transitions) {
    const trigger = triggerOf(transition);
    groups.set(trigger, [...(groups.get(trigger) ?? []), transition]);
  }
  return groups;
}

function triggerOf({ eventType, source }: AnyTransitionDefinition): string {
  const delayed = source.after.find((transition: { eventType: string }) => transition.eventType === eventType);
  if (delayed) return `after ${typeof delayed.delay === 'number' ? `${delayed.delay} ms` : nameOf(delayed.delay)}`;
  if (eventType === '*') return 'any event';
  const ofChild = /^xstate\.(done|error|snapshot)\.(?:actor|state)\.(.*)$/.exec(eventType);
  if (!ofChild) return eventType;
  const child = source.invoke.find(({ id }: { id: string }) => id === ofChild[2]);
  return `${ofChild[1]} ${child ? nameOf(child.src) : ofChild[2]}`;
}

/** A name, of what was given by name or as an object with one; what was written in place says so. */
function nameOf(given: unknown): string {
  if (typeof given === 'string') return given;
  const named = given as { type?: unknown; name?: unknown };
  const name = named.type ?? named.name;
  return typeof name === 'string' && name !== '' ? name : 'inline';
}

/** The end of each state's path that no other state has: mostly its own word. Never a word of Mermaid's. */
function idsOf(root: AnyStateNode): Drawing['idOf'] {
  const nodes = descendantsOf(root);
  const count = new Map<string, number>(reserved.map((word) => [word, 1]));
  for (const node of nodes) for (const end of endsOf(node)) count.set(end, (count.get(end) ?? 0) + 1);
  const ids = new Map(nodes.map((node) => [node, endsOf(node).find((end) => count.get(end) === 1) ?? node.id]));
  return (node) => (ids.get(node) as string).replaceAll(/\W/g, '_');
}

/** Of `#machine.a.b`: `b`, `a_b`. */
const endsOf = (node: AnyStateNode): string[] => node.path.map((_, index) => node.path.slice(-1 - index).join('_'));

const childrenOf = (node: AnyStateNode): AnyStateNode[] => Object.values(node.states);

const descendantsOf = (node: AnyStateNode): AnyStateNode[] =>
  childrenOf(node).flatMap((child) => [child, ...descendantsOf(child)]);

const reserved = [
  anyState,
  'state',
  'note',
  'end',
  'class',
  'classDef',
  'style',
  'click',
  'direction',
  'as',
  'default',
];

/** Mermaid ends a text at these. */
const plain = (text: string): string => text.replaceAll(/[:;#{}\n]/g, ' ');

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
