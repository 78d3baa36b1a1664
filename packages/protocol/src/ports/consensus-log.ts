import type { CommandId } from '../command-id.ts';
import type { NodeId } from '../node-id.ts';
import type { Command } from '../schemas/command.ts';

/** What a proposer of a command may add to it. */
export interface ProposeOptions {
  /** A node the caller knows to be silent, so that no time is lost in asking it to append (B1a, after T2). */
  readonly presumedSilent?: NodeId;
  /**
   * Another proposer's command, to stand right behind this one. Asked for once, and only where this node appends itself: whose
   * command it is asks again if it is lost. A log may leave it out.
   */
  readonly followedBy?: Command;
}

export interface LogObserver {
  /**
   * A command id was seen in any form: in an Accept, chosen or not, in news, in a replay, in a snapshot. Called at least at
   * the first sight, and always before {@link chosen} for that command (T2: "the wait runs from the first sight of that id").
   */
  seen?(id: CommandId, command: Command): void;
  /** The next command in order. A no-op takes no position; an undecodable command takes one and has `command: null` (N1). */
  chosen(position: number, command: Command | null): void;
}

/**
 * All that an election knows of consensus: ask that a command be appended; hear what was chosen, in order.
 * Contract: `consensusLogContract` of `@synod/protocol/testing`.
 */
export interface ConsensusLog {
  /**
   * Asks that the command be appended. It may be chosen never, once, or more than once; state machines make repeats harmless.
   * It is asked for again until it is chosen or withdrawn.
   */
  propose(command: Command, options?: ProposeOptions): void;
  /**
   * Something is about to be proposed, with this node presumed silent: if the log would have to do without it first, it may do
   * so now (B1). Nothing that is chosen depends on it.
   */
  aboutToPropose(presumedSilent: NodeId): void;
  /** Stops asking. The command may still be chosen. */
  withdraw(id: CommandId): void;
  observe(observer: LogObserver): () => void;
}
