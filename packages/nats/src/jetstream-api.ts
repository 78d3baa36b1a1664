import { encodeJson, parseJson } from './json.ts';
import type { NatsConnectionLike } from './nats-connection.ts';

/** Why JetStream did not do what it was asked. */
export interface Lacking {
  readonly state: 'not-found' | 'no-jetstream' | 'no-permission' | 'failed' | 'unanswered';
  readonly detail: string;
  /** JetStream's own. */
  readonly errorCode?: number | undefined;
  readonly cause?: unknown;
}
export type JetStreamAnswer = { readonly state: 'ok'; readonly data: unknown } | Lacking;

/** Its interface is JSON over requests: spoken plainly, it needs no client of either generation. Never rejects. */
export const askJetStream = (
  connection: NatsConnectionLike,
  subject: string,
  body: unknown,
  timeoutMs: number,
): Promise<JetStreamAnswer> => answerOf(() => connection.request(subject, encodeJson(body), { timeout: timeoutMs }));

/** Reads the answer to a request, whatever was asked. Never rejects. */
export async function answerOf(request: () => Promise<{ readonly data: Uint8Array }>): Promise<JetStreamAnswer> {
  try {
    const data = parseJson((await request()).data) as {
      error?: { code?: number; err_code?: number; description?: string };
    } | null;
    if (data === null || typeof data !== 'object')
      return { state: 'failed', detail: 'JetStream answered no JSON object' };
    if (!data.error) return { state: 'ok', data };
    const { code, err_code: errorCode, description = 'an error' } = data.error;
    return {
      state: stateOf(code, errorCode),
      detail: `JetStream says: ${description} (${errorCode ?? code})`,
      errorCode,
    };
  } catch (error) {
    return refused(error);
  }
}

function stateOf(code: number | undefined, errorCode: number | undefined): Lacking['state'] {
  if (errorCode === NOT_ENABLED || errorCode === NOT_ENABLED_FOR_ACCOUNT) return 'no-jetstream';
  if (errorCode === TEMPORARILY_UNAVAILABLE) return 'unanswered';
  return code === 404 ? 'not-found' : 'failed';
}

const TEMPORARILY_UNAVAILABLE = 10008;
const NOT_ENABLED = 10076;
const NOT_ENABLED_FOR_ACCOUNT = 10039;

/** The clients name the same errors differently, and one wraps them: version 3 by `name`, version 2 by `code`. */
function refused(error: unknown): Lacking {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { name, code } = cause as Error & { code?: unknown };
    if (name === 'NoResponders' || code === '503') {
      return { state: 'no-jetstream', detail: 'No NATS server here has JetStream' };
    }
    if (name === 'PermissionViolationError' || code === 'PERMISSIONS_VIOLATION') {
      return { state: 'no-permission', detail: cause.message, cause: error };
    }
  }
  const detail = error instanceof Error ? error.message || error.name : String(error);
  return { state: 'unanswered', detail: `JetStream did not answer: ${detail}`, cause: error };
}
