import type { Bus, Subscription } from '@synod/protocol';
import { type AskOptions, ask } from './ask.ts';
import { encodeJson, parseJson } from './json.ts';
import { RequestStatistics } from './request-statistics.ts';
import type { ElectionState } from './schemas/events.ts';
import type { WhoisAnswer } from './schemas/whois.ts';
import { isWhoisAnswer, isWhoisRequest } from './validators.generated.ts';

const WHOIS = { role: 'whois', to: 'all' } as const;

/** What a member tells of itself; the rest of a {@link WhoisAnswer} its bus knows. */
export type WhoisView = Pick<WhoisAnswer, 'voters' | 'position' | 'elections'>;

/** The best of several answers. */
export interface Whois {
  /** Per election, the state of the highest version heard. */
  readonly elections: ReadonlyMap<string, ElectionState>;
  /** Members that answered. */
  readonly nodes: readonly string[];
  /** What each of them said, in the order in which the answers came. */
  readonly answers: readonly WhoisAnswer[];
  /** True when a majority of voters answered. Even then a newer state may be chosen that none of them has applied. */
  readonly isMajority: boolean;
}

export interface AskWhoisOptions extends AskOptions {
  /** Default: all of the group. */
  readonly election?: string;
  /** Answers that are enough. Default: a majority of the voters that the answers name. */
  readonly quorum?: number;
}

/** Names and brackets of an answer around its elections. */
const FRAME_BYTES = 128;

/** A fiftieth of the default lease of 3 s. */
const DEFAULT_WAIT_MS = 60;

/** Answers every whois of the group with the view of this moment. Members do; nobody else. */
export function respondWhois(
  bus: Bus,
  view: () => WhoisView,
  statistics: RequestStatistics = new RequestStatistics(),
): Subscription {
  return bus.respond(WHOIS, (payload, _from, answer) => {
    const request = parseJson(payload);
    if (!isWhoisRequest(request)) return statistics.refused('not a question that whois knows');
    statistics.measure(() => {
      const { voters, position, elections } = view();
      const asked = elections.filter(({ election }) => request.election === undefined || election === request.election);
      const rest: Omit<WhoisAnswer, 'elections'> = { v: 1, group: bus.group, node: bus.node, voters, position };
      const pieces = inPieces(asked, bus.maxPayloadBytes - encodeJson(rest).length - FRAME_BYTES);
      if (pieces.length === 1) return answer(encodeJson({ ...rest, elections: asked }));
      for (const [index, elections] of pieces.entries())
        answer(encodeJson({ ...rest, elections, piece: { index, of: pieces.length } }));
    });
  });
}

/**
 * Asks the members who is master, and takes the highest version heard until a majority answered, or until `waitMs` (a
 * fiftieth of the lease) after the first answer.
 *
 * @returns `null` when nobody answered in `timeoutMs`, or nobody is there.
 */
export async function askWhois(bus: Bus, options: AskWhoisOptions = {}): Promise<Whois | null> {
  const { election, quorum, waitMs = DEFAULT_WAIT_MS } = options;
  const answers = await ask<WhoisAnswer>(bus, {
    ...options,
    waitMs,
    to: WHOIS,
    payload: encodeJson(election === undefined ? { v: 1 } : { v: 1, election }),
    parse: (payload) => {
      const answer = parseJson(payload);
      return isWhoisAnswer(answer) && answer.group === bus.group ? answer : undefined;
    },
    isEnough: (heard) => (quorum === undefined ? hasMajority(heard) : nodesOf(heard).size >= quorum),
    isMoreToCome: ({ piece }) => piece !== undefined,
  });
  if (answers.length === 0) return null;
  const elections = new Map<string, ElectionState>();
  for (const state of answers.flatMap((answer) => answer.elections)) {
    if (state.group !== bus.group) continue;
    const known = elections.get(state.election);
    if (!known || known.version < state.version) elections.set(state.election, state);
  }
  return { elections, nodes: [...nodesOf(answers)], answers: joined(answers), isMajority: hasMajority(answers) };
}

/** Who answered, in as many pieces as there are. */
function nodesOf(answers: readonly WhoisAnswer[]): Set<string> {
  const pieces = new Map<string, Set<number>>();
  const nodes = new Set<string>();
  for (const { node, position, piece } of answers) {
    if (!piece) {
      nodes.add(node);
      continue;
    }
    // Pieces of two views are neither.
    const key = `${node} ${position} ${piece.of}`;
    const heard = pieces.get(key) ?? new Set();
    pieces.set(key, heard.add(piece.index));
    if (heard.size === piece.of) nodes.add(node);
  }
  return nodes;
}

/** What came in several messages as one answer, whether or not all of them came. */
function joined(answers: readonly WhoisAnswer[]): WhoisAnswer[] {
  const whole: WhoisAnswer[] = [];
  const parts = new Map<string, WhoisAnswer>();
  for (const { piece, ...answer } of answers) {
    const key = `${answer.node} ${answer.position}`;
    const known = piece ? parts.get(key) : undefined;
    if (known) known.elections.push(...answer.elections);
    else whole.push(answer);
    if (piece && !known) parts.set(key, answer);
  }
  return whole;
}

/** As many of them together as fit into so many bytes of JSON; one that is larger stands alone. */
function inPieces(elections: readonly ElectionState[], maxBytes: number): ElectionState[][] {
  const pieces: ElectionState[][] = [[]];
  let bytes = 0;
  for (const election of elections) {
    const size = encodeJson(election).length + 1;
    if (bytes + size > maxBytes && bytes > 0) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)?.push(election);
    bytes += size;
  }
  return pieces;
}

/** By the voters of the member that knows most: a set of ids, never a number of replies (protocol.md, section 2). */
function hasMajority(answers: readonly WhoisAnswer[]): boolean {
  const newest = answers.reduce((best, answer) => (answer.position > best.position ? answer : best));
  const answered = nodesOf(answers);
  const voters = new Set(newest.voters);
  return [...voters].filter((voter) => answered.has(voter)).length * 2 > voters.size;
}
