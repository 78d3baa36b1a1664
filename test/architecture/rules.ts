import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { parseAst } from 'vitest/node';

/** What each workspace package may import of the others: imports point down. Folders that are not listed may import nothing. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  'packages/protocol': [],
  'packages/paxos': ['@synod/protocol'],
  'packages/mastership': ['@synod/protocol'],
  'packages/strategies': ['@synod/protocol'],
  'packages/nats': ['@synod/protocol'],
  'packages/storage': ['@synod/protocol'],
  'packages/runtime': ['@synod/protocol', '@synod/paxos', '@synod/mastership', '@synod/strategies'],
  'packages/simulator': ['@synod/protocol', '@synod/paxos', '@synod/mastership', '@synod/strategies', '@synod/runtime'],
  'packages/synod': ['@synod/protocol', '@synod/runtime', '@synod/nats', '@synod/storage'],
  'packages/xstate': ['synod'],
  'packages/kv': ['synod'],
  ...Object.fromEntries(
    ['cli', 'worker', 'master-watch', 'console'].map((app) => [
      `apps/${app}`,
      ['synod', '@synod/xstate', '@synod/kv', '@synod/nats', '@synod/simulator', '@synod/strategies'],
    ]),
  ),
};

/** No clock, randomness, process or I/O: what they need comes through a port, so that the simulator can own it. */
export const purePackages: readonly string[] = [
  'protocol',
  'paxos',
  'mastership',
  'strategies',
  'runtime',
  'simulator',
].map((name) => `packages/${name}`);

const bannedNames = new Set([
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval'],
  ...['process', 'crypto', 'fetch', 'WebSocket', 'console', 'require', 'globalThis', 'global', 'Worker'],
  ...['Math.random', 'AbortSignal.timeout'],
]);

/** `synod.` and what follows a subject; the names of public events begin alike and are no subjects. */
const subject = /^synod\.(?!master\.(elected|resigned|expired|lost|changed))($|[*>]$|[^.]*\.)/;

/**
 * Checks one source file.
 *
 * @param file - Path from the top of the repository, with `/`.
 * @returns One sentence per breach, each with its line.
 */
export function breaches(file: string, text: string): string[] {
  const [kind = '', name = ''] = file.split('/');
  const folder = `${kind}/${name}`;
  const isTest = file.endsWith('.test.ts');
  const found: string[] = [];

  for (const { what, value, at } of facts(text)) {
    const reason =
      what === 'import'
        ? importBreach(file, folder, value, isTest)
        : what === 'global'
          ? globalBreach(file, folder, value, isTest)
          : what === 'load'
            ? loadBreach(file, folder, value, isTest)
            : subjectBreach(kind, folder, value);
    if (reason) found.push(`${file}:${text.slice(0, at).split('\n').length} ${reason}`);
  }
  return found;
}

function importBreach(file: string, folder: string, specifier: string, isTest: boolean): string | undefined {
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier);
    return target.startsWith(`${folder}/`) ? undefined : `reaches into another package: ${specifier}`;
  }
  if (purePackages.includes(folder) && !isTest && isBuiltin(specifier)) return `is pure, imports ${specifier}`;
  if (specifier.startsWith('@nats-io/') && folder.startsWith('packages/') && folder !== 'packages/nats') {
    return `imports ${specifier}: under packages/ only nats does`;
  }
  const workspacePackage = /^(@synod\/[^/]+|synod)(\/.*)?$/.exec(specifier);
  if (!workspacePackage) return undefined;
  const [, target = '', path = ''] = workspacePackage;
  if (path.startsWith('/src')) return `imports the sources of another package: ${specifier}`;
  const isOwn = target.replace('@synod/', '') === folder.split('/')[1];
  return isOwn || mayImport[folder]?.includes(target) ? undefined : `imports ${specifier}: imports point down`;
}

/**
 * Schemas are for tools and tests; what runs imports their types alone, and the validators that were made of them: TypeBox would
 * cost every process 15 MB and much of its start.
 */
function loadBreach(file: string, folder: string, specifier: string, isTest: boolean): string | undefined {
  const schemas = `${folder}/src/schemas/`;
  if (isTest || file.startsWith(schemas)) return undefined;
  const isTypeBox = specifier === 'typebox' || specifier.startsWith('typebox/');
  const isSchema = specifier.startsWith('.')
    ? posix.join(posix.dirname(file), specifier).startsWith(schemas)
    : /^(@synod\/[^/]+|synod)\/(schemas|asyncapi)$/.test(specifier);
  return isTypeBox || isSchema ? `loads ${specifier} when it runs: import type` : undefined;
}

function globalBreach(file: string, folder: string, name: string, isTest: boolean): string | undefined {
  // Help for tests may wait until the event loop has turned; a turn is no clock.
  if (name === 'setImmediate' && file.startsWith(`${folder}/src/testing/`)) return undefined;
  return purePackages.includes(folder) && !isTest ? `is pure, uses ${name}` : undefined;
}

