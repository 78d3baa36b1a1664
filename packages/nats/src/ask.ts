import type { Address, Bus } from '@synod/protocol';

/** How long to listen for answers. */
export interface AskOptions {
  /** Longest wait for the first answer. Default 1000. */
  readonly timeoutMs?: number;
  /** How long to wait for better ones after the first. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

interface Ask<Answer> extends AskOptions {
  readonly to: Address;
  readonly payload: Uint8Array;
  /** Undefined: not an answer. */
  readonly parse: (payload: Uint8Array) => Answer | undefined;
  /** True when no further answer can change the outcome. */
  readonly isEnough: (answers: readonly Answer[]) => boolean;
  /** True for one of several messages that make an answer: each is waited for anew. Default: none is. */
  readonly isMoreToCome?: (answer: Answer) => boolean;
}

const DEFAULT_TIMEOUT_MS = 1_000;

/**
 * Sends a public request and gathers answers until there are enough, until `waitMs` after the first, or until NATS says
 * that nobody is there. Whoever answers is not known by its subject: an inbox carries no sender.
 *
 * @returns what was heard, perhaps nothing. Never rejects but by its signal.
 */
export async function ask<Answer>(bus: Bus, options: Ask<Answer>): Promise<Answer[]> {
  const { to, payload, parse, isEnough, isMoreToCome, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  signal?.throwIfAborted();
  // It would not be sent, and nothing would come.
  if (!bus.isConnected) return [];
  return new Promise((resolve, reject) => {
    const answers: Answer[] = [];
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      for (const subscription of subscriptions) subscription.close();
      signal?.removeEventListener('abort', abort);
    };
    const finish = (): void => {
      end();
      resolve(answers);
    };
    const abort = (): void => {
      end();
      reject(signal?.reason);
    };
    const hear = (answered: Uint8Array): void => {
      const answer = parse(answered);
      if (answer === undefined) return;
      answers.push(answer);
      if (isEnough(answers)) finish();
      else if (options.waitMs !== undefined && (answers.length === 1 || isMoreToCome?.(answer)))
        restart(options.waitMs);
    };
    const restart = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(finish, ms);
    };
    signal?.addEventListener('abort', abort);
    const subscriptions = [
      bus.onNoResponders((address) => {
        if (address.role === to.role && address.to === to.to && answers.length === 0) finish();
      }),
      bus.request(to, payload, hear),
    ];
    restart(timeoutMs);
  });
}
