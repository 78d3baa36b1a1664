import { type MasterEvent, watchMasterChanges } from '@synod/nats';
import { ConfigError } from 'synod';
import { askOptions, type Command } from '../asking.ts';
import { connectForLong, endOf } from '../connection.ts';
import { orAborted } from '../interruption.ts';
import { FlagReader } from '../options.ts';
import type { Terminal } from '../terminal.ts';

/** How soon a broken connection is noticed and made anew: the group's lease is not known here. */
const PACE_MS = 3000;

/** Prints the present, then each change of mastership, a line each, until it is interrupted. */
export async function watch({ flags, terminal, interruption }: Command): Promise<number> {
  const { signal, exitCode } = interruption;
  const reader = new FlagReader(flags);
  const { nats, group, as, isJson } = askOptions(reader);
  const election = reader.text('election') === undefined ? undefined : reader.name('election', '--election');
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const connection = await orAborted(connectForLong(nats, PACE_MS), signal);
  if (!connection) return exitCode();
  try {
    void tellConnection(connection.status(), terminal);
    const failed = Promise.withResolvers<never>();
    const closed = connection.closed().then((error) => {
      throw endOf(error ?? undefined, nats);
    });
    const broken = Promise.race([failed.promise, closed]);
    const watching = watchMasterChanges(connection, {
      group,
      ...(election === undefined ? {} : { election }),
      node: as,
      onEvent: (event) => terminal.out(isJson ? JSON.stringify(event) : lineOf(event, terminal)),
      onError: failed.reject,
    });
    // What is wrong may show before the present is known, and a present that does not come can be interrupted.
    await using _watch = await orAborted(Promise.race([watching, broken]), signal);
    await orAborted(broken, signal);
    return exitCode();
  } finally {
    await connection.close();
  }
}

/** `23:28:38.571  group  elected  n1  term 120  was n2, expired` */
export function lineOf({ time, type, data }: MasterEvent, { paint }: Pick<Terminal, 'paint'>): string {
  const { election, current, previous, term, cause } = data;
  const what = (type.split('.')[2] ?? type).padEnd(8);
  const who = current?.node ?? 'nobody';
  const before = previous ? `was ${previous.node}, ${cause}` : 'the first';
  return [
    paint('dim', time.slice(11, 23)),
    election,
    paint(current ? 'green' : 'yellow', what),
    paint('bold', who),
    `term ${term}`,
    paint('dim', before),
  ].join('  ');
}

async function tellConnection(statuses: AsyncIterable<{ readonly type: string }>, { say }: Terminal): Promise<void> {
  for await (const { type } of statuses) {
    if (type === 'disconnect') say('connection to NATS lost, waiting for it');
    if (type === 'reconnect') say('connected to NATS again');
  }
}
