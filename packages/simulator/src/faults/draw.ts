import type { NodeId } from '@synod/protocol';
import { GROUP_ELECTION } from '@synod/runtime';
import type { Campaign } from '../user/user.ts';
import type { Chance } from '../world/chance.ts';
import { type Drift, rateOf } from '../world/drift.ts';
import { FAULT_KINDS, type Fault, type FaultKind, ORDERS, RARE, RUINOUS } from './fault.ts';

/** When faults happen. */
export interface FaultyTime {
  /** The longest of the run: faults last for parts of it. */
  readonly leaseMs: number;
  readonly maxDriftPpm: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface FaultDrawing extends FaultyTime {
  /** Whom faults of one node happen to. */
  readonly names: readonly NodeId[];
  /** Between whom messages are lost. */
  readonly ends: readonly NodeId[];
  readonly drift: Drift;
}

/** What befalls the members of a group. */
export function drawFaults(chance: Chance, drawing: FaultDrawing): Fault[] {
  // A kind of its own mix: with all of them in every run, each would hide what the others find.
  const kinds = FAULT_KINDS.filter((kind) => !ORDERS.has(kind) && !RARE.has(kind) && chance.happens(0.2));
  const faults: Fault[] = [];
  let ruins = Math.floor((drawing.names.length - 1) / 2);
  for (const kind of kinds) {
    const count = RUINOUS.has(kind) ? 1 : chance.one([1, 1, 2, 3]);
    for (let i = 0; i < count; i++) {
      if (RUINOUS.has(kind) && --ruins < 0) continue;
      faults.push(...drawFault(chance, kind, drawing));
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** Faults of disks, and of what is no node's own, are left to the members. */
const NO_DISK: ReadonlySet<FaultKind> = new Set([
  ...RUINOUS,
  ...ORDERS,
  ...RARE,
  'slow disk',
  'full disk',
  'checkpoint',
  'replay',
  'resign',
]);

/** What befalls candidates, who have no disk. */
export function drawCandidateFaults(chance: Chance, drawing: FaultDrawing): Fault[] {
  if (drawing.names.length === 0) return [];
  const kinds = FAULT_KINDS.filter((kind) => !NO_DISK.has(kind) && chance.happens(0.15));
  return kinds.flatMap((kind) =>
    Array.from({ length: chance.one([1, 1, 2]) }, () => drawFault(chance, kind, drawing)).flat(),
  );
}

export interface OrderDrawing extends FaultyTime {
  readonly shortestMs: number;
  readonly campaigns: Readonly<Record<NodeId, readonly Campaign[]>>;
}

/** What people order while a group runs: who is to be master, how much sooner than others, by what lease. */
export function drawOrders(chance: Chance, { leaseMs, shortestMs, fromMs, untilMs, campaigns }: OrderDrawing): Fault[] {
  const nodes = Object.keys(campaigns);
  const asked = nodes.flatMap((node) => (campaigns[node] ?? []).map(({ election }) => ({ election, node })));
  const elections = [...new Set(asked.map(({ election }) => election))];
  const late = () => chance.one([null, leaseMs * chance.one([0.3, 0.7])]);
  const soon = (atMs: number) => chance.between(atMs, Math.min(untilMs, atMs + leaseMs));
  const leaseOf = (node: NodeId, atMs: number): Fault => {
    return { kind: 'lease', atMs, node, leaseMs: Math.max(100, Math.round(chance.between(shortestMs / 2, leaseMs))) };
  };
  const draw = (kind: FaultKind): Fault[] => {
    const atMs = chance.between(fromMs, untilMs);
    const election = chance.one(elections);
    const to = chance.one(asked.filter((other) => other.election === election)).node;
    const node = chance.one(nodes);
    switch (kind) {
      case 'isolate':
        return [{ kind, atMs, election, forMs: leaseMs * chance.one([0.7, 1.2, 2.5]), lateMs: late() }];
      case 'hand over':
      case 'transfer':
        return [{ kind, atMs, election, to }];
      case 'priority':
        return [{ kind, atMs, node, priority: chance.one([0, 10, 60, 100]) }];
      case 'lease':
        return chance.happens(0.5) ? [leaseOf(node, atMs)] : [leaseOf(node, atMs), leaseOf(node, soon(atMs))];
      default:
        return [{ kind: 'resign', atMs, election }];
    }
  };
  const kinds = [...ORDERS, 'resign' as const].filter(() => chance.happens(0.4));
  return kinds.flatMap((kind) => Array.from({ length: chance.one([1, 2, 4]) }, () => draw(kind)).flat());
}

/** What was asked of the log is asked again: where sessions hold several elections and give them back, versions and terms tell. */
export function drawRepeatedAsking(chance: Chance, { fromMs, untilMs }: FaultyTime): Fault[] {
  if (chance.happens(0.5)) return [];
  return Array.from({ length: chance.one([1, 3, 8]) }, () => ({
    kind: 'replay',
    atMs: chance.between(fromMs, untilMs),
    messages: chance.one([10, 60]),
    of: 'commands',
  }));
}

const SLEEPS = 0.04;

/** What else a machine does that sleeps unseen would only be: held up until nobody can tell any more when it woke. */
const NO_SLEEP: ReadonlySet<FaultKind> = new Set(['pause', 'block', 'timers', 'suspend', 'wall clock']);

/** The machine of a master sleeps, beside everything else that befalls the group. */
export function drawSleep(chance: Chance, faults: readonly Fault[], { leaseMs, fromMs, untilMs }: FaultyTime): Fault[] {
  if (!chance.happens(SLEEPS)) return [];
  const sleepMs = leaseMs * chance.between(0.4, 1.8);
  return [
    {
      kind: 'sleep',
      atMs: chance.between(fromMs, Math.max(fromMs, untilMs - 1.5 * leaseMs)),
      election: GROUP_ELECTION,
      sleepMs,
      isHidden: chance.happens(0.5) && !faults.some(({ kind }) => NO_SLEEP.has(kind)),
      forMs: Math.max(sleepMs, leaseMs) + leaseMs * chance.between(0.2, 0.6),
    },
  ];
}

function drawFault(chance: Chance, kind: FaultKind, drawing: FaultDrawing): Fault[] {
  const { names, ends, leaseMs, maxDriftPpm, fromMs, untilMs, drift } = drawing;
  const atMs = chance.between(fromMs, untilMs);
  const node = chance.one(names);
  const forMs = leaseMs * chance.one([0.05, 0.3, 0.7, 1.2, 2.5]) * chance.between(0.5, 1);
  const downMs = leaseMs * chance.one([0.02, 0.3, 1.1, 2.5]) * chance.between(0.5, 1);
  const calls = chance.one([0, 1, 2, 5, 10, 30, 100]);
  const way = () => ({ from: chance.one(['*', ...ends]), to: chance.one(['*', '*', ...ends]) });
  switch (kind) {
    case 'loss':
      return [{ kind, atMs, forMs, ...way(), rate: chance.one([0.02, 0.1, 0.3, 0.6]) }];
    case 'repeat':
      return [{ kind, atMs, forMs, ...way(), rate: chance.one([0.1, 0.5]) }];
    case 'reorder':
      return [{ kind, atMs, forMs, ...way(), rate: chance.one([0.1, 0.5, 1]) }];
    case 'delay':
      return [
        {
          kind,
          atMs,
          forMs,
          ...way(),
          rate: chance.one([0.05, 0.3, 1]),
          lateMs: leaseMs * chance.one([0.05, 0.3, 1, 2.5]),
        },
      ];
    case 'partition':
      return [{ kind, atMs, forMs, isOneWay: chance.happens(0.4), sides: sidesOf(chance, ends) }];
    case 'stall':
      return [{ kind, atMs, forMs, node, way: chance.one(['in', 'out', 'both']) }];
    case 'disconnect':
    case 'full disk':
    case 'veto':
    case 'twin':
    case 'suspend':
      return [{ kind, atMs, node, forMs }];
    case 'flood':
      return [{ kind, atMs, node, forMs, messages: chance.whole(20, 60) }];
    case 'replay':
      return [{ kind, atMs, messages: chance.whole(1, 20) }];
    case 'noise':
      return [{ kind, atMs, node, messages: chance.whole(1, 5) }];
    case 'crash':
    case 'reboot':
      return [{ kind, atMs, node, calls, downMs }];
    case 'restart':
    case 'wipe':
    case 'bit flip':
      return [{ kind, atMs, node, downMs }];
    case 'roll back': {
      // Only a folder that was opened again and again, and heard each time, can be told from its past (I2).
      const early = [0, 1, 2].map(
        (i): Fault => ({
          kind: 'crash',
          atMs: fromMs + (i + 1) * 0.15 * (atMs - fromMs),
          node,
          calls: 0,
          downMs: leaseMs / 50,
        }),
      );
      return [...early, { kind, atMs, node, downMs }];
    }
    case 'pause':
      return [{ kind, atMs, node, forMs, first: chance.one(['timers', 'messages']) }];
    case 'block':
      return [{ kind, atMs, node, forMs, calls: Math.max(1, calls) }];
    case 'wall clock':
      return [{ kind, atMs, node, byMs: leaseMs * chance.one([-1000, -1, -0.1, 0.1, 1, 1000]) }];
    case 'drift':
      return [{ kind, atMs, node, forMs, rate: rateOf(chance, drift === 'none' ? 'within' : drift, maxDriftPpm) }];
    case 'timers':
      return [{ kind, atMs, node, forMs, lateMs: leaseMs * chance.one([0.1, 0.5, 1.5]) }];
    case 'slow disk':
      return [{ kind, atMs, node, forMs, flushMs: leaseMs * chance.one([0.05, 0.3, 1]) }];
    case 'resign':
      return [{ kind, atMs }];
    case 'checkpoint':
      return [{ kind, atMs, node }];
    // Of an election: see drawOrders.
    case 'isolate':
    case 'hand over':
    case 'transfer':
    case 'priority':
    case 'lease':
    // See drawSleep.
    case 'sleep':
      return [];
  }
}

/** Two sides that hold everybody, or leave one node out that hears both; or one node alone. */
function sidesOf(chance: Chance, names: readonly NodeId[]): readonly (readonly NodeId[])[] {
  const mixed = chance.some(names, names.length);
  const cut = chance.whole(1, Math.max(1, names.length - 1));
  const left = mixed.slice(0, cut);
  const right = mixed.slice(cut);
  if (right.length > 1 && chance.happens(0.3)) right.pop();
  return chance.happens(0.5) ? [left, right] : [right, left];
}
