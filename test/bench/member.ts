import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Election, type Group, join, type LoggerLike, prepare, recordHistory } from 'synod';
import { machineNowMs, msOfNs } from './harness/machine-clock.ts';
import type { MemberHears, MemberOptions, MemberSays } from './harness/member-messages.ts';
import { Sights } from './harness/sights.ts';

/** One member of a measured group, a process of its own: it joins, asks for mastership again and again, and tells its history. */

const options = JSON.parse(process.argv[2] ?? '') as MemberOptions;
const { servers, group: name, node, voters, journal, leaseMs, renewalsWaitMs } = options;

const say = (message: MemberSays): void => void process.send?.(message);
/** What the bench hears is none of what is measured, nor is its hearing: both would take a share of two cores. */
const sayLater = (message: MemberSays): void => void setTimeout(say, 20, message);
/** Lines of the history that are still to be told, in their order. */
const untold: MemberSays[] = [];
let telling: NodeJS.Timeout | undefined;
/** Lines of the log that are still to be written: the bench reads them beside its own candidate or observer. */
const lines: string[] = [];
let writing: NodeJS.Timeout | undefined;
const log = (_fields: object, message: string): void => {
  lines.push(message);
  writing ??= setTimeout(writeNow, 250);
};
const logNow = (_fields: object, message: string): void => {
  lines.push(message);
  writeNow();
};
// A line for each of thousands of changes would be what is measured.
const logger: LoggerLike = { debug: () => {}, info: options.isQuiet ? () => {} : log, warn: logNow, error: logNow };
process.on('exit', writeNow);

// Ctrl-C reaches every process of a terminal: the bench decides when this one ends. Without the bench it has no use.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));

const hears = new EventTarget();
process.on('message', (message: MemberHears) =>
  hears.dispatchEvent(new CustomEvent(message.type, { detail: message })),
);
type Told<Type> = Extract<MemberHears, { readonly type: Type }>;
const told = <Type extends MemberHears['type']>(type: Type): Promise<Told<Type>> =>
  once(hears, type).then(([event]) => (event as CustomEvent<Told<Type>>).detail);

const connection = await connect({
  servers: [...servers],
  noRandomize: true,
  name: node,
  maxReconnectAttempts: -1,
  pingInterval: Math.floor(leaseMs / 2),
});
tellFirstFlush(connection);
const closing = told('close');
const go = options.waits ? told('join') : undefined;
// What each does for itself stands before what all begin together.
if (go) await prepare();
say({ type: 'up' });
await go;

const sights = options.tellsSights ? new Sights() : null;
const group = await join(connection, {
  group: name,
  node,
  membership: { role: 'member', voters, journal },
  leaseMs,
  logger,
  ...(sights ? { inspect: sights.inspect } : {}),
});
if (!options.isQuiet) {
  recordHistory(group, (line) => {
    const sinceSightMs = (line.event === 'acquired' && sights?.sinceSightMs(msOfNs(line.at_ns))) || null;
    tellHistory({ type: 'history', line, sinceSightMs });
  });
}
hears.addEventListener('hold', (event) => void holdElections((event as CustomEvent<Told<'hold'>>).detail));
say({ type: 'joined' });
hears.addEventListener('status', () => {
  const { state, learnedThrough, elections } = group.status();
  say({ type: 'status', state, learnedThrough, term: elections[0]?.term ?? 0, server: connection.getServer() });
});
const resting = new AbortController();
const campaigns = campaignUntil(group, resting.signal);
hears.addEventListener('rest', () => {
  void rest().then(() => say({ type: 'resting' }));
});
// A node that had to leave its group is no measurement: the bench sees the process end.
void group.closed.then((error) => {
  if (error) throw error;
});

await closing;
await group.close();
tellNow();
await connection.close();
process.exit(0);

/** All that the others said before is heard first, and all that is said here is on its way afterwards: in good order. */
async function rest(): Promise<void> {
  await connection.flush();
  resting.abort();
  await campaigns;
  await connection.flush();
}

/** Renewals may wait for company: a message for each would be a tenth of what an idle member does. */
function tellHistory(message: Extract<MemberSays, { readonly type: 'history' }>): void {
  untold.push(message);
  if (message.line.event !== 'renewed') {
    clearTimeout(telling);
    telling = setTimeout(tellNow, 20);
  } else if (untold.length === 1) telling = setTimeout(tellNow, renewalsWaitMs);
}

function tellNow(): void {
  for (const message of untold.splice(0)) say(message);
}

function writeNow(): void {
  clearTimeout(writing);
  writing = undefined;
  const text = lines.splice(0).join('\n');
  if (text !== '') console.error(text);
}

/** `join` subscribes, then flushes: when the first flush is done, the server knows all that this process listens to. */
function tellFirstFlush(connection: NatsConnection): void {
  const flush = connection.flush.bind(connection);
  connection.flush = async () => {
    connection.flush = flush;
    await flush();
    say({ type: 'subscribed', atMs: machineNowMs() });
  };
}

/** A mastership may be over before its holder has had its turn: its signal says no more then. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function campaignUntil(group: Group, signal: AbortSignal): Promise<void> {
  const election = group.election();
  while (!signal.aborted) {
    const mastership = await election.campaign({ signal }).catch(() => null);
    if (mastership === null) return; // Told to rest, or the group was closed.
    const lost = aborted(mastership.signal);
    const rest = aborted(signal);
    const end = await Promise.race([told('resign'), rest.then(() => 'rest' as const), lost.then(() => null)]);
    if (end === null) continue;
    const atMs = machineNowMs();
    const resigned = mastership.resign(end !== 'rest' && end.to !== undefined ? { to: end.to } : {});
    sayLater({ type: 'resigning', atMs });
    await resigned;
    // A hand-over is one to somebody else.
    for await (const { current } of election.changes({ signal })) {
      if (current !== null && current.term > mastership.term) break;
    }
  }
}

/** Each is asked for until it is held, and again when it was lost. What is told is told once a turn. */
async function holdElections({ from, count }: Told<'hold'>): Promise<void> {
  let held = 0;
  let lost = 0;
  let isSaying = false;
  const changed = () => {
    if (isSaying) return;
    isSaying = true;
    void setImmediate().then(() => {
      isSaying = false;
      say({ type: 'holds', held, lost });
    });
  };
  const hold = async (election: Election) => {
    for (;;) {
      const mastership = await election.campaign();
      held++;
      changed();
      await aborted(mastership.signal);
      held--;
      lost++;
      changed();
    }
  };
  for (let i = from; i < from + count; i++) {
    // The group was closed.
    hold(group.election(`e-${i}`)).catch(() => {});
    // Whoever asks for thousands lets its node breathe in between.
    if (i % 50 === 0) await setImmediate();
  }
}
