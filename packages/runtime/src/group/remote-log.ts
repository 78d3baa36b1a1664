import {
  type Clock,
  type Command,
  type CommandId,
  type ConsensusLog,
  commandBytes,
  encodeBatch,
  MAX_BATCH_BYTES,
  type NodeId,
  soon,
  type TimerHandle,
  type Value,
} from '@synod/protocol';

export interface RemoteLogOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  /** Asks whoever leads, or one member: who is asked by name and knows no leader leads itself (B1a). */
  readonly append: (commands: Value, member: NodeId | null) => void;
}

interface Pending {
  readonly command: Command;
  sends: number;
}

/**
 * The log as a node outside of it has it: others append. What has no outcome is asked for again, first of the leader, then
 * of the members one by one, for the leader may be gone and nobody have noticed.
 */
export class RemoteLog implements Pick<ConsensusLog, 'propose' | 'aboutToPropose' | 'withdraw'> {
  readonly #options: RemoteLogOptions;
  readonly #pending = new Map<CommandId, Pending>();
  readonly #members: NodeId[] = [];
  #asked = 0;
  #timer: TimerHandle | null = null;
  #waiting: Command[] = [];

  constructor(options: RemoteLogOptions) {
    this.#options = options;
  }

  propose(command: Command): void {
    if (this.#pending.has(command.id)) return;
    this.#pending.set(command.id, { command, sends: 1 });
    // Everything of one turn in one message.
    if (this.#waiting.push(command) === 1) void soon.then(() => this.#sendWaiting());
    this.#arm();
  }

  /** Who leads is the members' affair. */
  aboutToPropose(): void {}

  withdraw(id: CommandId): void {
    this.#pending.delete(id);
  }

  /** It was chosen, whatever came of it. */
  settled(id: CommandId): void {
    this.#pending.delete(id);
  }

  /** A member of the group said something. */
  heardMember(node: NodeId): void {
    if (!this.#members.includes(node)) this.#members.push(node);
  }

  /** Nobody leads: a member is asked by name. */
  noResponders(): void {
    this.#send(this.#commands(), this.#nextMember());
  }

  /** What was said meanwhile is lost. */
  reconnected(): void {
    this.#send(this.#commands(), null);
  }

  close(): void {
    this.#pending.clear();
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #sendWaiting(): void {
    const commands = this.#waiting.filter(({ id }) => this.#pending.has(id));
    this.#waiting = [];
    this.#send(commands, null);
  }

  #send(commands: readonly Command[], member: NodeId | null): void {
    let batch: Command[] = [];
    let bytes = 0;
    const flush = () => {
      if (batch.length > 0) this.#options.append(encodeBatch(batch), member);
      batch = [];
      bytes = 0;
    };
    for (const command of commands) {
      if (bytes + commandBytes(command) > MAX_BATCH_BYTES) flush();
      batch.push(command);
      bytes += commandBytes(command);
    }
    flush();
  }

  /** Eight times a lease: first the leader again, from then on every other time a member. */
  #arm(): void {
    if (this.#timer !== null || this.#pending.size === 0) return;
    const { clock, leaseMs } = this.#options;
    this.#timer = clock.setTimeout(() => {
      this.#timer = null;
      const again = [...this.#pending.values()];
      for (const pending of again) pending.sends++;
      const isPatient = again.every(({ sends }) => sends % 2 === 0);
      this.#send(
        again.map(({ command }) => command),
        isPatient ? null : this.#nextMember(),
      );
      this.#arm();
    }, leaseMs() / 8);
  }

  #nextMember(): NodeId | null {
    return this.#members.length === 0 ? null : (this.#members[this.#asked++ % this.#members.length] ?? null);
  }

  #commands(): readonly Command[] {
    return Array.from(this.#pending.values(), ({ command }) => command);
  }
}
