import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { modules, wanted } from './modules.ts';
import { sourceOf } from './source.ts';
import { altered, edges, garbage, places, type Schema, valid } from './values.ts';

const root = join(import.meta.dirname, '../..');

describe.each(wanted())('$file', ({ path, text }) => {
  it('is what the schemas say now; else: npm run validators', () => {
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});

interface Pair {
  readonly name: string;
  readonly schema: TSchema;
  readonly validator: (value: unknown) => boolean;
}

/** Each validator as it stands in its module, and the schema that it was made of. */
const pairs: Pair[] = [];
for (const { file, guards, records, schemas } of modules) {
  const written = await import(join(root, file));
  for (const [name, schema] of Object.entries(guards))
    pairs.push({ name, schema: schemas[schema] as TSchema, validator: written[name] });
  for (const [name, record] of Object.entries(records))
    for (const [key, schema] of Object.entries(schemas[record] as Record<string, TSchema>))
      pairs.push({ name: `${name}.${key}`, schema, validator: written[name][key] });
}

describe.each(pairs)('$name', ({ schema, validator }) => {
  const compiled = Compile(schema);
  const agree = (value: unknown): boolean => {
    const verdict = outcome(() => compiled.Check(value));
    if (outcome(() => validator(value)) !== verdict) throw new Error(`TypeBox says ${verdict}`);
    return verdict === 'true';
  };
  const values = valid(schema as Schema);

  it('lets pass what the schema describes', () => {
    fc.assert(fc.property(values, (value) => agree(value)));
  });

  it('says what TypeBox says where a part is missing, of another kind, at a limit or past it', () => {
    const others = edges(schema as Schema);
    let refused = 0;
    const property = fc.property(values, (value) => {
      for (const place of places(value))
        for (const other of others) if (!agree(altered(value, place, other))) refused += 1;
    });
    fc.assert(property, { numRuns: 30 });
    expect(refused).toBeGreaterThan(0);
  });

  it('says what TypeBox says of garbage, alone and in place of a part', () => {
    const property = fc.property(values, fc.nat(), garbage, (value, nth, other) => {
      agree(other);
      const all = places(value);
      agree(altered(value, all[nth % all.length] ?? [], other));
    });
    fc.assert(property, { numRuns: 200 });
  });
});

describe.each(pairs.filter(({ name }) => /consent|isMasterEvent/.test(name)))('metadata in $name', (pair) => {
  const passes = (metadata: unknown): boolean =>
    pair.validator({
      ...{ type: 'consent', election: 'group', term: 1, session: 1, metadata },
      ...{ specversion: '1.0', source: 'synod://g/n1', subject: 'group', id: 'g/group/elected/1' },
      ...(pair.name === 'isMasterEvent' && {
        type: 'synod.master.elected.v1',
        time: 't',
        datacontenttype: 'application/json',
      }),
      data: {
        ...{ group: 'g', election: 'group', term: 1, version: 1, cause: 'vacant', previous: null, leaseMs: 1000 },
        current: { node: 'n1', metadata },
      },
    });

  it.each([
    ['an address', { address: 'http://10.0.0.7:3000' }],
    ['no key at all', { '': '' }],
    ['a key of 256 characters', { ['k'.repeat(256)]: 'v' }],
    ['a key with a line break', { 'a\nb': 'v' }],
  ])('%s passes', (_what, metadata) => expect(passes(metadata)).toBe(true));

  it.each([
    ['a key of 257', { ['k'.repeat(257)]: 'v' }],
    ['a key of 257 with a line break', { [`${'k'.repeat(256)}\n`]: 'v' }],
    ['no text', { a: 7 }],
    ['no text under a key with a line break', { 'a\nb': 7 }],
    ['too long a text under such a key', { 'a\nb': 'v'.repeat(4097) }],
  ])('%s does not', (_what, metadata) => expect(passes(metadata)).toBe(false));
});

/** Also of a check that throws. */
function outcome(check: () => boolean): string {
  try {
    return String(check());
  } catch {
    return 'an exception';
  }
}

describe('a process that runs Synod', () => {
  const names = readdirSync(join(root, 'packages')).map(
    (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).name as string,
  );

  /** Modules that are loaded with these, and what is said of a message, in a process that may not make code of text. */
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    for (const name of ${JSON.stringify(names)}) await import(name);
    const { decodeEnvelope, encodeEnvelope } = await import('@synod/protocol');
    const said = (message) => {
      const { envelope, dropped } = decodeEnvelope(encodeEnvelope({ config: '', incarnation: 'x1', message }));
      return envelope?.message ?? dropped;
    };
    const messages = [{ type: 'share', shards: 's' }, { type: 'share', shards: 's s' }].map(said);
    console.log(JSON.stringify({ loaded, messages }));`;

  it('loads no TypeBox, checks messages, and needs not to make code of text for it', () => {
    const flags = ['--conditions=@synod/source', '--disallow-code-generation-from-strings'];
    const args = [...flags, '--input-type=module', '-e', program];
    const said = execFileSync(process.execPath, args, { cwd: join(root, 'test'), encoding: 'utf8' });
    const { loaded, messages } = JSON.parse(said) as { loaded: string[]; messages: unknown[] };
    expect(loaded.filter((url) => url.endsWith('/validators.generated.ts'))).toHaveLength(modules.length);
    expect(loaded.filter((url) => url.includes('typebox') || url.includes('/schemas/'))).toEqual([]);
    expect(messages).toEqual([{ type: 'share', shards: 's' }, 'invalid']);
  });
});

describe('sourceOf', () => {
  const isEven = (value: unknown) => Number(value) % 2 === 0;
  const module = (schema: TSchema) => ({
    file: 'a.ts',
    guards: { isA: 'a' },
    records: {},
    schemas: { a: schema },
    refinements: new Map([[isEven, 'isEven']]),
    imports: [],
  });

  it('calls a refinement by the name that the module imports', () => {
    expect(sourceOf(module(Type.Refine(Type.Number(), isEven)))).toContain('isEven(value)');
  });

  it('refuses a refinement that it cannot call, and whatever else needs TypeBox when it runs', () => {
    expect(() => sourceOf(module(Type.Refine(Type.Number(), (value) => value === 1)))).toThrow('name it in modules.ts');
    expect(() => sourceOf(module(Type.Array(Type.Number(), { uniqueItems: true })))).toThrow('Hashing of TypeBox');
    expect(() => sourceOf(module(Type.Object({}, { unevaluatedProperties: false })))).toThrow('of TypeBox');
    expect(() => sourceOf(module(Type.Number({ multipleOf: 0.1 })))).toThrow('Guard of TypeBox');
  });

  it('leaves text of a schema alone that reads like code', () => {
    expect(sourceOf(module(Type.Literal('Guard.context')))).toContain('"Guard.context"');
  });
});
