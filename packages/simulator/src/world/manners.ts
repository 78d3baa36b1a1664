/** How something behaves at present: as it does by itself, with what faults have laid over it. They end in any order. */
export class Manners<T extends object> {
  readonly #base: T;
  readonly #laid: Partial<T>[] = [];
  #now: T;

  constructor(base: T) {
    this.#base = base;
    this.#now = base;
  }

  get now(): T {
    return this.#now;
  }

  /** Lays something over it. @returns how to take that away again. */
  lay(part: Partial<T>): () => void {
    this.#laid.push(part);
    this.#reckon();
    return () => {
      const at = this.#laid.indexOf(part);
      if (at >= 0) this.#laid.splice(at, 1);
      this.#reckon();
    };
  }

  /** Takes everything away. */
  clear(): void {
    this.#laid.length = 0;
    this.#now = this.#base;
  }

  #reckon(): void {
    this.#now = Object.assign({}, this.#base, ...this.#laid);
  }
}
