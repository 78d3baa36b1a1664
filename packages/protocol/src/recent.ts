/**
 * What was worked out of things met lately, by identity. As a WeakMap would, but for the price of a plain Map: that keeps its
 * entries until the old generation is collected, and enters each with the collector. Holds on to `most` things at least, and to
 * twice as many at most.
 */
export class Recent<Key extends object, Value> {
  readonly #most: number;
  #present = new Map<Key, Value>();
  #before = new Map<Key, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: Key): Value | undefined {
    return this.#present.get(key) ?? this.#before.get(key);
  }

  set(key: Key, value: Value): void {
    if (this.#present.size >= this.#most) {
      this.#before = this.#present;
      this.#present = new Map();
    }
    this.#present.set(key, value);
  }
}
