import { EXIT, type ExitCode } from './exit.ts';

/** SIGINT and SIGTERM as an AbortSignal. Another one, a moment later, ends the process at once. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** 130 after Ctrl-C. SIGTERM is how a service is told to stop: obeying is no failure. */
  readonly exitCode: () => ExitCode;
}

/** Ctrl-C reaches a process twice where npm started it: from the terminal and from npm. That is one wish. */
const SAME_WISH_MS = 500;

/** Listens from now on, for as long as the process lives. */
export function interruption(): Interruption {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  let receivedAtMs = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (received) {
      // A way out for who will not wait for an orderly end.
      if (performance.now() - receivedAtMs >= SAME_WISH_MS) process.exit(EXIT.interrupted);
      return;
    }
    received = signal;
    receivedAtMs = performance.now();
    controller.abort(new Error(`stopped by ${signal}`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { signal: controller.signal, exitCode: () => (received === 'SIGINT' ? EXIT.interrupted : EXIT.yes) };
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** What `promise` comes to, or `null` when the signal aborts first. Leaves nothing behind at a signal that lives long. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const { promise: stopped, resolve } = Promise.withResolvers<null>();
  const onAbort = () => resolve(null);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
