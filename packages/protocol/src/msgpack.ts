import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' });

/** MessagePack of plain data, behind so many bytes that are left to the caller. The result shares no memory with later results. */
export function pack(data: unknown, headerBytes = 0): Uint8Array {
  const packed = packr.pack(data);
  const bytes = new Uint8Array(headerBytes + packed.byteLength);
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
