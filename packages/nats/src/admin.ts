import { type Address, type Bus, type NodeId, type Subscription, SynodError } from '@synod/protocol';
import { type AskOptions, ask } from './ask.ts';
import { encodeJson, parseJson } from './json.ts';
import type { AdminAnswer } from './schemas/admin.ts';
import { isAdminAnswer } from './validators.generated.ts';

export interface AskAdminOptions extends AskOptions {
  /** Answers that are enough. Default 1. */
  readonly expected?: number;
}

/**
 * Carries out requests of operators for one action: `resign`, `status`. Who may ask is settled by the permissions of NATS,
 * which pin both action and asker in the subject.
 *
 * @param handle - Returns `undefined` when this node is not concerned: it stays silent. What it throws is the answer.
 */
export function respondAdmin(
  bus: Bus,
  action: string,
  handle: (body: unknown, from: NodeId) => unknown | Promise<unknown>,
): Subscription {
  return respondAt(bus, { role: 'admin', to: action }, handle);
}

/** Answers whoever asks how this node is: a health check asks with the node's own credentials, which are no operator's. */
export const respondHealth = (bus: Bus, health: () => unknown): Subscription =>
  respondAt(bus, { role: 'whois', to: bus.node }, health);

function respondAt(
  bus: Bus,
  address: Address,
  handle: (body: unknown, from: NodeId) => unknown | Promise<unknown>,
): Subscription {
  return bus.respond(address, (payload, from, answer) => {
    const body = parseJson(payload);
    if (body === undefined) return;
    void carryOut(() => handle(body, from), bus).then((answered) => {
      if (answered !== null) answer(answered);
    });
  });
}

/**
 * Asks all nodes that answer for `action`.
 * @param body - Plain data; the target, if there is one, is part of it.
 * @returns every answer until `expected` came, or `waitMs` after the first; none when nobody is concerned in `timeoutMs`.
 */
export function askAdmin(
  bus: Bus,
  action: string,
  body: unknown,
  options: AskAdminOptions = {},
): Promise<AdminAnswer[]> {
  return askAt(bus, { role: 'admin', to: action }, body, options);
}

/** Asks one node how it is. @returns its answer, or none in `timeoutMs`. */
export const askHealth = (bus: Bus, node: NodeId, options: AskOptions = {}): Promise<AdminAnswer[]> =>
  askAt(bus, { role: 'whois', to: node }, {}, options);

function askAt(
  bus: Bus,
  to: Address,
  body: unknown,
  { expected = 1, ...options }: AskAdminOptions,
): Promise<AdminAnswer[]> {
  return ask<AdminAnswer>(bus, {
    ...options,
    to,
    payload: encodeJson(body ?? null),
    parse: (payload) => {
      const answer = parseJson(payload);
      return isAdminAnswer(answer) ? answer : undefined;
    },
    isEnough: (answers) => answers.length >= expected,
  });
}

/** The answer's payload, or `null` for none. Never rejects: a result that is no JSON is an error of the handler too. */
async function carryOut(handle: () => unknown, bus: Bus): Promise<Uint8Array | null> {
  const { node } = bus;
  try {
    const result = await handle();
    if (result === undefined) return null;
    const answer = encodeJson({ node, result });
    if (answer.length <= bus.maxPayloadBytes) return answer;
    throw new Error(`the answer has ${answer.length} bytes, the server takes ${bus.maxPayloadBytes}`);
  } catch (error) {
    const code = error instanceof SynodError ? error.code : 'ERR_SYNOD_INTERNAL';
    return encodeJson({ node, error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
}
