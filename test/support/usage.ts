import type { CommanderError } from 'commander';

const EXIT_USAGE = 2;

/** For `exitOverride` of commander: as of the CLI, so that a script tells a wrong call from a bar that was missed. */
export function exitOnUsage({ exitCode }: CommanderError): void {
  process.exit(exitCode === 0 ? 0 : EXIT_USAGE);
}
