import { crc32 } from 'node:zlib';

/** Version of everything the folder holds. A folder of another one is refused (I2). */
export const FORMAT = 1;

/** Bytes before the payload of a frame. */
export const FRAME_HEAD = 24;

/** Bytes before the first frame of a segment. */
export const SEGMENT_HEAD = 128;

const ALIGNMENT = 8;
const RECORD = 0x6552; // "Re"
const MARK = 0x614d; // "Ma"
const MAGIC = 'synodjnl';
const FOLLOWS = 1;
const BEGINS = 2;

/** Bytes a record takes in a segment. Padded, so that a search for whole frames needs to look at every eighth byte only. */
export const frameSize = (payloadLength: number): number =>
  Math.ceil((FRAME_HEAD + payloadLength) / ALIGNMENT) * ALIGNMENT;

/** A mark has no payload: it only says that everything before it is durable. */
export const MARK_SIZE = frameSize(0);

/** What a frame says beside its payload. All numbers are little-endian; offsets are those of its segment. */
export interface FrameFacts {
  /** Checksum of the frame before it, of the segment's head for the first: the chain. */
  readonly previous: number;
  /** Where the flush before this frame's flush ended: every byte before that was durable when this was written (P5). */
  readonly durable: number;
  /** Number of the flush that wrote it, counted over the whole life of the store (I2). */
  readonly flush: number;
}

/** A frame as it was read back, its checksum good. */
export interface Frame extends FrameFacts {
  readonly isMark: boolean;
  readonly checksum: number;
  /** Offset after it. */
  readonly end: number;
  /** Shares the segment's memory. */
  readonly payload: Buffer;
}

/**
 * Puts a record at `at`, its facts left open until {@link sealFrame}: they are known only when the flush begins.
 * @returns The offset after it.
 */
export function layFrame(into: Buffer, at: number, payload: Uint8Array): number {
  const end = at + frameSize(payload.length);
  into.writeUInt32LE(payload.length, at + 4);
  into.writeUInt16LE(RECORD, at + 22);
  into.set(payload, at + FRAME_HEAD);
  into.fill(0, at + FRAME_HEAD + payload.length, end);
  return end;
}

/** Offset after the frame that lies, sealed or not, at `at` of our own memory. */
export const endOfFrame = (bytes: Buffer, at: number): number => at + frameSize(bytes.readUInt32LE(at + 4));

/**
 * Fills in the facts and the checksum of a frame. The checksum begins from the segment's own and the frame's offset, so
 * that a frame of another store, segment or place never passes.
 * @param frame - Exactly the frame, padding included.
 * @returns Its checksum, which the next frame names.
 */
export function sealFrame(frame: Buffer, facts: FrameFacts, segmentChecksum: number, offset: number): number {
  frame.writeUInt32LE(facts.previous, 8);
  frame.writeUInt32LE(facts.durable, 12);
  frame.writeUIntLE(facts.flush, 16, 6);
  const checksum = crc32(frame.subarray(4), (segmentChecksum + offset) >>> 0);
  frame.writeUInt32LE(checksum, 0);
  return checksum;
}

/** A mark, not sealed yet. */
export function layMark(): Buffer {
  const mark = Buffer.alloc(MARK_SIZE);
  mark.writeUInt16LE(MARK, 22);
  return mark;
}

/** The frame at `at`, or `null` where no whole frame with a good checksum lies. Looks at nothing but the frame itself. */
export function readFrame(segment: Buffer, at: number, segmentChecksum: number): Frame | null {
  if (at + FRAME_HEAD > segment.length) return null;
  const kind = segment.readUInt16LE(at + 22);
  if (kind !== RECORD && kind !== MARK) return null;
  const length = segment.readUInt32LE(at + 4);
  const end = at + frameSize(length);
  const durable = segment.readUInt32LE(at + 12);
  if (end > segment.length || durable > at || (kind === MARK && length !== 0)) return null;
  const checksum = segment.readUInt32LE(at);
  if (crc32(segment.subarray(at + 4, end), (segmentChecksum + at) >>> 0) !== checksum) return null;
  return {
    isMark: kind === MARK,
    checksum,
    previous: segment.readUInt32LE(at + 8),
    durable,
    flush: segment.readUIntLE(at + 16, 6),
    end,
    payload: segment.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length),
  };
}

/** First {@link SEGMENT_HEAD} bytes of a segment. Durable, with `bodyEnd` bytes after it, before the segment has its name. */
export interface SegmentHead {
  readonly storeId: string;
  readonly number: number;
  /** True for a checkpoint: the journal begins here, and no older segment counts (P6). */
  readonly isBeginning: boolean;
  /** Size of the file, which never changes. */
  readonly capacity: number;
  /** Where the segment before ends, and the last checksum there; zeros in a beginning. */
  readonly previousEnd: number;
  readonly previousChecksum: number;
  /** Offset after the checkpoint's records; {@link SEGMENT_HEAD} without any. */
  readonly bodyEnd: number;
  /** Last flush before this segment. */
  readonly flush: number;
  /** Random: a frame left over from an earlier file of the same name does not pass as one of this. 8 bytes. */
  readonly salt: Uint8Array;
}

/** A head that was read back, and its checksum, from which those of all frames begin. */
export interface ReadHead extends SegmentHead {
  readonly checksum: number;
}

/** {@link SEGMENT_HEAD} bytes; the checksum stands in the first four. */
export function encodeHead(head: SegmentHead): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD);
  bytes.write(MAGIC, 4, 'latin1');
  bytes.writeUInt16LE(FORMAT, 12);
  bytes.writeUInt16LE(head.isBeginning ? BEGINS : FOLLOWS, 14);
  bytes.writeUInt32LE(head.number, 16);
  bytes.writeUInt32LE(head.capacity, 20);
  bytes.writeUInt32LE(head.previousEnd, 24);
  bytes.writeUInt32LE(head.previousChecksum, 28);
  bytes.writeUInt32LE(head.bodyEnd, 32);
  bytes.writeUIntLE(head.flush, 36, 6);
  bytes.set(head.salt.subarray(0, 8), 48);
  bytes.writeUInt8(head.storeId.length, 56);
  bytes.write(head.storeId, 57, 'latin1');
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** `null` for bytes that are no whole head of this format. */
export function decodeHead(bytes: Buffer): ReadHead | null {
  if (bytes.length < SEGMENT_HEAD) return null;
  const checksum = bytes.readUInt32LE(0);
  if (crc32(bytes.subarray(4, SEGMENT_HEAD)) !== checksum) return null;
  const kind = bytes.readUInt16LE(14);
  if (bytes.toString('latin1', 4, 12) !== MAGIC || bytes.readUInt16LE(12) !== FORMAT) return null;
  if (kind !== FOLLOWS && kind !== BEGINS) return null;
  return {
    checksum,
    isBeginning: kind === BEGINS,
    number: bytes.readUInt32LE(16),
    capacity: bytes.readUInt32LE(20),
    previousEnd: bytes.readUInt32LE(24),
    previousChecksum: bytes.readUInt32LE(28),
    bodyEnd: bytes.readUInt32LE(32),
    flush: bytes.readUIntLE(36, 6),
    salt: Uint8Array.from(bytes.subarray(48, 56)),
    storeId: bytes.toString('latin1', 57, 57 + bytes.readUInt8(56)),
  };
}
