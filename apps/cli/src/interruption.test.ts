import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EXIT } from './exit.ts';
import { type Interruption, interruption } from './interruption.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;
const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never);
let before: readonly (readonly NodeJS.SignalsListener[])[];
let made: Interruption;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  before = signals.map((signal) => process.listeners(signal) as NodeJS.SignalsListener[]);
  made = interruption();
});
afterEach(() => {
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal) as NodeJS.SignalsListener[])
      if (!before[index]?.includes(listener)) process.off(signal, listener);
  }
  exit.mockClear();
  vi.useRealTimers();
});

const receive = (signal: (typeof signals)[number]) => process.emit(signal, signal);

it.each([
  ['SIGINT', EXIT.interrupted],
  ['SIGTERM', EXIT.yes],
] as const)('%s that comes twice at once, as npm passes it on, is one wish for an orderly end', (signal, code) => {
  receive(signal);
  expect(made.signal.aborted).toBe(true);
  vi.advanceTimersByTime(100);
  receive(signal);
  expect(exit).not.toHaveBeenCalled();
  expect(made.exitCode()).toBe(code);
});

it('another one a moment later ends the process at once', () => {
  receive('SIGTERM');
  vi.advanceTimersByTime(1000);
  receive('SIGINT');
  expect(exit).toHaveBeenCalledExactlyOnceWith(EXIT.interrupted);
});
