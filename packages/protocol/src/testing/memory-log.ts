import type { CommandId } from '../command-id.ts';
import type { NodeId } from '../node-id.ts';
import type { ConsensusLog, LogObserver } from '../ports/consensus-log.ts';
import type { Command } from '../schemas/command.ts';

export interface MemoryLogOptions {
  /** Position of the first command. */
  readonly firstPosition?: number;
  /** When what was asked for is done: in a microtask by default, never within the call that asks. */
  readonly schedule?: (work: () => void) => void;
}

/**
 * A log in memory, shared by any number of nodes: for tests of what stands upon the port. Each node hears the same commands
 * in one order, from the first one on, also when it comes late.
 */
export class MemoryLog {
  readonly #firstPosition: number;
  readonly #schedule: (work: () => void) => void;
  readonly #chosen: (Command | null)[] = [];
  readonly #nodes = new Map<NodeId, MemoryLogNode>();

  constructor({ firstPosition = 1, schedule = queueMicrotask }: MemoryLogOptions = {}) {
    this.#firstPosition = firstPosition;
    this.#schedule = schedule;
  }

  /** The log as one node sees it; the same object for the same node. */
  node(id: NodeId): MemoryLogNode {
    let node = this.#nodes.get(id);
    if (!node) {
      node = new MemoryLogNode(this.#firstPosition, this.#chosen, this.#schedule, () => this.#spread());
      this.#nodes.set(id, node);
    }
    return node;
  }

  /** A batch of one that nobody can decode was chosen: it takes a position (N1). */
  chooseUnreadable(): void {
    this.#schedule(() => {
      this.#chosen.push(null);
      this.#spread();
    });
  }

  #spread(): void {
    for (const node of this.#nodes.values()) node.catchUp();
  }
}

/** One node's view of a {@link MemoryLog}. */
export class MemoryLogNode implements ConsensusLog {
  readonly #firstPosition: number;
  readonly #chosen: (Command | null)[];
  readonly #schedule: (work: () => void) => void;
  readonly #spread: () => void;
  readonly #observers = new Set<LogObserver>();
  readonly #pending = new Map<CommandId, Command>();
  #heard = 0;
  #isCut = false;

  constructor(
    firstPosition: number,
    chosen: (Command | null)[],
    schedule: (work: () => void) => void,
    spread: () => void,
  ) {
    this.#firstPosition = firstPosition;
    this.#chosen = chosen;
    this.#schedule = schedule;
    this.#spread = spread;
  }

  propose(command: Command): void {
    if (this.#pending.has(command.id)) return;
    this.#pending.set(command.id, command);
    this.#schedule(() => this.#choose());
  }

  /** Nobody leads here. */
  aboutToPropose(): void {}

  withdraw(id: CommandId): void {
    this.#pending.delete(id);
  }

  observe(observer: LogObserver): () => void {
    this.#observers.add(observer);
    this.#schedule(() => this.catchUp());
    return () => void this.#observers.delete(observer);
  }

  /** Nothing reaches this node, and nothing it asks for is heard, until {@link heal}. */
  cut(): void {
    this.#isCut = true;
  }

  heal(): void {
    this.#isCut = false;
    this.#schedule(() => {
      this.#choose();
      this.catchUp();
    });
  }

  /** Tells the observers what they have not heard. Nobody listening yet: it waits for the first. */
  catchUp(): void {
    if (this.#isCut || this.#observers.size === 0) return;
    while (this.#heard < this.#chosen.length) {
      const position = this.#firstPosition + this.#heard;
      const command = this.#chosen[this.#heard++] ?? null;
      for (const observer of this.#observers) {
        if (command) observer.seen?.(command.id, command);
        observer.chosen(position, command);
      }
    }
  }

  #choose(): void {
    if (this.#isCut || this.#pending.size === 0) return;
    this.#chosen.push(...this.#pending.values());
    this.#pending.clear();
    this.#spread();
  }
}
