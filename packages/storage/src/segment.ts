import { randomBytes } from 'node:crypto';
import { type Files, type OpenFile, writeAll } from './files.ts';
import { encodeHead, endOfFrame, frameSize, layFrame, layMark, MARK_SIZE, SEGMENT_HEAD, sealFrame } from './frame.ts';
import type { Tail } from './recovery.ts';

/** Bytes written between two turns of the event loop while a segment is made. */
const CHUNK = 256 * 1024;

/** The segment to be made. */
export interface NewSegment {
  readonly folder: string;
  readonly storeId: string;
  readonly number: number;
  /** The segment before, ended and durable; `null` for one that begins the journal. */
  readonly previous: Segment | null;
  /** Records of a checkpoint; none in a segment that only follows. */
  readonly records: readonly Uint8Array[];
  /** Bytes for frames after those. */
  readonly room: number;
  /** Last flush so far. */
  readonly flush: number;
}

const NAME = /^(\d{8,10})\.segment$/;

/** Number of a segment by its file's name, or `null` for another file. */
export const segmentNumber = (fileName: string): number | null => {
  const digits = NAME.exec(fileName)?.[1];
  return digits === undefined ? null : Number(digits);
};

export const segmentPath = (folder: string, number: number): string =>
  `${folder}/${String(number).padStart(8, '0')}.segment`;

/** Names of files that a crash left half made end so. They hold nothing. */
export const UNFINISHED = '.new';

/** The segment that is being written. Preallocated: a flush changes no length, so that fdatasync is one write of data. */
export class Segment {
  readonly number: number;
  readonly path: string;
  readonly checksum: number;
  readonly #file: OpenFile;
  readonly #capacity: number;
  #end: number;
  #lastChecksum: number;
  #durable: number;
  #flush: number;

  private constructor(file: OpenFile, tail: Omit<Tail, 'dirtyEnd' | 'unproven'>, durable: number) {
    this.number = tail.head.number;
    this.path = tail.path;
    this.checksum = tail.head.checksum;
    this.#file = file;
    this.#capacity = tail.head.capacity;
    this.#end = tail.end;
    this.#lastChecksum = tail.checksum;
    this.#durable = durable;
    this.#flush = tail.flush;
  }

