import { ClosedError, ForeignJournalError, JournalFailedError, JournalLockedError } from '../errors.ts';
import { invariant } from '../invariant.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { Journal, JournalContents, JournalOwner } from '../ports/journal.ts';

type Done = PromiseWithResolvers<void>;

/** Everything a {@link MemoryDisk} keeps when its process dies. */
export interface MemoryDiskImage {
  /** `null` until a journal is opened here for the first time. */
  readonly owner: JournalOwner | null;
  readonly storeId: string;
  readonly incarnations: number;
  readonly records: readonly Uint8Array[];
  /** Part of {@link records} written after the last checkpoint, bytes. */
  readonly bytesSinceCheckpoint: number;
  readonly tornBytes: number;
  readonly damage: string | null;
}

/** What a crash leaves of the flush that was under way. */
export interface CrashOptions {
  /**
   * How many writes of the unfinished flush reached the disk, in order: its records, or the one write of a checkpoint.
   * They were never acknowledged, and still they are read at the next open. Default 0.
   */
  readonly survive?: number;
  /** Bytes of a record that was cut in two; the next open reports and drops them (P5). Default 0. */
  readonly tornBytes?: number;
}

export interface MemoryDiskOptions {
  /** Names a store when the disk is used for the first time, and again after a wipe. Default: a counter of the process. */
  readonly storeId?: () => string;
}

export interface MemoryJournalOptions {
  /** Needed for `flushMs`. */
  readonly clock?: Clock;
  /** How long a flush or checkpoint takes, in ms of `clock`; a function is asked each time. Default: one microtask. */
  readonly flushMs?: number | (() => number);
}

let storesMade = 0;

const empty = (storeId: string): MemoryDiskImage => ({
  owner: null,
  storeId,
  incarnations: 0,
  records: [],
  bytesSinceCheckpoint: 0,
  tornBytes: 0,
  damage: null,
});

/**
 * A disk that outlives the process: give the same one to the {@link MemoryJournal} of a node's next life. Holds what was
 * flushed; what was only appended is lost in a {@link crash}. Nothing here is random.
 */
export class MemoryDisk {
  /** Flushes and checkpoints made durable so far; group commit shows in it (P3). */
  flushes = 0;
  #image: MemoryDiskImage;
  #holder: MemoryJournal | null = null;
  #failure: string | null = null;
  readonly #nextStoreId: () => string;

  constructor(options: MemoryDiskOptions = {}) {
    this.#nextStoreId = options.storeId ?? (() => `memory-${++storesMade}`);
    this.#image = empty(this.#nextStoreId());
  }

  /** What is durable now. A snapshot for {@link restore}: it does not change. */
  get image(): MemoryDiskImage {
    return this.#image;
  }

  /** True while a journal has it open. */
  get isLocked(): boolean {
    return this.#holder !== null;
  }

  /**
   * The process dies. What its journal had not flushed is lost, its promises stay open for ever, and whatever it still does
   * with the journal does nothing.
   */
  crash(options: CrashOptions = {}): void {
    const unfinished = this.#holder?.abandon();
    this.#holder = null;
    if (unfinished && options.survive) {
      if (unfinished.checkpoint) this.#replace(unfinished.checkpoint);
      else this.#add(unfinished.records.slice(0, options.survive));
    }
    this.#image = { ...this.#image, tornBytes: this.#image.tornBytes + (options.tornBytes ?? 0) };
  }

  /** A crash, and the folder is lost: the next open finds another store (I2). */
  wipe(): void {
    this.crash();
    this.#image = empty(this.#nextStoreId());
  }

  /** A crash, and somebody puts a backup in the folder's place (fault 6). */
  restore(image: MemoryDiskImage): void {
    this.crash();
    this.#image = image;
  }

  /** The next write fails, and with it its journal, for good (P3). */
  failNext(words = 'the disk is full (ENOSPC)'): void {
    this.#failure = words;
  }

