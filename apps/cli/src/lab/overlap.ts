import { readFileSync } from 'node:fs';
import type { HistoryLine } from 'synod';

/** One mastership as a history tells it. Instants are of the machine's monotonic clock, which all its processes share. */
export interface Tenure {
  readonly group: string;
  readonly election: string;
  readonly node: string;
  readonly term: number;
  /** `acquired`. */
  readonly fromNs: bigint;
  /** The earlier of `lost` and the last `until_ns`: from then on the process may not act, whatever it believes. */
  readonly toNs: bigint;
}

/** Two masterships of one election that were in force at once. */
export interface Overlap {
  readonly group: string;
  readonly election: string;
  readonly first: Tenure;
  readonly second: Tenure;
  readonly ms: number;
}

/** What the histories of all processes of a machine show. */
export interface Verdict {
  readonly tenures: readonly Tenure[];
  /** Time during which an election had two masters, summed over elections. S2 says 0. */
  readonly overlapMs: number;
  readonly overlaps: readonly Overlap[];
  /** Breaches of S1, a sentence each: terms that do not grow, terms with two nodes, lines that cannot be. */
  readonly problems: readonly string[];
}

/**
 * Judges whether there ever were two masters, from outside: it trusts nothing but the stamps.
 *
 * @param lines - Of all processes of one machine, in any order.
 */
export function judgeHistory(lines: readonly HistoryLine[]): Verdict {
  const problems: string[] = [];
  const tenures = tenuresOf(lines, problems);
  const elections = [...Map.groupBy(tenures, nameOf).values()];
  for (const election of elections) problems.push(...termProblems(election));
  return {
    tenures,
    overlapMs: overlapMs(tenures),
    overlaps: elections.flatMap(overlapsOf),
    problems,
  };
}

/**
 * Time during which an election had two masters, in ms, summed over elections.
 *
 * @param fromNs - Counts only what lies after it.
 * @param toNs - Counts only what lies before it.
 */
export function overlapMs(tenures: readonly Tenure[], fromNs?: bigint, toNs?: bigint): number {
  let totalNs = 0n;
  for (const election of Map.groupBy(tenures, nameOf).values()) {
    const steps = election
      .map((tenure) => ({
        fromNs: later(tenure.fromNs, fromNs ?? tenure.fromNs),
        toNs: earlier(tenure.toNs, toNs ?? tenure.toNs),
      }))
      .filter((clipped) => clipped.fromNs < clipped.toNs)
      .flatMap((clipped) => [
        { atNs: clipped.fromNs, change: 1 },
        { atNs: clipped.toNs, change: -1 },
      ])
      // One that ends at the very instant at which another begins does not overlap it.
      .sort((a, b) => compare(a.atNs, b.atNs) || a.change - b.change);
    let masters = 0;
    let sinceNs = 0n;
    for (const { atNs, change } of steps) {
      if (masters >= 2) totalNs += atNs - sinceNs;
      masters += change;
      sinceNs = atNs;
    }
  }
  return toMs(totalNs);
}

/** Reads histories of several processes. A file that is not there yet is an empty one. */
export function readHistories(files: readonly string[]): HistoryLine[] {
  return files.flatMap((file) => {
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return parseHistory(text, file);
  });
}

/**
 * Reads JSON lines. What follows the last line break is left out: its writer was killed, or is still writing.
 * @throws Error naming a line that is none.
 */
export function parseHistory(text: string, file = 'history'): HistoryLine[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const parsed = parseLine(line);
    if (!parsed) throw new Error(`${file}:${index + 1} is no line of a history: ${line.slice(0, 200)}`);
    return parsed;
  });
}

const EVENTS: readonly string[] = ['acquired', 'renewed', 'lost'] satisfies HistoryLine['event'][];

function parseLine(text: string): HistoryLine | null {
  try {
    const line = JSON.parse(text) as HistoryLine;
    const { node, event, group, election, term, at_ns, until_ns } = line;
    const isNamed = [node, group, election].every((name) => typeof name === 'string' && name !== '');
    const isStamped = [at_ns, until_ns].every((stamp) => typeof stamp === 'string' && /^\d+$/.test(stamp));
    return isNamed && isStamped && EVENTS.includes(event) && Number.isSafeInteger(term) ? line : null;
  } catch {
    return null;
  }
}

function tenuresOf(lines: readonly HistoryLine[], problems: string[]): Tenure[] {
  const masterships = Map.groupBy(lines, (line) => `${nameOf(line)} ${line.node} ${line.term}`);
  const tenures: Tenure[] = [];
  for (const events of masterships.values()) {
    // Stable: events of one instant stay in the order in which they were written.
    events.sort((a, b) => compare(BigInt(a.at_ns), BigInt(b.at_ns)));
    const [first, ...rest] = events as [HistoryLine, ...HistoryLine[]];
    const { group, election, node, term } = first;
    const what = `term ${term} of ${node} in ${nameOf(first)}`;
    if (first.event !== 'acquired') problems.push(`${what} was ${first.event} before it was acquired`);
    if (rest.some(({ event }) => event === 'acquired')) problems.push(`${what} was acquired twice`);
    const lost = events.find(({ event }) => event === 'lost');
    const until = events.findLast(({ event }) => event !== 'lost') ?? first;
    const untilNs = BigInt(until.until_ns);
    const toNs = lost ? earlier(BigInt(lost.at_ns), untilNs) : untilNs;
    tenures.push({ group, election, node, term, fromNs: BigInt(first.at_ns), toNs });
  }
  return tenures.sort((a, b) => compare(a.fromNs, b.fromNs));
}

/** @param tenures - Of one election, in order of acquisition. */
function termProblems(tenures: readonly Tenure[]): string[] {
  const problems: string[] = [];
  for (const [index, tenure] of tenures.entries()) {
    const before = tenures[index - 1];
    if (!before) continue;
    const { node, term } = tenure;
    if (term < before.term) {
      problems.push(`term ${term} of ${node} came after term ${before.term} of ${before.node} in ${nameOf(tenure)}`);
    }
  }
  for (const [term, holders] of Map.groupBy(tenures, (tenure) => tenure.term)) {
    const nodes = [...new Set(holders.map(({ node }) => node))];
    if (nodes.length > 1) problems.push(`term ${term} of ${nameOf(holders[0] as Tenure)} has ${nodes.join(' and ')}`);
  }
  return problems;
}

/** @param tenures - Of one election, in order of acquisition. */
function overlapsOf(tenures: readonly Tenure[]): Overlap[] {
  return tenures.flatMap((first, index) =>
    tenures.slice(index + 1).flatMap((second) => {
      const { group, election } = first;
      const ns = earlier(first.toNs, second.toNs) - second.fromNs;
      return ns > 0n ? [{ group, election, first, second, ms: toMs(ns) }] : [];
    }),
  );
}

const nameOf = ({ group, election }: { readonly group: string; readonly election: string }): string =>
  `${group}/${election}`;

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

// Math.min takes no bigint.
const earlier = (a: bigint, b: bigint): bigint => [a, b].sort(compare)[0] as bigint;
const later = (a: bigint, b: bigint): bigint => [a, b].sort(compare)[1] as bigint;

const toMs = (ns: bigint): number => Number(ns) / 1e6;
