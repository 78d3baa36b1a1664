/** Callers branch on `code`; message texts may change in any release. */
export type SynodErrorCode =
  | 'ERR_SYNOD_NO_QUORUM'
  | 'ERR_SYNOD_MASTERSHIP_LOST'
  | 'ERR_SYNOD_OUTCOME_UNKNOWN'
  | 'ERR_SYNOD_STALE_FENCE'
  | 'ERR_SYNOD_VERSION_CONFLICT'
  | 'ERR_SYNOD_NODE_ID_IN_USE'
  | 'ERR_SYNOD_FOREIGN_JOURNAL'
  | 'ERR_SYNOD_JOURNAL_LOCKED'
  | 'ERR_SYNOD_JOURNAL_FAILED'
  | 'ERR_SYNOD_FORMATION'
  | 'ERR_SYNOD_PERMISSION'
  | 'ERR_SYNOD_CONFIG'
  | 'ERR_SYNOD_TIMEOUT'
  | 'ERR_SYNOD_CLOSED'
  | 'ERR_SYNOD_INTERNAL';

export interface SynodErrorOptions extends ErrorOptions {
  /** What to do about it, one sentence. */
  readonly hint?: string;
}

/** What a caller must handle. A refusal is a message, an impossible state an InvariantError; neither is one of these. */
export abstract class SynodError extends Error {
  abstract readonly code: SynodErrorCode;
  /** True when repeating the call cannot do the work twice. */
  abstract readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(message: string, options: SynodErrorOptions = {}) {
    super(options.hint === undefined ? message : `${message}. ${options.hint}`, options);
    this.hint = options.hint;
  }
}

/** Too few voters answered for anything to be decided. */
export class NoQuorumError extends SynodError {
  override readonly name = 'NoQuorumError';
  readonly code = 'ERR_SYNOD_NO_QUORUM';
  readonly retryable = true;
}

/** Reason of a mastership's abort signal, and what `assert` throws: the lease does not hold any more. */
export class MastershipLostError extends SynodError {
  override readonly name = 'MastershipLostError';
  readonly code = 'ERR_SYNOD_MASTERSHIP_LOST';
  readonly retryable = false;
  readonly election: string;
  readonly term: number;
  /** In a word: `expired`, `resigned`, `deposed`, `closed`, `failed`. */
  readonly lostBy: string;

  constructor(election: string, term: number, lostBy: string, options?: SynodErrorOptions) {
    super(`mastership of "${election}" with term ${term} is over: ${lostBy}`, options);
    this.election = election;
    this.term = term;
    this.lostBy = lostBy;
  }
}

/** The command left and no answer came: it may still be chosen. Read before repeating. */
export class OutcomeUnknownError extends SynodError {
  override readonly name = 'OutcomeUnknownError';
  readonly code = 'ERR_SYNOD_OUTCOME_UNKNOWN';
  readonly retryable = false;
}

/** A resource refused an effect: it has seen a newer term, or was given none (F2). */
export class StaleFenceError extends SynodError {
  override readonly name = 'StaleFenceError';
  readonly code = 'ERR_SYNOD_STALE_FENCE';
  readonly retryable = false;
  readonly election: string;
  readonly term: number;

  /** @param reason - In words: `term 7 has been seen`. */
  constructor(election: string, term: number, reason: string, options?: SynodErrorOptions) {
    super(`term ${term} of "${election}" is refused: ${reason}`, options);
    this.election = election;
    this.term = term;
  }
}

/** Somebody else's command was chosen first: read, wait, ask again. */
export class VersionConflictError extends SynodError {
  override readonly name = 'VersionConflictError';
  readonly code = 'ERR_SYNOD_VERSION_CONFLICT';
  readonly retryable = true;
}

/** Another process lives under this node id (I1). */
export class NodeIdInUseError extends SynodError {
  override readonly name = 'NodeIdInUseError';
  readonly code = 'ERR_SYNOD_NODE_ID_IN_USE';
  readonly retryable = false;
}

/** The journal's folder belongs to another group, node or format (fault 47). */
export class ForeignJournalError extends SynodError {
  override readonly name = 'ForeignJournalError';
  readonly code = 'ERR_SYNOD_FOREIGN_JOURNAL';
  readonly retryable = false;
}

/** Another process has the journal's folder open (fault 46). */
export class JournalLockedError extends SynodError {
  override readonly name = 'JournalLockedError';
  readonly code = 'ERR_SYNOD_JOURNAL_LOCKED';
  readonly retryable = true;
}

/** A write or fsync failed: the acceptor has stopped for good (P3). */
export class JournalFailedError extends SynodError {
  override readonly name = 'JournalFailedError';
  readonly code = 'ERR_SYNOD_JOURNAL_FAILED';
  readonly retryable = false;
}

/** The voters do not agree who they are (I5). */
export class FormationError extends SynodError {
  override readonly name = 'FormationError';
  readonly code = 'ERR_SYNOD_FORMATION';
  readonly retryable = false;
}

/** NATS refused a subject. */
export class PermissionError extends SynodError {
  override readonly name = 'PermissionError';
  readonly code = 'ERR_SYNOD_PERMISSION';
  readonly retryable = false;
}

/** Lists every problem of the options at once. */
export class ConfigError extends SynodError {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_SYNOD_CONFIG';
  readonly retryable = false;
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: SynodErrorOptions) {
    super(
      `${problems.length} problem${problems.length === 1 ? '' : 's'} in the options: ${problems.join('; ')}`,
      options,
    );
    this.problems = problems;
  }
}

/** The caller's time ran out. */
export class TimeoutError extends SynodError {
  override readonly name = 'TimeoutError';
  readonly code = 'ERR_SYNOD_TIMEOUT';
  readonly retryable = true;
}

/** The group was closed. */
export class ClosedError extends SynodError {
  override readonly name = 'ClosedError';
  readonly code = 'ERR_SYNOD_CLOSED';
  readonly retryable = false;
}

/** A broken invariant or a failed actor: the node has left the group rather than guess. */
export class InternalError extends SynodError {
  override readonly name = 'InternalError';
  readonly code = 'ERR_SYNOD_INTERNAL';
  readonly retryable = false;
}
