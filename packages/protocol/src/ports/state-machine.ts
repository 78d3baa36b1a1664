import type { Command } from '../schemas/command.ts';

/**
 * A fold over chosen commands, the same at every node. Never throws for input: what it cannot use it refuses (N1); a throw
 * is a broken invariant and stops the node.
 */
export interface StateMachine {
  /** The name commands carry. */
  readonly name: string;
  apply(position: number, command: Command): void;
  /** The whole state, for a checkpoint (P6). */
  snapshot(): Uint8Array;
  /** Puts a state in place of the present one. */
  restore(snapshot: Uint8Array): void;
}
