import { ConfigError, SynodError, type SynodErrorCode } from 'synod';
import { CommandError, EXIT, type ExitCode } from './exit.ts';

const CODES: Partial<Record<SynodErrorCode, ExitCode>> = {
  ERR_SYNOD_NO_QUORUM: EXIT.unavailable,
  ERR_SYNOD_PERMISSION: EXIT.noPermission,
  ERR_SYNOD_TIMEOUT: EXIT.timedOut,
  ERR_SYNOD_CONFIG: EXIT.configuration,
  ERR_SYNOD_NODE_ID_IN_USE: EXIT.configuration,
  ERR_SYNOD_FOREIGN_JOURNAL: EXIT.configuration,
  ERR_SYNOD_JOURNAL_LOCKED: EXIT.configuration,
  ERR_SYNOD_FORMATION: EXIT.configuration,
};

/** The clients of NATS name their errors; the classes differ between their copies. */
const NATS_REFUSALS: ReadonlySet<string> = new Set([
  'AuthorizationError',
  'UserAuthenticationExpiredError',
  'PermissionViolationError',
]);

/** How a program ends that `error` has stopped: its exit code, and the lines for stderr. */
export function exitOf(error: unknown): { readonly code: ExitCode; readonly lines: readonly string[] } {
  if (error instanceof CommandError) return { code: error.exitCode, lines: [error.message] };
  if (error instanceof ConfigError) return { code: EXIT.configuration, lines: error.problems };
  if (error instanceof SynodError) return { code: CODES[error.code] ?? EXIT.failed, lines: [error.message] };
  if (isNatsRefusal(error)) {
    return { code: EXIT.noPermission, lines: [`NATS refuses this user: ${(error as Error).message}`] };
  }
  // Nobody expected it: the trace is what a report needs.
  return { code: EXIT.failed, lines: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
}

/** True when NATS knows the user and says no, or does not know him. */
export const isNatsRefusal = (error: unknown): boolean => error instanceof Error && NATS_REFUSALS.has(error.name);
