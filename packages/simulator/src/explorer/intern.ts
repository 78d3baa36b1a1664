/**
 * Numbers for things that are equal by their canonical text: the parts of a state are compared as numbers, and what follows
 * from a part is worked out once.
 */
export class Interner<T> {
  readonly #ids = new Map<string, number>();
  readonly #things: T[] = [];
  readonly #keyOf: (thing: T) => string;

  constructor(keyOf: (thing: T) => string) {
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#things.length;
  }

  /** The number of `thing`: the same for equal things, the next one for a new thing. */
  id(thing: T): number {
    const key = this.#keyOf(thing);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#things.length;
    this.#ids.set(key, id);
    this.#things.push(thing);
    return id;
  }

  /** The first of all equal things. It is shared: whoever changes it copies it before. */
  get(id: number): T {
    return this.#things[id] as T;
  }
}

/** One text for equal data: maps and sets in order of their members, bytes as numbers, fields by name. */
export function canonical(data: unknown): string {
  if (typeof data === 'number') return `${data}`;
  if (data === undefined) return 'u';
  if (typeof data === 'function') return 'f';
  if (typeof data !== 'object' || data === null) return JSON.stringify(data) ?? 'n';
  if (data instanceof Uint8Array) return `b${data.join('.')}`;
  if (data instanceof Map)
    return `{${Array.from(data, ([key, value]) => `${canonical(key)}:${canonical(value)}`).sort()}}`;
  if (data instanceof Set) return `<${Array.from(data, canonical).sort()}>`;
  if (Array.isArray(data)) return `[${data.map(canonical)}]`;
  const fields = data as Readonly<Record<string, unknown>>;
  let text = '(';
  for (const name of Object.keys(fields).sort()) text += `${name}=${canonical(fields[name])},`;
  return `${text})`;
}

/** A copy of plain data, maps and sets included, that shares nothing but bytes: these are never written twice. */
export function copyOf<T>(data: T): T;
export function copyOf(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || data instanceof Uint8Array) return data;
  if (Array.isArray(data)) return data.map(copyOf);
  if (data instanceof Map) return new Map(Array.from(data, ([key, value]) => [copyOf(key), copyOf(value)]));
  if (data instanceof Set) return new Set(Array.from(data, copyOf));
  const fields = data as Readonly<Record<string, unknown>>;
  const copy: Record<string, unknown> = {};
  for (const name in fields) copy[name] = copyOf(fields[name]);
  return copy;
}
