import { decodeHead, type Frame, MARK_SIZE, type ReadHead, readFrame, SEGMENT_HEAD } from './frame.ts';

/** A segment's file as the folder lists it. */
export interface FoundSegment {
  readonly path: string;
  /** As its name says. */
  readonly number: number;
  /** The whole file, or its first bytes. */
  readonly read: (length?: number) => Buffer;
}

/** Where the next record goes. */
export interface Tail {
  readonly path: string;
  readonly head: ReadHead;
  /** Offset after the last good frame. */
  readonly end: number;
  /** Checksum of that frame: the next one names it. */
  readonly checksum: number;
  readonly flush: number;
  /** Offset after the last byte that is not zero: from `end` to here lies what a crash left of a flush. */
  readonly dirtyEnd: number;
  /**
   * The bytes before `end` of which nothing on the disk says that they were durable: the last flush before a crash. They may
   * have been read from a cache that the disk never saw (fault 45).
   */
  readonly unproven: Buffer;
}

/** What the segments hold. Nothing is changed by finding out. */
export interface Recovery {
  readonly records: readonly Uint8Array[];
  /** In words, with file and offset; `null` when nothing that was durable is missing (P5). */
  readonly damage: string | null;
  /** As the segments name it; `null` when none can be read. */
  readonly storeId: string | null;
  /** `null` when damaged. */
  readonly tail: Tail | null;
  /** Segments from before the last checkpoint: a crash came before they were removed (P6). */
  readonly obsolete: readonly string[];
  readonly bytesSinceCheckpoint: number;
}

/**
 * Reads the journal back (P5). Pure: over bytes, and writes nothing.
 *
 * - It begins at the newest segment that says so; older ones do not count (P6).
 * - A frame counts when its own checksum is good and it names the checksum of the frame before it: neither a torn frame nor
 *   one from before an earlier cut is read.
 * - Where frames stop, something may be missing. It was durable if anything says so: the segment's head (`bodyEnd`), the next
 *   segment's head (`previousEnd`), or any good frame further on, which names the end of the flush before its own
 *   (`durable`). Then it is damage. Otherwise it was never acknowledged, and may be cut.
 *
 * @param storeId - Of the identity; `null` when that cannot be read: then the segments' own word is taken.
 */
export function recover(found: readonly FoundSegment[], storeId: string | null): Recovery {
  const segments = [...found]
    .sort((a, b) => a.number - b.number)
    .map((segment) => ({ ...segment, head: decodeHead(segment.read(SEGMENT_HEAD)) }));
  const first = segments.findLastIndex((segment) => segment.head?.isBeginning);
  const obsolete = segments.slice(0, Math.max(0, first)).map((segment) => segment.path);
  const ownStoreId = segments.findLast((segment) => segment.head)?.head?.storeId ?? null;
  const expectedStoreId = storeId ?? ownStoreId;

  const records: Uint8Array[] = [];
  let bytesSinceCheckpoint = 0;
  const result = (damage: string | null, tail: Tail | null): Recovery => ({
    records,
    damage,
    storeId: ownStoreId,
    tail,
    obsolete,
    bytesSinceCheckpoint,
  });

  if (segments.length === 0) return result('no segment is left in the folder', null);
  if (first < 0) {
    const { path, head } = segments[0] as (typeof segments)[number];
    const what = head ? 'segments before it are missing' : 'the head of the segment is broken';
    return result(`${path}: offset 0: ${what}`, null);
  }

  let before: { path: string; number: number; end: number; checksum: number } | null = null;
  for (const [index, segment] of segments.entries()) {
    if (index < first) continue;
    const { path, number, head } = segment;
    if (before && number !== before.number + 1) {
      return result(`${path}: offset 0: segment ${before.number + 1} before it is missing`, null);
    }
    if (!head) return result(`${path}: offset 0: the head of the segment is broken`, null);
    if (head.number !== number) return result(`${path}: offset 16: it says to be segment ${head.number}`, null);
    if (head.storeId !== expectedStoreId) {
      return result(`${path}: offset 57: it belongs to store ${head.storeId}, not to ${expectedStoreId}`, null);
    }
    if (before && (head.previousEnd !== before.end || head.previousChecksum !== before.checksum)) {
      return result(
        `${before.path}: offset ${before.end}: the record there is broken, yet ${path} says that all up to offset ${head.previousEnd} was durable`,
        null,
      );
    }
    const bytes = segment.read();
    // A segment has its full size before it has its name: no crash makes it shorter.
    if (bytes.length !== head.capacity) {
      return result(
        `${path}: offset ${bytes.length}: the file ends here, and should have ${head.capacity} bytes`,
        null,
      );
    }
    const run = readRun(bytes, head);
    for (const payload of run.payloads) records.push(new Uint8Array(payload));
    bytesSinceCheckpoint += Math.max(0, run.end - head.bodyEnd);
    before = { path, number, end: run.end, checksum: run.checksum };
    if (index < segments.length - 1) {
      if (run.end < head.bodyEnd) return result(brokenBefore(path, run.end, head.bodyEnd, 'its own head'), null);
      continue;
    }
    const proof = proofBeyond(bytes, head, run.end);
    if (proof) return result(brokenBefore(path, run.end, proof.durable, proof.by), null);
    const dirtyEnd = endOfDirt(bytes, run.end);
    const { end, checksum, flush } = run;
    const provenEnd = Math.max(head.bodyEnd, run.last?.durable ?? 0);
    const isMarked = run.last?.isMark === true && run.last.durable === end - MARK_SIZE;
    const unproven = Buffer.from(isMarked ? [] : bytes.subarray(provenEnd, end));
    return result(null, { path, head, end, checksum, flush, dirtyEnd, unproven });
  }
  return result('no segment is left in the folder', null);
}

const brokenBefore = (path: string, at: number, durable: number, by: string): string =>
  `${path}: offset ${at}: the record there is broken, yet ${by} says that all up to offset ${durable} was durable`;

/** Frames from the first on, as long as each is good and follows the one before it. */
function readRun(bytes: Buffer, head: ReadHead) {
  const payloads: Buffer[] = [];
  let last: Frame | null = null;
  let end: number = SEGMENT_HEAD;
  let checksum = head.checksum;
  for (;;) {
    const frame = readFrame(bytes, end, head.checksum);
    if (frame?.previous !== checksum) break;
    if (!frame.isMark) payloads.push(frame.payload);
    last = frame;
    end = frame.end;
    checksum = frame.checksum;
  }
  return { payloads, last, end, checksum, flush: last?.flush ?? head.flush };
}

/** Who says that bytes after `end` were durable, if anybody does (P5). */
function proofBeyond(bytes: Buffer, head: ReadHead, end: number): { by: string; durable: number } | null {
  if (head.bodyEnd > end) return { by: 'the head of the segment', durable: head.bodyEnd };
  for (let at = end + 8; at < bytes.length; at += 8) {
    const frame = readFrame(bytes, at, head.checksum);
    if (frame && frame.durable > end) return { by: `the record at offset ${at}`, durable: frame.durable };
  }
  return null;
}

const zeros = Buffer.alloc(4096);

/** Offset after the last byte that is not zero, `from` at least. */
function endOfDirt(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end - from >= zeros.length && zeros.compare(bytes, end - zeros.length, end) === 0) end -= zeros.length;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}
