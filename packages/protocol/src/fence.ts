import { isName } from './node-id.ts';

/** What travels with every effect of a master (F1). A `Mastership` is one. */
export interface FenceToken {
  readonly election: string;
  /** Terms are compared within one election only. */
  readonly term: number;
}

/** Headers of NATS and of HTTP that carry a {@link FenceToken}. */
export const TERM_HEADER = 'Synod-Term';
export const ELECTION_HEADER = 'Synod-Election';

/** Headers of a Fetch request or a NATS message, or the plain object of Node's `IncomingMessage`. */
export type HeadersLike =
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export const fenceHeaders = ({ election, term }: FenceToken): Record<string, string> => ({
  [TERM_HEADER]: String(term),
  [ELECTION_HEADER]: election,
});

/** `null` when there is no token, or not exactly one: whoever guards a resource refuses then. Never throws. */
export function readFenceHeaders(headers: HeadersLike | undefined): FenceToken | null {
  if (headers === undefined) return null;
  const term = headerOf(headers, TERM_HEADER);
  const election = headerOf(headers, ELECTION_HEADER);
  if (term === undefined || !termPattern.test(term) || !isName(election)) return null;
  return isTerm(Number(term)) ? { election, term: Number(term) } : null;
}

/** True for what can be a term: a position in the log. */
export const isTerm = (term: unknown): term is number => Number.isSafeInteger(term) && (term as number) > 0;

const termPattern = /^[1-9]\d{0,15}$/;

function headerOf(headers: HeadersLike, name: string): string | undefined {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined;
  const plain = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
  // Node writes the names of HTTP headers in small letters.
  const value = plain[name] ?? plain[name.toLowerCase()];
  return typeof value === 'string' ? value : undefined;
}
