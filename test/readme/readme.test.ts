import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, normalize, join as pathOf } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { publint } from 'publint';
import { join } from 'synod';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Block, blocksOf, readmeBlocks, root } from './blocks.ts';
import { type Packed, packAndInstall } from './packed.ts';
import { runBlock } from './run-block.ts';
import { typeErrors } from './type-check.ts';

const blocks = readmeBlocks();
let packed: Packed;
beforeAll(async () => {
  packed = await packAndInstall();
});

describe('the code of the READMEs, against the packages as they are published', () => {
  it('has the types that it says', async () => {
    const checked = blocks.filter(({ language }) => language === 'ts');
    expect(await typeErrors(checked, packed.project)).toBe('');
  });

  it.each(blocks)('runs: $readme:$line', async (block) => {
    const server = await natsServer();
    // Whoever looks on has something to see: `orders` is what examples call their group.
    if (block.until !== undefined) await masterOf(server.url, 'orders');
    await runBlock(block, packed.project, server.url);
  });
});

describe('a broken block', () => {
  const block = (text: string, until?: string): Block => ({ readme: 'a', line: 1, language: 'ts', text, until });
  const url = 'nats://127.0.0.1:9';

  it.each([
    ["import { joyn } from 'synod';", 'does not provide an export named'],
    ["import '@synod/synod';", 'Cannot find package'],
    ["import 'vitest';", 'Cannot find package'],
    ["throw new Error('so');", 'Error: so'],
    ['process.exitCode = 3;', 'exit code 3'],
  ])('fails when run: %s', async (text, reason) => {
    await expect(runBlock(block(text), packed.project, url)).rejects.toThrow(reason);
  });

  it('fails when it does not say what it is to say, or ends badly after it', async () => {
    const badly = "process.once('SIGINT', () => process.exit(4)); setInterval(() => {}, 1e6); console.log('b');";
    await expect(runBlock(block('console.log("b");', 'a'), packed.project, url)).rejects.toThrow(
      'without having said "a"',
    );
    await expect(runBlock(block(badly, 'b'), packed.project, url)).rejects.toThrow('exit code 4');
    expect(await runBlock(block(badly.replace('4', '0'), 'b'), packed.project, url)).toBe('b\n');
  });

  it('fails when its types are wrong', async () => {
    const text = "import { ConfigError } from 'synod';\nconst n: number = new ConfigError([]).code;\nconsole.log(n);\n";
    expect(await typeErrors([block(text)], packed.project)).toMatch(/a_1\.ts\(2,7\): error TS2322/);
  });
});

describe('blocksOf', () => {
  const text = (mark: string, language: string) => `${mark}\n\n\`\`\`${language}\ncode\n\`\`\`\n`;

  it.each([
    ['', 'ts', 1],
    ['<!-- fragment -->', 'ts', 0],
    ['', 'sh', 0],
    ['<!-- run -->', 'sh', 1],
    ['<!-- run -->', 'mermaid', 0],
  ])('after "%s" runs of %s: %i', (mark, language, count) => {
    expect(blocksOf('a', text(mark, language))).toHaveLength(count);
  });

  it('knows where a block is and what it is to say', () => {
    expect(blocksOf('a', `x\n${text('<!-- until: term 1 -->', 'ts')}`)).toEqual([
      { readme: 'a', line: 5, language: 'ts', text: 'code\n', until: 'term 1' },
    ]);
  });

  it('finds the end of no block in another', () => {
    expect(() => blocksOf('a', '```ts\ncode')).toThrow('a:1 opens a code block that nothing closes');
  });
});

describe('what is published', () => {
  it('carries its licence', async () => {
    for (const { name, tarball } of packed.packages) {
      const { stdout } = await promisify(execFile)('tar', ['-tzf', tarball]);
      expect(stdout.split('\n'), name).toContain('package/LICENSE');
    }
  });

  it('holds no module that nothing of it reaches', async () => {
    for (const { name } of packed.packages) {
      const folder = pathOf(packed.project, 'node_modules', name);
      const found = await reached(folder);
      const modules: string[] = [];
      for await (const file of glob('dist/**/*.js', { cwd: folder })) modules.push(file.slice(0, -'.js'.length));
      expect(
        modules.filter((module) => !found.has(module) && hasSource(name, module)),
        name,
      ).toEqual([]);
    }
  });

  it('has no fault that publint knows', async () => {
    for (const { name, tarball } of packed.packages) {
      const { messages } = await publint({ pack: { tarball: arrayBuffer(await readFile(tarball)) } });
      expect(messages, name).toEqual([]);
    }
  });

  it('gives its types to whoever imports it', async () => {
    for (const { name, tarball } of packed.packages) {
      const result = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(tarball))));
      const problems = result.types === false ? ['no types'] : result.problems.filter(isProblem);
      expect(problems, name).toEqual([]);
    }
  });
});

/** The modules of a package that its entries name, for what they run or for its types, by their paths without an ending. */
async function reached(folder: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const next = namedIn(await readFile(pathOf(folder, 'package.json'), 'utf8')).map((path) => normalize(path));
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    for (const ending of ['.js', '.d.ts']) {
      const text = await readFile(pathOf(folder, path + ending), 'utf8');
      for (const named of namedIn(text)) next.push(pathOf(dirname(path), named));
    }
  }
  return found;
}

/** A worker's module may be named with the ending of whoever starts it. */
const namedIn = (text: string): string[] =>
  [...text.matchAll(/['"`](\.[^'"`$]*?)(?:(?:\.d)?\.[jt]s|\$\{extname\([^}]*\})['"`]/g)].map(
    ([, path]) => path as string,
  );

/** Not so what an older build has left behind. */
const hasSource = (name: string, module: string): boolean =>
  existsSync(pathOf(root, 'packages', name.replace('@synod/', ''), module.replace('dist/', 'src/').concat('.ts')));

/** Modules of ECMAScript alone: Node before 12 and `require` before 22.12 are not promised. */
function isProblem(problem: { kind: string; resolutionKind?: string }): boolean {
  return (
    problem.kind !== 'CJSResolvesToESM' &&
    problem.resolutionKind !== 'node10' &&
    problem.resolutionKind !== 'node16-cjs'
  );
}

const arrayBuffer = ({ buffer, byteOffset, byteLength }: Buffer): ArrayBuffer =>
  buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;

async function natsServer(): Promise<NatsServer> {
  const server = await startNatsServer({ jetstream: true });
  onTestFinished(() => server.stop());
  return server;
}

async function masterOf(url: string, name: string): Promise<void> {
  const nats = await connect({ servers: url, maxReconnectAttempts: -1 });
  const journal = await mkdtemp(pathOf(tmpdir(), 'synod-readme-'));
  const membership = { role: 'member', voters: ['n1'], journal } as const;
  const group = await join(nats, { group: name, node: 'n1', membership, leaseMs: 1000 });
  onTestFinished(async () => {
    await group.close();
    await nats.close();
    await rm(journal, { recursive: true, force: true });
  });
  await group.election().campaign({ timeoutMs: 10_000 });
}
