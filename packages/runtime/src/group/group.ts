import type { Ballot, MasterNews, MasterRecord, NodeId, Session } from '@synod/protocol';
import type { Election, ElectionOptions, MasterChange } from '../election/types.ts';
import type { Shards, ShardsOptions } from '../shards/types.ts';

/** The group's own election: it always exists, and only members are eligible for it. */
export const GROUP_ELECTION = 'group';

/** Until when a process may act by all it holds, by its own monotonic clock. */
export interface LeaseDeadline {
  readonly deadlineAtMs: number;
  /** The shortest lease it rests on, ms: T1 takes off what belongs to that at its end. */
  readonly leaseMs: number;
}

/** Detail of each event of a {@link Group}. */
export interface GroupEvents {
  /** This process became master. */
  readonly elected: LeaseDeadline & {
    readonly election: string;
    readonly term: number;
    readonly version: number;
  };
  /** As `extended`, told for each mastership held; for histories. */
  readonly renewed: {
    readonly election: string;
    readonly term: number;
    readonly version: number;
    readonly deadlineAtMs: number;
  };
  /**
   * The lease that everything this process is master of hangs on was extended: told once, however much that is. The notice may
   * come late: the deadline may be past.
   */
  readonly extended: LeaseDeadline;
  /** T12: a renewal that asks for a shorter lease is about to leave: from here on the deadline is nearer (T4). */
  readonly shortened: LeaseDeadline;
  /** This process is master no more. `lostBy`: expired, resigned, deposed, closed or failed. */
  readonly lost: { readonly election: string; readonly term: number; readonly lostBy: string };
  /**
   * A mastership that was lost needs no lease any more: nothing here works by it, or its lease is over. Told once. Where the lease
   * is over, that of all others here is too: of thousands the last hear of it later.
   */
  readonly ended: { readonly election: string; readonly term: number; readonly isLeaseOver: boolean };
  /** The master of an election changed, here or elsewhere. */
  readonly change: MasterChange;
  /** Something a person should look at; the group goes on unless it closes. */
  readonly error: { readonly error: unknown };
  /** A record changed, with what stood there before: what public events are made of. */
  readonly record: RecordChange;
}

export interface RecordChange {
  readonly previous: MasterRecord | null;
  readonly next: MasterRecord;
  /** Session of the present master, of the one before. */
  readonly session: Session | null;
  readonly previousSession: Session | null;
  /** True when it was learned as it happened, false when caught up with or replayed. */
  readonly isFresh: boolean;
  /** True at the node that led the log when it learned it: the first to know. */
  readonly isLeading: boolean;
}

/** What a node does in its group. `joining` and `forming` wait; `follower` is a member whose store may not vote. */
export type NodeState = 'joining' | 'forming' | 'voter' | 'follower' | 'candidate' | 'observer' | 'left' | 'failed';

export interface GroupStatus {
  readonly group: string;
  readonly node: NodeId;
  readonly incarnation: string;
  readonly state: NodeState;
  /** Why it waits or may not vote, in words; `null` when all is well. */
  readonly detail: string | null;
  readonly isConnected: boolean;
  readonly leaseMs: number;
  readonly configuration: string;
  /** How long ago each voter was last heard, ms; `null` for never. This node: 0. */
  readonly voters: Readonly<Record<NodeId, number | null>>;
  /** True while a majority of the voters was heard, or heard of, within a lease. */
  readonly hasQuorum: boolean;
  /** Who leads the log, as far as is known here. */
  readonly leader: NodeId | null;
  readonly ballot: Ballot | null;
  readonly learnedThrough: number;
  readonly position: number;
  readonly elections: readonly MasterRecord[];
  readonly sessions: readonly Session[];
  /** Messages dropped since the start, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly journal: {
    readonly storeId: string;
    readonly incarnations: number;
    readonly checkpoints: number;
    readonly tornBytes: number;
  } | null;
}

/** What may change while a group runs. */
export interface LiveSettings {
  readonly leaseMs?: number;
  readonly priority?: number;
}

export interface ListenerOptions {
  readonly once?: boolean;
  readonly signal?: AbortSignal;
}

export type Listener<K extends keyof GroupEvents> = (event: CustomEvent<GroupEvents[K]>) => void;

/** A node's membership of a group. Dispose of it, or `close()`: that resigns and leaves. */
export interface Group extends AsyncDisposable {
  readonly name: string;
  readonly node: NodeId;
  /** The named mastership; the group's own by default. */
  election(name?: string, options?: ElectionOptions): Election;
  /**
   * Holds a fair part of the masterships of many shards, as long as this process lives: their numbers are kept equal over all
   * that take part, whoever comes and goes.
   * @throws ConfigError with every problem at once; or when shards of this name are held here already.
   */
  shards(options: ShardsOptions): Shards;
  status(): GroupStatus;
  /**
   * Changes settings while the group runs: the lease from the next renewal on (T12), the priority at once, of all elections that
   * were given none of their own.
   * @throws ConfigError with every problem at once; nothing is changed then.
   */
  configure(settings: LiveSettings): void;
  /** Resolves when the group was closed; with an error when it had to leave. */
  readonly closed: Promise<Error | undefined>;
  /** Resigns, hands over, leaves. The bus and its connection stay their owner's. */
  close(): Promise<void>;
  addEventListener<K extends keyof GroupEvents>(type: K, listener: Listener<K>, options?: ListenerOptions): void;
  removeEventListener<K extends keyof GroupEvents>(type: K, listener: Listener<K>): void;
  /** Everything heard of masters so far, for whois answers. */
  present(): MasterNews;
}
