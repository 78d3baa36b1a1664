import { Build, type XSchema } from 'typebox/schema';

/** What a schema's check may call that is not in the schema: by itself, and how a module that is written calls it. */
export type Refinements = ReadonlyMap<unknown, string>;

/** A module of checks: which names it exports, and of which schemas they are made. */
export interface Module {
  /** Where it stands, from the top of the repository. */
  readonly file: string;
  /** Type guards, each by the name of the schema that it checks by. */
  readonly guards: Readonly<Record<string, string>>;
  /** Several checks in one record, by the name of the record of schemas. */
  readonly records: Readonly<Record<string, string>>;
  /** What the names are names of. */
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly refinements: Refinements;
  /** Whatever else the module needs to import. */
  readonly imports: readonly string[];
}

/** The text of the module. */
export function sourceOf(module: Module): string {
  const { guards, records, schemas, refinements, imports } = module;
  const patterns = new Map<string, string>();
  const check = (schema: unknown) => checkOf(schema as XSchema, refinements, patterns);
  const exported = [
    ...Object.entries(guards).map(
      ([name, schema]) => `export const ${name}: Guard<typeof schemas.${schema}> = ${check(schemas[schema])};\n`,
    ),
    ...Object.entries(records).map(([name, record]) => {
      const entries = Object.entries(schemas[record] as object).map(([key, schema]) => `  ${key}: ${check(schema)},\n`);
      return `export const ${name}: Readonly<Record<keyof typeof schemas.${record}, Check>> = {\n${entries.join('')}};\n`;
    }),
  ].join('\n');
  const head = [
    '// @ts-nocheck: written by `npm run validators`, by the compiler of TypeBox, from the schemas in schemas/. Change those.',
    "import type { Static, TSchema } from 'typebox';",
    ...imports,
    "import type * as schemas from './schemas/index.ts';",
    '',
    'type Check = (value: unknown) => boolean;',
    'type Guard<Schema extends TSchema> = (value: unknown) => value is Static<Schema>;',
    '',
    ...[...patterns].map(([pattern, name]) => `const ${name} = ${pattern};`),
    ...(exported.includes(`${CODE_POINTS.name}(`) ? ['', CODE_POINTS.source] : []),
  ];
  return `${head.join('\n')}\n\n${exported}`;
}

/** Length of a text as JSON Schema counts it. */
const CODE_POINTS = {
  name: 'codePoints',
  source: `function codePoints(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}`,
};

/** An expression: the function that checks a value by the schema. */
function checkOf(schema: XSchema, refinements: Refinements, patterns: Map<string, string>): string {
  const build = Build(schema);
  const { identifier, variables } = build.External();
  const plain = (code: string) =>
    code
      .replaceAll(new RegExp(`\\b${identifier}\\[(\\d+)\\](\\.check\\b)?`, 'g'), (_, index) =>
        nameOf(variables[Number(index)], refinements, patterns),
      )
      .replaceAll('Guard.CodePointCount(', `${CODE_POINTS.name}(`);
  const code = `(() => { ${build.Functions().map(plain).join('; ')}; return (value) => ${plain(build.Entry())}; })()`;
  const missing = /\b(Guard|Hashing|CheckContext)\b|\bcontext\b/.exec(code.replaceAll(/"(\\.|[^"\\])*"/g, '""'));
  if (missing || build.UseUnevaluated())
    throw new Error(`a check needs ${missing?.[0] ?? 'a context'} of TypeBox, which does not run where it is to run`);
  return code;
}

/** What a check calls by this name, where TypeBox hands it over when it evaluates. */
function nameOf(external: unknown, refinements: Refinements, patterns: Map<string, string>): string {
  if (external instanceof RegExp) {
    const name = patterns.get(String(external)) ?? `pattern${patterns.size}`;
    patterns.set(String(external), name);
    return name;
  }
  const name = refinements.get((external as { check?: unknown }).check);
  if (name === undefined) throw new Error('a refinement that no module exports: name it in modules.ts');
  return name;
}
