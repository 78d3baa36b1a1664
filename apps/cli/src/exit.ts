/** What a command's exit code tells a script; the numbers above 63 are those of sysexits.h. */
export const EXIT = {
  yes: 0,
  /** A clean no: nobody is master, the member is not healthy. */
  no: 1,
  usage: 2,
  /** NATS or a quorum cannot be had now. */
  unavailable: 69,
  /** This node had to leave its group, or a fault of this program. */
  failed: 70,
  timedOut: 75,
  noPermission: 77,
  configuration: 78,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with an exit code and a sentence for the person at the terminal. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
