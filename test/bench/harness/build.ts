import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Lab } from './lab.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const COMPILER = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));

/** Compiles the workspace as it is published, so that members can be run the way users run them. */
export async function build(lab: Lab): Promise<void> {
  lab.say('compiling the workspace …');
  try {
    await promisify(execFile)(COMPILER, ['-b', ROOT], { signal: lab.signal });
  } catch (error) {
    // The compiler tells its errors on standard output.
    throw new Error(`the workspace does not compile:\n${(error as { stdout?: string }).stdout ?? error}`, {
      cause: error,
    });
  }
}
