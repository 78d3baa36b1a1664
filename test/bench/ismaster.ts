import { join as joinPath } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { Option } from 'commander';
import { type Election, type Group, join, recordHistory } from 'synod';
import { type Bench, whole } from './harness/bench.ts';
import type { Lab } from './harness/lab.ts';
import { median } from './harness/statistics.ts';

interface Options {
  readonly lease: number;
  readonly rounds: number;
  readonly calls: number;
}

const BAR_RATIO = 2.5;
/** Rounds before the compiler has settled. */
const WARM_UP_ROUNDS = 50;

export const ismaster: Bench<Options> = {
  name: 'ismaster',
  summary: 'a call of isMaster() against one of performance.now(), in turns, at a real master',
  options: [
    new Option('--lease <ms>', 'length of the lease').argParser(whole).default(3000),
    new Option('--rounds <count>', 'rounds that count').argParser(whole).default(1000),
    new Option('--calls <count>', 'calls of each in a round').argParser(whole).default(10_000),
  ],
  async run(lab, { lease, rounds, calls }) {
    const group = await joinAlone(lab, lease);
    const election = group.election();
    await lab.expect('mastership of a group of one', election.campaign());
    const perCall = { isMaster: [] as number[], now: [] as number[], ratio: [] as number[] };
    for (let round = 1 - WARM_UP_ROUNDS; round <= rounds; round++) {
      await turn(); // The lease must be renewed meanwhile.
      lab.signal.throwIfAborted();
      const now = nsOfNow(calls);
      const isMaster = nsOfIsMaster(election, calls);
      if (round < 1) continue;
      perCall.isMaster.push(isMaster);
      perCall.now.push(now);
      perCall.ratio.push(isMaster / now);
      if (round % Math.ceil(rounds / 10) === 0) lab.say(`ismaster, ${round} of ${rounds}: ${words(perCall)}`);
    }
    await group.close();
    const parameters = { lease, calls };
    lab.report({ figure: 'isMaster', unit: 'ns', runs: perCall.isMaster, parameters });
    lab.report({ figure: 'performance.now', unit: 'ns', runs: perCall.now, parameters });
    const value = median(perCall.ratio);
    lab.report({
      figure: 'ratio',
      unit: 'performance.now()',
      runs: perCall.ratio,
      value,
      parameters,
      bar: `median ≤ ${BAR_RATIO} × performance.now()`,
      ok: value <= BAR_RATIO,
    });
  },
};

/** A group of one voter: real NATS, real disk, real lease. */
async function joinAlone(lab: Lab, leaseMs: number): Promise<Group> {
  const server = await lab.natsServer();
  const journal = joinPath(await lab.temporaryFolder(), 'n1');
  const connection = await connect({ servers: server.url, maxReconnectAttempts: -1 });
  lab.onClose(() => connection.close());
  const membership = { role: 'member', voters: ['n1'], journal } as const;
  const group = await join(connection, { group: 'bench-alone', node: 'n1', membership, leaseMs });
  lab.onClose(() => group.close());
  recordHistory(group, (line) => lab.record(line));
  return group;
}

// Two loops, not one with a callback: what they call is what is measured.

function nsOfNow(calls: number): number {
  let latest = 0;
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) latest = Math.max(latest, performance.now());
  const tookNs = Number(process.hrtime.bigint() - startNs);
  if (latest === 0) throw new Error('performance.now() stands still');
  return tookNs / calls;
}

/** @throws Error when a call was not true: a master that lost its lease has less to compare. */
function nsOfIsMaster(election: Election, calls: number): number {
  let trues = 0;
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) if (election.isMaster()) trues++;
  const tookNs = Number(process.hrtime.bigint() - startNs);
  if (trues < calls) throw new Error(`${calls - trues} of ${calls} calls said no: the mastership was lost meanwhile`);
  return tookNs / calls;
}

const words = ({ isMaster, now, ratio }: Record<'isMaster' | 'now' | 'ratio', readonly number[]>): string =>
  `isMaster() ${median(isMaster).toFixed(0)} ns, performance.now() ${median(now).toFixed(0)} ns, ${median(ratio).toFixed(2)} times as much`;
