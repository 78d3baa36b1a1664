import type { NatsServer } from '@synod/cli/internal';
import { Option } from 'commander';
import { type Bench, whole } from './harness/bench.ts';
import { build } from './harness/build.ts';
import { Holdings } from './harness/holdings.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs } from './harness/machine-clock.ts';
import { MemberGroup, VOTERS } from './harness/member-group.ts';
import type { MemberProcess } from './harness/member-process.ts';
import { cpuMs, residentBytes } from './harness/process-usage.ts';

interface Options {
  readonly count: number;
  readonly renew: number;
  readonly lease?: number;
  readonly seconds: number;
  readonly holders: number;
  readonly failover?: true;
  readonly runs: number;
}

/** Of 1000 elections, over all processes. */
const BAR_CPU = 5;
const BAR_LEASES = 1.3;
/** In one lease (T10). */
const RENEWALS = 4;

const leaseOf = ({ lease, renew }: Options): number => lease ?? RENEWALS * renew;

export const elections: Bench<Options> = {
  name: 'elections',
  summary: 'what many masterships cost that three members hold, and how long until those of a dead one are held again',
  options: [
    new Option('--count <count>', 'elections').argParser(whole).default(1000),
    new Option('--renew <ms>', 'how often a session is renewed: the lease is four times as long (T10)')
      .argParser(whole)
      .default(1000),
    new Option('--lease <ms>', 'length of the lease, instead').argParser(whole),
    new Option('--seconds <count>', 'how long they are held').argParser(whole).default(120),
    new Option('--holders <count>', 'members that share them').argParser(whole).default(3),
    new Option('--failover', 'one member holds them all, and is killed'),
    new Option('--runs <count>', 'kills, with --failover').argParser(whole).default(5),
  ],
  async run(lab, options) {
    await build(lab);
    const server = await lab.natsServer();
    if (options.failover) return failover(lab, server, options);
    const group = await MemberGroup.start(lab, server, { leaseMs: leaseOf(options), isBuilt: true, isQuiet: true });
    await hold(lab, server, group, options);
  },
};

async function hold(lab: Lab, server: NatsServer, group: MemberGroup, options: Options): Promise<void> {
  const { count, seconds, holders } = options;
  const lease = leaseOf(options);
  const holdings = new Holdings(group.members);
  const fromMs = machineNowMs();
  const share = Math.ceil(count / Math.min(holders, VOTERS.length));
  for (const [i, member] of group.members.slice(0, holders).entries())
    member.tell({ type: 'hold', from: i * share, count: Math.min(share, count - i * share) });
  await reach(lab, holdings, count, 30_000 + count * 5);
  const takenMs = machineNowMs() - fromMs;
  lab.say(`elections: ${count} are held after ${Math.round(takenMs)} ms`);
  // Garbage of the beginning is no steady state.
  await lab.sleepUntil(machineNowMs() + Math.max(3000, 2 * lease));
  const lostBefore = holdings.sum('lost');
  const pids = group.members.map(({ pid }) => pid);
  const serverBefore = await cpuMs(server.pid);
  const before = { atMs: machineNowMs(), cpu: await Promise.all(pids.map(cpuMs)) };
  const largest = pids.map(() => 0);
  for (let second = 1; second <= seconds; second++) {
    await lab.sleepUntil(before.atMs + second * 1000);
    const resident = await Promise.all(pids.map(residentBytes));
    for (const [index, bytes] of resident.entries()) largest[index] = Math.max(largest[index] ?? 0, bytes);
    if (second % 10 === 0) lab.say(`elections, ${second} of ${seconds} s: ${holdings.sum('held')} held`);
  }
  const elapsedMs = machineNowMs() - before.atMs;
  const serverCpu = (100 * ((await cpuMs(server.pid)) - serverBefore)) / elapsedMs;
  const after = await Promise.all(pids.map(cpuMs));
  const cpu = after.map((ms, index) => (100 * (ms - (before.cpu[index] ?? 0))) / elapsedMs);
  // Of each member the runs tell; all together includes the NATS server.
  const total = cpu.reduce((sum, part) => sum + part, serverCpu);
  const lost = holdings.sum('lost') - lostBefore;
  const parameters = {
    lease,
    renew: lease / RENEWALS,
    count,
    holders,
    seconds,
    members: pids.length,
    mode: 'built',
    takenMs: Math.round(takenMs),
    lost,
  };
  const isHeld = lost === 0 && holdings.sum('held') === count;
  lab.report({
    figure: 'cpu',
    unit: '% of a core',
    runs: cpu,
    value: total,
    parameters: { ...parameters, server: serverCpu, perElection: total / count },
    bar: count <= 1000 ? `all together ≤ ${BAR_CPU} %, none lost` : 'none lost',
    ok: isHeld && (count > 1000 || total <= BAR_CPU),
  });
  lab.report({ figure: 'rss', unit: 'MB', runs: largest.map((bytes) => bytes / 1e6), parameters });
}

/** A group for each run: a process dies, and those of its elections that others hold already would be no failover. */
async function failover(lab: Lab, server: NatsServer, options: Options): Promise<void> {
  const { count, runs } = options;
  const lease = leaseOf(options);
  const took: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const group = await MemberGroup.start(lab, server, { leaseMs: lease, isBuilt: true, isQuiet: true });
    took.push(await kill(lab, group, options));
    lab.say(`elections, failover, ${run} of ${runs}: all ${count} held again after ${took.at(-1)} ms`);
    await Promise.all(group.members.map((member) => member.kill()));
  }
  const slowestMs = Math.max(...took);
  lab.report({
    figure: 'failover',
    unit: 'ms',
    runs: took,
    parameters: { lease, count, leases: slowestMs / lease },
    bar: `all held again within ${BAR_LEASES} × lease`,
    ok: slowestMs <= BAR_LEASES * lease,
  });
}

async function kill(lab: Lab, group: MemberGroup, options: Options): Promise<number> {
  const { count } = options;
  const lease = leaseOf(options);
  const holdings = new Holdings(group.members);
  const [first, ...others] = group.members as [MemberProcess, ...MemberProcess[]];
  first.tell({ type: 'hold', from: 0, count });
  await reach(lab, holdings, count, 30_000 + count * 5);
  for (const member of others) member.tell({ type: 'hold', from: 0, count });
  await lab.sleepUntil(machineNowMs() + (3 + Math.random()) * lease);
  if (holdings.sum('held', first.node) > 0) throw new Error(`${first.node} lost some although nobody had died`);
  const fromMs = machineNowMs();
  await first.kill();
  await reach(lab, holdings, count, 20 * lease, first.node);
  return Math.round(machineNowMs() - fromMs);
}

/** Resolves when so many are held, by members other than `except`. */
async function reach(lab: Lab, holdings: Holdings, count: number, withinMs: number, except?: string): Promise<void> {
  await lab.expect(`${count} elections held`, holdings.reach(count, except), withinMs).catch((error: Error) => {
    throw new Error(`${error.message}, ${holdings.sum('held', except)} are`, { cause: error });
  });
}
