import type { NodeId } from '@synod/protocol';
import type { Election, Mastership } from '../election/types.ts';

/** One of the parts that work is cut into; each has one master, or none. */
export interface Shard {
  /** 0 … count - 1. */
  readonly index: number;
  /** The election it is. */
  readonly name: string;
}

export interface ShardsOptions {
  /** How many there are. The same at every process. */
  readonly count: number;
  /** Their elections are `<name>-0`, `<name>-1` … Default `shard`. */
  readonly name?: string;
  /**
   * What is done for a shard while this process is its master: as the work of `runWhileMaster`, never twice at once for one
   * shard, and waited for before the shard is given away. It may return earlier; the shard stays then. If it throws, the shard
   * is given back and left to others for a while.
   */
  readonly run?: (shard: Shard, mastership: Mastership) => Promise<void> | void;
  /** A shard came. */
  readonly onAcquired?: (shard: Shard, mastership: Mastership) => void;
  /** A shard went: `lostBy` as of {@link MastershipLostError}; `resigned` for one that was given away. A notice (T5). */
  readonly onLost?: (shard: Shard, lostBy: string) => void;
  /** Veto of all of them, beside that of the group: who says no gives back what it has, and gets nothing. */
  readonly eligible?: () => boolean | Promise<boolean>;
  /** Travels with the masterships. Default: that of the group. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long `run` may go on after its shard is lost before an error event says so, ms. Default: one lease. */
  readonly graceMs?: number;
  /** As {@link Shards.close}. */
  readonly signal?: AbortSignal;
}

/** This process's part in the masterships of many shards, which all who take part hold in equal numbers. */
export interface Shards extends AsyncDisposable {
  readonly name: string;
  readonly count: number;
  /** Those that this process is master of at this instant (T5), by index. */
  readonly held: readonly Shard[];
  /** Of one that this process is master of at this instant, else `null`. */
  mastership(index: number): Mastership | null;
  /** Who is master of a shard, asks about it, follows it. Campaigning is done here. */
  election(index: number): Election;
  /** The shard that a key belongs to: the same at every process, for ever, while `count` stays. */
  indexOf(key: string): number;
  /** How many each node holds, as last heard; news, not a licence. */
  holders(): ReadonlyMap<NodeId, number>;
  /** Gives back all that is held, when its work has stopped, and takes no more. */
  close(): Promise<void>;
}
