// The smallest service that knows who is master without taking part in the election: copy it to begin. It hears of each
// change once, in order, and tells its health over HTTP. An event is news, not a licence: only the master itself knows
// whether its lease still holds.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { type MasterEvent, watchMasterChanges } from '@synod/nats';
import { pino } from 'pino';

const { env } = process;
const { values: options } = parseArgs({
  options: {
    'nats-url': { type: 'string', default: env['NATS_URL'] ?? 'nats://127.0.0.1:4222' },
    group: { type: 'string', default: env['SYNOD_GROUP'] ?? '' },
    /** Of the group whose masters are watched; ours is only how soon a broken connection is noticed. */
    'lease-ms': { type: 'string', default: env['SYNOD_LEASE_MS'] ?? '3000' },
    /** Of the health endpoint; 0: any free one, which the log names. */
    port: { type: 'string', default: env['PORT'] ?? '0' },
    /** Where it listens; in a container 0.0.0.0, for what asks from outside. */
    host: { type: 'string', default: env['HOST'] ?? '127.0.0.1' },
  },
});
const { group } = options;
const leaseMs = Number(options['lease-ms']);
const log = pino({ name: 'master-watch' });

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
// A connection that waits for its server cannot be told to stop; nothing has begun yet that must end in order.
const exitAtOnce = () => process.exit(0);
stop.signal.addEventListener('abort', exitAtOnce);

// What the health endpoint tells. The service is ready when it hears of changes, whoever is master and even if nobody is.
let isConnected = false;
let newest: MasterEvent | undefined;
const health = createServer((_request, response) => {
  const current = newest?.data.current ?? null;
  const body = { isConnected, master: current?.node ?? null, term: newest?.data.term ?? null };
  response.writeHead(isConnected ? 200 : 503, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
});
health.listen(Number(options.port), options.host, () => {
  const { port } = health.address() as AddressInfo;
  log.info({ port }, `health: http://${options.host}:${port}/`);
});

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
void followConnection();

// The present first, from the event stream or from the members, then each change as it comes. What comes twice, late or
// out of order is dropped: a master that was paused while it published must not seem to be back.
const watch = await watchMasterChanges(nats, {
  group,
  election: 'group',
  onEvent: (event) => {
    newest = event;
    log.info(fieldsOf(event), sentenceOf(event));
  },
  onError: (error) => log.warn(error, 'watching'),
});
if (!watch.current()) log.info('nobody was ever master of this group, as far as can be told');

if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
log.info('stopping');
await watch.close();
health.closeAllConnections();
health.close();
await nats.close();

async function followConnection(): Promise<void> {
  isConnected = true;
  for await (const { type } of nats.status()) {
    if (type !== 'disconnect' && type !== 'reconnect') continue;
    isConnected = type === 'reconnect';
    log.warn(isConnected ? 'connected to NATS again' : 'connection to NATS lost');
  }
}

function fieldsOf({ id, type, data }: MasterEvent) {
  const { election, term, version, cause, current } = data;
  return { id, type, election, term, version, cause, master: current?.node ?? null };
}

/** Put your own reaction in the place of this: an event carries the node, its term and its metadata, such as an address. */
function sentenceOf({ type, data }: MasterEvent): string {
  const { current, previous, term, cause } = data;
  const was = previous ? `was ${previous.node}` : 'the first';
  if (type === 'synod.master.elected.v1' && current)
    return `master is ${current.node} (term ${term}, ${was}, ${cause})`;
  if (type === 'synod.master.transferred.v1' && current)
    return `master is ${current.node} by transfer (term ${term}, ${was})`;
  if (current)
    return `mastership of ${previous?.node ?? 'the last master'} has ended: ${cause}; ${current.node} has it now`;
  return `nobody is master: ${previous?.node ?? 'the last one'} ${cause}`;
}
