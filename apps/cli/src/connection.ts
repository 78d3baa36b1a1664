import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { ConfigError, type LoggerLike } from 'synod';
import { CommandError, EXIT } from './exit.ts';
import { isNatsRefusal } from './failure.ts';
import { orAborted } from './interruption.ts';

/** How to reach NATS. */
export interface NatsOptions {
  /**
   * URLs; the first that names a user, `nats://user:password@host` or `nats://token@host`, says who we are. One that begins
   * with `tls://` demands TLS of all of them.
   */
  readonly servers: readonly string[];
  /** File of credentials, read anew for each connection; none: as nobody in particular. */
  readonly creds?: string;
  /** Files for TLS, PEM: the authorities to trust in place of those of this machine, and what this client shows. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What is wrong with the options, a sentence each. */
export function natsProblems({ servers, ...files }: NatsOptions): readonly string[] {
  const problems = servers
    .filter((server) => urlOf(server) === null)
    .map((server) => `--nats-url (or NATS_URL): "${server}" is no URL of a NATS server`);
  for (const [name, file] of Object.entries(files)) {
    const content = readable(file);
    const isUsable = content !== null && (name !== 'creds' || isCredentials(content));
    const what = content === null ? 'cannot be read' : 'holds no credentials';
    if (!isUsable) problems.push(`--nats-${name} (or NATS_${name.toUpperCase()}): the file ${file} ${what}`);
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    problems.push('--nats-cert and --nats-key: one is given without the other');
  }
  return problems;
}

/** A connection for one question. @throws CommandError when NATS cannot be reached in time. */
export async function connectOnce(options: NatsOptions, timeoutMs: number): Promise<NatsConnection> {
  try {
    return await connect({ ...base(options), timeout: timeoutMs, reconnect: false });
  } catch (error) {
    throw refusalOrUnavailable(error, options);
  }
}

/** A connection that outlives its server: it reconnects for ever, at a pace that suits the lease. */
export async function connectForLong(options: NatsOptions, leaseMs: number): Promise<NatsConnection> {
  try {
    return await connect({
      ...base(options),
      // The defaults give up after ten attempts, wait 2 s between them, and notice a stalled link after minutes.
      maxReconnectAttempts: -1,
      reconnectTimeWait: Math.ceil(leaseMs / 20),
      pingInterval: Math.ceil(leaseMs / 4),
      timeout: Math.max(leaseMs, 1000),
    });
  } catch (error) {
    throw refusalOrUnavailable(error, options);
  }
}

/**
 * Waits for NATS, saying so once per reason.
 * @returns `null` when `signal` aborts first.
 * @throws CommandError when NATS is there and refuses us: waiting would not help.
 */
export async function connectPatiently(
  options: NatsOptions,
  leaseMs: number,
  { logger, signal }: { readonly logger: LoggerLike; readonly signal: AbortSignal },
): Promise<NatsConnection | null> {
  let said = '';
  while (!signal.aborted) {
    const attempt = connectForLong(options, leaseMs);
    try {
      const connection = await orAborted(attempt, signal);
      if (connection) return connection;
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== EXIT.unavailable) throw error;
      if (error.message !== said)
        logger.warn({ servers: options.servers.map(withoutUser) }, `waiting for NATS. ${error.message}`);
      said = error.message;
      await sleep(Math.ceil(leaseMs / 20), undefined, { signal }).catch(() => {});
    }
    if (signal.aborted) void attempt.then((late) => late.close()).catch(() => {});
  }
  return null;
}

function base(given: NatsOptions): ConnectionOptions {
  const { servers, creds } = given;
  const problems = natsProblems(given);
  if (problems.length > 0) throw new ConfigError(problems);
  const options = { servers: servers.map(withoutUser), name: 'synod', ...tlsOf(given) };
  return creds === undefined
    ? { ...options, ...userOf(servers) }
    : { ...options, authenticator: credsAuthenticator(credentials(creds)) };
}

/** A server that demands TLS gets it in any case; what is said here is whether to demand it, whom to trust, and what to show. */
function tlsOf({ servers, ca, cert, key }: NatsOptions): Pick<ConnectionOptions, 'tls'> {
  const files = { caFile: ca, certFile: cert, keyFile: key };
  const given = Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
  // The client takes no scheme from a URL either: it would speak, and say its password, in the clear.
  const isDemanded = servers.some((server) => urlOf(server)?.protocol === 'tls:');
  return isDemanded || Object.keys(given).length > 0 ? { tls: given } : {};
}

/** Credentials are short-lived where somebody renews the file: read anew each time, as last seen where it holds none just now. */
function credentials(file: string): () => Uint8Array {
  let last: Uint8Array = new Uint8Array();
  return () => {
    const content = readable(file);
    if (content !== null && isCredentials(content)) last = content;
    return last;
  };
}

function isCredentials(content: Uint8Array): boolean {
  try {
    credsAuthenticator(content)();
    return true;
  } catch {
    return false;
  }
}

/** `null` for what is no URL of a server, or of a kind of connection that this client does not make. */
function urlOf(server: string): URL | null {
  const url = URL.parse(server.includes('://') ? server : `nats://${server}`);
  return url !== null && SCHEMES.has(url.protocol) && isDecodable(url.username + url.password) ? url : null;
}

const SCHEMES: ReadonlySet<string> = new Set(['nats:', 'tls:']);

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The client takes no user from a URL; and no log line may show his password. */
export const withoutUser = (server: string): string => {
  const url = urlOf(server);
  return url?.username ? `${url.protocol}//${url.host}` : server;
};

function userOf(servers: readonly string[]): ConnectionOptions {
  const url = servers.map(urlOf).find((each) => each?.username);
  if (!url) return {};
  const [user, pass] = [url.username, url.password].map(decodeURIComponent) as [string, string];
  return pass === '' ? { token: user } : { user, pass };
}

function readable(file: string): Uint8Array | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

/** Why a connection ended that was to outlive its server; `error` is what its `closed()` tells. */
export const endOf = (error: Error | undefined, options: NatsOptions): unknown =>
  error ? refusalOrUnavailable(error, options) : new CommandError(EXIT.unavailable, 'NATS has closed the connection');

function refusalOrUnavailable(error: unknown, { servers }: NatsOptions): unknown {
  if (isNatsRefusal(error) || error instanceof ConfigError) return error;
  const reason = rootOf(error);
  const where = servers.map(withoutUser).join(', ');
  const message = `NATS cannot be reached at ${where}: ${reason}. Is it running? Name it by --nats-url or NATS_URL`;
  return new CommandError(EXIT.unavailable, message, { cause: error });
}

/** The innermost reason says most: "ECONNREFUSED 127.0.0.1:4222", not "connection failed". */
function rootOf(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message || root.name : String(root);
}
