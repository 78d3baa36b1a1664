import type { HistoryLine, NodeState } from 'synod';

/** What a member process is started with. */
export interface MemberOptions {
  /** NATS servers, the first one first. */
  readonly servers: readonly string[];
  readonly group: string;
  readonly node: string;
  readonly voters: readonly string[];
  readonly journal: string;
  readonly leaseMs: number;
  /** Joins only when told to, so that several processes can be up before the first begins. */
  readonly waits: boolean;
  /** Tells, with each acquisition, how long ago the last renewal of the master before was seen. Costs an inspector. */
  readonly tellsSights: boolean;
  /** Tells no history: with thousands of elections each renewal would be thousands of lines. */
  readonly isQuiet: boolean;
  /** A renewal is told so much later, with those that came meanwhile. Who kills must hear of them at once, or nearly. */
  readonly renewalsWaitMs: number;
}

/** What a member process says. Instants are of {@link machineNowMs}. */
export type MemberSays =
  /** Everything is loaded, NATS is connected. */
  | { readonly type: 'up' }
  /** The server knows all subscriptions of this process. */
  | { readonly type: 'subscribed'; readonly atMs: number }
  | { readonly type: 'joined' }
  | { readonly type: 'history'; readonly line: HistoryLine; readonly sinceSightMs: number | null }
  /** About to resign, as told. */
  | { readonly type: 'resigning'; readonly atMs: number }
  /** How many of the elections it was told to hold it does, and how many masterships it has lost. */
  | { readonly type: 'holds'; readonly held: number; readonly lost: number }
  /** Asks for mastership no more; what it held is given back. */
  | { readonly type: 'resting' }
  | {
      readonly type: 'status';
      readonly state: NodeState;
      readonly learnedThrough: number;
      /** Term of the last master known. */
      readonly term: number;
      /** The NATS server that it is connected to, `host:port`. */
      readonly server: string;
    };

export type MemberHears =
  | { readonly type: 'join' }
  /** With `to` it is handed over to that node. */
  | { readonly type: 'resign'; readonly to?: string }
  /** Asks for the elections `e-<from>` to `e-<from + count - 1>`, and holds them. */
  | { readonly type: 'hold'; readonly from: number; readonly count: number }
  | { readonly type: 'rest' }
  | { readonly type: 'status' }
  /** Resign, leave, end. */
  | { readonly type: 'close' };
