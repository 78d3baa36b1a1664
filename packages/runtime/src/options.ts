import type { HolderClock, HolderClockOptions, MasterFold, MasterView } from '@synod/mastership';
import { type RecoveryRules, recoveryRules } from '@synod/paxos';
import {
  type Bus,
  type Clock,
  type Codec,
  ConfigError,
  DEFAULT_MAX_DRIFT_PPM,
  isName,
  type Journal,
  MAX_LEASE_MS,
  MIN_LEASE_MS,
  NAME_PATTERN,
  pack,
  type Random,
} from '@synod/protocol';
import type { AnyStateMachine, createActor } from 'xstate';
import type { Scope } from './election/scope.ts';
import type { ElectionOptions } from './election/types.ts';
import type { FormationRules } from './group/formation.rules.ts';
import type { RoleMachines } from './group/group.machine.ts';
import type { Group } from './group/group.ts';
import { type VoteRules, voteRules } from './group/vote.rules.ts';

/** A logger in the shape of pino: an object, then a sentence. */
export interface LoggerLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type Membership =
  /** Acceptor, proposer, learner and candidate. */
  | { readonly role: 'member'; readonly voters: readonly string[]; readonly journal: Journal }
  /** No voter: any number of them, under any names. May be master of every election but the group's own. */
  | { readonly role: 'candidate' }
  /** Hears of masters, is none. */
  | { readonly role: 'observer' };

/** Everything of the outside world that a node needs. */
export interface NodePorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  /** Who this process is, for the other one that wants its node id (I1). */
  readonly process: { readonly host: string; readonly pid: number };
  /** Who calls `resign`? Without it the work of `runWhileMaster`, while it runs. */
  readonly scope?: Scope;
  /** Default: the wire's. A simulator hands in one that remembers what it encoded. */
  readonly codec?: Codec;
}

export interface NodeOptions {
  readonly membership: Membership;
  /** Length of a lease, ms. Default 3000. */
  readonly leaseMs?: number;
  /** Most that a clock's rate may be off, parts per million. Default 10 000 = 1 %. The same at every voter. */
  readonly maxDriftPpm?: number;
  /** 0 … 100: a higher one waits less when a mastership is free. Default 0. */
  readonly priority?: number;
  /** Travels with the mastership: an address, a zone. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Health veto on all elections: `ElectionOptions.eligible` is for one of them. */
  readonly eligible?: () => boolean | Promise<boolean>;
  /** Position of the group's first command, where a group of this name lived before (I5). Default 1. */
  readonly firstPosition?: number;
  /** I5: an operator names each voter's storeId. Given once, to one node, of a group that is not formed. */
  readonly bootstrap?: Readonly<Record<string, string>>;
  /** Finds the highest version that a former group of this name reached, 0 for none (I5). Asked only before formation. */
  readonly livedThrough?: () => Promise<number>;
  /** Called with the group before it is ready: whoever listens from here on misses nothing. */
  readonly onJoining?: (group: Group) => void;
  /** Ends `join` while it waits, and closes the group afterwards. */
  readonly signal?: AbortSignal;
  readonly logger?: LoggerLike;
  /** Every event of every machine, as XState's inspector gets it; `jsonView` makes JSON of it. */
  readonly inspect?: (event: unknown) => void;
  /** Machines and rules in place of the real ones, for simulations that break one. */
  readonly machines?: Partial<RoleMachines>;
  readonly formationRules?: FormationRules;
  readonly recoveryRules?: RecoveryRules;
  readonly voteRules?: VoteRules;
  /** What a holder counts its time by (T9). */
  readonly holderClock?: (options: HolderClockOptions) => HolderClock;
  /** In place of XState's: a simulation of many groups has a quicker one. */
  readonly interpreter?: Interpreter;
  /** The state machine `master`, for simulations that watch it or break a rule of it. Default: the real one, fresh. */
  readonly fold?: MasterFold;
  /** The same for a node outside the log: what it hears of masters. */
  readonly heard?: MasterView;
}

/** Runs the definitions of machines. */
export interface Interpreter {
  logic<Machine extends AnyStateMachine>(machine: Machine): Machine;
  /** An actor without a parent. */
  readonly createActor: typeof createActor;
}

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly membership: Membership;
  readonly leaseMs: number;
  readonly maxDriftPpm: number;
  readonly guardDivisor: number;
  readonly priority: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly firstPosition: number;
  readonly logger: LoggerLike;
  readonly recoveryRules: RecoveryRules;
  readonly voteRules: VoteRules;
}

export const DEFAULT_LEASE_MS = 3000;

