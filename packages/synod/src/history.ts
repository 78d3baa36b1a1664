import type { Group } from '@synod/runtime';
import { monotonicNs } from './system-clock.ts';

/** A line of a history: enough for an outside checker to judge whether two masters overlapped. */
export interface HistoryLine {
  readonly node: string;
  readonly event: 'acquired' | 'renewed' | 'lost';
  readonly group: string;
  readonly election: string;
  readonly term: number;
  /** `process.hrtime.bigint()` at the event, decimal: one clock for all processes of a machine. */
  readonly at_ns: string;
  /** The last instant at which the process may act, on the same clock, decimal. For `lost`: the event itself. */
  readonly until_ns: string;
}

/** Hands each acquisition, renewal and loss of this process to `append`, as it happens. */
export function recordHistory(group: Group, append: (line: HistoryLine) => void): void {
  type Happened = { readonly election: string; readonly term: number };
  const write = (event: HistoryLine['event'], { election, term }: Happened, untilNs?: bigint): void => {
    const at = process.hrtime.bigint();
    const until = untilNs ?? at;
    append({ node: group.node, event, group: group.name, election, term, at_ns: String(at), until_ns: String(until) });
  };
  // The deadline itself, never "now and so much": a process may be stopped at any line between two readings of a clock.
  group.addEventListener('elected', ({ detail }) => write('acquired', detail, monotonicNs(detail.deadlineAtMs)));
  group.addEventListener('renewed', ({ detail }) => write('renewed', detail, monotonicNs(detail.deadlineAtMs)));
  group.addEventListener('lost', ({ detail }) => write('lost', detail));
}
