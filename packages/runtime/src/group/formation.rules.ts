import {
  type Configuration,
  configurationDigest,
  type Formation,
  type JournalRecord,
  type NodeId,
  type Received,
} from '@synod/protocol';

/**
 * I5, formation in two steps. A store that knows all storeIds keeps that configuration, durably, once, and never another. It
 * votes only after hearing from every voter that it keeps the very same one. So two sets of voters can never both be formed:
 * a store that was wiped half way cannot say that it keeps what its former self kept.
 */
export interface FormationState {
  readonly self: NodeId;
  readonly storeId: string;
  /** What the options say; the storeIds are filled in as they are heard. */
  readonly wished: Omit<Configuration, 'voters'> & { readonly voters: readonly NodeId[] };
  /** StoreIds named by an operator (`--bootstrap`), given once to one node; `null` where they are to be heard. */
  readonly named: Readonly<Record<NodeId, string>> | null;
  /** How often this store has asked the others what they keep. */
  readonly asked: number;
  /** Highest version a former group of this name is known to have reached; a new one must begin above it. */
  readonly livedThrough: number;
  /** The journal has lost records (P5): what it kept may be among them, so it keeps nothing new. */
  readonly isDamaged: boolean;
  readonly kept: Configuration | null;
  readonly isFormed: boolean;
  readonly heard: ReadonlyMap<NodeId, Heard>;
  /** Configuration of a formed group that does not hold this store: serve it as learner (I2). */
  readonly foreign: Configuration | null;
  /** Why formation cannot go on until an operator decides; `null` while it can. */
  readonly conflict: string | null;
}

interface Heard {
  readonly storeId: string;
  readonly keptDigest: string | null;
  readonly isFormed: boolean;
}

export interface FormationStep {
  readonly state: FormationState;
  readonly records: readonly JournalRecord[];
  /** Say anew, to everybody, what is kept here. */
  readonly announce: boolean;
}

/** Nothing heard, nothing changed. */
const unchanged = (state: FormationState): FormationStep => ({ state, records: [], announce: false });

export const formationRules = { hear, begin, message, waitsFor, isOutside };
export type FormationRules = typeof formationRules;

/** Before each asking. A group of one voter needs to hear nobody. */
function begin(state: FormationState): FormationStep {
  return advance({ ...state, asked: state.asked + 1 }, false);
}

/** Another store says what it keeps. */
function hear(state: FormationState, heard: Received<Formation>): FormationStep {
  if (state.isFormed || heard.from === state.self) return unchanged(state);
  const { from, storeId, kept, isFormed } = heard;
  if (kept && isOutside(state, kept)) return unchanged(refuseOutside(state, from, kept, isFormed));
  if (kept && isFormed && (!state.kept || state.isDamaged)) return unchanged(refuseForgetful(state, from, kept));
  if (!state.wished.voters.includes(from)) return unchanged(state);
  const keptDigest = kept && configurationDigest(kept);
  const before = state.heard.get(from);
  if (before && before.storeId === storeId && before.keptDigest === keptDigest && before.isFormed === isFormed) {
    return unchanged(state);
  }
  const next = { ...state, heard: new Map(state.heard).set(from, { storeId, keptDigest, isFormed }) };
  return advance(next, false);
}

/** Keeps and forms as far as what was heard allows. */
function advance(state: FormationState, announced: boolean): FormationStep {
  if (state.isFormed || state.foreign || state.isDamaged) return { state, records: [], announce: announced };
  if (!state.kept) {
    const refusal = state.named && refuseNamed(state, state.named);
    if (refusal) return { state: { ...state, conflict: refusal }, records: [], announce: announced };
    const configuration = state.named ? composeNamed(state, state.named) : compose(state);
    if (!configuration) return { state, records: [], announce: announced };
    if (configuration.firstPosition <= state.livedThrough) {
      const conflict =
        `a group "${configuration.group}" has lived before and its events reach version ${state.livedThrough}: ` +
        `form it with a first position above that, so that no fence meets an old term again`;
      return { state: { ...state, conflict }, records: [], announce: announced };
    }
    const rest = advance({ ...state, kept: configuration, conflict: null }, true);
    return { ...rest, records: [{ type: 'kept', configuration }, ...rest.records] };
  }
  // What is formed is formed, whoever was wiped since: its voters have heard from every store that it keeps this.
  if (!isFormedElsewhere(state)) {
    const conflict = conflictOf(state, state.kept);
    if (conflict) return { state: { ...state, conflict }, records: [], announce: announced };
    if (waitsFor(state).length > 0) return { state: { ...state, conflict: null }, records: [], announce: announced };
  }
  return { state: { ...state, conflict: null, isFormed: true }, records: [{ type: 'formed' }], announce: true };
}

