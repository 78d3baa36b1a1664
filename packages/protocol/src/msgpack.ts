import { Packr } from 'msgpackr';
import type { Slab } from './slab.ts';

const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' });

/** MessagePack of plain data. No later result is written where this one stands. */
export function pack(data: unknown): Uint8Array {
  const packed = packr.pack(data);
  const bytes = new Uint8Array(packed.byteLength);
  bytes.set(packed);
  return bytes;
}

/** As {@link pack}, behind so many bytes that are left to the caller, in memory of a slab. */
export function packInto(slab: Slab, data: unknown, headerBytes: number): Uint8Array {
  const packed = packr.pack(data);
  const bytes = slab.take(headerBytes + packed.byteLength);
  bytes.set(packed, headerBytes);
  return bytes;
}

/** Plain data of MessagePack; `undefined` for whatever is not exactly one whole value. Never throws: input is anybody's. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}