function subjectBreach(kind: string, folder: string, value: string): string | undefined {
  return kind === 'packages' && folder !== 'packages/nats' ? `spells the subject ${value}: only nats does` : undefined;
}

/** The same for a package's manifest: what it declares must be what it may import. */
export function manifestBreaches(
  folder: string,
  manifest: { dependencies?: Readonly<Record<string, string>> },
): string[] {
  return Object.keys(manifest.dependencies ?? {}).flatMap((name) => {
    const file = join(folder, 'package.json');
    const reason = importBreach(file, folder, name, false);
    return reason ? [`${file} ${reason}`] : [];
  });
}

interface Fact {
  readonly what: 'import' | 'load' | 'global' | 'subject';
  readonly value: string;
  readonly at: number;
}

/** As much of an ESTree node as we look at. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** Syntax of TypeScript that has a value inside; all else whose type begins with TS is gone when the program runs. */
const typedExpressions = [
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSInstantiationExpression',
];

function facts(text: string): Fact[] {
  const found: Fact[] = [];
  const visit = (node: Node, inType: boolean, hidden: ReadonlySet<string>): void => {
    const add = (what: Fact['what'], value: string) => found.push({ what, value, at: node.start });
    // Types count as imports too: a package cannot be built without the ones whose types it names.
    const source = node['source'];
    if (isNode(source) && typeof source['value'] === 'string') add('import', source['value']);
    const isErased =
      inType ||
      [node['importKind'], node['exportKind']].includes('type') ||
      (node.type.startsWith('TS') && !typedExpressions.includes(node.type));
    const own = isScope(node) ? new Set([...hidden, ...declaredNames(node)]) : hidden;
    if (!isErased) {
      if (isNode(source) && typeof source['value'] === 'string') add('load', source['value']);
      const name = nameOf(node);
      if (name !== undefined && bannedNames.has(name) && !own.has(name)) add('global', name);
      const words = wordsOf(node);
      if (words !== undefined && subject.test(words)) add('subject', words);
    }
    for (const child of childrenOf(node)) {
      // `new Date(ms)` only writes an instant that was given; `new Date()` reads the clock.
      const isConversion = node.type === 'NewExpression' && child === node['callee'] && hasArguments(node);
      if (!(isConversion && nameOf(child) === 'Date')) visit(child, isErased, own);
    }
  };
  visit(parseAst(text, { lang: 'ts' }) as unknown as Node, false, new Set());
  return found;
}

const hasArguments = (node: Node): boolean => (node['arguments'] as unknown[]).length > 0;

const isScope = (node: Node): boolean => node.type === 'Program' || Array.isArray(node['params']);

/**
 * What a module or function names itself: its parameters, imports and declarations, blocks included. `const { process } =
 * ports` hides the global of that name.
 */
function declaredNames(scope: Node): string[] {
  const inside = (node: Node): string[] => {
    const names = ['id', 'local', 'param'].flatMap((key) => (isNode(node[key]) ? patternNames(node[key]) : []));
    return isScope(node) ? names : [...names, ...childrenOf(node).flatMap(inside)];
  };
  const params = ((scope['params'] ?? []) as Node[]).flatMap(patternNames);
  return [...params, ...childrenOf(scope).flatMap(inside)];
}

/** `{ a, b: [c = 1], ...d }` names a, c and d. */
function patternNames(pattern: Node): string[] {
  if (pattern.type === 'Identifier') return [pattern['name'] as string];
  const keys = { ObjectPattern: 'properties', ArrayPattern: 'elements', Property: 'value', AssignmentPattern: 'left' };
  const inner = pattern[keys[pattern.type as keyof typeof keys] ?? 'argument'];
  return (Array.isArray(inner) ? inner : [inner]).filter(isNode).flatMap(patternNames);
}

/** `Date`, `Math.random` */
function nameOf(node: Node): string | undefined {
  if (node.type === 'Identifier') return node['name'] as string;
  if (node.type !== 'MemberExpression') return undefined;
  return `${(node['object'] as Node)['name']}.${(node['property'] as Node)['name']}`;
}

/** Text of a string or template; what a template puts in stands as `*`. */
function wordsOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node.type !== 'TemplateLiteral') return undefined;
  return (node['quasis'] as { value: { cooked: string } }[]).map((quasi) => quasi.value.cooked).join('*');
}

function childrenOf(node: Node): Node[] {
  // A property's name after a dot or before a colon, and what an imported name was called elsewhere, are no references.
  const skipped =
    node['computed'] === true
      ? []
      : { MemberExpression: ['property'], Property: ['key'], PropertyDefinition: ['key'], MethodDefinition: ['key'] }[
          node.type as string
        ];
  return Object.entries(node).flatMap(([key, value]) => {
    if (skipped?.includes(key)) return [];
    return (Array.isArray(value) ? value : [value]).filter(isNode);
  });
}
