import { askWhois } from '@synod/nats';
import type { HistoryLine } from 'synod';
import { judgeHistory, type Tenure } from '../lab/overlap.ts';
import { CLOCK_SLACK_NS } from './judgement.ts';
import { type Heard, NotSeenError } from './observations.ts';
import { NODES, type Stage } from './stage.ts';

/** What one step came to. */
export interface Outcome {
  readonly master: string;
  readonly term: number;
  /** What the step's sentence says took this long. */
  readonly tookMs: number;
  /** What else was seen, a few words each. */
  readonly notes: readonly string[];
}

export interface Step {
  readonly title: string;
  /** @throws NotSeenError when what the title says is not seen. */
  readonly run: (stage: Stage) => Promise<Outcome>;
}

/** Section by section what a user fears, in the order of fear. */
export const steps: readonly Step[] = [
  { title: 'three workers start', run: firstMaster },
  { title: 'kill -9 of the master', run: killMaster },
  { title: 'the killed one returns from its journal', run: returnOfTheKilled },
  { title: 'the master resigns (SIGTERM)', run: resignation },
  { title: 'SIGSTOP of the master past its lease', run: pauseMaster },
  { title: 'SIGCONT of the paused one', run: wakePaused },
  { title: 'the NATS server is killed and restarted', run: restartNats },
];

async function firstMaster(stage: Stage): Promise<Outcome> {
  const { seen, patienceMs } = stage;
  const fromNs = now();
  for (const node of NODES) stage.startWorker(node);
  for (const node of NODES) {
    await seen.until(`${node} to join`, patienceMs, () => seen.joined.some((joined) => joined.node === node));
  }
  // Two pieces of work are a second apart: in that second the others had time to show that they work too.
  const elected = await works(stage, await nextMaster(stage, fromNs), 2);
  return outcome(elected, fromNs, ["its work runs, nobody else's", await watcherHeard(stage, elected)]);
}

async function killMaster(stage: Stage): Promise<Outcome> {
  const master = await presentMaster(stage);
  const fromNs = now();
  stage.worker(master.node).kill('SIGKILL');
  await stage.worker(master.node).ended;
  const elected = await works(stage, await nextMaster(stage, fromNs, master));
  return outcome(elected, fromNs, [`${master.node} was master`, await watcherHeard(stage, elected, 'expired')]);
}

async function returnOfTheKilled(stage: Stage): Promise<Outcome> {
  const killed = NODES.find((node) => stage.worker(node).ending !== undefined);
  if (killed === undefined) throw new NotSeenError('nobody was killed');
  const fromNs = now();
  const master = await comeBack(stage, killed);
  const { heard } = stage.seen;
  if (heard.at(-1)?.master !== master.node)
    throw new NotSeenError(`master-watch does not know that it is ${master.node}`);
  return outcome({ ...master, fromNs: now() }, fromNs, [`${killed} follows ${master.node}`]);
}

async function resignation(stage: Stage): Promise<Outcome> {
  const master = await presentMaster(stage);
  const worker = stage.worker(master.node);
  const fromNs = now();
  worker.kill('SIGTERM');
  const elected = await nextMaster(stage, fromNs, master);
  const { code, signal } = await worker.ended;
  if (code !== 0) throw new NotSeenError(`${master.node} ended with ${signal ?? `exit code ${code}`}, not cleanly`);
  await works(stage, elected);
  const heard = await watcherHeard(stage, elected, 'resigned');
  // Three take part in the next step again.
  await comeBack(stage, master.node);
  return outcome(elected, fromNs, [`${master.node} has left cleanly, and returned`, heard]);
}

async function pauseMaster(stage: Stage): Promise<Outcome> {
  const master = await presentMaster(stage);
  const fromNs = now();
  stage.paused = master;
  stage.worker(master.node).kill('SIGSTOP');
  const elected = await works(stage, await nextMaster(stage, fromNs, master));
  return outcome(elected, fromNs, [`${master.node} is paused`, await watcherHeard(stage, elected, 'expired')]);
}

async function wakePaused(stage: Stage): Promise<Outcome> {
  const { seen, patienceMs, leaseMs } = stage;
  const { node, term } = stage.paused ?? (await presentMaster(stage));
  const paused = tenures(stage).find((tenure) => tenure.node === node && tenure.term === term) as Tenure;
  // Well past its lease, so that timers of work and lease are both overdue when it wakes.
  await seen.until('the end of its lease', patienceMs, afterMs(Number(paused.toNs - now()) / 1e6 + leaseMs / 2));
  const fromNs = now();
  stage.worker(paused.node).kill('SIGCONT');
  const lost = await seen.until(`${paused.node} to know that it is not master`, patienceMs, () =>
    linesOf(stage, paused).find(({ event }) => event === 'lost'),
  );
  const knewAfterMs = Number(BigInt(lost.at_ns) - fromNs) / 1e6;
  if (knewAfterMs > leaseMs / 2)
    throw new NotSeenError(`${node} needed ${knewAfterMs} ms to know that it is not master`);
  await follows(stage, node);
  const later = seen.work.filter(
    (work) => work.node === paused.node && work.term === paused.term && work.atNs > fromNs,
  );
  if (later.length > 0) throw new NotSeenError(`${paused.node} worked with term ${paused.term} after it woke`);
  const master = await presentMaster(stage);
  const notes = [`${paused.node} knows that it is not master`, 'and does not work'];
  return outcome({ ...master, fromNs: BigInt(lost.at_ns) }, fromNs, notes);
}