/** They stand in a command, which a batch must hold, in news and in events. */
const MAX_METADATA_BYTES = 65_536;

/** A master gives up so small a part of its lease at the end (T1). */
export const GUARD_DIVISOR = 100;

const ignore = (): void => {};
const SILENT: LoggerLike = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * Fills in the defaults.
 * @throws ConfigError listing every problem at once.
 */
export function resolveOptions(group: string, node: string, options: NodeOptions): ResolvedOptions {
  const problems = [...nameProblems('group', group), ...nameProblems('node', node), ...settingProblems(node, options)];
  if (problems.length > 0) throw new ConfigError(problems);
  return withDefaults(options);
}

const withDefaults = (options: NodeOptions): ResolvedOptions => ({
  membership: options.membership,
  leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS,
  maxDriftPpm: options.maxDriftPpm ?? DEFAULT_MAX_DRIFT_PPM,
  guardDivisor: GUARD_DIVISOR,
  priority: options.priority ?? 0,
  metadata: options.metadata ?? {},
  firstPosition: options.firstPosition ?? 1,
  logger: options.logger ?? SILENT,
  recoveryRules: options.recoveryRules ?? recoveryRules,
  voteRules: options.voteRules ?? voteRules,
});

/** What is wrong with a name, in words; nothing for a good one. */
export function nameProblems(what: string, name: unknown): readonly string[] {
  if (isName(name)) return [];
  return [`${what} is ${JSON.stringify(name) ?? 'missing'}: it must match ${NAME_PATTERN} and not be "all"`];
}

/** What is wrong with everything but the names of group and node, a sentence each. */
export function settingProblems(node: string, options: NodeOptions): readonly string[] {
  const problems: string[] = [];
  const demand = (condition: boolean, problem: string) => void (condition || problems.push(problem));
  const { leaseMs, maxDriftPpm, priority, firstPosition, metadata, membership } = withDefaults(options);
  demand(
    isWhole(leaseMs, MIN_LEASE_MS, MAX_LEASE_MS),
    `leaseMs is ${leaseMs}: a whole number from ${MIN_LEASE_MS} to ${MAX_LEASE_MS}`,
  );
  demand(isWhole(maxDriftPpm, 0, 200_000), `maxDriftPpm is ${maxDriftPpm}: a whole number from 0 to 200000`);
  problems.push(...priorityProblems(priority));
  demand(isWhole(firstPosition, 1, 2 ** 52), `firstPosition is ${firstPosition}: a whole number from 1`);
  problems.push(...metadataProblems(metadata));
  if (membership?.role === 'member') problems.push(...voterProblems(membership.voters, node));
  return problems;
}

/** What is wrong with how a process stands for one election. */
export function electionProblems({ priority = 0, metadata = {}, eligible }: ElectionOptions = {}): readonly string[] {
  const isVeto = eligible === undefined || typeof eligible === 'function';
  return [
    ...priorityProblems(priority),
    ...metadataProblems(metadata),
    ...(isVeto ? [] : [`eligible is ${JSON.stringify(eligible)}: a function`]),
  ];
}

const isWhole = (value: number, low: number, high: number): boolean =>
  Number.isInteger(value) && value >= low && value <= high;

const priorityProblems = (priority: number): readonly string[] =>
  isWhole(priority, 0, 100) ? [] : [`priority is ${priority}: a whole number from 0 to 100`];

function metadataProblems(metadata: Readonly<Record<string, string>>): readonly string[] {
  const problems: string[] = [];
  const entries = Object.entries(metadata);
  const isText = (value: unknown, most: number) =>
    typeof value === 'string' && value.length <= most && value.isWellFormed();
  if (entries.length > 64 || !entries.every(([key, value]) => isText(key, 256) && isText(value, 4096)))
    problems.push('metadata: at most 64 entries of well-formed text, keys up to 256 and values up to 4096 characters');
  if (pack(metadata).byteLength > MAX_METADATA_BYTES)
    problems.push(`metadata: at most ${MAX_METADATA_BYTES} bytes in all, they travel with each change of mastership`);
  return problems;
}

function voterProblems(voters: readonly string[], node: string): readonly string[] {
  if (!Array.isArray(voters) || voters.length === 0) return ['voters: name at least one node'];
  const problems = voters.flatMap((voter) => nameProblems('a voter', voter));
  if (new Set(voters).size !== voters.length) problems.push(`voters: ${voters.join(', ')} names a node twice`);
  if (voters.length > 9) problems.push(`voters: ${voters.length} are too many, at most 9 are supported`);
  if (node !== '' && !voters.includes(node)) problems.push(`node ${node} is not among the voters ${voters.join(', ')}`);
  return problems;
}