  /**
   * Makes a segment with everything in it durable before it has its name: a file of that name is whole, and a checkpoint is
   * there altogether or not at all (P6).
   */
  static async create(files: Files, spec: NewSegment): Promise<Segment> {
    const { folder, storeId, number, previous, records, flush } = spec;
    const bodyEnd = records.reduce((end, record) => end + frameSize(record.length), SEGMENT_HEAD);
    const capacity = bodyEnd + Math.ceil(spec.room / 8) * 8 + MARK_SIZE;
    const head = {
      storeId,
      number,
      isBeginning: previous === null,
      capacity,
      previousEnd: previous ? previous.#end : 0,
      previousChecksum: previous ? previous.#lastChecksum : 0,
      bodyEnd,
      flush,
      salt: randomBytes(8),
    };
    const bytes = encodeHead(head);
    const checksum = bytes.readUInt32LE(0);
    const path = segmentPath(folder, number);
    const file = files.create(path + UNFINISHED);
    try {
      const tail = { path, head: { ...head, checksum }, end: SEGMENT_HEAD, checksum, flush };
      const segment = new Segment(file, tail, SEGMENT_HEAD);
      writeAll(file, bytes, 0);
      await segment.#fill(records);
      await file.sync();
      files.rename(path + UNFINISHED, path);
      await files.syncFolder(folder);
      segment.#durable = bodyEnd;
      return segment;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Goes on where recovery stopped. The rest of a torn flush is zeroed, and what was read is durable when this resolves: a
   * record of an unfinished flush may be in no more than a cache, and its reader acts on it (P3). It is written again, not
   * only synced: after a failed fsync a kernel may take its pages for clean (fault 45).
   */
  static async resume(files: Files, tail: Tail): Promise<Segment> {
    const file = files.open(tail.path);
    try {
      for (let at = tail.end; at < tail.dirtyEnd; at += CHUNK) {
        writeAll(file, Buffer.alloc(Math.min(CHUNK, tail.dirtyEnd - at)), at);
      }
      writeAll(file, tail.unproven, tail.end - tail.unproven.length);
      await file.sync();
      const segment = new Segment(file, tail, tail.end);
      if (tail.unproven.length > 0) segment.mark();
      return segment;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get flush(): number {
    return this.#flush;
  }

  /** A flush begins: its frames carry the next number. */
  beginFlush(): void {
    this.#flush += 1;
  }

  /**
   * Writes as many of the frames as have room here.
   * @returns Where those that had none begin.
   */
  write(frames: Buffer, from: number): number {
    let to = from;
    while (to < frames.length) {
      const end = endOfFrame(frames, to);
      const offset = this.#end + to - from;
      if (offset + end - to > this.#capacity - MARK_SIZE) break;
      this.#seal(frames.subarray(to, end), offset);
      to = end;
    }
    writeAll(this.#file, frames.subarray(from, to), this.#end);
    this.#end += to - from;
    return to;
  }

  /** Resolves when all that was written is durable. */
  async sync(): Promise<void> {
    const end = this.#end;
    await this.#file.sync();
    this.#durable = end;
  }

  /**
   * Says on the disk that everything so far is durable, as the next flush would. So the last flush before a pause, too, can
   * be told from a torn one (P5). Not synced: a mark that is lost leaves only that doubt.
   */
  mark(): void {
    if (this.#end + MARK_SIZE > this.#capacity) return;
    const mark = layMark();
    this.#seal(mark, this.#end);
    writeAll(this.#file, mark, this.#end);
    this.#end += MARK_SIZE;
  }

  close(): void {
    this.#file.close();
  }

  #seal(frame: Buffer, offset: number): void {
    const facts = { previous: this.#lastChecksum, durable: this.#durable, flush: this.#flush };
    this.#lastChecksum = sealFrame(frame, facts, this.checksum, offset);
  }

  /** The checkpoint's records, then zeros to the end; the event loop turns in between. */
  async #fill(records: readonly Uint8Array[]): Promise<void> {
    let sinceTurn = 0;
    for (const record of records) {
      const frame = Buffer.allocUnsafe(frameSize(record.length));
      layFrame(frame, 0, record);
      this.write(frame, 0);
      sinceTurn += frame.length;
      if (sinceTurn < CHUNK) continue;
      sinceTurn = 0;
      await turn();
    }
    const blank = Buffer.alloc(Math.min(CHUNK, this.#capacity - this.#end));
    for (let at = this.#end; at < this.#capacity; at += blank.length) {
      writeAll(this.#file, blank.subarray(0, this.#capacity - at), at);
      await turn();
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Where appended records wait for their flush, framed. Its memory is used again, and given back after a large flush. */
export class FrameBuffer {
  static readonly #KEPT = 256 * 1024;
  #bytes: Buffer = Buffer.alloc(0);
  #spare: Buffer | null = null;
  #end = 0;

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  add(record: Uint8Array): void {
    const need = this.#end + frameSize(record.length);
    if (need > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(16 * 1024, 2 ** Math.ceil(Math.log2(need))));
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes = larger;
    }
    this.#end = layFrame(this.#bytes, this.#end, record);
  }

  clear(): void {
    this.#end = 0;
  }

  /** Takes all frames. Their memory is theirs until the next take: records added from now on go elsewhere. */
  take(): Buffer {
    const frames = this.#bytes.subarray(0, this.#end);
    const taken = this.#bytes;
    this.#bytes = this.#spare ?? Buffer.alloc(0);
    this.#spare = taken.length <= FrameBuffer.#KEPT ? taken : null;
    this.#end = 0;
    return frames;
  }
}
