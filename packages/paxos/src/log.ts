import {
  between,
  type Clock,
  type Command,
  type CommandId,
  type ConsensusLog,
  commandBytes,
  decodeBatch,
  type LogObserver,
  MAX_BATCH_BYTES,
  MAX_COMMAND_BYTES,
  type NodeId,
  type ProposeOptions,
  type Random,
  soon,
  type TimerHandle,
  type Value,
} from '@synod/protocol';
import type { LeadReason } from './proposer/proposer.rules.ts';

/** What {@link PaxosLog} needs of the node around it. */
export interface PaxosLogOptions {
  readonly self: NodeId;
  /** Length of a lease as it is now (T12), ms. */
  leaseMs(): number;
  readonly clock: Clock;
  readonly random: Random;
  /** Position of the last command applied; one below the configuration's firstPosition in a fresh group. */
  readonly position: number;
  /** True while our own proposer leads. */
  isLeading(): boolean;
  /** Who is thought to lead, `null` if nobody is known to. */
  leader(): NodeId | null;
  submit(commands: readonly Command[], isUrgent: boolean): void;
  withdraw(ids: readonly CommandId[]): void;
  /** Asks the leader on the bus; tell {@link PaxosLog.noResponders} if nobody is there. */
  append(commands: readonly Command[]): void;
  /** B1a: we should lead ourselves. */
  lead(reason: LeadReason): void;
}

/** A command asked for and not chosen yet. */
interface Pending {
  readonly command: Command;
  /** When its present leader was asked, on our clock. */
  askedAtMs: number;
}

/**
 * The ConsensusLog that proposer, acceptor and learner of this node make together: asks whoever leads to append, and leads
 * itself when nobody does (B1a); numbers what was chosen.
 */
export class PaxosLog implements ConsensusLog {
  readonly #options: PaxosLogOptions;
  readonly #observers = new Set<LogObserver>();
  /** Oldest asking first. */
  readonly #pending = new Map<CommandId, Pending>();
  #position: number;
  #timer: TimerHandle | null = null;
  /** What was asked for in this turn after the first; `null` before that. */
  #rest: Command[] | null = null;
  /** How long the leader may be without an outcome, in leases: 1/3 ± a third (B1a). Drawn anew for each wait. */
  #patience: number;
  /** The wait runs from here at the earliest: when we last gave up on a leader. */
  #waitFromMs = Number.NEGATIVE_INFINITY;
  #hasAskedAgain = false;

  constructor(options: PaxosLogOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#patience = this.#drawPatience();
  }

  /** Position of the last command applied. */
  get position(): number {
    return this.#position;
  }

  /**
   * @throws RangeError when the command is larger than a batch can hold: it could never be chosen.
   */
  propose(command: Command, { presumedSilent, followedBy }: ProposeOptions = {}): void {
    const { clock, isLeading, leader } = this.#options;
    if (commandBytes(command) > MAX_COMMAND_BYTES) {
      throw new RangeError(
        `command ${command.id} has ${command.body.byteLength} bytes: a batch holds ${MAX_COMMAND_BYTES}`,
      );
    }
    const isNew = !this.#pending.has(command.id);
    if (isNew) this.#pending.set(command.id, { command, askedAtMs: clock.now() });
    this.#arm();
    if (!isLeading() && leader() === presumedSilent) this.#options.lead('command');
    else if (isNew) this.#askSoon(followedBy && isLeading() ? [command, followedBy] : [command]);
  }

  /** B1a, ahead of the command: whoever leads when it comes needs no phase 1 then. */
  aboutToPropose(presumedSilent: NodeId): void {
    const { isLeading, leader, lead } = this.#options;
    if (!isLeading() && leader() === presumedSilent) lead('ahead');
  }

  /** The first of a turn at once, the others together at its end: a thousand of them are no thousand messages. */
  #askSoon(commands: readonly Command[]): void {
    if (this.#rest !== null) return void this.#rest.push(...commands);
    const rest: Command[] = [];
    this.#rest = rest;
    void soon.then(() => {
      this.#rest = null;
      this.#ask(rest.filter(({ id }) => this.#pending.has(id)));
    });
    this.#ask(commands);
  }

