import type {
  Clock,
  Command,
  CommandId,
  ConsensusLog,
  LogObserver,
  NodeId,
  ProposeOptions,
  Random,
  Value,
} from '@synod/protocol';
import type { LeadReason } from './proposer/proposer.rules.ts';

/** What {@link PaxosLog} needs of the node around it. */
export interface PaxosLogOptions {
  readonly self: NodeId;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Position of the last command applied; one below the configuration's firstPosition in a fresh group. */
  readonly position: number;
  isLeading(): boolean;
  leader(): NodeId | null;
  submit(commands: readonly Command[], isUrgent: boolean): void;
  withdraw(ids: readonly CommandId[]): void;
  /** Asks the leader on the bus; tell {@link PaxosLog.noResponders} if nobody is there. */
  append(commands: readonly Command[]): void;
  lead(reason: LeadReason): void;
}

/** The ConsensusLog that proposer, acceptor and learner of this node make together. */
export class PaxosLog implements ConsensusLog {
  #position: number;

  constructor(options: PaxosLogOptions) {
    this.#position = options.position;
  }

  /** Position of the last command applied. */
  get position(): number {
    return this.#position;
  }

  propose(_command: Command, _options: ProposeOptions = {}): void {}

  withdraw(_id: CommandId): void {}

  observe(_observer: LogObserver): () => void {
    return () => {};
  }

  /** Who leads has changed, here or elsewhere: what is pending is asked for again. */
  leaderChanged(): void {}

  /** Nobody hears what is sent to the leader (B1a). */
  noResponders(): void {}

  /** A value was seen in an Accept, chosen or not (T2). */
  seen(_value: Value): void {}

  /** The next slot in order. */
  apply(_slot: number, _value: Value): void {}

  /** A snapshot was put in place: positions go on after this one. */
  restore(position: number): void {
    this.#position = position;
  }

  /** Stops all timers. */
  close(): void {}
}
