import {
  Candidacies,
  type CandidacyEvent,
  type CandidateEvent,
  type CandidateInput,
  type CandidateRef,
  deadlineOf,
  type HolderClock,
  isOverdue,
  type LeaseEvent,
  type Licence,
  leaseInForceMs,
  mayCount,
  type SessionRef,
  shortestLeaseMs,
} from '@synod/mastership';
import type { Clock, ConsensusLog, NodeId, TimerHandle } from '@synod/protocol';
import type { LeaseDeadline } from './group.ts';

export interface ParticipantOptions {
  readonly clock: Clock;
  readonly holderClock: HolderClock;
  /** The session machine of this node, begun. */
  readonly session: SessionRef;
  /** Makes a candidate for an election of this group. */
  readonly candidate: (input: Pick<CandidateInput, 'election' | 'lease'>) => CandidateRef;
  readonly log: Pick<ConsensusLog, 'propose' | 'aboutToPropose' | 'withdraw'>;
  /** Tells a holder what to have appended behind its Resign. */
  readonly standBy: (event: Extract<CandidacyEvent, { type: 'standBy' }>) => void;
  readonly onAcquired: (licence: Licence) => void;
  /** The deadline of all that is held was extended. */
  readonly onRenewed: () => void;
  /** It came nearer (T12): told before the command leaves that does it (T4). */
  readonly onShortened: () => void;
  readonly onLost: (election: string, term: number, lostBy: string) => void;
  /** T7: what was given up could not be given back while its lease ran. */
  readonly onOverrun: (election: string, term: number) => void;
  /** T8 and priority: a word to another node. */
  readonly onWord: (word: Extract<CandidacyEvent, { type: 'wish' | 'consent' }>) => void;
  readonly onStopped: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** What one node asks for and holds, wired: session and candidates on one side, log and clock on the other. */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #candidacies: Candidacies;
  #tick: unknown = null;
  readonly #timers = new Set<TimerHandle>();
  #isClosed = false;

  constructor(options: ParticipantOptions) {
    this.#options = options;
    this.#candidacies = new Candidacies({
      session: options.session,
      candidate: options.candidate,
      tell: (event) => this.#guard(() => this.#hear(event)),
      later: (work, delayMs) => {
        const timer = options.clock.setTimeout(() => {
          this.#timers.delete(timer);
          this.#guard(work);
        }, delayMs);
        this.#timers.add(timer);
      },
    });
  }

  /** What happened in the log or to this node. */
  send(event: LeaseEvent): void {
    this.#guard(() => this.#candidacies.send(event));
  }

  /** To the candidate for one election. */
  tell(election: string, event: CandidateEvent): void {
    this.#guard(() => this.#candidacies.tell(election, event));
  }

  /** To the candidates for all elections, or for some. */
  tellAll(event: CandidateEvent, isMeant?: (election: string) => boolean): void {
    this.#guard(() => this.#candidacies.tellAll(event, isMeant));
  }

  /** T5: the mastership in force at this instant, by the reckoning of session and candidate. */
  licence(election: string): Licence | null {
    return this.#candidacies.licence(election);
  }

  priority(election: string): number | null {
    return this.#candidacies.priority(election);
  }

  /** `undefined` before it is spoken to; then the same one for ever. */
  candidate(election: string): CandidateRef | undefined {
    return this.#candidacies.candidate(election);
  }

  /** Who stands by for an election that is held here (T11). */
  successor(election: string): NodeId | null {
    return this.#candidacies.successor(election);
  }

  isMaster(election: string): boolean {
    return this.#candidacies.isMaster(election);
  }

  remainingMs(election: string): number {
    return this.#candidacies.remainingMs(election);
  }

  /** What all that this node holds hangs on; `null` while it has no lease. */
  deadline(): LeaseDeadline | null {
    const lease = this.#candidacies.lease();
    const atMs = deadlineOf(lease);
    return atMs === null || lease.holding?.isOver ? null : { deadlineAtMs: atMs, leaseMs: shortestLeaseMs(lease) };
  }

  /** Every mastership in force at this instant. */
  licences(): Iterable<Licence> {
    return this.#candidacies.licences();
  }

  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#tick);
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    this.#candidacies.close();
  }

  #hear(event: CandidacyEvent): void {
    const { log, standBy, onAcquired, onRenewed, onShortened, onLost, onOverrun, onWord, onStopped } = this.#options;
    switch (event.type) {
      case 'propose': {
        const { type: _, command, ...options } = event;
        this.#keepTicking();
        return log.propose(command, options);
      }
      case 'standBy':
        this.#keepTicking();
        return standBy(event);
      case 'aboutToAsk':
        return log.aboutToPropose(event.silent);
      case 'withdraw':
        return log.withdraw(event.id);
      case 'acquired':
        return onAcquired(event);
      case 'renewed':
        return onRenewed();
      case 'shortened':
        return onShortened();
      case 'lost':
        return onLost(event.election, event.term, event.lostBy);
      case 'wish':
      case 'consent':
        return onWord(event);
      case 'stopped':
        return onStopped();
      case 'overrun':
      case 'left':
        return onOverrun(event.election, event.term);
    }
  }

  /**
   * T9: the holder's clock looks at the other clocks at least every lease/20, as long as the instant of a command of ours
   * may count. A node that asks for nothing wakes for nothing. What they find is told at once: a timer that waited while the
   * machine slept would tell it a part of a lease later.
   */
  #keepTicking(): void {
    if (this.#tick !== null || this.#isClosed) return;
    const { clock, holderClock } = this.#options;
    const tick = () => {
      holderClock.tick();
      if (isOverdue(this.#candidacies.lease())) this.send({ type: 'lapsed' });
      if (this.#isClosed) return;
      const lease = this.#candidacies.lease();
      const delayMs = Math.min(holderClock.tickMs, leaseInForceMs(lease) / 20);
      this.#tick = mayCount(lease) ? clock.setTimeout(tick, delayMs) : null;
    };
    tick();
  }

  /** A listener that throws does not stop its actor (limits.md): the node stops itself. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }
}