  withdraw(id: CommandId): void {
    if (this.#pending.delete(id)) this.#options.withdraw([id]);
    if (this.#pending.size === 0) this.#disarm();
  }

  observe(observer: LogObserver): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  /** Who leads has changed, here or elsewhere: what is pending is asked for again, and the new leader has its time. */
  leaderChanged(): void {
    const nowMs = this.#options.clock.now();
    for (const pending of this.#pending.values()) pending.askedAtMs = nowMs;
    this.#beginWait(nowMs);
    this.#ask(this.#commands());
  }

  /** Nobody hears what is sent to the leader: it counts as silent at once (B1a). */
  noResponders(): void {
    if (this.#pending.size > 0 && !this.#options.isLeading()) this.#options.lead('command');
  }

  /** A value was seen in an Accept, chosen or not (T2). */
  seen(value: Value): void {
    for (const command of decodeBatch(value)) if (command) this.#tellSeen(command);
  }

  /** The next slot in order. A no-op takes no position, an unreadable command takes one (N1). */
  apply(_slot: number, value: Value): void {
    for (const command of decodeBatch(value)) {
      const position = ++this.#position;
      if (command) {
        this.#pending.delete(command.id);
        this.#tellSeen(command);
      }
      for (const observer of this.#observers) observer.chosen(position, command);
    }
    if (this.#pending.size === 0) this.#disarm();
  }

  /** A snapshot was put in place: positions go on after this one. */
  restore(position: number): void {
    this.#position = position;
  }

  /** Stops the timer and forgets what is pending. */
  close(): void {
    this.#pending.clear();
    this.#disarm();
  }

  #commands(): Command[] {
    return Array.from(this.#pending.values(), ({ command }) => command);
  }

  #ask(commands: readonly Command[]): void {
    if (commands.length === 0) return;
    const { self, isLeading, leader, submit, append, lead } = this.#options;
    if (isLeading()) {
      const urgent = commands.filter(isUrgent);
      const others = commands.filter((command) => !isUrgent(command));
      if (urgent.length > 0) submit(urgent, true);
      if (others.length > 0) submit(others, false);
      return;
    }
    // Who just came knows no leader, and must not depose one that does well: if there is none, the server says so at once.
    if (leader() === self) lead('command');
    else for (const batch of batches(commands)) append(batch);
  }

  /** One timer for all: it looks at the oldest command, so that newer ones never restart its wait (B1a). */
  #arm(): void {
    const { clock } = this.#options;
    const waitsFromMs = this.#waitsFromMs();
    if (this.#timer !== null || waitsFromMs === null) return;
    const dueAtMs = waitsFromMs + (this.#hasAskedAgain ? this.#patienceMs : this.#patienceMs / 2);
    this.#timer = clock.setTimeout(() => this.#wake(), Math.max(1, dueAtMs - clock.now()));
  }

  /** A node that waits for nothing wakes for nothing. */
  #disarm(): void {
    if (this.#timer === null) return;
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#hasAskedAgain = false;
  }

  #wake(): void {
    this.#timer = null;
    const nowMs = this.#options.clock.now();
    const waitsFromMs = this.#waitsFromMs();
    if (waitsFromMs === null) return;
    // Timers fire up to 1 ms early.
    const waitedMs = nowMs - waitsFromMs + 1;
    if (waitedMs >= this.#patienceMs) {
      this.#beginWait(nowMs);
      if (this.#options.isLeading()) this.#ask(this.#commands());
      else this.#options.lead('command');
    } else if (waitedMs >= this.#patienceMs / 2) {
      // What was lost on the way is no sign of a silent leader.
      if (!this.#hasAskedAgain) this.#ask(this.#commands());
      this.#hasAskedAgain = true;
    } else {
      // The oldest had its outcome: the wait is for the next.
      this.#hasAskedAgain = false;
    }
    this.#arm();
  }

  /** When the wait for the oldest command began. */
  #waitsFromMs(): number | null {
    const [oldest] = this.#pending.values();
    return oldest === undefined ? null : Math.max(oldest.askedAtMs, this.#waitFromMs);
  }

  #beginWait(nowMs: number): void {
    this.#waitFromMs = nowMs;
    this.#patience = this.#drawPatience();
    this.#hasAskedAgain = false;
  }

  #drawPatience(): number {
    return between(this.#options.random, 2 / 3, 4 / 3) / 3;
  }

  /** By the lease in force: of one that became shorter, what is asked for would else be given up and asked anew before. */
  get #patienceMs(): number {
    return this.#patience * this.#options.leaseMs();
  }

  #tellSeen(command: Command): void {
    for (const observer of this.#observers) observer.seen?.(command.id, command);
  }
}

/** B7. */
const isUrgent = (command: Command): boolean => command.machine === 'master';

/** As many commands in one request as a batch holds: it must fit a message. */
function* batches(commands: readonly Command[]): Generator<Command[]> {
  let batch: Command[] = [];
  let bytes = 0;
  for (const command of commands) {
    const size = commandBytes(command);
    if (bytes + size > MAX_BATCH_BYTES && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(command);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
