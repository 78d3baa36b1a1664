import type { NodeId } from '@synod/protocol';
import { GROUP_ELECTION } from '@synod/runtime';
import type { NodeSettings } from '../group/sim-group.ts';
import type { Campaign, Turns } from '../user/user.ts';
import type { Chance } from '../world/chance.ts';
import type { Drift } from '../world/drift.ts';
import { drawNode } from './node.ts';

/** Who takes part in a run besides its members, and who asks for what. */
export interface Cast {
  /** The members alone, each asking for the group's own election and holding on to it. */
  readonly isPlain: boolean;
  /** ρ, the same for all; a candidate learns it from the members. */
  readonly maxDriftPpm: number;
  readonly candidates: readonly NodeSettings[];
  /** When candidates start: some come when all others have long been there. */
  readonly startsMs: Readonly<Record<NodeId, number>>;
  readonly campaigns: Readonly<Record<NodeId, readonly Campaign[]>>;
}

export interface CastDrawing {
  readonly members: readonly NodeId[];
  /** Leases of the members. */
  readonly shortestMs: number;
  readonly leaseMs: number;
  readonly drift: Drift;
}

/** Names of nodes outside the log; members are called by the first letters. */
export const CANDIDATES = ['x', 'y', 'z'];
const ELECTIONS = ['s1', 's2', 's3'];

/**
 * Most schedules are about the log: with everything in every run, each would hide what the others find. Company more than
 * doubles the messages of a schedule: by this share each kind has half of them.
 */
const PLAIN = 0.7;

/** Draws up to three candidates, and up to three elections besides the group's own. */
export function castOf(chance: Chance, drawing: CastDrawing): Cast {
  const { members, shortestMs, leaseMs, drift } = drawing;
  if (chance.happens(PLAIN)) {
    const campaign: Campaign = { election: GROUP_ELECTION, turns: null };
    return {
      isPlain: true,
      maxDriftPpm: 10_000,
      candidates: [],
      startsMs: {},
      campaigns: ofEach(members, () => [campaign]),
    };
  }
  const maxDriftPpm = chance.one([10_000, 100_000]);
  const names = CANDIDATES.slice(0, chance.one([0, 1, 2, 3]));
  const candidates = names.map((node) =>
    drawNode(chance, node, { leaseMs: chance.one([shortestMs, leaseMs]), longestMs: leaseMs, drift, maxDriftPpm }),
  );
  // Candidates are never master of the group itself.
  const elections = ELECTIONS.slice(0, chance.one(names.length > 0 ? [1, 1, 2, 3] : [0, 1, 2, 3]));
  const ofGroup = ofEach(members, () => campaignOf(chance, GROUP_ELECTION, 0.2));
  const ofOthers = elections.map((election) => campaignersFor(chance, election, members, names));
  return {
    isPlain: false,
    maxDriftPpm,
    candidates,
    startsMs: ofEach(names, () => leaseMs * chance.one([0.1, 0.5, 2]) * chance.next()),
    campaigns: ofEach([...members, ...names], (node) =>
      [ofGroup, ...ofOthers].flatMap((campaigns) => campaigns[node] ?? []),
    ),
  };
}

type Campaigners = Readonly<Record<NodeId, Campaign>>;

/** Some of all nodes, one at least. */
function campaignersFor(
  chance: Chance,
  election: string,
  members: readonly NodeId[],
  candidates: readonly NodeId[],
): Campaigners {
  const drawn = [...members.filter(() => chance.happens(0.5)), ...candidates.filter(() => chance.happens(0.8))];
  const campaigners = drawn.length > 0 ? drawn : [chance.one([...members, ...candidates])];
  return ofEach(campaigners, () => campaignOf(chance, election, 0.4));
}

function campaignOf(chance: Chance, election: string, inTurns: number): Campaign {
  const turns: Turns | null = chance.happens(inTurns)
    ? {
        holds: chance.one([0.02, 0.3, 1.5]),
        rests: chance.one([0, 0.1, 0.7]),
        patience: chance.one([0.03, 0.3, 2, null]),
        rounds: chance.one([null, null, 1, 2]),
      }
    : null;
  return { election, turns, ...(chance.happens(0.3) ? { priority: chance.one([0, 20, 80]) } : {}) };
}

function ofEach<T>(nodes: readonly NodeId[], value: (node: NodeId) => T): Record<NodeId, T> {
  const all: Record<NodeId, T> = {};
  for (const node of nodes) all[node] = value(node);
  return all;
}
