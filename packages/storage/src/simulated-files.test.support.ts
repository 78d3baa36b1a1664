import type { Random } from '@synod/protocol';
import type { Files, OpenFile } from './files.ts';

/** A file apart from its names: what programs see, and what the disk has. */
interface Content {
  bytes: Buffer;
  synced: Buffer;
  /** Written and not synced: at a power failure each may have reached the disk, or not, or in part. */
  readonly unsynced: { at: number; bytes: Buffer }[];
}

type NameChange = (names: Map<string, Content>) => void;

/** What an operation meets. `crash` ends the process there: a write may have been done in part, and nothing follows. */
export type Trouble = { readonly at: number; readonly kind: 'crash' | 'error'; readonly code?: string };

/**
 * A file system in memory that forgets, at a power failure, what was not synced: contents and names apart, in any
 * combination. Counts its operations, and stops or fails at the one it is told.
 */
export class SimulatedFiles implements Files {
  /** Operations that changed something or synced it. */
  operations = 0;
  trouble: Trouble | null = null;
  /** Writes take at most this many bytes at once (fault 42). */
  writeAtMost = Number.POSITIVE_INFINITY;
  readonly #names: Map<string, Content>;
  #syncedNames: Map<string, Content>;
  #nameChanges: NameChange[] = [];
  readonly #locks = new Set<string>();
  #isDead = false;

  constructor(files: Iterable<readonly [path: string, bytes: Buffer]> = []) {
    this.#names = new Map(
      Array.from(files, ([path, bytes]) => [path, { bytes, synced: Buffer.from(bytes), unsynced: [] }]),
    );
    this.#syncedNames = new Map(this.#names);
  }

  /** Everything as programs see it: what a killed process leaves. */
  killed(): SimulatedFiles {
    return new SimulatedFiles(this.entries());
  }

  /** What a power failure leaves: whatever was synced, and by chance any of the rest. */
  powerless(random: Random): SimulatedFiles {
    const names = new Map(this.#syncedNames);
    for (const change of this.#nameChanges) if (random.next() < 0.5) change(names);
    return new SimulatedFiles(Array.from(names, ([path, content]) => [path, survivor(content, random)]));
  }

  entries(): [path: string, bytes: Buffer][] {
    return Array.from(this.#names, ([path, { bytes }]) => [path, Buffer.from(bytes)]);
  }

  makeFolder(): void {}

  list(folder: string): readonly string[] {
    return [...this.#names.keys()].map((path) => path.slice(folder.length + 1));
  }

  read(path: string, length?: number): Buffer | null {
    const bytes = this.#names.get(path)?.bytes;
    return bytes ? Buffer.from(bytes.subarray(0, length)) : null;
  }

  create(path: string): OpenFile {
    this.#step();
    const content: Content = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0), unsynced: [] };
    this.#changeNames((names) => names.set(path, content));
    return this.#file(content);
  }

  open(path: string): OpenFile {
    return this.#file(this.#content(path));
  }

  rename(from: string, to: string): void {
    this.#step();
    const content = this.#content(from);
    this.#changeNames((names) => {
      names.delete(from);
      names.set(to, content);
    });
  }

  remove(path: string): void {
    this.#step();
    this.#changeNames((names) => names.delete(path));
  }

  async syncFolder(): Promise<void> {
    this.#step();
    this.#syncedNames = new Map(this.#names);
    this.#nameChanges = [];
  }

  lock(path: string): (() => void) | null {
    if (this.#locks.has(path)) return null;
    this.#locks.add(path);
    return () => this.#locks.delete(path);
  }

  #file(content: Content): OpenFile {
    return {
      write: (bytes, at) => {
        const taken = bytes.subarray(0, this.writeAtMost);
        const half = Buffer.from(bytes.subarray(0, bytes.length >> 1));
        this.#step(() => put(content, half, at));
        put(content, Buffer.from(taken), at);
        return taken.length;
      },
      sync: async () => {
        // A kernel takes the pages of a failed sync for clean: programs go on seeing what the disk never gets (fault 45).
        this.#step((kind) => kind === 'error' && content.unsynced.splice(0));
        for (const { at, bytes } of content.unsynced.splice(0)) content.synced = overwrite(content.synced, bytes, at);
      },
      close: () => {},
    };
  }

  #changeNames(change: NameChange): void {
    change(this.#names);
    this.#nameChanges.push(change);
  }

  #content(path: string): Content {
    const content = this.#names.get(path);
    if (!content) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return content;
  }

  /** @param inPart - What the operation may leave when it does not come to its end. */
  #step(inPart: (kind: Trouble['kind']) => void = () => {}): void {
    if (this.#isDead) throw new Error('the process is dead');
    this.operations += 1;
    if (this.operations !== this.trouble?.at) return;
    this.#isDead = this.trouble.kind === 'crash';
    inPart(this.trouble.kind);
    const code = this.trouble.code ?? 'EIO';
    throw Object.assign(new Error(`${code}: simulated`), { code });
  }
}

function put(content: Content, bytes: Buffer, at: number): void {
  content.bytes = overwrite(content.bytes, bytes, at);
  content.unsynced.push({ at, bytes });
}

function overwrite(old: Buffer, bytes: Buffer, at: number): Buffer {
  const target = at + bytes.length > old.length ? Buffer.alloc(at + bytes.length) : old;
  if (target !== old) old.copy(target);
  bytes.copy(target, at);
  return target;
}

/** Synced bytes, and of each later write nothing, all, or a part from either end. */
function survivor(content: Content, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(content.synced);
  for (const write of content.unsynced) {
    const chance = random.next();
    const cut = Math.floor(random.next() * write.bytes.length);
    if (chance < 0.25) bytes = overwrite(bytes, write.bytes, write.at);
    else if (chance < 0.5) bytes = overwrite(bytes, write.bytes.subarray(0, cut), write.at);
    else if (chance < 0.75) bytes = overwrite(bytes, write.bytes.subarray(cut), write.at + cut);
  }
  return bytes;
}
