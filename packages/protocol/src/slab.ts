/** What is larger has memory of its own. */
const SHARE = 8;

/**
 * Memory for small arrays of bytes that live about as long as each other, in pieces of `size`: to allocate it for each alone
 * costs as much as to fill it. A piece is kept as long as anything that stands in it.
 */
export class Slab {
  readonly #size: number;
  #piece: Uint8Array;
  #used = 0;

  constructor(size: number) {
    this.#size = size;
    this.#piece = new Uint8Array(size);
  }

  /** Bytes that nobody has had before. */
  take(bytes: number): Uint8Array {
    if (bytes > this.#size / SHARE) return new Uint8Array(bytes);
    if (this.#used + bytes > this.#size) {
      this.#piece = new Uint8Array(this.#size);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes;
    return this.#piece.subarray(start, this.#used);
  }
}
