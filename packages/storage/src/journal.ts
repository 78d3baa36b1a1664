import { randomBytes } from 'node:crypto';
import {
  ClosedError,
  invariant,
  type Journal,
  type JournalContents,
  JournalFailedError,
  JournalLockedError,
  type JournalOwner,
} from '@synod/protocol';
import { journalFailure } from './failure.ts';
import type { Files } from './files.ts';
import { endOfFrame, FORMAT, frameSize, SEGMENT_HEAD } from './frame.ts';
import { decodeIdentity, demandOwner, type Identity, writeIdentity } from './identity.ts';
import { recover } from './recovery.ts';
import { FrameBuffer, Segment, segmentNumber, segmentPath, UNFINISHED } from './segment.ts';

type Done = PromiseWithResolvers<void>;

/** A group that writes little takes little: segments begin at this size and grow with what was written. */
const LEAST_ROOM = 256 * 1024;

/** Sizes of a {@link DiskJournal}. */
export interface DiskJournalSizes {
  /** Largest segment made for ordinary records; a larger record gets one of its own. */
  readonly segmentBytes: number;
}

/**
 * The journal in a folder. Its life: `open` locks, reads and repairs; then one task at a time writes: a checkpoint if one is
 * asked for, else all that was appended (group commit); the first failure ends all writing for ever (P3).
 */
export class DiskJournal implements Journal {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #files: Files;
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #opening: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #unlock: (() => void) | null = null;
  #failure: JournalFailedError | null = null;
  /** True when a record was appended that no flush was asked for, and that will never be written. */
  #isLossUntold = false;
  #storeId = '';
  #segment: Segment | null = null;
  #bytesSinceCheckpoint = 0;

  readonly #appended = new FrameBuffer();
  /** Of those who wait until what is in `#appended` is durable. */
  #flushDone: Done | null = null;
  #checkpoint: { readonly records: readonly Uint8Array[]; readonly done: readonly Done[] } | null = null;
  /** Of those whose write is under way. */
  #underWay: readonly Done[] = [];
  #isWorking = false;

  constructor(folder: string, sizes: DiskJournalSizes, files: Files) {
    this.#folder = folder;
    this.#segmentBytes = sizes.segmentBytes;
    this.#files = files;
  }

  get bytesSinceCheckpoint(): number {
    return this.#bytesSinceCheckpoint;
  }

