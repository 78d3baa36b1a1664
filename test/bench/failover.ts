import { Option } from 'commander';
import { type Bench, whole, wholes } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs } from './harness/machine-clock.ts';
import { MemberGroup, type Reign } from './harness/member-group.ts';
import { median, rounded, summarize } from './harness/statistics.ts';

interface Options {
  readonly leases: readonly number[];
  readonly runs: number;
}

export const failover: Bench<Options> = {
  name: 'failover',
  summary: 'kill -9 of the master to the next one, and from the last renewal that one had seen',
  options: [
    new Option('--leases <ms,…>', 'lengths of the lease').argParser(wholes).default([200, 300, 1000, 3000]),
    new Option('--runs <count>', 'kills for each lease').argParser(whole).default(40),
  ],
  async run(lab, { leases, runs }) {
    const server = await lab.natsServer();
    for (const leaseMs of leases) {
      const group = await MemberGroup.start(lab, server, { leaseMs, tellsSights: true });
      const measured = await measure(lab, group, leaseMs, runs);
      await group.close();
      report(lab, leaseMs, measured);
    }
  },
};

interface Measured {
  readonly failover: readonly number[];
  readonly sinceRenewal: readonly number[];
  /** Masters that came while nobody had died. */
  readonly unprovoked: number;
}

async function measure(lab: Lab, group: MemberGroup, leaseMs: number, runs: number): Promise<Measured> {
  const failover: number[] = [];
  const sinceRenewal: number[] = [];
  let unprovoked = 0;
  for (let run = 1; run <= runs; run++) {
    let master = await group.masterAfter(0);
    while (!(await reignsUntilKill(lab, group, master, leaseMs))) {
      unprovoked++;
      lab.say(`failover, lease ${leaseMs}: ${master.node} lost term ${master.term} although nobody had died`);
      master = await group.masterAfter(master.term);
    }
    const killedAtMs = machineNowMs();
    await group.member(master.node).kill();
    const next = await group.masterAfter(master.term);
    if (next.sinceSightMs === null) throw new Error(`${next.node} saw no renewal of ${master.node}`);
    failover.push(next.atMs - killedAtMs);
    sinceRenewal.push(next.sinceSightMs);
    lab.say(
      `failover, lease ${leaseMs}, ${run} of ${runs}: ${inLeases(next.atMs - killedAtMs, leaseMs)}, ` +
        `${inLeases(next.sinceSightMs, leaseMs)} since the last renewal; median ${inLeases(median(failover), leaseMs)}`,
    );
    await group.restart(master.node);
  }
  return { failover, sinceRenewal, unprovoked };
}

/** Waits for a uniformly random instant, one lease or more after the election. False when the master had gone by then. */
async function reignsUntilKill(lab: Lab, group: MemberGroup, master: Reign, leaseMs: number): Promise<boolean> {
  const fromMs = Math.max(master.atMs + leaseMs, machineNowMs());
  await lab.sleepUntil(fromMs + Math.random() * leaseMs);
  return group.master === master;
}

function report(lab: Lab, leaseMs: number, { failover, sinceRenewal, unprovoked }: Measured): void {
  const { p50, max } = summarize(failover);
  const parameters = (runs: readonly number[]) => ({
    lease: leaseMs,
    ratio: ratios(runs, leaseMs),
    ...(unprovoked === 0 ? {} : { unprovoked }),
  });
  lab.report({
    figure: 'failover',
    unit: 'ms',
    runs: failover,
    parameters: parameters(failover),
    bar: 'p50 ≤ 0.95 × lease + 10 ms, max ≤ 1.10 × lease + 20 ms',
    ok: p50 <= 0.95 * leaseMs + 10 && max <= 1.1 * leaseMs + 20,
  });
  lab.report({
    figure: 'sinceRenewal',
    unit: 'ms',
    runs: sinceRenewal,
    parameters: { ...parameters(sinceRenewal), min: rounded(Math.min(...sinceRenewal)) },
    bar: 'each within 1.01 × lease … 1.07 × lease + 15 ms',
    ok: sinceRenewal.every((ms) => ms >= 1.01 * leaseMs && ms <= 1.07 * leaseMs + 15),
  });
}

/** The figure in leases. */
function ratios(runs: readonly number[], leaseMs: number) {
  return summarize(runs.map((ms) => ms / leaseMs));
}

const inLeases = (ms: number, leaseMs: number): string => `${ms.toFixed(1)} ms (${(ms / leaseMs).toFixed(3)} L)`;
