import type { Fault, FaultKind } from '../faults/fault.ts';
import { FAULT_KINDS } from '../faults/fault.ts';
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
] as const;

export type State = (typeof STATES)[number];

/** Which faults met which states: what a search has not seen it says nothing about. */
export class Coverage {
  readonly #hits = new Map<FaultKind, Map<State, number>>();

  note(fault: Fault, group: SimGroup): void {
    for (const node of nodesOf(fault, group)) {
      for (const state of statesOf(group.life(node))) this.hit(fault.kind, state);
    }
  }

  hit(kind: FaultKind, state: State): void {
    const hits = this.#hits.get(kind) ?? new Map<State, number>();
    this.#hits.set(kind, hits.set(state, (hits.get(state) ?? 0) + 1));
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

function nodesOf(fault: Fault, group: SimGroup): readonly string[] {
  if ('node' in fault) return [fault.node];
  if ('sides' in fault) return fault.sides[0] ?? [];
  if ('from' in fault) return group.names.filter((name) => fault.from === name || fault.to === name);
  return group.names;
}

export function statesOf(life: Life | null): State[] {
  if (!life || life.ending) return ['down'];
  const { lease, proposer, learner } = life.actors;
  if (!lease || !proposer || !learner) return ['joining'];
  const states: State[] = [];
  const candidacy = life.actors.candidates.get('group')?.getSnapshot().value ?? '';
  const state = typeof candidacy === 'string' ? candidacy : Object.keys(candidacy)[0];
  if (state === 'master') states.push(isFresh(lease.getSnapshot().value) ? 'master, fresh' : 'master, renewing');
  else if (state === 'waiting' || state === 'campaigning' || state === 'resigning' || state === 'lapsed')
    states.push(state);
  const led = proposer.getSnapshot();
  if (led.matches('leading')) states.push('leading');
  else if (led.matches('preparing') || led.matches('catchingUp')) states.push('preparing');
  if (learner.getSnapshot().matches('behind')) states.push('behind');
  return states;
}

/** The last renewal sent is applied. */
const isFresh = (session: unknown): boolean => Object(session).running?.session?.open === 'fresh';
