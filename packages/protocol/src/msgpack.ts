import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' });

/** MessagePack of plain data. The result shares no memory with later results. */
export const pack = (data: unknown): Uint8Array => Uint8Array.from(packr.pack(data));

/** Plain data of MessagePack; `undefined` for whatever is not exactly one whole value. Never throws: input is anybody's. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}
