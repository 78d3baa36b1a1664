import { Command } from 'commander';
import { exitOnUsage } from '../support/usage.ts';
import { campaign } from './campaign.ts';
import { coldstart } from './coldstart.ts';
import { elections } from './elections.ts';
import { failover } from './failover.ts';
import { handover } from './handover.ts';
import type { Bench } from './harness/bench.ts';
import { Lab } from './harness/lab.ts';
import { type FigureLine, inWords } from './harness/report.ts';
import { idle } from './idle.ts';
import { ismaster } from './ismaster.ts';
import { natskill } from './natskill.ts';
import { silent } from './silent.ts';

interface CommonOptions {
  readonly json?: true;
  readonly strict?: true;
  readonly folder?: string;
}

const benches: readonly Bench[] = [
  failover,
  handover,
  campaign,
  elections,
  natskill,
  silent,
  coldstart,
  ismaster,
  idle,
];

const program = new Command('bench')
  .description('Measures Synod on this machine: real processes, a real NATS server, real journals.')
  .usage('<name> [options]')
  .exitOverride(exitOnUsage);

for (const bench of benches) {
  const command = program.command(bench.name).description(bench.summary);
  for (const option of bench.options) command.addOption(option);
  command
    .option('--json', 'one JSON line for each figure on stdout')
    .option('--strict', 'end with 1 when a bar is missed')
    .option('--folder <path>', 'where the journals lie, instead of the folder for temporary files')
    .action((options: CommonOptions) => run(bench, options));
}

await program.parseAsync();

async function run(bench: Bench, { json, strict, folder, ...options }: CommonOptions): Promise<void> {
  const say = (line: string): void => console.error(line);
  let isMissed = false;
  const onFigure = (line: FigureLine): void => {
    console.log(json ? JSON.stringify(line) : inWords(line));
    if (line['ok'] !== false) return;
    isMissed = true;
    say(`MISSED: ${inWords(line)}`);
  };
  const lab = new Lab({ bench: bench.name, say, onFigure, ...(folder === undefined ? {} : { folder }) });
  const onSignal = (signal: NodeJS.Signals): void => {
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    lab.fail(new Error(`stopped by ${signal}`));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await bench.run(lab, options);
    if (!lab.isSafe || (isMissed && strict)) process.exitCode = 1;
  } catch (error) {
    const reason = lab.signal.aborted ? lab.signal.reason : error;
    say(`${bench.name} could not be measured: ${(reason as Error).message}`);
    process.exitCode ??= 1;
  } finally {
    await lab.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
