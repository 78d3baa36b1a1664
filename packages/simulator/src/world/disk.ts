import {
  ClosedError,
  ForeignJournalError,
  type Journal,
  type JournalContents,
  JournalFailedError,
  JournalLockedError,
  type JournalOwner,
} from '@synod/protocol';
import type { Chance } from './chance.ts';
import { Manners } from './manners.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

/** How a disk behaves at present. */
export interface DiskManners {
  /** A flush takes between the two, true time. */
  readonly minMs: number;
  readonly maxMs: number;
  /** In words, why writes fail; `null` while they do not. */
  readonly failure: string | null;
}

/** What stands on a disk at some instant. */
export interface DiskImage {
  readonly storeId: string;
  readonly incarnations: number;
  readonly records: readonly Uint8Array[];
}

/** Hears what becomes durable, by a flush or by a checkpoint. */
export type OnDurable = (disk: Disk, records: readonly Uint8Array[]) => void;

/**
 * What a node's folder holds, and what crashes and failures leave of it. Records are whole here: that a torn one is cut and a
 * flipped bit is found is what the journal on disk is tested for, byte by byte, in `packages/storage`.
 */
export class Disk {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #onDurable: OnDurable;
  readonly #name: string;
  readonly manners: Manners<DiskManners>;
  #owner: JournalOwner | null = null;
  #storeId: string;
  #incarnations = 0;
  #records: Uint8Array[] = [];
  /** Records before this one are proven durable: a later flush, or a clean end, says so (P5). */
  #proven = 0;
  #tornBytes = 0;
  #damage: string | null = null;
  #holder: DiskJournal | null = null;
  /** Written since the last checkpoint. */
  bytesSinceCheckpoint = 0;
  /** The last flush that has begun ends then. */
  busyUntilMs = 0;
  flushes = 0;
  /** Stores that were ever here. */
  #stores = 0;

  constructor(options: { world: World; chance: Chance; name: string; manners: DiskManners; onDurable?: OnDurable }) {
    this.#world = options.world;
    this.#chance = options.chance;
    this.#name = options.name;
    this.manners = new Manners(options.manners);
    this.#onDurable = options.onDurable ?? (() => {});
    this.#storeId = this.#newStoreId();
  }

  get storeId(): string {
    return this.#storeId;
  }

  get incarnations(): number {
    return this.#incarnations;
  }

  get records(): readonly Uint8Array[] {
    return this.#records;
  }

  /** What is damaged, in words; `null` while nothing is. */
  get damage(): string | null {
    return this.#damage;
  }

