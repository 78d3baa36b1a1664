import type { Clock, Configuration, NodeId, QuorumSystem, Store } from '@synod/protocol';

/**
 * What is known of the voters: which store each votes with, how often it had been opened (I2), and when it was last heard.
 */
export class Voters {
  readonly #clock: Clock;
  readonly #configuration: Configuration;
  readonly #quorum: QuorumSystem;
  readonly #self: NodeId;
  /** Highest incarnation counter seen of each store; kept in the journal (I2). */
  readonly incarnations: Map<string, number>;
  readonly #heardAtMs = new Map<NodeId, number>();
  #chosenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    clock: Clock;
    self: NodeId;
    configuration: Configuration;
    quorum: QuorumSystem;
    incarnations: Map<string, number>;
  }) {
    this.#clock = options.clock;
    this.#self = options.self;
    this.#configuration = options.configuration;
    this.#quorum = options.quorum;
    this.incarnations = options.incarnations;
  }

  heard(node: NodeId): void {
    this.#heardAtMs.set(node, this.#clock.now());
  }

  /**
   * I2: a vote counts only from the store the configuration names, and never from a folder that was rolled back: it names
   * fewer openings than were seen of it.
   * @returns `refused`; `newer` when the count grew and should be kept; else `known`.
   */
  admit(node: NodeId, store: Store): 'refused' | 'newer' | 'known' {
    const voter = this.#configuration.voters.find((known) => known.node === node);
    if (voter?.storeId !== store.storeId) return 'refused';
    const seen = this.incarnations.get(store.storeId) ?? 0;
    if (store.incarnations < seen) return 'refused';
    if (store.incarnations === seen) return 'known';
    this.incarnations.set(store.storeId, store.incarnations);
    return 'newer';
  }

  /** Milliseconds since each voter was heard; `null` for never, 0 for this node. */
  silences(): Record<NodeId, number | null> {
    const nowMs = this.#clock.now();
    return Object.fromEntries(
      this.#configuration.voters.map(({ node }) => {
        const heardAtMs = this.#heardAtMs.get(node);
        return [node, node === this.#self ? 0 : heardAtMs === undefined ? null : Math.round(nowMs - heardAtMs)];
      }),
    );
  }

  /** News of a chosen slot, as it happened: a quorum was there, though a follower hears only the leader. */
  sawChosen(): void {
    this.#chosenAtMs = this.#clock.now();
  }

  /** True while a quorum was heard, or heard of, within `withinMs`. */
  hasQuorum(withinMs: number): boolean {
    if (this.#clock.now() - this.#chosenAtMs <= withinMs) return true;
    const heard = Object.entries(this.silences()).filter(([, silentMs]) => silentMs !== null && silentMs <= withinMs);
    return this.#quorum.isAcceptQuorum(new Set(heard.map(([node]) => node)));
  }
}
