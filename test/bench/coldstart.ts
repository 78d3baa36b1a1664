import { Option } from 'commander';
import { type Bench, whole } from './harness/bench.ts';
import { MemberGroup, VOTERS } from './harness/member-group.ts';
import { median, summarize } from './harness/statistics.ts';

interface Options {
  readonly lease: number;
  readonly runs: number;
}

const BAR_MS = 60;

export const coldstart: Bench<Options> = {
  name: 'coldstart',
  summary: 'three processes up, their journals formed before, to the first master',
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(3000),
    new Option('--runs <count>', 'how often all are stopped and started').argParser(whole).default(20),
  ],
  async run(lab, { lease, runs }) {
    const server = await lab.natsServer();
    // Forms the journals, and ends in good order: nobody's lease is waited for later.
    const group = await MemberGroup.start(lab, server, { leaseMs: lease });
    await group.close();
    const measured: number[] = [];
    for (let run = 1; run <= runs; run++) {
      const { term } = await group.masterAfter(0);
      // All are up before the first one joins, or two would have elected a master before the third is there.
      const members = VOTERS.map((node) => group.spawn(node, { waits: true }));
      await Promise.all(members.map((member) => member.said('up')));
      const subscribed = Promise.all(members.map((member) => member.said('subscribed')));
      const joined = Promise.all(members.map((member) => member.said('joined')));
      for (const member of members) member.tell({ type: 'join' });
      const lastAtMs = Math.max(...(await subscribed).map(({ atMs }) => atMs));
      const first = await group.masterAfter(term);
      measured.push(first.atMs - lastAtMs);
      lab.say(
        `coldstart, ${run} of ${runs}: ${(first.atMs - lastAtMs).toFixed(1)} ms; median ${median(measured).toFixed(1)} ms`,
      );
      await joined;
      await group.close();
    }
    lab.report({
      figure: 'coldstart',
      unit: 'ms',
      runs: measured,
      parameters: { lease },
      bar: `p50 ≤ ${BAR_MS} ms`,
      ok: summarize(measured).p50 <= BAR_MS,
    });
  },
};
