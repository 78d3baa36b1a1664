import { writeFileSync } from 'node:fs';
import { judgeHistory, overlapMs } from '../lab/overlap.ts';
import { type Terminal, table } from '../terminal.ts';
import { judgeRun } from './judgement.ts';
import { NotSeenError } from './observations.ts';
import { drawDemo } from './picture.ts';
import { GROUP, NODES, Stage } from './stage.ts';
import { now, type Outcome, type Step, steps } from './steps.ts';

export interface DemoOptions {
  readonly leaseMs: number;
  /** Leave the group running. */
  readonly isKept: boolean;
  /** Draw what was seen into this file. */
  readonly picture: string | undefined;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

interface Done extends Outcome {
  readonly title: string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

/**
 * Runs the whole play.
 * @returns true when every step was seen and there never were two masters.
 * @throws the reason of `signal`.
 */
export async function playDemo(options: DemoOptions): Promise<boolean> {
  const { leaseMs, isKept, picture, signal, terminal } = options;
  const { say, paintSay } = terminal;
  const beganNs = now();
  say(`${paintSay('bold', 'Synod demo')}: three workers, one of them master; lease ${leaseMs} ms`);
  const stage = await Stage.set({ leaseMs, signal, say: (line) => say(paintSay('dim', line)) });
  let isLeft = false;
  try {
    say(
      paintSay('dim', `nats-server ${stage.nats.version} with JetStream at ${stage.nats.url}, logs in ${stage.folder}`),
    );
    stage.startWatcher();
    const done: Done[] = [];
    for (const step of steps) done.push(await play(step, stage, terminal));
    stage.seen.look();
    const problems = judgeRun(stage.seen);
    report(done, stage, terminal);
    if (picture !== undefined) writeFileSync(picture, drawn(done, stage));
    for (const problem of problems) say(`${paintSay('red', '✘')} ${problem}`);
    if (problems.length > 0) {
      sayLastWords(stage, terminal);
      return false;
    }
    say(`${paintSay('green', '✔')} every step was seen, in ${seconds(now() - beganNs)} s`);
    if (isKept) {
      tellHowToGoOn(stage, terminal);
      await stage.release();
      isLeft = true;
    }
    return true;
  } catch (error) {
    if (!(error instanceof NotSeenError)) throw error;
    say(`${paintSay('red', '✘')} ${error.message}`);
    sayLastWords(stage, terminal);
    return false;
  } finally {
    if (!isLeft) await stage.strike();
  }
}

async function play(step: Step, stage: Stage, { say, paintSay }: Terminal): Promise<Done> {
  say(`${paintSay('cyan', '▶')} ${step.title} …`);
  const fromNs = now();
  const outcome = await step.run(stage);
  const { master, term, tookMs, notes } = outcome;
  const who = `${paintSay('bold', master)} is master with term ${term}`;
  say(`  ${paintSay('green', '✔')} ${who}, ${format(tookMs)} ms; ${notes.join('; ')}`);
  return { ...outcome, title: step.title, fromNs, toNs: now() };
}

function report(done: readonly Done[], { seen }: Stage, { out, paint }: Terminal): void {
  const { tenures } = judgeHistory(seen.history);
  const rows = done.map(({ title, master, term, tookMs, fromNs, toNs }) => [
    title,
    master,
    String(term),
    format(tookMs),
    String(overlapMs(tenures, fromNs, toNs)),
  ]);
  const total = ['in all', '', '', '', String(overlapMs(tenures))];
  const header = ['step', 'master', 'term', 'took ms', 'ms with two masters'];
  const [first = '', ...lines] = table([header, ...rows, total], [2, 3, 4]);
  out('');
  out(paint('bold', first));
  for (const line of lines) out(line);
  out('');
}

function drawn(done: readonly Done[], { seen }: Stage): string {
  const { tenures, overlapMs } = judgeHistory(seen.history);
  const scenes = done.map((scene) => ({ ...scene, took: format(scene.tookMs) }));
  return drawDemo({ nodes: NODES, scenes, tenures, overlapMs });
}

function sayLastWords(stage: Stage, { say, paintSay }: Terminal): void {
  for (const line of stage.lastWords()) say(paintSay('dim', `  ${line}`));
}

function tellHowToGoOn(stage: Stage, { out }: Terminal): void {
  const isSource = import.meta.url.endsWith('.ts');
  const synod = isSource ? 'npm run synod --' : 'synod';
  const flags = `--group ${GROUP} --nats-url ${stage.nats.url}`;
  const pids = [...stage.players.map(({ pid }) => pid), stage.nats.pid];
  out('The group runs on. Talk to it:');
  for (const command of ['whois', 'watch', 'status']) out(`  ${synod} ${command} ${flags}`);
  for (const node of NODES) out(`  kill -9 ${stage.worker(node).pid}  # ${node}`);
  out('Stop it:');
  out(`  kill ${pids.join(' ')}; rm -r ${stage.folder}`);
}

const format = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));

const seconds = (ns: bigint): string => (Number(ns) / 1e9).toFixed(1);
