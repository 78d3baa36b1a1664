import { appendFileSync } from 'node:fs';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsBus } from '@synod/nats';
import {
  ConfigError,
  type Group,
  type JoinOptions,
  join,
  type LoggerLike,
  type Mastership,
  optionProblems,
  recordHistory,
} from 'synod';
import type { Command } from '../asking.ts';
import { connectPatiently, endOf, type NatsOptions, withoutUser } from '../connection.ts';
import { DEFAULT_LEASE_MS } from '../defaults.ts';
import { aborted } from '../interruption.ts';
import { createLogger } from '../log.ts';
import { FlagReader, type Flags } from '../options.ts';
import { answerOperators } from './serve-requests.ts';

interface ServeOptions {
  readonly nats: NatsOptions;
  readonly join: JoinOptions & { readonly node: string };
  readonly leaseMs: number;
  readonly history?: string;
}

/** One member that campaigns for ever. Ends with SIGTERM: it hands over, if it is master, and leaves. */
export async function serve({ flags, terminal, interruption }: Command): Promise<number> {
  const { signal, exitCode } = interruption;
  const options = readServeOptions(flags);
  const { node, group: name } = options.join;
  const logger = createLogger({ node, isPretty: terminal.isInteractive && flags['json'] !== true, terminal });
  logger.info({ group: name, servers: options.nats.servers.map(withoutUser) }, `${node} starts`);
  const connection = await connectPatiently(options.nats, options.leaseMs, { logger, signal });
  if (connection) {
    try {
      await beMember(connection, options, { logger, signal });
    } finally {
      await connection.close();
    }
  }
  logger.info({ group: name }, `${node} has left`);
  return exitCode();
}

async function beMember(
  connection: NatsConnection,
  { nats, join: joinOptions, history }: ServeOptions,
  { logger, signal }: { readonly logger: LoggerLike; readonly signal: AbortSignal },
): Promise<void> {
  const { group: name, node } = joinOptions;
  const served: { group: Group | null; mastership: Mastership | null } = { group: null, mastership: null };
  // A bus of its own on the same connection: it answers before the group is joined, and while it is being left.
  const bus = natsBus(connection, { group: name, node, onError: (error) => logger.warn({}, error.message) });
  answerOperators(bus, () => served);
  try {
    const group = await join(connection, { ...joinOptions, signal, logger });
    served.group = group;
    if (history !== undefined) {
      // Synchronously: what a killed process did is in the file up to its last instant.
      recordHistory(group, (line) => appendFileSync(history, `${JSON.stringify(line)}\n`));
    }
    logger.info({ ...group.status().journal }, `${node} joined group ${name} as ${group.status().state}`);
    // Of no use to a group: without its connection this process can neither vote nor be told to stop.
    void connection.closed().then((error) => {
      if (!signal.aborted) logger.error({ err: error }, 'the connection to NATS has ended for good');
      void group.close();
    });
    await group.election().runWhileMaster(async (mastership) => {
      served.mastership = mastership;
      await aborted(mastership.signal);
      served.mastership = null;
    });
    await group.close();
  } catch (error) {
    // A wish to stop that came while it joined is granted by an error.
    if (!signal.aborted) throw error;
  } finally {
    await bus.close();
  }
  if (connection.isClosed() && !signal.aborted) throw endOf((await connection.closed()) ?? undefined, nats);
}

/** @throws ConfigError with every problem at once, before anything is begun. */
export function readServeOptions(flags: Flags): ServeOptions {
  const reader = new FlagReader(flags);
  const nats = reader.nats();
  const group = reader.required('group', '--group (or SYNOD_GROUP)');
  const node = reader.required('node', '--node (or SYNOD_NODE)');
  const voters = reader.list('voters');
  if (voters.length === 0) reader.problems.push('--voters (or SYNOD_VOTERS) is missing: n1,n2,n3');
  const journal = reader.required('journal', '--journal (or SYNOD_JOURNAL)');
  const leaseMs = reader.whole('leaseMs', '--lease-ms (or SYNOD_LEASE_MS)') ?? DEFAULT_LEASE_MS;
  const priority = reader.whole('priority', '--priority (or SYNOD_PRIORITY)');
  const firstPosition = reader.whole('firstPosition', '--first-position (or SYNOD_FIRST_POSITION)');
  const metadata = readMetadata(flags['metadata'], reader.problems);
  const history = reader.text('history');
  const options = {
    group,
    node,
    membership: { role: 'member' as const, voters, journal },
    leaseMs,
    metadata,
    ...(priority === undefined ? {} : { priority }),
    ...(firstPosition === undefined ? {} : { firstPosition }),
  };
  const { problems } = reader;
  problems.push(...optionProblems(options).filter((problem) => !OF_NOTHING.has(problem)));
  if (problems.length > 0) throw new ConfigError(problems);
  return { nats, join: options, leaseMs, ...(history === undefined ? {} : { history }) };
}

/** What is missing is said in the words of the command line; the library would say it again in its own. */
const OF_NOTHING: ReadonlySet<string> = new Set(
  optionProblems({ group: '', node: '', membership: { role: 'member', voters: [], journal: '' } }),
);

function readMetadata(given: Flags[string], problems: string[]): Record<string, string> {
  const pairs = Array.isArray(given) ? given : [];
  const entries = pairs.map((pair: string): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1) problems.push(`--metadata is "${pair}": key=value is wanted`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return Object.fromEntries(entries);
}
