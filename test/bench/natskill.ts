import type { NatsCluster, NatsServer } from '@synod/cli/internal';
import { Option } from 'commander';
import { type Bench, whole } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { machineNowMs, msOfNs } from './harness/machine-clock.ts';
import { MemberGroup, VOTERS } from './harness/member-group.ts';

interface Options {
  readonly lease: number;
  readonly runs: number;
}

/** Whose connection hangs on the server that is killed. */
const CONNECTIONS = ['own', 'other'] as const;
type Connection = (typeof CONNECTIONS)[number];

/** A mastership that outlives this many leases was not lost. */
const WATCHED_LEASES = 3;

export const natskill: Bench<Options> = {
  name: 'natskill',
  summary: "kill -9 of one of three clustered NATS servers, on the master's own connection and on another one",
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(1000),
    new Option('--runs <count>', 'kills, for each of the two connections').argParser(whole).default(10),
  ],
  async run(lab, { lease, runs }) {
    const gaps: number[] = [];
    for (const connection of CONNECTIONS) {
      const kept: number[] = [];
      for (let run = 1; run <= runs; run++) {
        const { isKept, gapMs } = await kill(lab, connection, lease, `natskill-${connection}-${run}`);
        kept.push(isKept ? 1 : 0);
        gaps.push(gapMs);
        lab.say(
          `natskill, ${connection} connection, ${run} of ${runs}: ${isKept ? 'kept' : 'LOST'}, ` +
            `at most ${gapMs.toFixed(0)} ms between two renewals`,
        );
      }
      const value = kept.reduce((sum, each) => sum + each, 0);
      lab.report({
        figure: `kept, ${connection}`,
        unit: 'masterships',
        runs: kept,
        value,
        parameters: { lease, connection, servers: VOTERS.length },
        bar: `mastership kept ${runs} of ${runs}`,
        ok: value === runs,
      });
    }
    lab.report({ figure: 'renewalGap', unit: 'ms', runs: gaps, parameters: { lease } });
  },
};

/** Servers and group anew each time: members that found refuge elsewhere would all hang on the same one. */
async function kill(
  lab: Lab,
  connection: Connection,
  leaseMs: number,
  name: string,
): Promise<{ isKept: boolean; gapMs: number }> {
  const cluster = await lab.natsCluster();
  const renewals: { readonly term: number; readonly atMs: number }[] = [];
  const group = await MemberGroup.start(lab, (node) => rotated(cluster.urls, VOTERS.indexOf(node as 'n1')), {
    leaseMs,
    name,
    onHistory: ({ event, term, at_ns }) => {
      if (event !== 'lost') renewals.push({ term, atMs: msOfNs(at_ns) });
    },
  });
  const reign = await group.masterAfter(0);
  await lab.sleepUntil(reign.atMs + (1 + Math.random()) * leaseMs);
  const { node, term } = await group.masterAfter(0);
  const killedAtMs = machineNowMs();
  await (await serverOf(cluster, group, connection, node)).kill('SIGKILL');
  await lab.sleepUntil(killedAtMs + WATCHED_LEASES * leaseMs);
  const isKept = group.master?.term === term;
  const instants = renewals.filter((renewal) => renewal.term === term).map(({ atMs }) => atMs);
  const gapMs = Math.max(...instants.map((atMs, i) => atMs - (instants[i - 1] ?? atMs)));
  await Promise.all(group.members.map((member) => member.kill()));
  await cluster.stop();
  return { isKept, gapMs };
}

/** The server that the master is connected to, or one that another member is connected to and the master is not. */
async function serverOf(
  cluster: NatsCluster,
  group: MemberGroup,
  connection: Connection,
  master: string,
): Promise<NatsServer> {
  const statuses = await Promise.all(
    group.members.map(async (member) => ({ node: member.node, server: (await member.status()).server })),
  );
  const own = statuses.find(({ node }) => node === master)?.server;
  const wanted = connection === 'own' ? own : statuses.find(({ server }) => server !== own)?.server;
  const found = cluster.servers.find(({ port }) => wanted?.endsWith(`:${port}`));
  if (!found) throw new Error(`no server of the cluster is at ${wanted}`);
  return found;
}

const rotated = <T>(items: readonly T[], by: number): readonly T[] => [...items.slice(by), ...items.slice(0, by)];
