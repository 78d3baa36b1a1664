import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

export interface ExecOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/** Runs a program to its end without a shell; its standard output, or an error whose message has its last words. */
export async function exec(file: string, args: readonly string[], options: ExecOptions): Promise<string> {
  const { timeoutMs, ...rest } = options;
  try {
    const { stdout } = await execFileAsync(file, args, { ...rest, timeout: timeoutMs, killSignal: 'SIGKILL' });
    return stdout;
  } catch (error) {
    throw new Error(`${file} ${args[0] ?? ''}: ${reasonOf(error, timeoutMs)}`, { cause: error });
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { killed, stderr, message, code } = error as Partial<{
    killed: boolean;
    stderr: string;
    message: string;
    code: string | number;
  }>;
  if (killed) return `no end after ${timeoutMs} ms`;
  if (code === 'ENOENT') return 'not found';
  const lastLine = stderr?.trim().split('\n').at(-1);
  return lastLine || message || String(error);
}
