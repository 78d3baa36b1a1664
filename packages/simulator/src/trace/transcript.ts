import type { Plan } from '../run/plan.ts';
import type { Outcome } from '../run/run.ts';
import type { Recorder } from './recorder.ts';

/** Of what a transcript tells. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A run as text, a line for everything that happened, in the order in which it did. */
export function transcript(plan: Plan, recorder: Recorder, outcome: Outcome, window: Partial<Window> = {}): string {
  const { settings, leaseMs, isWithinDrift, isFormed } = plan;
  const clocks = settings.nodes.map(({ node, rate }) => `${node} ${rate.toFixed(4)}`).join(', ');
  const head = [
    `# seed ${plan.seed}: ${settings.nodes.length} members, lease ${leaseMs} ms, ${isFormed ? 'formed before' : 'not formed yet'}`,
    `# messages take ${ms(settings.link.minMs)} to ${ms(settings.link.maxMs)}, flushes ${ms(settings.disk.minMs)} to ${ms(settings.disk.maxMs)}`,
    `# clocks run at ${clocks}${isWithinDrift ? '' : ': beyond the drift allowed, S2 is not promised'}`,
    '# time in ms; < hears, > says',
  ];
  const { violation, healedLeases } = outcome;
  const end = violation
    ? [`# BROKEN at ${violation.atMs.toFixed(1)}: ${violation.invariant} (${violation.source})`, `# ${violation.what}`]
    : [
        `# nothing is broken${healedLeases === null ? '' : `; a master ${healedLeases.toFixed(2)} leases after the healing`}`,
      ];
  return [...head, ...linesOf(recorder, window), ...end, ''].join('\n');
}

/** A line for everything that happened in this time. */
export function linesOf(recorder: Recorder, window: Partial<Window> = {}): string[] {
  const { fromMs = 0, untilMs = Number.POSITIVE_INFINITY } = window;
  return recorder.entries
    .filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs)
    .map(({ atMs, node, text }) => `${atMs.toFixed(1).padStart(10)}  ${(node ?? '').padEnd(3)} ${text}`);
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
