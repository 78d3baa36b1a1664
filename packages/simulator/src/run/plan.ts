import type { NodeId } from '@synod/protocol';
import { drawCandidateFaults, drawFaults, drawOrders, drawRepeatedAsking, drawSleep } from '../faults/draw.ts';
import { type Fault, RUINOUS } from '../faults/fault.ts';
import type { GroupSettings } from '../group/sim-group.ts';
import type { Campaign, UserManners } from '../user/user.ts';
import { chanceOf } from '../world/chance.ts';
import { castOf } from './cast.ts';
import { drawNode } from './node.ts';

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
  /** A member that was formed by another configuration: it is none of this group (I3). */
  readonly stranger: NodeId | null;
  /** When each node starts. */
  readonly startsMs: Readonly<Record<NodeId, number>>;
  readonly user: UserManners;
  /** What each node's service asks for. */
  readonly campaigns: Readonly<Record<NodeId, readonly Campaign[]>>;
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
/** Members of a group, at most. */
export const MAX_NODES = NAMES.length;
/** In so many of the runs work takes its time. */
const LASTING = 0.03;
/** In so many of the runs in which that may be, somebody is of another group. */
const STRANGERS = 0.04;
const LEASES_MS = [100, 150, 300, 1000, 3000];
/** Leases of one group differ by so much at most: ten times as short, one is renewed ten times as often, and shows the same. */
const MOST_UNEQUAL = 4;
/** Faults go on for so many leases, three at least. */
const FAULTY_LEASES = 3;

/**
 * Draws a run: its settings, and its own mix of faults, each kind on or off and as hard as it comes. Who takes part besides the
 * members, and what is ordered meanwhile, is drawn by chance of its own: without them the same seed gives the same run.
 */
export function planOf(seed: number, options: PlanOptions = {}): Plan {
  const chance = chanceOf(seed, 'plan');
  const size = options.nodes ?? chance.one([3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 1]);
  const names = NAMES.slice(0, size);
  const leaseMs = chance.one(LEASES_MS);
  const shorter = LEASES_MS.filter((ms) => ms <= leaseMs && ms >= leaseMs / MOST_UNEQUAL);
  const areLeasesEqual = chance.happens(0.85);
  const leasesMs = names.map(() => (areLeasesEqual ? leaseMs : chance.one(shorter)));
  // A lease shorter than a few round trips is nobody's: its owner would outbid all others without end.
  const shortestMs = Math.min(...leasesMs);
  const drift = chance.one(['none', 'within', 'within', 'edge', 'edge', 'beyond'] as const);
  const delayMs = shortestMs * chance.one([0.001, 0.003, 0.01, 0.02]);
  const diskMs = shortestMs * chance.one([0.0002, 0.001, 0.005]);
  const cast = castOf(chanceOf(seed, 'cast'), { members: names, shortestMs, leaseMs, drift });
  const { maxDriftPpm } = cast;
  const members = names.map((node, i) =>
    drawNode(chance, node, { leaseMs: leasesMs[i] ?? leaseMs, longestMs: leaseMs, drift, maxDriftPpm }),
  );
  const link = { minMs: delayMs * chance.next(), maxMs: delayMs, loss: 0, repeat: 0, reorder: 0, late: 0, lateMs: 0 };
  const disk = { minMs: diskMs * chance.next(), maxMs: diskMs, failure: null };
  const isFormed = chance.happens(0.6);
  // In some runs faults meet the formation, in others a group at work.
  const faultsFromMs = chance.happens(0.5) ? 0 : leaseMs;
  const healAtMs = faultsFromMs + FAULTY_LEASES * leaseMs * chance.between(1, 1.2);
  const time = { leaseMs, maxDriftPpm, fromMs: faultsFromMs, untilMs: healAtMs };
  const drawn = drawFaults(chance, { ...time, names, ends: names, drift });
  const startsMs = names.map((node) => [node, chance.between(0, leaseMs / 10)] as const);
  const user: UserManners = {
    pace: chance.one([0.1, 0.3, 0.7]),
    transit: chance.one([0, 0.01, 1.5]),
    stubborn: chance.one([0, 0.5]),
    stubbornFor: chance.one([0.1, 1, 3]),
    lasting: chanceOf(seed, 'lasting work').happens(LASTING) ? 0.5 : 0,
  };
  const others = chance.one(['dead', 'cut off', 'faulty'] as const);

  const candidates = cast.candidates.map(({ node }) => node);
  const ordering = { ...time, shortestMs, campaigns: cast.campaigns };
  const further = [
    ...drawCandidateFaults(chanceOf(seed, 'candidate faults'), {
      ...time,
      names: candidates,
      ends: [...names, ...candidates],
      drift,
    }),
    ...(cast.isPlain ? [] : drawOrders(chanceOf(seed, 'orders'), ordering)),
    ...(cast.isPlain ? [] : drawRepeatedAsking(chanceOf(seed, 'repeated asking'), time)),
  ];
  const faulty = [...drawn, ...further];
  return {
    seed,
    settings: {
      seed,
      maxDriftPpm,
      nodes: members,
      ...(candidates.length > 0 ? { candidates: cast.candidates } : {}),
      link,
      disk,
    },
    leaseMs,
    isWithinDrift: drift !== 'beyond',
    isFormed,
    stranger: isFormed && cast.isPlain ? strangerOf(seed, names, drawn) : null,
    startsMs: { ...Object.fromEntries(startsMs), ...cast.startsMs },
    user,
    campaigns: cast.campaigns,
    faults:
      options.faults ??
      [...faulty, ...drawSleep(chanceOf(seed, 'sleep'), faulty, time)].sort((a, b) => a.atMs - b.atMs),
    healAtMs,
    others,
  };
}

/** Where all other stores are what they were: two of three that are not to be believed are a majority. */
function strangerOf(seed: number, members: readonly NodeId[], faults: readonly Fault[]): NodeId | null {
  const chance = chanceOf(seed, 'stranger');
  if (!chance.happens(STRANGERS) || members.length < 3) return null;
  if (faults.some(({ kind }) => RUINOUS.has(kind) || kind === 'twin')) return null;
  return chance.one(members);
}
