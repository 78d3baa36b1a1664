import { type Bus, countSchema, nameSchema, type Subscription } from '@synod/protocol';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type AskOptions, ask } from './ask.ts';
import { type ElectionState, electionStateSchema } from './events.ts';
import { encodeJson, parseJson } from './json.ts';
import { RequestStatistics } from './request-statistics.ts';

const WHOIS = { role: 'whois', to: 'all' } as const;

export const whoisRequestSchema = Type.Object({
  v: Type.Literal(1),
  /** All elections of the group when there is none. */
  election: Type.Optional(nameSchema),
});

export const whoisAnswerSchema = Type.Object({
  v: Type.Literal(1),
  group: nameSchema,
  /** Member that answers; its own statement, an inbox carries no sender. */
  node: nameSchema,
  /** Voters of the group, by which the asker knows a majority. */
  voters: Type.Array(nameSchema, { maxItems: 64 }),
  /** Up to which position it has applied the log. */
  position: countSchema,
  elections: Type.Array(electionStateSchema),
});

/** One member's view of the masterships: news, not a licence. */
export type WhoisAnswer = Readonly<Static<typeof whoisAnswerSchema>>;

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

/** A fiftieth of the default lease of 3 s. */
const DEFAULT_WAIT_MS = 60;

const requestCheck = Compile(whoisRequestSchema);
const answerCheck = Compile(whoisAnswerSchema);

/** Answers every whois of the group with the view of this moment. Members do; nobody else. */
export function respondWhois(
  bus: Bus,
  view: () => WhoisView,
  statistics: RequestStatistics = new RequestStatistics(),
): Subscription {
  return bus.respond(WHOIS, (payload, _from, answer) => {
    const request = parseJson(payload);
    if (!requestCheck.Check(request)) return;
    statistics.measure(() => {
      const { voters, position, elections } = view();
      const asked = elections.filter(({ election }) => request.election === undefined || election === request.election);
      const answered: WhoisAnswer = { v: 1, group: bus.group, node: bus.node, voters, position, elections: asked };
      answer(encodeJson(answered));
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
      return answerCheck.Check(answer) && answer.group === bus.group ? answer : undefined;
    },
    isEnough: (heard) => (quorum === undefined ? hasMajority(heard) : nodesOf(heard).size >= quorum),
  });
  if (answers.length === 0) return null;
  const elections = new Map<string, ElectionState>();
  for (const state of answers.flatMap((answer) => answer.elections)) {
    if (state.group !== bus.group) continue;
    const known = elections.get(state.election);
    if (!known || known.version < state.version) elections.set(state.election, state);
  }
  return { elections, nodes: [...nodesOf(answers)], answers, isMajority: hasMajority(answers) };
}

const nodesOf = (answers: readonly WhoisAnswer[]): Set<string> => new Set(answers.map(({ node }) => node));

/** By the voters of the member that knows most: a set of ids, never a number of replies (protocol.md, section 2). */
function hasMajority(answers: readonly WhoisAnswer[]): boolean {
  const newest = answers.reduce((best, answer) => (answer.position > best.position ? answer : best));
  const answered = nodesOf(answers);
  const voters = new Set(newest.voters);
  return [...voters].filter((voter) => answered.has(voter)).length * 2 > voters.size;
}
