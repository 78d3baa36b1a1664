import { execFileSync } from 'node:child_process';
import { FAULT_KINDS, type Failure, type Found, faultInWords, STATES } from '@synod/simulator';

/** The last line of `--json`: what a search came to. */
export interface Figures {
  readonly violations: number;
  readonly schedules: number;
  /** For each second of one core. */
  readonly schedulesPerSecond: number;
  /** Delivered ones, for each second of one core. */
  readonly messagesPerSecond: number;
  readonly messages: number;
  readonly virtualHours: number;
  readonly masterships: number;
  /** Leases from the healing of a majority to a master: half of the runs, 99 of 100, all. */
  readonly healedLeases: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Schedules in which too few good stores were left for a majority. */
  readonly unhealed: number;
  readonly refusedWrites: number;
  readonly interleavedWrites: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly firstSeed: number;
  readonly commit: string;
}

export interface Spent {
  readonly cpuSeconds: number;
  readonly seconds: number;
}

export function figuresOf(found: Found, spent: Spent, firstSeed: number): Figures {
  const sorted = [...found.healedLeases].sort((a, b) => a - b);
  const quantile = (part: number) =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0);
  const perSecond = (count: number) => Math.round(count / Math.max(spent.cpuSeconds, 0.001));
  return {
    violations: found.failures.length,
    schedules: found.schedules,
    schedulesPerSecond: perSecond(found.schedules),
    messagesPerSecond: perSecond(found.delivered),
    messages: found.delivered,
    virtualHours: rounded(found.virtualMs / 3_600_000),
    masterships: found.terms,
    healedLeases: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
    unhealed: found.unhealed,
    refusedWrites: found.refusedWrites,
    interleavedWrites: found.interleavedWrites,
    cpuSeconds: rounded(spent.cpuSeconds),
    seconds: rounded(spent.seconds),
    firstSeed,
    commit: commit(),
  };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** One line while a search goes on. */
export const progressLine = (figures: Figures, seeds: number): string =>
  `${figures.schedules}${Number.isFinite(seeds) ? ` of ${seeds}` : ''} schedules, ${figures.violations} violations, ` +
  `${figures.schedulesPerSecond} schedules/s, ${figures.messagesPerSecond} messages/s`;

/** What went wrong, and how to see it again. */
export function failureInWords({ seed, violation, faults }: Failure): string {
  const { invariant, source, what, atMs } = violation;
  return [
    `seed ${seed} at commit ${commit()}: ${invariant}`,
    `  ${what} (at ${atMs.toFixed(1)} ms; ${source})`,
    faults.length === 0 ? '  no fault is needed' : '  needs these faults:',
    ...faults.map((fault) => `    ${fault.atMs.toFixed(1)} ms: ${faultInWords(fault)}`),
    `  see it: npm run sim -- --seed ${seed} --trace`,
  ].join('\n');
}

/** Which faults met which states, and which never did. */
export function coverageInWords({ coverage }: Found): string {
  const width = Math.max(...FAULT_KINDS.map((kind) => kind.length));
  const cell = (count: number) => (count === 0 ? '-' : count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`);
  const rows = FAULT_KINDS.map((kind) =>
    [
      kind.padEnd(width),
      ...STATES.map((state) => cell(coverage.hits(kind, state)).padStart(headOf(state).length)),
    ].join('  '),
  );
  const never = coverage.neverHit();
  return [['fault'.padEnd(width), ...STATES.map(headOf)].join('  '), ...rows, neverInWords(never)].join('\n');
}

/** A few are named; many are the dashes of the table. */
function neverInWords(never: readonly { readonly kind: string; readonly state: string }[]): string {
  if (never.length === 0) return 'Every fault has met every state.';
  if (never.length > 25) return `${never.length} pairs of fault and state never met: the dashes above.`;
  return `Never met: ${never.map(({ kind, state }) => `${kind} while ${state}`).join('; ')}.`;
}

const headOf = (state: string): string => state.replace('master, ', 'm. ').padStart(6);

let known: string | null = null;

/** Seed and commit make a run again. */
export function commit(): string {
  if (known === null) {
    try {
      const git = (...parts: string[]) =>
        execFileSync('git', parts, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
      known = git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : '+changes');
    } catch {
      known = 'unknown';
    }
  }
  return known;
}
