import { Option } from 'commander';
import type { HistoryLine } from 'synod';
import { type TcpLink, tcpLink } from '../nats/tcp-link.ts';
import { type Bench, whole } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs, msOfNs } from './harness/machine-clock.ts';
import { MemberGroup, VOTERS } from './harness/member-group.ts';

interface Options {
  readonly lease: number;
  readonly runs: number;
}

export const silent: Bench<Options> = {
  name: 'silent',
  summary:
    "the master's link to NATS goes silent, without a close: when its signal fires, and when the next is elected",
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(1000),
    new Option('--runs <count>', 'how often').argParser(whole).default(10),
  ],
  async run(lab, { lease, runs }) {
    const server = await lab.natsServer();
    const links = new Map<string, TcpLink>();
    for (const node of VOTERS) {
      const link = await tcpLink({ host: '127.0.0.1', port: server.port });
      lab.onClose(() => link.close());
      links.set(node, link);
    }
    const history: HistoryLine[] = [];
    const group = await MemberGroup.start(lab, (node) => [(links.get(node) as TcpLink).url], {
      leaseMs: lease,
      onHistory: (line) => history.push(line),
    });
    const leads: number[] = [];
    const took: number[] = [];
    for (let run = 1; run <= runs; run++) {
      const { leadMs, tookMs } = await silence(lab, group, links, history, lease);
      leads.push(leadMs);
      took.push(tookMs);
      lab.say(
        `silent, ${run} of ${runs}: the signal fired ${leadMs.toFixed(1)} ms before the next was elected, ` +
          `${tookMs.toFixed(0)} ms after the link went silent`,
      );
    }
    const leastMs = Math.min(...leads);
    lab.report({
      figure: 'signalLead',
      unit: 'ms',
      runs: leads,
      value: leastMs,
      parameters: { lease },
      bar: 'the signal of the old one fires before the next is elected, each time, and no ms with two masters',
      ok: leastMs > 0 && lab.isSafe,
    });
    lab.report({ figure: 'failover', unit: 'ms', runs: took, parameters: { lease } });
    for (const link of links.values()) link.flow();
    await group.close();
  },
};

async function silence(
  lab: Lab,
  group: MemberGroup,
  links: ReadonlyMap<string, TcpLink>,
  history: readonly HistoryLine[],
  leaseMs: number,
): Promise<{ leadMs: number; tookMs: number }> {
  const reign = await group.masterAfter(0);
  await lab.sleepUntil(Math.max(machineNowMs(), reign.atMs) + (1 + Math.random()) * leaseMs);
  const { node, term } = await group.masterAfter(0);
  const link = links.get(node) as TcpLink;
  const silentAtMs = machineNowMs();
  link.stall();
  const next = await group.masterAfter(term);
  // What the old one says comes by its own pipe, a moment later.
  const lost = () => history.find((line) => line.event === 'lost' && line.node === node && line.term === term);
  const untilMs = machineNowMs() + 10 * leaseMs;
  while (!lost()) {
    if (machineNowMs() > untilMs) throw new Error(`the signal of ${node} did not fire`);
    await lab.sleepUntil(machineNowMs() + 5);
  }
  link.flow();
  await group.caughtUp(node);
  return { leadMs: next.atMs - msOfNs((lost() as HistoryLine).at_ns), tookMs: next.atMs - silentAtMs };
}
