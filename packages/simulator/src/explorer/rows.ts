const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;

/**
 * All states seen, as rows of numbers in the order they were found, each once. Rows are compared whole: two states are never
 * taken for one because their hashes are equal.
 */
export class RowSet {
  readonly width: number;
  readonly #chunks: Uint32Array[] = [];
  readonly #parents: Uint32Array[] = [];
  readonly #actions: Uint32Array[] = [];
  /** Open addressing; 0 is empty, else the row's number plus one. */
  #table = new Uint32Array(1 << 16);
  #size = 0;

  constructor(width: number) {
    this.width = width;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a row with what led to it. @returns false when it was known. */
  add(row: Uint32Array, parent: number, action: number): boolean {
    const { width } = this;
    const mask = this.#table.length - 1;
    let at = hash(row, 0, width) & mask;
    for (let entry = this.#table[at] as number; entry !== 0; entry = this.#table[at] as number) {
      if (this.#equals(entry - 1, row)) return false;
      at = (at + 1) & mask;
    }
    const index = this.#size++;
    const inChunk = index & MASK;
    if (inChunk === 0) {
      this.#chunks.push(new Uint32Array(CHUNK * width));
      this.#parents.push(new Uint32Array(CHUNK));
      this.#actions.push(new Uint32Array(CHUNK));
    }
    const chunk = index >>> CHUNK_BITS;
    (this.#chunks[chunk] as Uint32Array).set(row, inChunk * width);
    (this.#parents[chunk] as Uint32Array)[inChunk] = parent;
    (this.#actions[chunk] as Uint32Array)[inChunk] = action;
    this.#table[at] = index + 1;
    if (2 * this.#size > this.#table.length) this.#grow();
    return true;
  }

  read(index: number, into: Uint32Array): void {
    const chunk = this.#chunks[index >>> CHUNK_BITS] as Uint32Array;
    const base = (index & MASK) * this.width;
    for (let i = 0; i < this.width; i++) into[i] = chunk[base + i] as number;
  }

  parent(index: number): number {
    return (this.#parents[index >>> CHUNK_BITS] as Uint32Array)[index & MASK] as number;
  }

  action(index: number): number {
    return (this.#actions[index >>> CHUNK_BITS] as Uint32Array)[index & MASK] as number;
  }

  #equals(index: number, row: Uint32Array): boolean {
    const chunk = this.#chunks[index >>> CHUNK_BITS] as Uint32Array;
    const base = (index & MASK) * this.width;
    for (let i = 0; i < this.width; i++) if (chunk[base + i] !== row[i]) return false;
    return true;
  }

  #grow(): void {
    const table = new Uint32Array(2 * this.#table.length);
    const mask = table.length - 1;
    for (let index = 0; index < this.#size; index++) {
      const chunk = this.#chunks[index >>> CHUNK_BITS] as Uint32Array;
      let at = hash(chunk, (index & MASK) * this.width, this.width) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = index + 1;
    }
    this.#table = table;
  }
}

function hash(words: Uint32Array, base: number, width: number): number {
  let h = 0x9e3779b9;
  for (let i = 0; i < width; i++) {
    h = Math.imul(h ^ (words[base + i] as number), 0x85ebca6b);
    h ^= h >>> 15;
  }
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
