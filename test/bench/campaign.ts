import { connect } from '@nats-io/transport-node';
import { Option } from 'commander';
import { type Election, type Group, join, type Mastership } from 'synod';
import { type Bench, whole } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs } from './harness/machine-clock.ts';
import { MemberGroup } from './harness/member-group.ts';
import { median, summarize } from './harness/statistics.ts';

interface Options {
  readonly lease: number;
  readonly runs: number;
  readonly warmUp: number;
  readonly idle?: true;
}

const BAR_MS = 2;

/** Elections in use: who has given one back rests for up to a fifth of a lease before it asks for that one again. */
const ELECTIONS = 100;

export const campaign: Bench<Options> = {
  name: 'campaign',
  summary: 'a candidate that is no voter asks for a mastership that is free, until it is elected',
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(1000),
    new Option('--runs <count>', 'how often').argParser(whole).default(1000),
    new Option('--warm-up <count>', 'how often before that, uncounted: code that has seldom run is slow')
      .argParser(whole)
      .default(2000),
    new Option('--idle', 'after a quarter of a lease of rest each, instead of one after the other'),
  ],
  async run(lab, { lease, runs, warmUp, idle }) {
    const server = await lab.natsServer();
    const members = await MemberGroup.start(lab, server, { leaseMs: lease });
    const group = await candidate(lab, server.url, members.name, lease);
    const measured: number[] = [];
    if (warmUp > 0) lab.say(`campaign, ${warmUp} to warm up`);
    for (let run = 1 - warmUp; run <= runs; run++) {
      const election = group.election(`job-${(run + warmUp) % ELECTIONS}`);
      const { mastership, tookMs } = await lab.expect('a mastership', timed(election));
      if (run > 0) {
        measured.push(tookMs);
        if (run % 100 === 0) lab.say(`campaign, ${run} of ${runs}: median ${median(measured).toFixed(2)} ms`);
      }
      await mastership.resign();
      if (idle && run >= 0) await lab.sleepUntil(machineNowMs() + (0.25 + 0.1 * Math.random()) * lease);
    }
    await members.close();
    lab.report({
      figure: 'campaign',
      unit: 'ms',
      runs: measured,
      parameters: { lease, warmUp, mode: idle ? 'idle' : 'warm' },
      bar: `p50 ≤ ${BAR_MS} ms`,
      ok: summarize(measured).p50 <= BAR_MS,
    });
  },
};

/** What the bench does while it waits, and after, is none of what is measured. */
async function timed(election: Election): Promise<{ readonly mastership: Mastership; readonly tookMs: number }> {
  const fromMs = machineNowMs();
  const mastership = await election.campaign();
  return { mastership, tookMs: machineNowMs() - fromMs };
}

async function candidate(lab: Lab, url: string, name: string, leaseMs: number): Promise<Group> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1 });
  lab.onClose(() => connection.close());
  const group = await join(connection, { group: name, node: 'c1', membership: { role: 'candidate' }, leaseMs });
  lab.onClose(() => group.close());
  return group;
}