/** The configuration of the options with the storeIds heard, once all are known. */
function compose(state: FormationState): Configuration | null {
  const voters: { node: NodeId; storeId: string }[] = [];
  for (const node of [...state.wished.voters].sort()) {
    const storeId = node === state.self ? state.storeId : state.heard.get(node)?.storeId;
    if (storeId === undefined) return null;
    voters.push({ node, storeId });
  }
  return { ...state.wished, voters };
}

/** Who could answer has been asked before: only then does the operator's word stand for theirs. */
function composeNamed(state: FormationState, named: Readonly<Record<NodeId, string>>): Configuration | null {
  if (state.asked < 2) return null;
  const voters = Object.entries(named).map(([node, storeId]) => ({ node, storeId }));
  return { ...state.wished, voters: voters.sort((a, b) => (a.node < b.node ? -1 : 1)) };
}

/** A bootstrap is refused if any node that answers keeps a configuration; it names every voter, and this store. */
function refuseNamed(state: FormationState, named: Readonly<Record<NodeId, string>>): string | null {
  const keeper = [...state.heard].find(([, { keptDigest }]) => keptDigest !== null);
  if (keeper) return `bootstrap refused: ${keeper[0]} keeps a configuration already`;
  const names = Object.keys(named).sort().join(', ');
  if (names !== [...state.wished.voters].sort().join(', '))
    return `bootstrap refused: it names ${names}, not the voters`;
  if (named[state.self] === state.storeId) return null;
  return `bootstrap refused: it names store ${named[state.self]} for ${state.self}, whose store is ${state.storeId}`;
}

/** True when `configuration` has this node under another store, or not at all (I2). */
function isOutside(state: Pick<FormationState, 'self' | 'storeId'>, configuration: Configuration): boolean {
  return !configuration.voters.some((voter) => voter.node === state.self && voter.storeId === state.storeId);
}

function refuseOutside(state: FormationState, from: NodeId, kept: Configuration, isFormed: boolean): FormationState {
  // Having kept one configuration, this store knows only that one; another that leaves it out is a conflict.
  if (!state.kept && isFormed) return { ...state, foreign: kept, conflict: null };
  const named = kept.voters.find((voter) => voter.node === state.self)?.storeId ?? 'no store';
  const conflict =
    `${from} keeps a configuration that names ${named} for ${state.self}, whose store is ${state.storeId} ` +
    `(a wiped or new folder). This store does not vote. An operator must decide`;
  return { ...state, conflict };
}

/**
 * A formed group holds this very store, so the store once said, durably, that it keeps this configuration, and now knows
 * nothing of it: its folder was rolled back. What else it forgot nobody can tell (I2). A damaged one has said so itself (P5);
 * it may have lost no more than that it was formed, and serves as learner all the same.
 */
function refuseForgetful(state: FormationState, from: NodeId, kept: Configuration): FormationState {
  if (state.isDamaged) return { ...state, foreign: kept, conflict: null };
  const conflict = `${from} belongs to a formed group that holds store ${state.storeId}, which does not remember it: the folder was rolled back. This store does not vote`;
  return { ...state, foreign: kept, conflict };
}

/** A voter that keeps the same is formed: it has heard from every voter, this store included. */
function isFormedElsewhere(state: FormationState): boolean {
  const digest = state.kept && configurationDigest(state.kept);
  return [...state.heard.values()].some((heard) => heard.isFormed && heard.keptDigest === digest);
}

/** Differing kept configurations stop formation until the operator speaks. */
function conflictOf(state: FormationState, kept: Configuration): string | null {
  const digest = configurationDigest(kept);
  for (const voter of kept.voters) {
    const heard = state.heard.get(voter.node);
    if (!heard) continue;
    if (heard.storeId !== voter.storeId) {
      return `${voter.node} came with store ${heard.storeId}, and this configuration keeps ${voter.storeId}: its folder was wiped or replaced during formation`;
    }
    if (heard.keptDigest !== null && heard.keptDigest !== digest) {
      return `${voter.node} keeps another configuration (${heard.keptDigest}, here ${digest}): do all nodes have the same voters, maxDriftPpm and first position?`;
    }
  }
  return null;
}

/** Voters that have not yet said that they keep what this store keeps; before it keeps anything, those not heard at all. */
function waitsFor(state: FormationState): readonly NodeId[] {
  if (state.isFormed) return [];
  const { kept } = state;
  if (!kept) return state.wished.voters.filter((node) => node !== state.self && !state.heard.has(node));
  const digest = configurationDigest(kept);
  return kept.voters
    .filter(({ node, storeId }) => {
      if (node === state.self) return false;
      const heard = state.heard.get(node);
      return !heard || heard.storeId !== storeId || heard.keptDigest !== digest;
    })
    .map((voter) => voter.node);
}

/** What this store says of itself. Sent only when the records before it are durable (P3). */
function message(state: FormationState, wantsAnswer: boolean): Formation {
  return { type: 'formation', storeId: state.storeId, kept: state.kept, isFormed: state.isFormed, wantsAnswer };
}
