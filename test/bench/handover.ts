import { connect } from '@nats-io/transport-node';
import { InvalidArgumentError, Option } from 'commander';
import { type Group, join } from 'synod';
import { type Bench, whole } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs } from './harness/machine-clock.ts';
import { MemberGroup, VOTERS } from './harness/member-group.ts';
import { median, summarize } from './harness/statistics.ts';

interface Options {
  readonly lease: number;
  readonly runs: number;
  readonly mode: readonly Mode[];
}

const MODES = ['resign', 'transfer'] as const;
type Mode = (typeof MODES)[number];

const BAR_MS = 3;

export const handover: Bench<Options> = {
  name: 'handover',
  summary: 'resign of the master to the next one, as an observer sees it',
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(3000),
    new Option('--runs <count>', 'how often the master gives way, in each mode').argParser(whole).default(50),
    new Option('--mode <mode,…>', 'resign: whoever asks first is next; transfer: one that is named')
      .argParser((text) => text.split(',').map(modeOf))
      .default([...MODES]),
  ],
  async run(lab, { lease, runs, mode: modes }) {
    const server = await lab.natsServer();
    const group = await MemberGroup.start(lab, server, { leaseMs: lease });
    const observer = await observe(lab, server.url, group.name, lease);
    for (const mode of modes) {
      const measured: number[] = [];
      for (let run = 1; run <= runs; run++) {
        const { node, term } = await group.masterAfter(0);
        // Who resigned or was refused rests for up to a fifth of the lease. After that any instant is as likely as any other.
        await lab.sleepUntil(machineNowMs() + (0.25 + 0.25 * Math.random()) * lease);
        const next = seesMasterAfter(observer, term);
        const member = group.member(node);
        const resigning = member.said('resigning');
        const to = VOTERS[(VOTERS.indexOf(node as (typeof VOTERS)[number]) + 1) % VOTERS.length] as string;
        member.tell(mode === 'transfer' ? { type: 'resign', to } : { type: 'resign' });
        const { atMs } = await resigning;
        const seenAtMs = await lab.expect(`a master after term ${term} at the observer`, next, 10 * lease);
        await group.masterAfter(term);
        measured.push(seenAtMs - atMs);
        lab.say(
          `handover, ${mode}, ${run} of ${runs}: ${(seenAtMs - atMs).toFixed(2)} ms; median ${median(measured).toFixed(2)} ms`,
        );
      }
      lab.report({
        figure: mode === 'resign' ? 'handover' : 'transfer',
        unit: 'ms',
        runs: measured,
        parameters: { lease, mode },
        bar: `p50 ≤ ${BAR_MS} ms`,
        ok: summarize(measured).p50 <= BAR_MS,
      });
    }
    await group.close();
  },
};

function modeOf(text: string): Mode {
  const mode = MODES.find((known) => known === text);
  if (!mode) throw new InvalidArgumentError(`One of ${MODES.join(', ')}.`);
  return mode;
}

/** This process hears of masters and is none. */
async function observe(lab: Lab, url: string, name: string, leaseMs: number): Promise<Group> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1 });
  lab.onClose(() => connection.close());
  const group = await join(connection, { group: name, node: 'observer', membership: { role: 'observer' }, leaseMs });
  lab.onClose(() => group.close());
  return group;
}

/** The instant at which the group's election is heard to have a master above `term`. */
function seesMasterAfter(observer: Group, term: number): Promise<number> {
  return new Promise((resolve) => {
    const done = new AbortController();
    observer.addEventListener(
      'change',
      ({ detail: { current } }) => {
        if (current === null || current.term <= term) return;
        resolve(machineNowMs());
        done.abort();
      },
      { signal: done.signal },
    );
  });
}
