import { spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Block } from './blocks.ts';

const timeoutMs = 30_000;

/** What our examples call the server that a reader has. */
const example = 'nats://127.0.0.1:4222';

/**
 * Runs a block as its reader would: alone, in a folder of its own where the packages are installed, with a NATS server.
 *
 * @param project - Its `node_modules`.
 * @returns What it said.
 * @throws Error when it failed, did not end, or did not say what it is to say.
 */
export async function runBlock(block: Block, project: string, natsUrl: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'synod-block-'));
  try {
    await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    const file = `block.${block.language}`;
    await writeFile(join(folder, file), block.text.replaceAll(example, natsUrl));
    const [command, ...args] = block.language === 'ts' ? [process.execPath, file] : ['sh', '-eu', file];
    return await outputOf(command as string, args, { cwd: folder, natsUrl, until: block.until });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function outputOf(
  command: string,
  args: readonly string[],
  { cwd, natsUrl, until }: { cwd: string; natsUrl: string; until: string | undefined },
): Promise<string> {
  // Nothing of this workspace reaches it: no condition, no option of the test runner.
  const { PATH, HOME } = process.env;
  const child = spawn(command, args, {
    cwd,
    env: { PATH, HOME, NATS_URL: natsUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`${reason}\n${said}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(until === undefined ? `did not end in ${timeoutMs} ms` : `did not say "${until}" in ${timeoutMs} ms`);
    }, timeoutMs);
    const hear = (chunk: Buffer) => {
      const hasSaid = until === undefined || said.includes(until);
      said += chunk;
      if (!hasSaid && said.includes(until)) child.kill('SIGINT');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      // It may say its words before it is ready to be interrupted in order: a reader's Ctrl-C ends it all the same.
      const isInterrupted = signal === 'SIGINT' && until !== undefined;
      if (code !== 0 && !isInterrupted) fail(`ended with ${signal ?? `exit code ${code}`}`);
      else if (until !== undefined && !said.includes(until)) fail(`ended without having said "${until}"`);
      else resolve(said);
    });
  });
}
