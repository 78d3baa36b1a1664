import type { NatsStatusLike } from './nats-connection.ts';

/** What NATS did not let this user do. */
export interface Refusal {
  readonly operation: string;
  readonly subject: string;
  readonly cause: unknown;
}

/** Reads a status of type `error`; `null` when it tells of something else. Version 3 and 2 of the client write it differently. */
export function refusalOf(status: NatsStatusLike): Refusal | null {
  const { error, permissionContext } = status as {
    error?: Error & { operation?: unknown; subject?: unknown };
    permissionContext?: { operation?: unknown; subject?: unknown };
  };
  const { operation, subject } = error ?? permissionContext ?? {};
  if (typeof operation !== 'string' || typeof subject !== 'string') return null;
  return { operation, subject, cause: error };
}
