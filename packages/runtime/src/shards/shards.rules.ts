import type { NodeId } from '@synod/protocol';

/** Who holds what, and who is there, as one node sees it. */
export interface Landscape {
  readonly self: NodeId;
  /** Holder of each shard, by index; `null` for nobody. */
  readonly holders: readonly (NodeId | null)[];
  /** Nodes that would hold shards and said so; whoever holds some need not. */
  readonly ready: ReadonlySet<NodeId>;
  /** Nodes that would not take what they were offered: they keep what they have. */
  readonly refusing: ReadonlySet<NodeId>;
  /** What was held by a former life of a node: free as soon as its lease is over. */
  readonly orphans: ReadonlySet<number>;
}

/** What the node that looks at a {@link Landscape} does about it. */
export interface Plan {
  /** Shards to ask for: free ones that fall to it, and of each other holder its part, should that one let go or die. */
  readonly wanted: ReadonlySet<number>;
  /** Shards to hand over, and to whom. */
  readonly moves: ReadonlyMap<number, NodeId>;
}

/** Pure: the same landscape gives the same plans at all nodes, and these fit together. */
export const shardRules = {
  plan(land: Landscape): Plan {
    const shares = sharesOf(land);
    return { wanted: shardRules.wanted(land, shares), moves: shardRules.moves(land, shares) };
  },

  /**
   * What is free is dealt out so that numbers become equal, the fewest first; and what each node holds is dealt out among the
   * others in advance: who waits for it already needs no plan when that node dies. Of each holder at least one: somebody must
   * notice its end.
   */
  wanted(land: Landscape, shares: Shares): ReadonlySet<number> {
    const { self, ready, orphans } = land;
    const wanted = new Set(partOf(self, shares.free, dealt(countsOf(shares), shares.free.length)));
    for (const [holder, held] of shares.byNode) {
      const reborn = held.filter((index) => orphans.has(index));
      if (holder === self && reborn.length === 0) continue;
      const lost = holder === self ? reborn : held;
      const others = countsOf(shares);
      // A node that holds and says that it holds nothing has begun a new life: it may have its own back.
      if (holder === self || ready.has(holder)) others.set(holder, held.length - lost.length);
      else others.delete(holder);
      const part = partOf(self, lost, dealt(others, lost.length));
      if (part.length === 0 && lost.length > 0) part.push(lost[rankOf(self, others) % lost.length] as number);
      for (const index of part) wanted.add(index);
    }
    return wanted;
  },

  /**
   * Who has more than its share hands the surplus to those who have less: as few moves as make the numbers equal to one. All
   * nodes match surplus and want in the same order, so that two never give for the same want.
   */
  moves(land: Landscape, shares: Shares): ReadonlyMap<number, NodeId> {
    const { self, refusing, orphans } = land;
    const moves = new Map<number, NodeId>();
    const nodes = [...shares.byNode].filter(([node]) => !refusing.has(node) || node === self);
    const total = nodes.reduce((sum, [, held]) => sum + held.length, 0);
    const least = Math.floor(total / nodes.length);
    const ranked = nodes.toSorted(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1));
    const targets = new Map(ranked.map(([node], rank) => [node, least + (rank < total % nodes.length ? 1 : 0)]));
    const takers: NodeId[] = [];
    let givenBefore = 0;
    for (const [node, held] of nodes) {
      const missing = (targets.get(node) ?? 0) - held.length;
      for (let i = 0; i < missing; i++) takers.push(node);
      if (node < self && missing < 0) givenBefore -= missing;
    }
    const own = (shares.byNode.get(self) ?? []).filter((index) => !orphans.has(index));
    const surplus = Math.max(0, own.length - (targets.get(self) ?? own.length));
    for (const [i, index] of own.slice(own.length - surplus).entries()) {
      const taker = takers[givenBefore + i];
      if (taker !== undefined && taker !== self) moves.set(index, taker);
    }
    return moves;
  },
};

/** @see {@link shardRules} */
export type ShardRules = typeof shardRules;

/** Shards by holder, in the order of names, with those who hold none; and the free ones. */
export interface Shares {
  readonly byNode: ReadonlyMap<NodeId, readonly number[]>;
  readonly free: readonly number[];
}

export function sharesOf({ self, holders, ready }: Landscape): Shares {
  const free: number[] = [];
  const found = new Map<NodeId, number[]>([self, ...ready].map((node) => [node, []]));
  for (const [index, node] of holders.entries()) {
    const held = node === null ? free : found.get(node);
    if (held) held.push(index);
    else found.set(node as NodeId, [index]);
  }
  return { free, byNode: new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

const countsOf = ({ byNode }: Shares): Map<NodeId, number> =>
  new Map(Array.from(byNode, ([node, held]) => [node, held.length]));

/** How many of `more` each gets, so that the numbers become as equal as giving alone can make them. */
export function dealt(counts: ReadonlyMap<NodeId, number>, more: number): ReadonlyMap<NodeId, number> {
  const poorest = [...counts].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  let left = more;
  let level = 0;
  // The first `level + 1` are raised to the number of the next one, as long as there is enough.
  for (; level + 1 < poorest.length; level++) {
    const step = ((poorest[level + 1]?.[1] ?? 0) - (poorest[level]?.[1] ?? 0)) * (level + 1);
    if (step > left) break;
    left -= step;
  }
  const height = poorest[level]?.[1] ?? 0;
  const raised = level + 1;
  return new Map(
    poorest.map(([node, count], rank) => [
      node,
      rank > level ? 0 : height - count + Math.floor(left / raised) + (rank < left % raised ? 1 : 0),
    ]),
  );
}

/** The shards that fall to a node when each in turn, by name, takes as many as it is dealt. */
function partOf(self: NodeId, shards: readonly number[], deal: ReadonlyMap<NodeId, number>): number[] {
  let before = 0;
  for (const [node, count] of deal) if (node < self) before += count;
  return shards.slice(before, before + (deal.get(self) ?? 0));
}

const rankOf = (self: NodeId, nodes: ReadonlyMap<NodeId, number>): number =>
  [...nodes.keys()].filter((node) => node < self).length;