  /** A durable record becomes unreadable: later opens report the damage and return the records before it (P5). */
  damage(record: number): void {
    invariant(record < this.#image.records.length, 'damage: the disk holds such a record');
    const damage = this.#image.damage ?? `memory disk of store ${this.#image.storeId}: record ${record} is broken`;
    this.#image = { ...this.#image, records: this.#image.records.slice(0, record), damage };
  }

  /** For {@link MemoryJournal}: takes the lock, counts the life, reads everything. */
  attach(journal: MemoryJournal, owner: JournalOwner): MemoryDiskImage {
    if (this.#holder) throw new JournalLockedError('memory disk: another journal has it open');
    const held = this.#image.owner;
    if (held && (held.group !== owner.group || held.node !== owner.node)) {
      throw new ForeignJournalError(
        `memory disk: it holds the journal of node "${held.node}" of group "${held.group}", not of node "${owner.node}" of group "${owner.group}"`,
      );
    }
    this.#throwIfFailing('open');
    const found = { ...this.#image, owner: { ...owner }, incarnations: this.#image.incarnations + 1 };
    this.#image = { ...found, tornBytes: 0 };
    this.#holder = journal;
    return found;
  }

  /** For {@link MemoryJournal}: makes a flush or a checkpoint durable, all of it or none. */
  write(unfinished: UnfinishedWrite): void {
    this.#throwIfFailing(unfinished.checkpoint ? 'checkpoint' : 'flush');
    if (unfinished.checkpoint) this.#replace(unfinished.checkpoint);
    else this.#add(unfinished.records);
    this.flushes += 1;
  }

  /** For {@link MemoryJournal}: gives the lock back. */
  detach(journal: MemoryJournal): void {
    if (this.#holder === journal) this.#holder = null;
  }

  #throwIfFailing(doing: string): void {
    const words = this.#failure;
    this.#failure = null;
    if (words !== null) throw new JournalFailedError(`memory disk: ${doing} failed: ${words}`);
  }

  #add(records: readonly Uint8Array[]): void {
    this.#image = {
      ...this.#image,
      records: this.#image.records.concat(records),
      bytesSinceCheckpoint: this.#image.bytesSinceCheckpoint + sizeOf(records),
    };
  }

  #replace(records: readonly Uint8Array[]): void {
    this.#image = { ...this.#image, records, bytesSinceCheckpoint: 0 };
  }
}

/** What is being written: a checkpoint, or records. */
export interface UnfinishedWrite {
  readonly checkpoint: readonly Uint8Array[] | null;
  readonly records: readonly Uint8Array[];
}

interface Write extends UnfinishedWrite {
  readonly done: readonly Done[];
}

/** A Journal in memory, over a {@link MemoryDisk} that survives it. One object is one life: make another to open again. */
export class MemoryJournal implements Journal {
  readonly #disk: MemoryDisk;
  readonly #clock: Clock | null;
  readonly #flushMs: () => number;
  #state: 'new' | 'open' | 'closed' | 'dead' = 'new';
  #failure: JournalFailedError | null = null;
  /** True when a record was appended that no flush was asked for, and that will never be written. */
  #isLossUntold = false;
  #records: Uint8Array[] = [];
  #flushDone: Done | null = null;
  #checkpoint: { readonly records: readonly Uint8Array[]; readonly done: readonly Done[] } | null = null;
  #writing: Write | null = null;
  #timer: TimerHandle = null;
  #closed: Promise<void> | null = null;

  constructor(disk: MemoryDisk, options: MemoryJournalOptions = {}) {
    const { clock = null, flushMs = 0 } = options;
    invariant(clock || flushMs === 0, 'MemoryJournal: flushMs needs a clock');
    this.#disk = disk;
    this.#clock = clock;
    this.#flushMs = typeof flushMs === 'function' ? flushMs : () => flushMs;
  }

  get bytesSinceCheckpoint(): number {
    return this.#disk.image.bytesSinceCheckpoint;
  }

