// `npm run sim`: lets whole groups fail in every way, under one seed each, and says what broke.
import { type Found, search } from '@synod/simulator';
import { Command, InvalidArgumentError, Option } from 'commander';
import { lookFor } from './control.ts';
import { drain } from './drain.ts';
import { explore } from './explore.ts';
import { coverageInWords, failureInWords, figuresOf, progressLine } from './report.ts';

interface Options {
  readonly seeds?: number;
  readonly seed?: number;
  readonly nodes?: number;
  readonly minutes?: number;
  readonly json?: true;
  readonly coverage: boolean;
  readonly explore?: true;
  readonly bounds: 'small' | 'full';
  readonly control?: string;
}

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number');
  return value;
};

await new Command('sim')
  .description('Simulates whole groups under faults: first safety, then a healed majority must have a master.')
  .usage('[options]')
  .option('--seeds <n>', 'how many schedules, one seed each (default: 1000; 1 with --seed alone)', whole)
  .option('--seed <s>', 'the first seed (default: 1)', whole)
  .option('--nodes <n>', 'members of each group (default: drawn, 1, 3 or 5)', whole)
  .option('--minutes <m>', 'go on for so long, whatever --seeds says', Number)
  .option('--json', 'the figures as one JSON line on stdout, the last one')
  .option('--no-coverage', 'without the table of faults and states')
  .option('--explore', 'instead: every interleaving of small worlds')
  .addOption(new Option('--bounds <bounds>', 'of --explore').choices(['small', 'full']).default('small'))
  .option('--control <name>', 'instead: look for a rule that is broken on purpose; "all" for each in turn')
  .action(simulate)
  .parseAsync();

async function simulate(options: Options): Promise<void> {
  const isJson = options.json ?? false;
  if (options.explore) return exit(explore(options.bounds, isJson));
  if (options.control !== undefined) return exit(await lookFor(options.control, options.seed, isJson));
  const { seed = 1, nodes, minutes, json } = options;
  const seeds =
    minutes === undefined ? (options.seeds ?? (options.seed === undefined ? 1000 : 1)) : Number.POSITIVE_INFINITY;
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const spent = () => {
    const { user, system } = process.cpuUsage(cpu);
    return { cpuSeconds: (user + system) / 1e6, seconds: (performance.now() - startedMs) / 1000 };
  };
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
  });
  let present = seed;
  process.on('unhandledRejection', (reason) => {
    console.error(`seed ${present}: nobody handled`, reason);
    process.exit(1);
  });
  const tell = progress((found) => progressLine(figuresOf(found, spent(), seed), seeds));
  const found = await search({
    drain,
    from: seed,
    seeds,
    ...(nodes === undefined ? {} : { nodes }),
    onOutcome: (outcome, soFar) => {
      present = outcome.seed + 1;
      tell(soFar);
      const failure = outcome.violation && soFar.failures.at(-1);
      if (failure) console.error(failureInWords(failure));
    },
    isEnough: () => isStopped || (minutes !== undefined && spent().seconds >= minutes * 60),
  });
  const figures = figuresOf(found, spent(), seed);
  console.error(progressLine(figures, seeds));
  if (options.coverage && found.schedules > 1) console.error(coverageInWords(found));
  if (json) console.log(JSON.stringify(figures));
  process.exitCode = found.failures.length > 0 ? 1 : isStopped ? 130 : 0;
}

const exit = (isWell: boolean): void => {
  process.exitCode = isWell ? 0 : 1;
};

/** A line on a terminal that is written over; elsewhere one now and then. */
function progress(line: (found: Found) => string): (found: Found) => void {
  const everyMs = process.stderr.isTTY ? 500 : 10_000;
  let nextMs = performance.now() + everyMs;
  return (found) => {
    const nowMs = performance.now();
    if (nowMs < nextMs) return;
    nextMs = nowMs + everyMs;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line(found)}` : `${line(found)}\n`);
  };
}
