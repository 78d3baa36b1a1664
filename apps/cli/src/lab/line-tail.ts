import { closeSync, openSync, readSync } from 'node:fs';

/** Reads what a process appends to a file, line by line, each time it is asked. */
export class LineTail {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #position: number;
  #rest = Buffer.alloc(0);
  #isClosed = false;

  /** @param position - Where to begin; by default at the beginning. */
  constructor(file: string, position = 0) {
    this.#fd = openSync(file, 'r');
    this.#position = position;
  }

  /** The lines that became whole since the last time. */
  read(): string[] {
    const lines: string[] = [];
    if (this.#isClosed) return lines;
    for (;;) {
      const count = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, this.#position);
      if (count === 0) return lines;
      this.#position += count;
      // Bytes are joined before they are decoded: a read may end within a letter.
      const whole = Buffer.concat([this.#rest, this.#buffer.subarray(0, count)]);
      const end = whole.lastIndexOf(10) + 1;
      this.#rest = whole.subarray(end);
      if (end > 0) lines.push(...whole.toString('utf8', 0, end - 1).split('\n'));
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
}