  async open(owner: JournalOwner): Promise<JournalContents> {
    if (this.#state === 'closed') throw this.#notOpen();
    invariant(this.#state === 'new', 'Journal: open is called once, or again after it was refused');
    this.#state = 'opening';
    const opening = this.#open(owner);
    this.#opening = opening.catch(() => {});
    try {
      const contents = await opening;
      this.#state = 'open';
      return contents;
    } catch (error) {
      this.#release();
      this.#state = 'new';
      throw journalFailure(this.#folder, 'open', error);
    }
  }

  append(record: Uint8Array): void {
    if (this.#state !== 'open') throw this.#notOpen();
    if (this.#failure) this.#isLossUntold = true;
    else this.#appended.add(record);
  }

  flush(): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    return this.#flush();
  }

  checkpoint(records: readonly Uint8Array[]): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    // What waits for its flush, or an earlier checkpoint, is replaced by this one and needs no write of its own; who waits
    // for it waits for this one.
    const replaced = [...(this.#checkpoint?.done ?? []), ...(this.#flushDone ? [this.#flushDone] : [])];
    const done = Promise.withResolvers<void>();
    this.#checkpoint = { records, done: [done, ...replaced] };
    this.#appended.clear();
    this.#flushDone = null;
    this.#work();
    return done.promise;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- opening

  async #open(owner: JournalOwner): Promise<JournalContents> {
    const files = this.#files;
    const folder = this.#folder;
    files.makeFolder(folder);
    this.#unlock = files.lock(`${folder}/lock`);
    if (!this.#unlock) {
      throw new JournalLockedError(`another process, or another journal of this one, has ${folder} open`, {
        hint: 'Give each node a folder of its own, and stop the node that uses this one',
      });
    }
    const identityBytes = files.read(`${folder}/identity`);
    const identity = identityBytes && decodeIdentity(identityBytes);
    if (identity) demandOwner(folder, identity, owner);
    const isNew = identity ? identity.incarnations === 0 : identityBytes === null && this.#found().length === 0;
    const owned = isNew ? await this.#begin(owner, identity) : identity;
    const recovery = recover(this.#found(), owned?.storeId ?? null);
    const damage = owned
      ? recovery.damage
      : `${folder}/identity: offset 0: ${identityBytes ? 'it is broken' : 'it is missing, though there are segments'}`;
    const storeId = owned?.storeId ?? recovery.storeId;
    if (storeId === null)
      throw new JournalFailedError(`journal in ${folder}: cannot open: ${damage}, and no segment tells whose it is`);
    const incarnations = (owned?.incarnations ?? 0) + 1;
    // I2: before anybody can hear of this life, it is counted.
    if (owned) await writeIdentity(files, folder, { ...owned, incarnations });
    this.#storeId = storeId;
    this.#bytesSinceCheckpoint = recovery.bytesSinceCheckpoint;
    const { tail } = recovery;
    if (damage === null && tail) {
      this.#removeLeftovers(recovery.obsolete);
      this.#segment = await Segment.resume(files, tail);
    } else {
      // P5: the segments are left as they are. A record appended behind the damage would hide it at the next opening.
      this.#failure = new JournalFailedError(`journal in ${folder} takes nothing more, it is damaged: ${damage}`);
    }
    const tornBytes = tail ? tail.dirtyEnd - tail.end : 0;
    return { storeId, incarnations, records: recovery.records, tornBytes, damage };
  }

  /**
   * Sets the folder up. The identity is there first, with a count of 0, so that a crash meanwhile is told from segments that
   * lost their identity, and from an identity that lost its segments.
   */
  async #begin({ group, node }: JournalOwner, unfinished: Identity | null): Promise<Identity> {
    const storeId = unfinished?.storeId ?? randomBytes(10).toString('hex');
    const identity = { format: FORMAT, group, node, storeId, incarnations: 0 };
    if (!unfinished) await writeIdentity(this.#files, this.#folder, identity);
    this.#removeLeftovers(this.#found().map(({ path }) => path));
    const segment = await this.#newSegment({ storeId, number: 1, previous: null, records: [], flush: 0 });
    segment.close();
    return identity;
  }

  #found() {
    return this.#files.list(this.#folder).flatMap((name) => {
      const number = segmentNumber(name);
      if (number === null) return [];
      const path = segmentPath(this.#folder, number);
      return [{ path, number, read: (length?: number) => this.#files.read(path, length) ?? Buffer.alloc(0) }];
    });
  }

  #removeLeftovers(paths: readonly string[]): void {
    for (const name of this.#files.list(this.#folder)) {
      if (name.endsWith(`.segment${UNFINISHED}`)) this.#files.remove(`${this.#folder}/${name}`);
    }
    for (const path of paths) this.#files.remove(path);
  }

  // ---- writing

  #flush(): Promise<void> {
    if (this.#appended.isEmpty) {
      const last = this.#checkpoint?.done ?? this.#underWay;
      return last[0]?.promise ?? Promise.resolve();
    }
    this.#flushDone ??= Promise.withResolvers<void>();
    this.#work();
    return this.#flushDone.promise;
  }

  /** Begins in a microtask, so that all flushes asked for in one turn share one. */
  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    queueMicrotask(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    let doing = 'flush';
    try {
      while (this.#checkpoint || this.#flushDone) {
        doing = this.#checkpoint ? 'write a checkpoint' : 'flush';
        await this.#writeNext();
        const done = this.#underWay;
        this.#underWay = [];
        for (const { resolve } of done) resolve();
        if (!this.#checkpoint && !this.#flushDone) this.#current().mark();
      }
    } catch (error) {
      this.#fail(journalFailure(this.#folder, doing, error) as JournalFailedError);
    }
    this.#isWorking = false;
  }

  async #writeNext(): Promise<void> {
    if (this.#checkpoint) {
      const { records, done } = this.#checkpoint;
      this.#checkpoint = null;
      this.#underWay = done;
      await this.#writeCheckpoint(records);
    } else if (this.#flushDone) {
      this.#underWay = [this.#flushDone];
      this.#flushDone = null;
      await this.#writeFrames(this.#appended.take());
    }
  }

  async #writeFrames(frames: Buffer): Promise<void> {
    let segment = this.#current();
    segment.beginFlush();
    let at = segment.write(frames, 0);
    await segment.sync();
    while (at < frames.length) {
      // All of the old segment is durable here; the head of the new one says so (P5).
      const size = endOfFrame(frames, at) - at;
      const { number, flush } = segment;
      segment = await this.#newSegment({ number: number + 1, previous: segment, records: [], flush }, size);
      this.#replaceSegment(segment);
      at = segment.write(frames, at);
      await segment.sync();
    }
    this.#bytesSinceCheckpoint += frames.length;
  }

  /** P6: the new segment begins the journal from the moment it has its name; then the older ones are of no use. */
  async #writeCheckpoint(records: readonly Uint8Array[]): Promise<void> {
    const { number, flush } = this.#current();
    this.#bytesSinceCheckpoint = 0;
    const segment = await this.#newSegment({ number: number + 1, previous: null, records, flush });
    this.#replaceSegment(segment);
    for (const old of this.#found()) if (old.number < segment.number) this.#files.remove(old.path);
  }

  #newSegment(
    spec: { storeId?: string; number: number; previous: Segment | null; records: readonly Uint8Array[]; flush: number },
    need = 0,
  ): Promise<Segment> {
    const usual = Math.min(this.#segmentBytes, Math.max(LEAST_ROOM, this.#bytesSinceCheckpoint));
    const room = Math.max(need, usual - SEGMENT_HEAD - frameSize(0));
    return Segment.create(this.#files, { storeId: this.#storeId, ...spec, folder: this.#folder, room });
  }

  #replaceSegment(segment: Segment): void {
    this.#segment?.close();
    this.#segment = segment;
  }

  #current(): Segment {
    invariant(this.#segment, 'Journal: an open journal has a segment');
    return this.#segment;
  }

  /** P3, fault 45: final. After a failed fsync nobody knows what is on the disk; trying again would only seem to work. */
  #fail(failure: JournalFailedError): void {
    this.#failure = failure;
    this.#isLossUntold = !this.#appended.isEmpty && !this.#flushDone;
    const waiting = [
      ...this.#underWay,
      ...(this.#checkpoint?.done ?? []),
      ...(this.#flushDone ? [this.#flushDone] : []),
    ];
    this.#underWay = [];
    this.#checkpoint = null;
    this.#flushDone = null;
    this.#appended.clear();
    for (const { reject } of waiting) reject(failure);
  }

  #rejected(failure: JournalFailedError): Promise<never> {
    this.#isLossUntold = false;
    return Promise.reject(failure);
  }

  // ---- closing

  async #close(): Promise<void> {
    await this.#opening;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (!wasOpen) return;
    try {
      if (!this.#failure) await this.#flush();
      else if (this.#isLossUntold) throw this.#failure;
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#segment?.close();
    this.#segment = null;
    this.#unlock?.();
    this.#unlock = null;
  }

  #notOpen(): ClosedError {
    return new ClosedError(`the journal in ${this.#folder} is ${this.#state === 'closed' ? 'closed' : 'not open yet'}`);
  }
}
