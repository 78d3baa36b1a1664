// The smallest service that works only while it is master: copy it to begin. Run several replicas, each with a node id and
// a journal folder of its own; at any instant at most one of them works.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { type JoinOptions, join, type Mastership, optionProblems, recordHistory } from 'synod';

const { env } = process;
const { values: options } = parseArgs({
  options: {
    'nats-url': { type: 'string', default: env['NATS_URL'] ?? 'nats://127.0.0.1:4222' },
    group: { type: 'string', default: env['SYNOD_GROUP'] ?? '' },
    node: { type: 'string', default: env['SYNOD_NODE'] ?? env['HOSTNAME'] ?? '' },
    voters: { type: 'string', default: env['SYNOD_VOTERS'] ?? '' },
    journal: { type: 'string', default: env['SYNOD_JOURNAL'] ?? '' },
    'lease-ms': { type: 'string', default: env['SYNOD_LEASE_MS'] ?? '3000' },
    history: { type: 'string', default: env['SYNOD_HISTORY'] ?? '' },
  },
});
const { group: groupName, node, journal, history } = options;
const leaseMs = Number(options['lease-ms']);
const log = pino({ name: node });
const stop = new AbortController();
const member: JoinOptions = {
  group: groupName,
  node,
  membership: { role: 'member', voters: options.voters.split(','), journal },
  leaseMs,
  logger: log,
  // SIGTERM: the work stops, the mastership is handed over, the group is left.
  signal: stop.signal,
};
// Told now: a server of NATS may be long in coming.
const problems = optionProblems(member);
for (const problem of problems) log.fatal(problem);
if (problems.length > 0) process.exit(1);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
// A connection that waits for its server cannot be told to stop; nothing has begun yet that must end in order.
const exitAtOnce = () => process.exit(0);
stop.signal.addEventListener('abort', exitAtOnce);
log.info(`connecting to ${options['nats-url']}`);
const nats = await connect({
  servers: options['nats-url'].split(','),
  waitOnFirstConnect: true,
  // The defaults give up after ten attempts, wait 2 s between them, and notice a stalled link after minutes.
  maxReconnectAttempts: -1,
  reconnectTimeWait: Math.ceil(leaseMs / 20),
  pingInterval: Math.ceil(leaseMs / 4),
  timeout: leaseMs,
});
stop.signal.removeEventListener('abort', exitAtOnce);

try {
  const group = await join(nats, member);
  // Written synchronously: what a killed process did is in the file up to its last instant.
  if (history) recordHistory(group, (line) => appendFileSync(history, `${JSON.stringify(line)}\n`));
  log.info({ ...group.status().journal, state: group.status().state }, `joined group ${groupName}`);
  await group.election().runWhileMaster(work);
  await group.close();
} catch (error) {
  if (!stop.signal.aborted) {
    log.fatal(error, 'left the group');
    process.exitCode = 1;
  }
} finally {
  await nats.close();
}

/** Runs from each election of this process to its end; never twice at once. */
async function work(mastership: Mastership): Promise<void> {
  for (;;) {
    // Asserts that the lease holds, lets the effect act with the term, which fences it off at a resource that checks it.
    await mastership.run((term) => log.info({ term }, 'work'));
    await sleep(1000, undefined, { signal: mastership.signal });
  }
}