async function restartNats(stage: Stage): Promise<Outcome> {
  const { seen, nats, patienceMs } = stage;
  const master = await presentMaster(stage);
  const killedNs = now();
  await nats.kill('SIGKILL');
  // Its lease cannot be renewed; the others cannot agree on another.
  await seen.until(`${master.node} to lose its mastership without NATS`, patienceMs, () =>
    linesOf(stage, master).some(({ event }) => event === 'lost'),
  );
  const hasty = tenures(stage).find((tenure) => tenure.fromNs > killedNs);
  if (hasty) throw new NotSeenError(`${hasty.node} became master while there was no NATS server`);
  const fromNs = now();
  await nats.restart();
  const elected = await works(stage, await nextMaster(stage, fromNs));
  for (const node of NODES) await follows(stage, node);
  return outcome(elected, fromNs, ['nobody was while it was away', await watcherHeard(stage, elected)]);
}

/** Starts a worker that ran before: it must find its journal, and take up the present. */
async function comeBack(stage: Stage, node: string): Promise<Tenure> {
  const { seen, patienceMs } = stage;
  const before = seen.joined.filter((joined) => joined.node === node).length;
  stage.startWorker(node);
  const { incarnations } = await seen.until(`${node} to join again`, patienceMs, () =>
    seen.joined.filter((joined) => joined.node === node).at(before),
  );
  if (incarnations !== before + 1) throw new NotSeenError(`${node} came back without its journal`);
  return follows(stage, node);
}

/** The node says, asked by whois, what the histories say. */
async function follows(stage: Stage, node: string): Promise<Tenure> {
  const { seen, bus, patienceMs } = stage;
  const endsAtMs = performance.now() + patienceMs;
  for (;;) {
    const whois = await askWhois(bus, { quorum: NODES.length, waitMs: 100, timeoutMs: 500 });
    const said = whois?.answers.find((answer) => answer.node === node)?.elections[0];
    seen.look();
    const master = newest(stage);
    if (master && said?.current?.node === master.node && said.term === master.term) return master;
    if (performance.now() > endsAtMs) {
      throw new NotSeenError(
        `${node} does not follow ${master?.node}: it says that ${said?.current?.node ?? 'nobody'} is master`,
      );
    }
    // Also where the demo's own wish to stop is heard.
    await seen.until('the next moment', patienceMs, afterMs(20));
  }
}

/** Somebody, and not the one before, becomes master after `fromNs`. */
async function nextMaster(stage: Stage, fromNs: bigint, before?: Tenure): Promise<Tenure> {
  const what = before ? `a master after ${before.node}` : 'a master';
  const elected = await stage.seen.until(what, stage.patienceMs, () =>
    tenures(stage).find((tenure) => tenure.fromNs > fromNs),
  );
  if (elected.node === before?.node) throw new NotSeenError(`${before.node} itself became master again`);
  return elected;
}

/** The one whose lease holds now. */
async function presentMaster(stage: Stage): Promise<Tenure> {
  return stage.seen.until('a master', stage.patienceMs, () => {
    const master = newest(stage);
    return master && master.toNs > now() ? master : undefined;
  });
}

/**
 * The elected works, and since it is master nobody else does.
 * @returns who works in the end: on a machine that is busy with other things a lease may run out meanwhile.
 */
async function works(stage: Stage, elected: Tenure, times = 1): Promise<Tenure> {
  const { seen, patienceMs } = stage;
  const master = await seen.until(`${elected.node} to work`, patienceMs, () => {
    const present = newest(stage) ?? elected;
    const own = seen.work.filter(({ node, term }) => node === present.node && term === present.term);
    return own.length >= times ? present : undefined;
  });
  const other = seen.work.find(({ node, atNs }) => node !== master.node && atNs > master.fromNs + CLOCK_SLACK_NS);
  if (other) throw new NotSeenError(`${other.node} works with term ${other.term} while ${master.node} is master`);
  return master;
}

/** master-watch has the event of this election; and, if asked for, that of the end before it. */
async function watcherHeard(stage: Stage, master: Tenure, end?: 'expired' | 'resigned'): Promise<string> {
  const { seen, patienceMs } = stage;
  const elected = await seen.until(`master-watch to hear of ${master.node}`, patienceMs, () =>
    seen.heard.find(({ type, term }) => type === 'synod.master.elected.v1' && term === master.term),
  );
  if (elected.master !== master.node)
    throw new NotSeenError(`master-watch was told of ${elected.master}, not ${master.node}`);
  if (end) {
    const isEnd = ({ type, version }: Heard) => type === `synod.master.${end}.v1` && version <= elected.version;
    const since = () => seen.heard.filter(isEnd).at(-1);
    await seen.until(`master-watch to hear "${end}"`, patienceMs, since);
  }
  return 'master-watch has heard';
}

export const now = (): bigint => process.hrtime.bigint();

const tenures = (stage: Stage): readonly Tenure[] => judgeHistory(stage.seen.history).tenures;

const newest = (stage: Stage): Tenure | undefined => tenures(stage).at(-1);

const linesOf = (stage: Stage, { node, term }: Tenure): readonly HistoryLine[] =>
  stage.seen.history.filter((line) => line.node === node && line.term === term);

const outcome = ({ node, term, fromNs: atNs }: Tenure, fromNs: bigint, notes: readonly string[]): Outcome => ({
  master: node,
  term,
  tookMs: Number(atNs - fromNs) / 1e6,
  notes,
});

function afterMs(ms: number): () => boolean {
  const endsAtMs = performance.now() + ms;
  return () => performance.now() >= endsAtMs;
}
