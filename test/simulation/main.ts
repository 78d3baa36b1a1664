// `npm run sim`: lets whole groups fail in every way, under one seed each, and says what broke.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  controls,
  type Found,
  MAX_NODES,
  picture,
  planOf,
  Recorder,
  run,
  search,
  statesOf,
  transcript,
  type Window,
} from '@synod/simulator';
import { Command, InvalidArgumentError, Option } from 'commander';
import { exitOnUsage } from '../support/usage.ts';
import { lookFor } from './control.ts';
import { drain } from './drain.ts';
import { explore } from './explore.ts';
import { coverageInWords, failureInWords, figuresOf, progressLine } from './report.ts';

interface Options {
  readonly trace?: string | true;
  readonly window?: Partial<Window>;
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

const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    const bounds = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `from ${least}`;
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`A whole number ${bounds}.`);
    return value;
  };

function minutesOf(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError('A number of minutes.');
  return value;
}

function controlOf(text: string): string {
  const names = ['all', ...controls.map(({ name }) => name)];
  if (!names.includes(text)) throw new InvalidArgumentError(`There are: ${names.join(', ')}.`);
  return text;
}

function windowOf(text: string): Window {
  const [from, until] = text.split('-').map(Number);
  if (from === undefined || until === undefined || !(from < until)) throw new InvalidArgumentError('as 1200-2500');
  return { fromMs: from, untilMs: until };
}

await new Command('sim')
  .description('Simulates whole groups under faults: first safety, then a healed majority must have a master.')
  .usage('[options]')
  .exitOverride(exitOnUsage)
  .option('--seeds <n>', 'how many schedules, one seed each (default: 1000; 1 with --seed alone)', whole(1))
  .option('--seed <s>', 'the first seed (default: 1)', whole(0))
  .option('--nodes <n>', 'members of each group (default: drawn, 1, 3 or 5)', whole(1, MAX_NODES))
  .option('--minutes <m>', 'go on for so long, whatever --seeds says', minutesOf)
  .option('--trace [folder]', 'write the run of --seed as text and as a drawing (default folder: the present one)')
  .option('--window <from-until>', 'of --trace: only this part, ms, as 1200-2500', windowOf)
  .option('--json', 'the figures as one JSON line on stdout, the last one')
  .option('--no-coverage', 'without the table of faults and states')
  .addOption(new Option('--explore', 'instead: every interleaving of small worlds').conflicts(['control', 'trace']))
  .addOption(new Option('--bounds <bounds>', 'of --explore').choices(['small', 'full']).default('small'))
  .addOption(
    new Option('--control <name>', 'instead: look for a rule that is broken on purpose; "all" for each in turn')
      .argParser(controlOf)
      .conflicts('trace'),
  )
  .action(simulate)
  .parseAsync();

async function simulate(options: Options): Promise<void> {
  const isJson = options.json ?? false;
  if (options.explore) return exit(explore(options.bounds, isJson));
  if (options.control !== undefined) return exit(await lookFor(options.control, options.seed, isJson));
  if (options.trace !== undefined) return trace(options);
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
  // Runs make dozens of errors that nobody reads. `--trace` of a failing seed says where they come from.
  Error.stackTraceLimit = 0;
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

function exit(isWell: boolean): void {
  process.exitCode = isWell ? 0 : 1;
}

/** Runs one seed and writes what happened. */
async function trace({ seed = 1, nodes, trace: folder, window = {} }: Options): Promise<void> {
  const plan = planOf(seed, nodes === undefined ? {} : { nodes });
  const recorder = new Recorder((life) => statesOf(life).join(', '));
  const outcome = await run(plan, { drain, watcher: recorder, onGroup: (group) => recorder.attach(group) });
  const into = folder === true || folder === undefined ? '.' : folder;
  mkdirSync(into, { recursive: true });
  const base = join(into, `sim-${seed}`);
  writeFileSync(`${base}.txt`, transcript(plan, recorder, outcome, window));
  const { leaseMs, settings } = plan;
  const title = `seed ${seed}: ${settings.nodes.length} members, lease ${leaseMs} ms`;
  writeFileSync(`${base}.svg`, picture(recorder, { title, leaseMs, ...window }));
  const { violation } = outcome;
  console.error(
    violation ? `seed ${seed}: ${violation.invariant}: ${violation.what}` : `seed ${seed}: nothing is broken`,
  );
  console.log(`${base}.txt\n${base}.svg`);
  process.exitCode = violation ? 1 : 0;
}

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