  get image(): DiskImage {
    return { storeId: this.#storeId, incarnations: this.#incarnations, records: [...this.#records] };
  }

  /** A journal of the process's own over this disk. */
  journal(process: Process, onAppend: (record: Uint8Array) => void = () => {}): DiskJournal {
    return new DiskJournal(this.#world, this, process, onAppend);
  }

  /** Records from before: a group that was formed long ago. */
  prepare(owner: JournalOwner, records: readonly Uint8Array[]): void {
    this.#owner = owner;
    this.#incarnations = 1;
    this.#records = [...records];
    this.#proven = records.length;
  }

  /** The process died. Of the flush under way any part may have reached the disk, and the next record may be torn. */
  crash(): void {
    const left = this.#holder?.abandon() ?? null;
    this.#holder = null;
    if (left === null) return;
    if (left.checkpoint) {
      if (this.#chance.happens(0.5)) this.commit(left.checkpoint, true);
    } else {
      const survivors = this.#chance.whole(0, left.records.length);
      if (survivors > 0) this.commit(left.records.slice(0, survivors), false);
      if (survivors < left.records.length && this.#chance.happens(0.8)) this.#tornBytes += this.#chance.whole(1, 40);
    }
  }

  /** Somebody empties the folder: what is used there next is another store (I2). */
  wipe(): void {
    this.crash();
    this.#owner = null;
    this.#storeId = this.#newStoreId();
    this.#incarnations = 0;
    this.#records = [];
    this.#proven = 0;
    this.#damage = null;
    this.#tornBytes = 0;
    this.bytesSinceCheckpoint = 0;
  }

  /** Somebody puts a backup in the folder's place (fault 6). */
  restore(image: DiskImage): void {
    this.crash();
    this.#storeId = image.storeId;
    this.#incarnations = image.incarnations;
    this.#records = [...image.records];
    this.#proven = image.records.length;
  }

  /** A bit flips in a record that is proven durable. @returns false when there is none. */
  flip(): boolean {
    if (this.#damage !== null || this.#proven === 0) return false;
    const at = this.#chance.whole(0, this.#proven - 1);
    this.#damage = `simulated disk of ${this.#name}: record ${at} is broken`;
    this.#records.length = at;
    this.#proven = at;
    return true;
  }

  /** For {@link DiskJournal}: the lock, the count, the contents. */
  attach(journal: DiskJournal, owner: JournalOwner): JournalContents {
    if (this.#holder) throw new JournalLockedError(`simulated disk of ${this.#name}: another process has it open`);
    const held = this.#owner;
    if (held && (held.group !== owner.group || held.node !== owner.node)) {
      throw new ForeignJournalError(`simulated disk: it belongs to node ${held.node} of group ${held.group}`);
    }
    if (this.manners.now.failure !== null) throw failed(this.manners.now.failure);
    this.#owner = { ...owner };
    this.#holder = journal;
    this.#incarnations += 1;
    const contents = {
      storeId: this.#storeId,
      incarnations: this.#incarnations,
      records: [...this.#records],
      tornBytes: this.#tornBytes,
      damage: this.#damage,
    };
    this.#tornBytes = 0;
    this.#proven = this.#records.length;
    return contents;
  }

  detach(journal: DiskJournal): void {
    if (this.#holder === journal) this.#holder = null;
  }

  /** How long the next flush takes. */
  flushMs(): number {
    return this.#chance.between(this.manners.now.minMs, this.manners.now.maxMs);
  }

  /** A flush begins. @returns when it ends, whatever becomes of the disk meanwhile. */
  beginFlush(nowMs: number): number {
    const untilMs = nowMs + this.flushMs();
    this.busyUntilMs = Math.max(this.busyUntilMs, untilMs);
    return untilMs;
  }

  /** How long after a write its process hears of it. */
  replyMs(): number {
    return this.#chance.happens(0.1) ? this.flushMs() : 0;
  }

  /** For {@link DiskJournal}: these are durable now. */
  commit(records: readonly Uint8Array[], isCheckpoint: boolean): void {
    if (isCheckpoint) {
      this.#records = [...records];
      this.#proven = records.length;
      this.bytesSinceCheckpoint = 0;
    } else {
      this.#proven = this.#records.length;
      for (const record of records) {
        this.#records.push(record);
        this.bytesSinceCheckpoint += record.byteLength + 24;
      }
    }
    this.flushes += 1;
    this.#onDurable(this, records);
  }

  /** A write that fails half way: some of it stands there, nobody was told (fault 42: a short write comes first). */
  commitPart(records: readonly Uint8Array[]): void {
    const survivors = this.#chance.whole(0, records.length - 1);
    if (survivors > 0) this.commit(records.slice(0, survivors), false);
    this.#tornBytes += this.#chance.whole(0, 40);
  }

  #newStoreId(): string {
    return `${this.#name}-${++this.#stores}`;
  }
}

interface Write {
  readonly records: readonly Uint8Array[];
  readonly checkpoint: readonly Uint8Array[] | null;
  readonly done: readonly PromiseWithResolvers<void>[];
}

/** A Journal over a {@link Disk}, of one process: group commit, one flush in flight, a failure is final. */
export class DiskJournal implements Journal {
  readonly #world: World;
  readonly #disk: Disk;
  readonly #process: Process;
  readonly #onAppend: (record: Uint8Array) => void;
  #state: 'new' | 'open' | 'closed' | 'dead' = 'new';
  #failure: JournalFailedError | null = null;
  #isLossUntold = false;
  #records: Uint8Array[] = [];
  #flushDone: PromiseWithResolvers<void> | null = null;
  #checkpoint: {
    readonly records: readonly Uint8Array[];
    readonly done: readonly PromiseWithResolvers<void>[];
  } | null = null;
  #writing: Write | null = null;
  #closed: Promise<void> | null = null;

  constructor(world: World, disk: Disk, process: Process, onAppend: (record: Uint8Array) => void) {
    this.#world = world;
    this.#disk = disk;
    this.#process = process;
    this.#onAppend = onAppend;
  }

  /** A write failed: nothing it holds is written any more. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  get bytesSinceCheckpoint(): number {
    return this.#disk.bytesSinceCheckpoint;
  }

  async open(owner: JournalOwner): Promise<JournalContents> {
    await this.#waitUntil(this.#disk.beginFlush(this.#process.nowMs));
    const contents = this.#disk.attach(this, owner);
    this.#state = 'open';
    if (contents.damage !== null) this.#failure = failed(`the journal is damaged: ${contents.damage}`);
    return contents;
  }

  append(record: Uint8Array): void {
    if (!this.#process.touch() || this.#state === 'dead') return;
    if (this.#state !== 'open') throw notOpen();
    if (this.#failure) {
      this.#isLossUntold = true;
      return;
    }
    this.#records.push(record instanceof Uint8Array ? record.slice() : record);
    this.#onAppend(record);
  }

  flush(): Promise<void> {
    if (!this.#process.touch() || this.#state === 'dead') return never();
    if (this.#state !== 'open') return Promise.reject(notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    return this.#flush();
  }

  checkpoint(records: readonly Uint8Array[]): Promise<void> {
    if (!this.#process.touch() || this.#state === 'dead') return never();
    if (this.#state !== 'open') return Promise.reject(notOpen());
    if (this.#failure) return this.#rejected(this.#failure);
    // What waits for a flush, or for an earlier checkpoint, is replaced by this one; it is durable when this one is.
    const replaced = [...(this.#checkpoint?.done ?? []), ...(this.#flushDone ? [this.#flushDone] : [])];
    const done = Promise.withResolvers<void>();
    this.#checkpoint = { records: [...records], done: [done, ...replaced] };
    this.#records = [];
    this.#flushDone = null;
    this.#work();
    return done.promise;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** For {@link Disk}: the process is dead. Returns what was being written. */
  abandon(): { readonly records: readonly Uint8Array[]; readonly checkpoint: readonly Uint8Array[] | null } | null {
    this.#state = 'dead';
    return this.#writing;
  }

  async #close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
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
    // The disk works whether or not the process runs; the process hears of it when it does.
    this.#world.plan(this.#disk.beginFlush(this.#process.nowMs), () => this.#finish());
  }

  #finish(): void {
    const write = this.#writing;
    if (this.#state === 'dead' || !write) return;
    const { failure } = this.#disk.manners.now;
    if (failure === null) this.#disk.commit(write.checkpoint ?? write.records, write.checkpoint !== null);
    else if (write.checkpoint === null) this.#disk.commitPart(write.records);
    // Mostly the process hears at once; sometimes later, and may die in between.
    const replyMs = this.#disk.replyMs();
    if (replyMs === 0) this.#world.stepNow(this.#process, () => this.#told(write, failure));
    else this.#world.planStep(this.#process, this.#world.nowMs + replyMs, () => this.#told(write, failure));
  }

  #told(write: Write, failure: string | null): void {
    if (failure !== null) return this.#fail(failed(failure));
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

  #waitUntil(atMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.planStep(this.#process, atMs, resolve);
    });
  }
}

const failed = (words: string): JournalFailedError => new JournalFailedError(`simulated disk: ${words}`);

const notOpen = (): ClosedError => new ClosedError('the journal is not open');

/** A dead process hears nothing any more: neither success nor failure. Each gets its own: what waits for it is forgotten with it. */
const never = (): Promise<void> => new Promise(() => {});
