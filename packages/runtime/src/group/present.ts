import type { Clock, MasterNews, NodeId } from '@synod/protocol';
import { type Telling, tellings } from './pieces.ts';

export interface PresentOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly present: () => MasterNews;
  readonly maxBytes: () => number;
  readonly tell: (to: NodeId, telling: Telling) => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Tells nodes outside the log the present, in as many messages as it takes: one at a time, so that between two of them this node
 * does all else it has to, and the hearer takes them in. To one node one after the other: pieces of two answers would be neither.
 */
export class Present {
  readonly #options: PresentOptions;
  /** Who is being told, and whether it has asked again meanwhile. */
  readonly #hearers = new Map<NodeId, { isAskedAgain: boolean }>();
  #isClosed = false;

  constructor(options: PresentOptions) {
    this.#options = options;
  }

  askedBy(node: NodeId): void {
    const hearer = this.#hearers.get(node);
    if (hearer) hearer.isAskedAgain = true;
    else this.#begin(node);
  }

  close(): void {
    this.#isClosed = true;
  }

  #begin(to: NodeId): void {
    const { present, maxBytes } = this.#options;
    this.#hearers.set(to, { isAskedAgain: false });
    this.#tell(to, tellings([{ ...present(), isWhole: true }], maxBytes()));
  }

  #tell(to: NodeId, left: Iterator<Telling>): void {
    const { clock, leaseMs, tell, onFailure } = this.#options;
    const { done, value: telling } = left.next();
    if (done) return this.#end(to);
    tell(to, telling);
    if (telling.piece === undefined || telling.piece.isLast) return this.#end(to);
    clock.setTimeout(() => {
      try {
        if (!this.#isClosed) this.#tell(to, left);
      } catch (error) {
        onFailure(error);
      }
    }, leaseMs() / 500);
  }

  #end(to: NodeId): void {
    const isAskedAgain = this.#hearers.get(to)?.isAskedAgain === true;
    this.#hearers.delete(to);
    if (isAskedAgain) this.#begin(to);
  }
}
