import {
  type Command,
  type CommandId,
  type Incarnation,
  isName,
  MAX_LEASE_MS,
  type NodeId,
  pack,
  Recent,
  unpack,
} from '@synod/protocol';

/** Metadata of a master, as its record shows it. */
export type Metadata = Readonly<Record<string, string>>;

/** A holder as its challenger saw it: taking applies only while both still match. */
export interface SeenHolder {
  readonly session: number;
  readonly version: number;
}

/** What a taking names: the version rule compares all of it (section 3). */
export interface Take {
  readonly election: string;
  /** Version of the record as last seen; 0 for an election that never had a master. */
  readonly expectedVersion: number;
  /** `null` only if there is no master. */
  readonly holder: SeenHolder | null;
  readonly metadata: Metadata;
}

/** Opens a session, and with `take` asks to be master with it in the same command: one round, one position. */
export interface OpenSession {
  readonly type: 'open';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly leaseMs: number;
  readonly take: Take | null;
}

/** Extends a session, whatever it holds. */
export interface Renew {
  readonly type: 'renew';
  readonly session: number;
  readonly expectedVersion: number;
  readonly leaseMs: number;
}

/** Asks to be master with an open session. Ends the holder's session. */
export interface BeMaster extends Take {
  readonly type: 'beMaster';
  readonly session: number;
}

/** Gives a mastership back. Submitted after all acting has stopped (T7). */
export interface Resign {
  readonly type: 'resign';
  readonly election: string;
  readonly session: number;
  readonly term: number;
}

/** Hands a mastership to a session whose owner agreed (T8). */
export interface Transfer {
  readonly type: 'transfer';
  readonly election: string;
  readonly session: number;
  readonly term: number;
  readonly to: number;
  /** Of the new master. */
  readonly metadata: Metadata;
}

/** Ends one's own session and frees all it holds. */
export interface EndSession {
  readonly type: 'end';
  readonly session: number;
}

/** Ends another's session that fell silent: sent only by a node that has waited T2. */
export interface Expire {
  readonly type: 'expire';
  readonly session: number;
  readonly expectedVersion: number;
}

/** Everything the state machine `master` understands. */
export type MasterCommand = OpenSession | Renew | BeMaster | Resign | Transfer | EndSession | Expire;

/** The name that commands of this state machine carry. */
export const MASTER = 'master';

/** The command as the log carries it. */
export function encodeMasterCommand(id: CommandId, command: MasterCommand): Command {
  const body = pack(command);
  // What can be read comes out of the bytes as it went in: whoever wrote them need not read them.
  const known = read(command);
  if (known) decoded.set(body, known);
  return { id, machine: MASTER, body };
}

/**
 * What a body asks for, `null` if it cannot be read: the same answer at every node (N1). Never throws: bodies are anybody's.
 *
 * Knows shapes, not bounds that a group chooses: those are the fold's to refuse. Unknown fields are ignored (fault 55).
 */
export function decodeMasterCommand(body: Uint8Array): MasterCommand | null {
  let command = decoded.get(body);
  if (command === undefined) {
    command = read(unpack(body));
    decoded.set(body, command);
  }
  return command;
}

const read = (data: unknown): MasterCommand | null =>
  isFields(data) ? (readers.get(data['type'])?.(data) ?? null) : null;

/** Whoever appends reads a body, and each fold of this process that applies it: the same bytes are read once. */
const decoded = new Recent<Uint8Array, MasterCommand | null>(1024);

type Fields = Readonly<Record<string, unknown>>;

const readers = new Map<unknown, (data: Fields) => MasterCommand | null>([
  ['open', readOpen],
  ['renew', readRenew],
  ['beMaster', readBeMaster],
  ['resign', readResign],
  ['transfer', readTransfer],
  ['end', readEnd],
  ['expire', readExpire],
]);

function readOpen({ node, incarnation, leaseMs, take: asked }: Fields): OpenSession | null {
  if (!isName(node) || !isName(incarnation) || !isLease(leaseMs)) return null;
  if (asked === null || asked === undefined) return { type: 'open', node, incarnation, leaseMs, take: null };
  const take = isFields(asked) ? readTake(asked) : null;
  return take && { type: 'open', node, incarnation, leaseMs, take };
}

function readRenew({ session, expectedVersion, leaseMs }: Fields): Renew | null {
  if (!isCount(session) || !isCount(expectedVersion) || !isLease(leaseMs)) return null;
  return { type: 'renew', session, expectedVersion, leaseMs };
}

function readBeMaster(data: Fields): BeMaster | null {
  const { session } = data;
  const take = readTake(data);
  return take && isCount(session) ? { type: 'beMaster', session, ...take } : null;
}

function readResign({ election, session, term }: Fields): Resign | null {
  if (!isName(election) || !isCount(session) || !isCount(term)) return null;
  return { type: 'resign', election, session, term };
}

function readTransfer({ election, session, term, to, metadata: told }: Fields): Transfer | null {
  const metadata = readMetadata(told);
  if (!isName(election) || !isCount(session) || !isCount(term) || !isCount(to) || metadata === null) return null;
  return { type: 'transfer', election, session, term, to, metadata };
}

function readEnd({ session }: Fields): EndSession | null {
  return isCount(session) ? { type: 'end', session } : null;
}

function readExpire({ session, expectedVersion }: Fields): Expire | null {
  return isCount(session) && isCount(expectedVersion) ? { type: 'expire', session, expectedVersion } : null;
}

function readTake({ election, expectedVersion, holder: seen, metadata: told }: Fields): Take | null {
  const metadata = readMetadata(told);
  if (!isName(election) || !isCount(expectedVersion) || metadata === null) return null;
  if (seen === null) return { election, expectedVersion, holder: null, metadata };
  const holder = isFields(seen) ? readHolder(seen) : null;
  return holder && { election, expectedVersion, holder, metadata };
}

function readHolder({ session, version }: Fields): SeenHolder | null {
  return isCount(session) && isCount(version) ? { session, version } : null;
}

// Written by hand, no looser than the schemas of `MasterNews`: news of a command that passed here passes there too.

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A length at all; the bounds of a group are the fold's. */
const isLease = (value: unknown): value is number => isCount(value) && value <= MAX_LEASE_MS;

/** Ill-formed text would not survive a snapshot unchanged, and folds would differ. */
const isText = (value: unknown, maxLength: number): value is string =>
  typeof value === 'string' && value.length <= maxLength && value.isWellFormed();

/** A copy: what a command was made of is its maker's, who may go on changing it. */
function readMetadata(value: unknown): Metadata | null {
  if (!isFields(value)) return null;
  const entries = Object.entries(value);
  return entries.length <= 64 && entries.every(isEntry) ? Object.fromEntries(entries) : null;
}

/** A key of that name does not come out of the bytes as it went in. */
const isEntry = (entry: [string, unknown]): entry is [string, string] =>
  isText(entry[0], 256) && entry[0] !== '__proto__' && isText(entry[1], 4096);
