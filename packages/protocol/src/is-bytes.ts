/** Bytes as msgpackr decodes them. */
export const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
