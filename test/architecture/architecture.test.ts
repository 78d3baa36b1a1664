import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { breaches, manifestBreaches, mayImport } from './rules.ts';

const root = join(import.meta.dirname, '../..');
const folders = ['packages', 'apps'].flatMap((kind) => readdirSync(join(root, kind)).map((name) => `${kind}/${name}`));

/** Paths from the top of the repository. */
function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `${folder}/src/${path}`);
}

describe.each(folders)('%s', (folder) => {
  it('has a place in the table of imports', () => {
    expect(Object.keys(mayImport)).toContain(folder);
  });

  it('keeps to it, and to what its kind of package may touch', () => {
    const found = sourcesOf(folder).flatMap((file) => breaches(file, readFileSync(join(root, file), 'utf8')));
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    expect([...found, ...manifestBreaches(folder, manifest)]).toEqual([]);
  });
});

describe('the check itself', () => {
  const inPaxos = (text: string) => breaches('packages/paxos/src/a/b.ts', text);
  const inStorage = (text: string) => breaches('packages/storage/src/a.ts', text);

  it.each([
    ["import { x } from '@synod/runtime';", 'imports @synod/runtime: imports point down'],
    ["import type { X } from '@synod/mastership';", 'imports @synod/mastership: imports point down'],
    ["export { x } from 'synod';", 'imports synod: imports point down'],
    ["export * from '@synod/nats';", 'imports @synod/nats: imports point down'],
    ["await import('@synod/storage');", 'imports @synod/storage: imports point down'],
    ["let x: import('@synod/storage').Journal;", 'imports @synod/storage: imports point down'],
    [
      "import { x } from '@synod/protocol/src/ballot.ts';",
      'imports the sources of another package: @synod/protocol/src/ballot.ts',
    ],
    [
      "import { x } from '../../../protocol/src/ballot.ts';",
      'reaches into another package: ../../../protocol/src/ballot.ts',
    ],
    [
      "import { connect } from '@nats-io/transport-node';",
      'imports @nats-io/transport-node: under packages/ only nats does',
    ],
    ["import { readFile } from 'node:fs';", 'is pure, imports node:fs'],
    ["import { readFile } from 'fs';", 'is pure, imports fs'],
    ['const now = Date.now();', 'is pure, uses Date'],
    ['const now = new Date();', 'is pure, uses Date'],
    ['function f() { const process = 1; }; const pid = process;', 'is pure, uses process'],
    ['const f = (a = process) => a;', 'is pure, uses process'],
    ['const now = () => performance.now();', 'is pure, uses performance'],
    ['setTimeout(() => {}, 1);', 'is pure, uses setTimeout'],
    ['const clock = { setInterval };', 'is pure, uses setInterval'],
    ['const id = Math.random();', 'is pure, uses Math.random'],
    ['const pid = (process as { pid: number }).pid;', 'is pure, uses process'],
    ['const signal = AbortSignal.timeout(5);', 'is pure, uses AbortSignal.timeout'],
    [
      "const subject = 'synod.orders.acceptor.all.from.n1';",
      'spells the subject synod.orders.acceptor.all.from.n1: only nats does',
    ],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source text under test is a template itself.
    ['const subject = `synod.${group}.learner`;', 'spells the subject synod.*.learner: only nats does'],
    ["const subject = 'synod.' + group;", 'spells the subject synod.: only nats does'],
    ["import Type from 'typebox';", 'loads typebox when it runs: import type'],
    // Of an import of types alone, one by one, the import itself is left.
    ["import { type Static } from 'typebox';", 'loads typebox when it runs: import type'],
    ["await import('typebox/compile');", 'loads typebox/compile when it runs: import type'],
    [
      "export { nameSchema } from '@synod/protocol/schemas';",
      'loads @synod/protocol/schemas when it runs: import type',
    ],
    ["export * from '../schemas/b.ts';", 'loads ../schemas/b.ts when it runs: import type'],
  ])('sees: %s', (text, reason) => {
    expect(inPaxos(`// A line before.\n${text}`)).toEqual([`packages/paxos/src/a/b.ts:2 ${reason}`]);
  });

  it.each([
    "import { x } from '@synod/protocol';",
    "import { x } from '@synod/protocol/testing';",
    "import { setup } from 'xstate';",
    "import { x } from '../b.ts';",
    "import type { Static } from 'typebox'; import type * as schemas from '@synod/protocol/schemas';",
    "export type { B } from '../schemas/b.ts'; let c: import('../schemas/c.ts').C;",
    'queueMicrotask(() => {});',
    'export const fetch = 1; f(fetch);',
    "import { fetch } from './messages.ts'; f(fetch);",
    'const text = new Date(ms).toISOString();',
    'const f = ({ process, a: [crypto = 1], ...fetch }) => { if (process) { const { console } = fetch; console(crypto); } };',
    'this.clock.setTimeout(() => {}, 1);',
    'const clock = { setTimeout: start, now: () => 0 };',
    'interface Clock { setTimeout(callback: () => void): void; process: Date }',
    "const type = 'synod.master.elected.v1';",
    "// Date.now() and '@synod/runtime' in a comment, 'Date.now()' in a string.\nconst text = 'Date.now()';",
  ])('allows: %s', (text) => {
    expect(inPaxos(text)).toEqual([]);
  });

  it('lets tests of a pure package touch anything, but not import upwards', () => {
    const text = "import 'node:fs'; setTimeout(() => {}, 1); import '@synod/runtime';";
    expect(breaches('packages/paxos/src/a.test.ts', text)).toEqual([
      'packages/paxos/src/a.test.ts:1 imports @synod/runtime: imports point down',
    ]);
  });

  it('lets the other packages have disk and clock, nats its subjects, and apps their own connection', () => {
    expect(inStorage("import { open } from 'node:fs/promises'; Date.now();")).toEqual([]);
    expect(breaches('packages/nats/src/a.ts', "import '@nats-io/nats-core'; f('synod.g.log.append.from.n');")).toEqual(
      [],
    );
    expect(breaches('apps/worker/src/main.ts', "import '@nats-io/transport-node'; import 'synod';")).toEqual([]);
    expect(breaches('apps/worker/src/main.ts', "import '@synod/paxos';")).toHaveLength(1);
    expect(inStorage("import '@nats-io/nats-core';")).toHaveLength(1);
  });

  it('lets help for tests wait for a turn of the event loop, but not for a timer', () => {
    expect(breaches('packages/protocol/src/testing/a.ts', 'setImmediate(f);')).toEqual([]);
    expect(breaches('packages/protocol/src/testing/a.ts', 'setTimeout(f);')).toHaveLength(1);
    expect(inPaxos('setImmediate(f);')).toHaveLength(1);
  });

  it('lets schemas and tests have the compiler of schemas, but nothing that runs', () => {
    const text = "import 'typebox'; import '@synod/protocol/schemas';";
    expect(breaches('packages/nats/src/schemas/a.ts', text)).toEqual([]);
    expect(breaches('packages/nats/src/a.test.ts', text)).toEqual([]);
    expect(breaches('packages/nats/src/a.ts', text)).toHaveLength(2);
    expect(breaches('apps/worker/src/main.ts', "import '@synod/nats/asyncapi';")).toContain(
      'apps/worker/src/main.ts:1 loads @synod/nats/asyncapi when it runs: import type',
    );
  });

  it('looks at what a manifest declares', () => {
    const manifest = {
      dependencies: { xstate: '5', '@synod/protocol': 'workspace:*', '@synod/runtime': 'workspace:*' },
    };
    expect(manifestBreaches('packages/paxos', manifest)).toEqual([
      'packages/paxos/package.json imports @synod/runtime: imports point down',
    ]);
  });
});
