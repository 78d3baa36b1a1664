import fc, { type Arbitrary } from 'fast-check';

/** As much of JSON Schema as the schemas of Synod say. */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly maxProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly '~refine'?: readonly unknown[];
}

/** Values that the schema lets pass. */
export function valid(schema: Schema): Arbitrary<unknown> {
  if ('~refine' in schema) return fc.uint8Array({ maxLength: 8 });
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valid));
  const { pattern, maxLength = 8, minimum, maximum } = schema;
  switch (schema.type) {
    case 'object':
      return validObject(schema);
    case 'array':
      return fc.array(valid(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(3, schema.maxItems ?? 3),
      });
    case 'string':
      return pattern === undefined
        ? fc.string({ maxLength, unit: 'binary' })
        : fc.stringMatching(new RegExp(pattern, 'u'));
    case 'integer':
      return fc.integer({ min: minimum ?? Number.MIN_SAFE_INTEGER, max: maximum ?? Number.MAX_SAFE_INTEGER });
    case 'number':
      return fc.double({ min: minimum ?? -1e300, max: maximum ?? 1e300, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case undefined:
      return fc.jsonValue();
    default:
      throw new Error(`teach this file the schema ${JSON.stringify(schema)}`);
  }
}

function validObject({ properties = {}, required = [], patternProperties, maxProperties }: Schema): Arbitrary<unknown> {
  if (patternProperties) {
    const [[pattern, value] = ['^$', {}]] = Object.entries(patternProperties);
    const key = fc.stringMatching(new RegExp(pattern, 'u'));
    return fc.dictionary(key, valid(value), { maxKeys: Math.min(3, maxProperties ?? 3) });
  }
  const fields = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, valid(schema)]));
  return fc.record(fields, { requiredKeys: [...required] });
}

/** What stands in a value in place of what was there; `ABSENT` takes it out. */
export const ABSENT = Symbol('absent');

/** Whatever a stranger may send, and more. */
export const garbage: Arbitrary<unknown> = fc.anything({
  maxDepth: 2,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Things on both sides of every limit that the schema sets, and one of each kind of thing. */
export function edges(schema: Schema): unknown[] {
  const found = new Set<unknown>([
    ...[ABSENT, undefined, null, true, false, 0, -0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1n],
    ...['', ' ', 'n1', 'n1\n', 'é', 'x/1', 'x/01', '\ud83d', () => 0, Symbol('any')],
    ...[[], [1], {}, new Date(0), new Map(), new Uint8Array(1), new Uint8Array(1).buffer, Buffer.from('a')],
  ]);
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    const { minimum, maximum, maxLength, maxProperties, minItems, maxItems, patternProperties } = part as Schema;
    if ('const' in part) found.add(part.const);
    for (const limit of [minimum, maximum])
      if (limit !== undefined) for (const by of [-1, 0, 1, 0.5]) found.add(limit + by);
    for (const limit of [...(maxLength === undefined ? [] : [maxLength]), 64, 128])
      for (const by of [0, 1])
        for (const letter of ['a', '😀']) found.add(letter.repeat(limit + by)).add(`${letter.repeat(limit)}\ud83d`);
    for (const limit of [minItems, maxItems])
      if (limit !== undefined) for (const by of [-1, 0, 1]) found.add(new Repeated(Math.max(0, limit + by)));
    if (maxProperties !== undefined)
      for (const by of [0, 1])
        found.add(Object.fromEntries(Array.from({ length: maxProperties + by }, (_, index) => [`k${index}`, 'v'])));
    if (patternProperties !== undefined)
      for (const key of ['', 'line\nbreak', 'k'.repeat(256), '😀'.repeat(256), 'k'.repeat(257)])
        found.add({ [key]: 'v' }).add({ [key]: 7 });
    for (const inner of Object.values(part)) visit(inner);
  };
  visit(schema);
  return [...found];
}

/** Stands for so many of an array's first entry. */
class Repeated {
  readonly times: number;

  constructor(times: number) {
    this.times = times;
  }
}

type Path = readonly (string | number)[];

/** Every place in a value, itself included. */
export function places(value: unknown, at: Path = []): Path[] {
  const isPlain = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  if (!isPlain) return [at];
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  return [at, ...[...entries].flatMap(([key, inner]) => places(inner, [...at, key]))];
}

/** The value with something else at that place. */
export function altered(value: unknown, [key, ...rest]: Path, other: unknown): unknown {
  if (key === undefined) {
    if (!(other instanceof Repeated)) return other === ABSENT ? undefined : other;
    return Array.isArray(value) ? Array.from({ length: other.times }, () => value[0]) : value;
  }
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  if (rest.length === 0 && other === ABSENT) delete copy[key];
  else copy[key] = altered(copy[key], rest, other);
  return copy;
}
