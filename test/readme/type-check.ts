import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Block, root } from './blocks.ts';

const run = promisify(execFile);

/** What TypeScript says of the blocks against the types that the packages publish; nothing when all is well. */
export async function typeErrors(blocks: readonly Block[], project: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'synod-types-'));
  try {
    await symlink(join(project, 'node_modules'), join(folder, 'node_modules'));
    const compilerOptions = {
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      noEmit: true,
      // XState's own types need it.
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    };
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    for (const { readme, line, text } of blocks) {
      await writeFile(join(folder, `${readme.replaceAll(/\W/g, '_')}_${line}.ts`), `${text}export {};\n`);
    }
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    return await run(tsc, ['-p', folder, '--pretty', 'false']).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