  async open(owner: JournalOwner): Promise<JournalContents> {
    if (this.#state === 'closed') throw notOpen();
    invariant(this.#state === 'new', 'Journal: open is called once, or again after it was refused');
    const found = this.#disk.attach(this, owner);
    this.#state = 'open';
    // A damaged journal takes nothing more: what was appended behind the damage would hide it at the next open (P5).
    if (found.damage !== null) this.#failure = new JournalFailedError(`the journal is damaged: ${found.damage}`);
    const { storeId, incarnations, records, tornBytes, damage } = found;
    return { storeId, incarnations, records, tornBytes, damage };
  }

  append(record: Uint8Array): void {
    if (this.#state === 'dead') return;
    if (this.#state !== 'open') throw notOpen();
    if (this.#failure) this.#isLossUntold = true;
    else this.#records.push(record.slice());
  }

  flush(): Promise<void> {
    if (this.#state === 'dead') return never();
    if (this.#state !== 'open') return Promise.reject(notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    return this.#flush();
  }

  checkpoint(records: readonly Uint8Array[]): Promise<void> {
    if (this.#state === 'dead') return never();
    if (this.#state !== 'open') return Promise.reject(notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    // What waits for a flush, or for an earlier checkpoint, is replaced by this one; it is durable when this one is.
    const replaced = [...(this.#checkpoint?.done ?? []), ...(this.#flushDone ? [this.#flushDone] : [])];
    const done = Promise.withResolvers<void>();
    this.#checkpoint = { records: records.map((record) => record.slice()), done: [done, ...replaced] };
    this.#records = [];
    this.#flushDone = null;
    this.#work();
    return done.promise;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** For {@link MemoryDisk}: the process is dead. Returns what was being written. */
  abandon(): UnfinishedWrite | null {
    this.#state = 'dead';
    if (this.#timer !== null) this.#clock?.clearTimeout(this.#timer);
    return this.#writing;
  }

  async #close(): Promise<void> {
    if (this.#state === 'dead') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (!wasOpen) return;
    try {
      if (!this.#failure) await this.#flush();
      else if (this.#isLossUntold) throw this.#failure;
    } finally {
      this.#disk.detach(this);
    }
  }

  #flush(): Promise<void> {
    if (this.#records.length === 0) {
      const last = (this.#checkpoint ?? this.#writing)?.done[0];
      return last?.promise ?? Promise.resolve();
    }
    const done = this.#flushDone ?? Promise.withResolvers<void>();
    this.#flushDone = done;
    this.#work();
    return done.promise;
  }

  /** One write in flight; a checkpoint goes before what was appended after it. */
  #work(): void {
    if (this.#writing) return;
    if (this.#checkpoint) {
      const { records, done } = this.#checkpoint;
      this.#writing = { checkpoint: records, records: [], done };
      this.#checkpoint = null;
    } else if (this.#flushDone) {
      this.#writing = { checkpoint: null, records: this.#records, done: [this.#flushDone] };
      this.#records = [];
      this.#flushDone = null;
    } else return;
    const flushMs = this.#flushMs();
    if (this.#clock && flushMs > 0) this.#timer = this.#clock.setTimeout(() => this.#finish(), flushMs);
    else queueMicrotask(() => this.#finish());
  }

  #finish(): void {
    const write = this.#writing;
    if (this.#state === 'dead' || !write) return;
    this.#timer = null;
    try {
      this.#disk.write(write);
    } catch (error) {
      this.#fail(error as JournalFailedError);
      return;
    }
    this.#writing = null;
    this.#work();
    for (const done of write.done) done.resolve();
  }

  #rejected(failure: JournalFailedError): Promise<never> {
    this.#isLossUntold = false;
    return Promise.reject(failure);
  }

  #fail(failure: JournalFailedError): void {
    this.#failure = failure;
    this.#isLossUntold = this.#records.length > 0 && !this.#flushDone;
    const waiting = [this.#writing?.done, this.#checkpoint?.done, this.#flushDone ? [this.#flushDone] : []];
    this.#writing = null;
    this.#checkpoint = null;
    this.#flushDone = null;
    this.#records = [];
    for (const done of waiting.flatMap((list) => list ?? [])) done.reject(failure);
  }
}

const notOpen = (): ClosedError => new ClosedError('the journal is not open');

/** A dead process hears nothing any more: neither success nor failure. */
const never = (): Promise<void> => new Promise(() => {});

/** As many bytes as the journal on disk would count, about. */
const sizeOf = (records: readonly Uint8Array[]): number =>
  records.reduce((bytes, record) => bytes + record.length + 24, 0);
