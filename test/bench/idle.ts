import { Option } from 'commander';
import { type Bench, whole } from './harness/bench.ts';
import { build } from './harness/build.ts';
import { machineNowMs } from './harness/machine-clock.ts';
import { MemberGroup } from './harness/member-group.ts';
import { cpuMs, residentBytes } from './harness/process-usage.ts';

interface Options {
  readonly lease: number;
  readonly seconds: number;
}

const BAR_CPU = 1;
const BAR_RSS = 110;

export const idle: Bench<Options> = {
  name: 'idle',
  summary: 'what a member costs while nothing happens but renewals',
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(3000),
    new Option('--seconds <count>', 'how long').argParser(whole).default(60),
  ],
  async run(lab, { lease, seconds }) {
    // Node's type stripper alone takes 20 MB, and no user's member has it.
    await build(lab);
    const server = await lab.natsServer();
    const group = await MemberGroup.start(lab, server, { leaseMs: lease, isBuilt: true, renewalsWaitMs: 10_000 });
    // Starting up is no steady state.
    await lab.sleepUntil(machineNowMs() + 2 * lease);
    const pids = group.members.map(({ pid }) => pid);
    const before = { atMs: machineNowMs(), cpu: await Promise.all(pids.map(cpuMs)) };
    const largest = pids.map(() => 0);
    for (let second = 1; second <= seconds; second++) {
      await lab.sleepUntil(before.atMs + second * 1000);
      const resident = await Promise.all(pids.map(residentBytes));
      for (const [index, bytes] of resident.entries()) largest[index] = Math.max(largest[index] ?? 0, bytes);
      if (second % 10 === 0)
        lab.say(`idle, ${second} of ${seconds} s: ${Math.round(Math.max(...resident) / 1e6)} MB at most`);
    }
    const after = { atMs: machineNowMs(), cpu: await Promise.all(pids.map(cpuMs)) };
    await group.close();
    const elapsedMs = after.atMs - before.atMs;
    const cpu = after.cpu.map((ms, index) => (100 * (ms - (before.cpu[index] ?? 0))) / elapsedMs);
    const rss = largest.map((bytes) => bytes / 1e6);
    const parameters = { lease, seconds, members: pids.length, mode: 'built' };
    lab.report({
      figure: 'cpu',
      unit: '% of a core',
      runs: cpu,
      parameters,
      bar: `each ≤ ${BAR_CPU} %`,
      ok: Math.max(...cpu) <= BAR_CPU,
    });
    lab.report({
      figure: 'rss',
      unit: 'MB',
      runs: rss,
      parameters,
      bar: `each ≤ ${BAR_RSS} MB`,
      ok: Math.max(...rss) <= BAR_RSS,
    });
  },
};
