import type { Journal } from '@synod/protocol';
import type { LoggerLike } from '@synod/runtime';

/** What part a process plays in a group. */
export type JoinMembership =
  /** Votes, leads and may be master. `journal`: a folder of this node's own. */
  | { readonly role: 'member'; readonly voters: readonly string[]; readonly journal: string | Journal }
  /** No voter: any number of them, under any names. May be master of every election but the group's own. */
  | { readonly role: 'candidate' }
  /** Hears of masters, is none. */
  | { readonly role: 'observer' };

export interface JoinOptions {
  readonly group: string;
  /** Default: SYNOD_NODE, then HOSTNAME, from the environment. */
  readonly node?: string;
  readonly membership: JoinMembership;
  /** Length of a lease, ms: 3000 by default, 100 at least. A dead master is replaced after about 0.9 of it. */
  readonly leaseMs?: number;
  /** Most that a clock's rate may be off, parts per million. Default 10 000 = 1 %. The same at every voter. */
  readonly maxDriftPpm?: number;
  /** 0 … 100: a higher one waits less when a mastership is free. Default 0. */
  readonly priority?: number;
  /** Travels with the mastership and its events: an address, a zone. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Health veto, asked before this process campaigns for anything and before each renewal: who says no gives back all it
   * holds. No answer for half a lease is a no. Of one election alone: `group.election(name, { eligible })`.
   */
  readonly eligible?: () => boolean | Promise<boolean>;
  /**
   * What happens when the main thread of this process is stuck past the end of a mastership it holds, or of one whose work has
   * not stopped yet: nothing until it goes on (default), or a second thread kills the process at once, without handlers (F3).
   */
  readonly onOverrun?: 'notify' | 'abort';
  /** First position of a group whose name was used by another before (I5). */
  readonly firstPosition?: number;
  /** An operator names each voter's storeId. Given once, to one node, of a group that is not formed (I5). */
  readonly bootstrap?: Readonly<Record<string, string>>;
  /** Publish `elected`, `resigned`, `expired` and keep them in a JetStream stream where there is one. Default true. */
  readonly events?: boolean;
  /** Ends `join` while it waits, and closes the group afterwards. */
  readonly signal?: AbortSignal;
  /** In the shape of pino; silent by default. Info is one line per change of mastership. */
  readonly logger?: LoggerLike;
  /** Every event of every machine, as XState's inspector gets it; `jsonView` makes JSON of it. */
  readonly inspect?: (event: unknown) => void;
}
