import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsBus, type PermissionsOptions } from '@synod/nats';
import { ConfigError } from 'synod';
import { connectOnce, type NatsOptions } from './connection.ts';
import { DEFAULT_TIMEOUT_MS } from './defaults.ts';
import { CommandError, EXIT } from './exit.ts';
import { type Interruption, orAborted } from './interruption.ts';
import { FlagReader, type Flags } from './options.ts';
import type { Terminal } from './terminal.ts';

/** A timer of more fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** What every command that asks a group is told by its flags. */
export interface AskOptions {
  readonly nats: NatsOptions;
  readonly group: string;
  /** Name under which NATS lets us ask. */
  readonly as: string;
  readonly timeoutMs: number;
  readonly isJson: boolean;
}

/** Everything a command works with. */
export interface Command {
  readonly flags: Flags;
  readonly terminal: Terminal;
  readonly interruption: Interruption;
}

type Bus = ReturnType<typeof natsBus>;

/** A group that can be asked. */
export interface Asking extends AskOptions {
  readonly connection: NatsConnection;
  readonly bus: Bus;
  readonly signal: AbortSignal;
  /** Why nothing was heard, as far as can be told. */
  readonly silence: (whom: string) => CommandError;
}

/** Reads the flags that all asking commands share; problems go to the reader. */
export function askOptions(reader: FlagReader): AskOptions {
  return {
    nats: reader.nats(),
    group: reader.name('group', '--group (or SYNOD_GROUP)'),
    as: reader.text('as') === undefined ? `cli-${randomBytes(4).toString('hex')}` : reader.name('as', '--as'),
    timeoutMs: reader.whole('timeoutMs', '--timeout-ms (or SYNOD_TIMEOUT_MS)', MAX_TIMEOUT_MS) ?? DEFAULT_TIMEOUT_MS,
    isJson: reader.flag('json'),
  };
}

/** What NATS has to let a command do. */
export interface AskRules {
  /** Whose rules it needs. Default: those of an observer. */
  readonly kind?: PermissionsOptions['kind'];
  /** What NATS refuses ends the command, unless this hears of it. */
  readonly onRefusal?: (error: Error) => void;
}

/** Connects, lets `ask` ask, and closes. `readMore` reads flags of the command's own. */
export async function asking<More>(
  { flags, interruption }: Command,
  readMore: (reader: FlagReader) => More,
  ask: (asking: Asking, more: More) => Promise<number>,
  { kind = 'observer', onRefusal }: AskRules = {},
): Promise<number> {
  const reader = new FlagReader(flags);
  const options = askOptions(reader);
  const more = readMore(reader);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const { nats, group, as, timeoutMs } = options;
  const { signal } = interruption;
  const connection = await orAborted(connectOnce(nats, timeoutMs), signal);
  if (!connection) return interruption.exitCode();
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  let isNobodyThere = false;
  const bus = natsBus(connection, { group, node: as, kind, onError: onRefusal ?? refused.reject });
  bus.onNoResponders(() => {
    isNobodyThere = true;
  });
  const silence = (whom: string): CommandError =>
    isNobodyThere
      ? new CommandError(
          EXIT.unavailable,
          `${whom} is not there: nobody of group "${group}" takes this request. ` +
            'Check the name of the group, and that its members run and use this NATS: synod serve',
        )
      : new CommandError(
          EXIT.timedOut,
          `${whom} did not answer in ${timeoutMs} ms (group "${group}"). ` +
            `See who is there: synod status --group ${group}`,
        );
  try {
    const answered = await orAborted(
      Promise.race([ask({ ...options, connection, bus, signal, silence }, more), refused.promise]),
      signal,
    );
    return answered ?? interruption.exitCode();
  } finally {
    await bus.close();
    await connection.close();
  }
}
