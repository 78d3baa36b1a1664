/** What JSON can say. */
export type JsonView = null | boolean | number | string | readonly JsonView[] | { readonly [key: string]: JsonView };

/**
 * An inspection event, or anything in it, as JSON can say it. The role machines hold sets, maps and bytes, of which
 * `JSON.stringify` alone would show nothing: `join(nc, { inspect: (event) => send(JSON.stringify(jsonView(event))) })`.
 *
 * A set becomes an array, a map an object (an array of pairs if its keys are no names), bytes `{ bytes: '0aff' }`, an error
 * its name and message, a number without an end its name. Functions are left out. It never throws, and what it gives
 * survives a round trip.
 */
export const jsonView = (value: unknown): JsonView => view(value, []) ?? null;

function view(value: unknown, around: readonly object[]): JsonView | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'object': {
      if (value === null) return null;
      if (around.includes(value)) return '(circular)';
      const shown = shownBy(value);
      return typeof shown === 'object' && shown !== null
        ? viewOfObject(shown, [...around, value])
        : view(shown, around);
    }
    default:
      return undefined;
  }
}

/**
 * Snapshots, actors and transitions of XState say what of them is for others to see. Asked once, as JSON does: what a
 * transition shows has the same method again.
 */
function shownBy(value: object): unknown {
  try {
    if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON();
    if (value instanceof Map || value instanceof Set || value instanceof Uint8Array || Array.isArray(value))
      return value;
    if (value instanceof Error) return { name: value.name, message: value.message };
    return { ...value };
  } catch (error) {
    return `(${String(error)})`;
  }
}

function viewOfObject(value: object, around: readonly object[]): JsonView {
  const inside = (item: unknown): JsonView | undefined => view(item, around);
  const list = (items: Iterable<unknown>): JsonView => Array.from(items, (item) => inside(item) ?? null);
  if (value instanceof Uint8Array) {
    return { bytes: Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('') };
  }
  if (value instanceof Set || Array.isArray(value)) return list(value);
  if (value instanceof Map) {
    const isNamed = [...value.keys()].every((key) => typeof key === 'string' || typeof key === 'number');
    return isNamed ? record(value, inside) : list(value);
  }
  return record(Object.entries(value), inside);
}

function record(
  entries: Iterable<readonly [string | number, unknown]>,
  inside: (item: unknown) => JsonView | undefined,
): JsonView {
  const shown = Array.from(entries, ([key, item]) => [String(key), inside(item)] as const);
  return Object.fromEntries(shown.filter((entry): entry is [string, JsonView] => entry[1] !== undefined));
}
