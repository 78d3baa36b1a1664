import type { Clock, NodeId, Random, TimerHandle } from '@synod/protocol';

export interface PopulationOptions {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: () => number;
  /** Says that this node would hold shards, and holds none. */
  readonly announce: () => void;
  readonly onChange: () => void;
}

/** Leases between two announcements, at most; whoever was not heard for twice as long and a half is forgotten. */
const LONGEST_PAUSE = 2;
const REMEMBERED = 2.5 * LONGEST_PAUSE;

/**
 * Who would hold shards and holds none: the others are seen by what they hold, and say nothing. While every node holds some, no
 * message is sent at all.
 */
export class Population {
  readonly #options: PopulationOptions;
  readonly #heard = new Map<NodeId, number>();
  readonly #refusals = new Map<NodeId, { readonly untilMs: number; readonly times: number }>();
  #isPresent = false;
  #announcements = 0;
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs: number;
  #timer: TimerHandle | null = null;

  constructor(options: PopulationOptions) {
    this.#options = options;
    this.#changedAtMs = options.clock.now();
  }

  /** Nodes that said so lately. */
  get ready(): ReadonlySet<NodeId> {
    const nowMs = this.#options.clock.now();
    for (const [node, atMs] of this.#heard)
      if (nowMs >= atMs + REMEMBERED * this.#options.leaseMs()) this.#forget(node);
    return new Set(this.#heard.keys());
  }

  /** Nodes that did not take what they were offered. */
  get refusing(): ReadonlySet<NodeId> {
    const nowMs = this.#options.clock.now();
    return new Set([...this.#refusals].filter(([, { untilMs }]) => nowMs < untilMs).map(([node]) => node));
  }

  /** Until one of them may be offered something again, ms; infinite when there is none. */
  refusalsEndInMs(): number {
    const nowMs = this.#options.clock.now();
    const ends = Array.from(this.#refusals.values(), ({ untilMs }) => untilMs - nowMs).filter((ms) => ms > 0);
    return Math.min(...ends);
  }

  /** How long to wait until nobody has come for a quarter of a lease, ms. */
  restMs(): number {
    const { clock, leaseMs } = this.#options;
    return Math.max(0, this.#changedAtMs + leaseMs() / 4 - clock.now());
  }

  /** Whether this node would hold shards and holds none: said at once, then ever more seldom. */
  present(isPresent: boolean): void {
    if (isPresent === this.#isPresent) return;
    this.#isPresent = isPresent;
    this.#announcements = 0;
    this.#options.clock.clearTimeout(this.#timer);
    if (isPresent) this.#announce();
  }

  heard(node: NodeId): void {
    const { clock, leaseMs, random } = this.#options;
    const isNew = !this.#heard.has(node);
    this.#heard.set(node, clock.now());
    if (!isNew) return;
    this.#refusals.delete(node);
    this.#changedAtMs = clock.now();
    this.#options.onChange();
    // It may have come too late to hear that this one is here.
    const hasJustSaid = clock.now() - this.#announcedAtMs < leaseMs() / 20;
    if (this.#isPresent && !hasJustSaid) this.#announceIn((leaseMs() / 50) * random.next());
  }

  /** A node is seen by what it holds. */
  holds(node: NodeId | null): void {
    if (node !== null) this.#heard.delete(node);
  }

  accepted(node: NodeId): void {
    this.#refusals.delete(node);
  }

  /** It is offered nothing for a while, each time for longer. */
  refused(node: NodeId): void {
    const { clock, leaseMs } = this.#options;
    const before = this.#refusals.get(node);
    const nowMs = clock.now();
    if (before && nowMs < before.untilMs) return; // Offered at the same time.
    const times = (before?.times ?? 0) + 1;
    this.#refusals.set(node, { untilMs: nowMs + leaseMs() * 2 ** Math.min(times - 1, 6), times });
  }

  close(): void {
    this.#isPresent = false;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #forget(node: NodeId): void {
    this.#heard.delete(node);
    this.#options.onChange();
  }

  #announce(): void {
    const { announce, clock, leaseMs, random } = this.#options;
    this.#announcedAtMs = clock.now();
    announce();
    const pauseMs = leaseMs() * Math.min(LONGEST_PAUSE, 2 ** this.#announcements++ / 8);
    this.#announceIn(pauseMs * (0.75 + random.next() / 4));
  }

  #announceIn(delayMs: number): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => {
      if (this.#isPresent) this.#announce();
    }, delayMs);
  }
}
