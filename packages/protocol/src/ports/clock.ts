/** Names a timer of a {@link Clock}. */
export type TimerHandle = unknown;

/**
 * The only source of time. Also what XState takes as its clock: timers wake, they do not decide.
 * Contract: `clockContract` of `@synod/protocol/testing`.
 */
export interface Clock {
  /** Monotonic milliseconds, fractional. Means nothing to another process and never leaves this one. */
  now(): number;
  /** Wall clock, milliseconds since 1970. Used only to notice a suspended machine (T9) and to date events. */
  wallNow(): number;
  /** Milliseconds since the machine was started, suspension included, coarse; `null` where there is no such clock (T9). */
  bootNow(): number | null;
  /** Calls back once, up to 1 ms early or any amount late. */
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}
