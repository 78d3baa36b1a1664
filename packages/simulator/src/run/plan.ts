import type { NodeId } from '@synod/protocol';
import { FAULT_KINDS, type Fault, type FaultKind, RUINOUS } from '../faults/fault.ts';
import type { GroupSettings } from '../group/sim-group.ts';
import type { UserManners } from '../user/user.ts';
import { type Chance, chanceOf } from '../world/chance.ts';

/** Everything that a seed decides of a run beforehand; the chance in it goes on from the same seed. */
export interface Plan {
  readonly seed: number;
  readonly settings: GroupSettings;
  /** The longest lease of any node. */
  readonly leaseMs: number;
  /** True while all clocks run within 1 ± ρ: S2 is promised. */
  readonly isWithinDrift: boolean;
  /** The group was formed before the run. */
  readonly isFormed: boolean;
  /** When each node starts. */
  readonly startsMs: Readonly<Record<NodeId, number>>;
  readonly user: UserManners;
  readonly faults: readonly Fault[];
  /** Faults end, a majority is healed. */
  readonly healAtMs: number;
  /** What becomes of those that are not in the healed majority. */
  readonly others: 'dead' | 'cut off' | 'faulty';
}

export interface PlanOptions {
  /** Number of members; drawn when left out. */
  readonly nodes?: number;
  /** Use these faults in place of the drawn ones: for making a failure smaller. */
  readonly faults?: readonly Fault[];
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
const LEASES_MS = [100, 150, 300, 1000, 3000];
const MAX_DRIFT_PPM = 10_000;
/** Faults go on for so many leases, three at least. */
const FAULTY_LEASES = 3;

/** Draws a run: its settings, and its own mix of faults, each kind on or off and as hard as it comes. */
export function planOf(seed: number, options: PlanOptions = {}): Plan {
  const chance = chanceOf(seed, 'plan');
  const size = options.nodes ?? chance.one([3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 1]);
  const names = NAMES.slice(0, size);
  const leaseMs = chance.one(LEASES_MS);
  const shorter = LEASES_MS.filter((ms) => ms <= leaseMs);
  const areLeasesEqual = chance.happens(0.85);
  const leasesMs = names.map(() => (areLeasesEqual ? leaseMs : chance.one(shorter)));
  // A lease shorter than a few round trips is nobody's: its owner would outbid all others without end.
  const shortestMs = Math.min(...leasesMs);
  const drift = chance.one(['none', 'within', 'within', 'edge', 'edge', 'beyond'] as const);
  const delayMs = shortestMs * chance.one([0.001, 0.003, 0.01, 0.02]);
  const diskMs = shortestMs * chance.one([0.0002, 0.001, 0.005]);
  const settings: GroupSettings = {
    seed,
    maxDriftPpm: MAX_DRIFT_PPM,
    nodes: names.map((node, i) => ({
      node,
      leaseMs: leasesMs[i] ?? leaseMs,
      priority: chance.one([0, 0, 0, 50, 100]),
      rate: rateOf(chance, drift),
      bootStepMs: chance.one([null, 1, 10]),
      timers: {
        earlyMs: chance.one([0, 1, 1]),
        late: chance.one([0, 0.05]),
        lateMs: leaseMs * chance.one([0.05, 0.3]),
      },
    })),
    link: { minMs: delayMs * chance.next(), maxMs: delayMs, loss: 0, repeat: 0, reorder: 0, late: 0, lateMs: 0 },
    disk: { minMs: diskMs * chance.next(), maxMs: diskMs, failure: null },
  };
  const isFormed = chance.happens(0.6);
  // In some runs faults meet the formation, in others a group at work.
  const faultsFromMs = chance.happens(0.5) ? 0 : leaseMs;
  const healAtMs = faultsFromMs + FAULTY_LEASES * leaseMs * chance.between(1, 1.2);
  const drawn = drawFaults(chance, { names, leaseMs, fromMs: faultsFromMs, untilMs: healAtMs, drift });
  return {
    seed,
    settings,
    leaseMs,
    isWithinDrift: drift !== 'beyond',
    isFormed,
    startsMs: Object.fromEntries(names.map((node) => [node, chance.between(0, leaseMs / 10)])),
    user: {
      pace: chance.one([0.1, 0.3, 0.7]),
      transit: chance.one([0, 0.01, 1.5]),
      stubborn: chance.one([0, 0.5]),
      stubbornFor: chance.one([0.1, 1, 3]),
    },
    faults: options.faults ?? drawn,
    healAtMs,
    others: chance.one(['dead', 'cut off', 'faulty']),
  };
}

type Drift = 'none' | 'within' | 'edge' | 'beyond';

function rateOf(chance: Chance, drift: Drift): number {
  const allowed = MAX_DRIFT_PPM / 1e6;
  switch (drift) {
    case 'none':
      return 1;
    case 'within':
      return 1 + chance.between(-allowed, allowed);
    case 'edge':
      return 1 + chance.one([-allowed, 0, allowed]);
    case 'beyond':
      return 1 + chance.between(-15 * allowed, 15 * allowed);
  }
}

interface Drawing {
  readonly names: readonly NodeId[];
  readonly leaseMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly drift: Drift;
}

function drawFaults(chance: Chance, drawing: Drawing): Fault[] {
  // A kind of its own mix: with all of them in every run, each would hide what the others find.
  const kinds = FAULT_KINDS.filter(() => chance.happens(0.2));
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

function drawFault(chance: Chance, kind: FaultKind, { names, leaseMs, fromMs, untilMs, drift }: Drawing): Fault[] {
  const atMs = chance.between(fromMs, untilMs);
  const node = chance.one(names);
  const forMs = leaseMs * chance.one([0.05, 0.3, 0.7, 1.2, 2.5]) * chance.between(0.5, 1);
  const downMs = leaseMs * chance.one([0.02, 0.3, 1.1, 2.5]) * chance.between(0.5, 1);
  const calls = chance.one([0, 1, 2, 5, 10, 30, 100]);
  const way = () => ({ from: chance.one(['*', ...names]), to: chance.one(['*', '*', ...names]) });
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
      return [{ kind, atMs, forMs, isOneWay: chance.happens(0.4), sides: sidesOf(chance, names) }];
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
      return [{ kind, atMs, node, forMs, rate: rateOf(chance, drift === 'none' ? 'within' : drift) }];
    case 'timers':
      return [{ kind, atMs, node, forMs, lateMs: leaseMs * chance.one([0.1, 0.5, 1.5]) }];
    case 'slow disk':
      return [{ kind, atMs, node, forMs, flushMs: leaseMs * chance.one([0.05, 0.3, 1]) }];
    case 'resign':
      return [{ kind, atMs }];
    case 'checkpoint':
      return [{ kind, atMs, node }];
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
