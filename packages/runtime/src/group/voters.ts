import type { Clock, Configuration, Incarnation, NodeId, QuorumSystem, Store } from '@synod/protocol';
import type { VoteRules } from './vote.rules.ts';

/**
 * What is known of the voters: which store each votes with, how often it had been opened (I2), and when it was last heard.
 */
export class Voters {
  readonly #clock: Clock;
  readonly #configuration: Configuration;
  /** In order. */
  readonly #names: readonly NodeId[];
  readonly #quorum: QuorumSystem;
  readonly #rules: VoteRules;
  readonly #self: NodeId;
  /** Highest incarnation counter seen of each store; kept in the journal (I2). */
  readonly incarnations: Map<string, number>;
  /** Which life spoke with that count. */
  readonly #lives = new Map<string, Incarnation>();
  /** Of each voter the last that was admitted: nearly all messages bring the same. */
  readonly #admitted = new Map<NodeId, { readonly store: Store; readonly life: Incarnation }>();
  readonly #heardAtMs = new Map<NodeId, number>();
  #chosenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    clock: Clock;
    self: NodeId;
    configuration: Configuration;
    quorum: QuorumSystem;
    incarnations: Map<string, number>;
    rules: VoteRules;
  }) {
    this.#clock = options.clock;
    this.#self = options.self;
    this.#configuration = options.configuration;
    this.#names = options.configuration.voters.map(({ node }) => node).sort();
    this.#quorum = options.quorum;
    this.incarnations = options.incarnations;
    this.#rules = options.rules;
  }

  heard(node: NodeId): void {
    this.#heardAtMs.set(node, this.#clock.now());
  }

  /**
   * I2: only the store that the configuration names votes, and never from a folder that was rolled back.
   * @returns `refused`; `newer` when the count grew and should be kept; else `known`.
   */
  admit(node: NodeId, store: Store, life: Incarnation): 'refused' | 'newer' | 'known' {
    const last = this.#admitted.get(node);
    if (last && last.life === life && isSameStore(last.store, store)) return 'known';
    const verdict = this.#judge(node, store, life);
    if (verdict !== 'refused') this.#admitted.set(node, { store, life });
    return verdict;
  }

  #judge(node: NodeId, store: Store, life: Incarnation): 'refused' | 'newer' | 'known' {
    const { storeId, incarnations } = store;
    const voter = this.#configuration.voters.find((known) => known.node === node);
    if (voter?.storeId !== storeId) return 'refused';
    const seen = this.incarnations.get(storeId) ?? 0;
    if (this.#rules.isRolledBack(store, life, seen, this.#lives.get(storeId))) return 'refused';
    this.#lives.set(storeId, life);
    this.incarnations.set(storeId, incarnations);
    return incarnations === seen ? 'known' : 'newer';
  }

  /** The lives of the other voters whose votes count here (I2), as far as they were heard. */
  get lives(): readonly Incarnation[] {
    return [...this.#lives.values()];
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

  /**
   * Who stands by while `node` is master (T11): the next voter in the order of names. One is enough: whether he lives, a voter
   * that does not lead cannot know, and if he does not, the others ask a round later.
   */
  heirOf(node: NodeId): NodeId | null {
    const names = this.#names;
    const heir = names.find((name) => name > node) ?? names[0];
    return heir === node ? null : (heir ?? null);
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

const isSameStore = (a: Store, b: Store): boolean =>
  a === b || (a.incarnations === b.incarnations && a.storeId === b.storeId);
