import type { Fault, FaultKind } from '../faults/fault.ts';
import { FAULT_KINDS } from '../faults/fault.ts';
import { masterOf } from '../faults/inject.ts';
import type { Actors } from '../group/actors.ts';
import type { Life } from '../group/life.ts';
import type { SimGroup } from '../group/sim-group.ts';

/** What a node may be doing when a fault meets it. One node is in several at once. */
export const STATES = [
  'down',
  'joining',
  'behind',
  'waiting',
  'campaigning',
  'master, fresh',
  'master, renewing',
  'resigning',
  'lapsed',
  'preparing',
  'leading',
  'standing by',
  'consenting',
  'holding several',
  'outside',
] as const;

export type State = (typeof STATES)[number];

/** Which faults met which states: what a search has not seen it says nothing about. */
export class Coverage {
  readonly #hits = new Map<FaultKind, Map<State, number>>();

  hit(kind: FaultKind, state: State): void {
    let hits = this.#hits.get(kind);
    if (!hits) {
      hits = new Map();
      this.#hits.set(kind, hits);
    }
    hits.set(state, (hits.get(state) ?? 0) + 1);
  }

  hits(kind: FaultKind, state: State): number {
    return this.#hits.get(kind)?.get(state) ?? 0;
  }

  /** Pairs that never met. */
  neverHit(): { readonly kind: FaultKind; readonly state: State }[] {
    return FAULT_KINDS.flatMap((kind) =>
      STATES.filter((state) => this.hits(kind, state) === 0).map((state) => ({ kind, state })),
    );
  }
}

/** What the nodes that a fault would meet at this instant are doing, each for itself. */
export const meetings = (fault: Fault, group: SimGroup): readonly State[] =>
  nodesOf(fault, group).flatMap((node) => statesOf(group.life(node)));

function nodesOf(fault: Fault, group: SimGroup): readonly string[] {
  if ('node' in fault) return [fault.node];
  if ('sides' in fault) return fault.sides.flat();
  if ('from' in fault) {
    const ends: readonly string[] = [fault.from, fault.to];
    return ends.includes('*') ? group.names : ends;
  }
  if (fault.kind === 'replay') return group.names;
  const master = masterOf(group, fault.election);
  return master ? [master.node] : [];
}

export function statesOf(life: Life | null): State[] {
  if (!life || life.ending) return ['down'];
  const { lease, proposer, learner, candidates } = life.actors;
  const isOutside = life.role === 'candidate';
  if (!lease || (!isOutside && (!proposer || !learner))) return ['joining'];
  const states = new Set<State>();
  let held = 0;
  for (const candidate of candidates.values()) {
    const { value } = candidate.getSnapshot();
    const state = typeof value === 'string' ? value : Object.keys(value)[0];
    if (state === 'master') {
      held++;
      states.add(isFresh(lease.getSnapshot().value) ? 'master, fresh' : 'master, renewing');
    } else if (isAsking(state)) states.add(state);
  }
  if (held > 1) states.add('holding several');
  if (lease.getSnapshot().context?.standby != null) states.add('standing by');
  if (isOutside) states.add('outside');
  if (proposer && learner) for (const state of loggingStates(proposer, learner)) states.add(state);
  return [...states];
}

function loggingStates(proposer: NonNullable<Actors['proposer']>, learner: NonNullable<Actors['learner']>): State[] {
  const states: State[] = [];
  const led = proposer.getSnapshot();
  if (led.matches('leading')) states.push('leading');
  else if (led.matches('preparing') || led.matches('catchingUp')) states.push('preparing');
  if (learner.getSnapshot().matches('behind')) states.push('behind');
  return states;
}

type Asking = 'waiting' | 'campaigning' | 'consenting' | 'resigning' | 'lapsed';

const ASKING: ReadonlySet<string | undefined> = new Set<Asking>([
  'waiting',
  'campaigning',
  'consenting',
  'resigning',
  'lapsed',
]);

const isAsking = (state: string | undefined): state is Asking => ASKING.has(state);

/** The last renewal sent is applied. */
const isFresh = (session: unknown): boolean => Object(session).running?.session?.open === 'fresh';
