import type { NodeId } from '@synod/protocol';

/** Between two nodes, or from and to everybody. */
export interface Way {
  readonly from: NodeId | '*';
  readonly to: NodeId | '*';
}

/**
 * One fault of a run: what, where, from when and for how long. A list of them is a plan that can be read, repeated, and made
 * shorter until only what a failure needs is left.
 */
export type Fault = { readonly atMs: number } & (
  | (Way & { readonly kind: 'loss' | 'repeat' | 'reorder'; readonly rate: number; readonly forMs: number })
  /** A part of the messages is late by up to `lateMs`: longer than a lease, maybe (fault 13). */
  | (Way & { readonly kind: 'delay'; readonly rate: number; readonly lateMs: number; readonly forMs: number })
  /** Sides hear nothing of each other; a node on no side hears both (fault 37). One-way: the first is heard, and hears nothing. */
  | {
      readonly kind: 'partition';
      readonly sides: readonly (readonly NodeId[])[];
      readonly isOneWay: boolean;
      readonly forMs: number;
    }
  /** What is sent to or by the node waits, without a sign, and comes all at once (fault 31). */
  | { readonly kind: 'stall'; readonly node: NodeId; readonly way: 'in' | 'out' | 'both'; readonly forMs: number }
  /** The connection breaks, and the node knows. */
  | { readonly kind: 'disconnect'; readonly node: NodeId; readonly forMs: number }
  /** Many messages that look valid: a captured Prepare of a node, again and again (fault 40). */
  | { readonly kind: 'flood'; readonly node: NodeId; readonly messages: number; readonly forMs: number }
  /** Captured messages come again, long after (fault 38): any, or what was asked of the log (fault 9). */
  | { readonly kind: 'replay'; readonly messages: number; readonly of?: 'commands' }
  /** Bytes that are no message of ours (fault 39). */
  | { readonly kind: 'noise'; readonly node: NodeId; readonly messages: number }
  /** The process dies: at once, or in the middle of a step, so many calls of ports from now. */
  | { readonly kind: 'crash'; readonly node: NodeId; readonly calls: number; readonly downMs: number }
  /** As `crash`, and the machine with it: its monotonic clock begins anew. */
  | { readonly kind: 'reboot'; readonly node: NodeId; readonly calls: number; readonly downMs: number }
  /** A rolling update: the node closes its group, and comes back. */
  | { readonly kind: 'restart'; readonly node: NodeId; readonly downMs: number }
  /** SIGSTOP and SIGCONT (fault 25). */
  | {
      readonly kind: 'pause';
      readonly node: NodeId;
      readonly forMs: number;
      readonly first: 'timers' | 'messages';
    }
  /** Held up in the middle of a step, so many calls of ports from now (faults 26, 28). */
  | { readonly kind: 'block'; readonly node: NodeId; readonly calls: number; readonly forMs: number }
  /** The machine sleeps (fault 27). */
  | { readonly kind: 'suspend'; readonly node: NodeId; readonly forMs: number }
  /** Somebody sets the wall clock (fault 23). */
  | { readonly kind: 'wall clock'; readonly node: NodeId; readonly byMs: number }
  /** The clock runs at another rate (fault 24). */
  | { readonly kind: 'drift'; readonly node: NodeId; readonly rate: number; readonly forMs: number }
  /** Timers are early and late (fault 22). */
  | { readonly kind: 'timers'; readonly node: NodeId; readonly lateMs: number; readonly forMs: number }
  | { readonly kind: 'slow disk'; readonly node: NodeId; readonly flushMs: number; readonly forMs: number }
  /** No room left (fault 42). */
  | { readonly kind: 'full disk'; readonly node: NodeId; readonly forMs: number }
  /** A bit of a durable record flips while the node is down (fault 44). */
  | { readonly kind: 'bit flip'; readonly node: NodeId; readonly downMs: number }
  /** The folder is emptied (fault 6). */
  | { readonly kind: 'wipe'; readonly node: NodeId; readonly downMs: number }
  /** The folder is put back to what it held before its last openings (fault 6). */
  | { readonly kind: 'roll back'; readonly node: NodeId; readonly downMs: number }
  /** A second process under the same node id, with a folder of its own (fault 15). */
  | { readonly kind: 'twin'; readonly node: NodeId; readonly forMs: number }
  /** The node's health vetoes a mastership. */
  | { readonly kind: 'veto'; readonly node: NodeId; readonly forMs: number }
  /** Whoever is master is cut off; or hears late, by up to `lateMs`, and is soon heard by nobody: T1 and T2 are all there is. */
  | { readonly kind: 'isolate'; readonly election: string; readonly lateMs: number | null; readonly forMs: number }
  /**
   * The machine of whoever is master sleeps, its connections with it: they come back a while after it wakes, and until then it
   * has its clocks alone (T9). Hidden: somebody puts the wall clock back by as much meanwhile, and only the boot clock tells.
   */
  | {
      readonly kind: 'sleep';
      readonly election: string;
      readonly sleepMs: number;
      readonly isHidden: boolean;
      readonly forMs: number;
    }
  /** Whoever is master resigns: of the group, where no election is named. */
  | { readonly kind: 'resign'; readonly election?: string }
  /** As `resign`, in favour of a node (T8); if that does not agree, the mastership is free for all. */
  | { readonly kind: 'hand over'; readonly election: string; readonly to: NodeId }
  /** As `hand over`; if the other does not agree, the mastership stays. */
  | { readonly kind: 'transfer'; readonly election: string; readonly to: NodeId }
  /** The node's priority is another from now on, in all elections. */
  | { readonly kind: 'priority'; readonly node: NodeId; readonly priority: number }
  /** Its lease is, from the next renewal on (T12). */
  | { readonly kind: 'lease'; readonly node: NodeId; readonly leaseMs: number }
  /** The node writes a checkpoint and trims its log (P6). */
  | { readonly kind: 'checkpoint'; readonly node: NodeId }
);

export type FaultKind = Fault['kind'];

export const FAULT_KINDS = [
  'loss',
  'repeat',
  'reorder',
  'delay',
  'partition',
  'stall',
  'disconnect',
  'flood',
  'replay',
  'noise',
  'crash',
  'reboot',
  'restart',
  'pause',
  'block',
  'suspend',
  'wall clock',
  'drift',
  'timers',
  'slow disk',
  'full disk',
  'bit flip',
  'wipe',
  'roll back',
  'twin',
  'veto',
  'resign',
  'checkpoint',
  'isolate',
  'hand over',
  'transfer',
  'priority',
  'lease',
  'sleep',
] as const satisfies readonly FaultKind[];

/** Faults after which a store is not to be believed any more (I2, P5): no more of them than a minority. */
export const RUINOUS: ReadonlySet<FaultKind> = new Set(['bit flip', 'wipe', 'roll back']);

/** Of an election rather than a node, or no faults at all but what people order while a group runs. */
export const ORDERS: ReadonlySet<FaultKind> = new Set(['isolate', 'hand over', 'transfer', 'priority', 'lease']);

/** Rare ones, drawn by a chance of their own. */
export const RARE: ReadonlySet<FaultKind> = new Set(['sleep']);

/** In words, for transcripts: `crash b, down 400 ms`. */
export function faultInWords(fault: Fault): string {
  const { kind } = fault;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  switch (kind) {
    case 'loss':
    case 'repeat':
    case 'reorder':
      return `${kind} ${fault.from} > ${fault.to} ${Math.round(fault.rate * 100)} %, ${ms(fault.forMs)}`;
    case 'delay':
      return `delay ${fault.from} > ${fault.to} ${Math.round(fault.rate * 100)} % by up to ${ms(fault.lateMs)}, ${ms(fault.forMs)}`;
    case 'partition':
      return `partition ${fault.sides.map((side) => side.join(' ')).join(fault.isOneWay ? ' > ' : ' | ')}, ${ms(fault.forMs)}`;
    case 'stall':
      return `stall ${fault.node} ${fault.way}, ${ms(fault.forMs)}`;
    case 'flood':
      return `flood ${fault.node} ${fault.messages} messages, ${ms(fault.forMs)}`;
    case 'replay':
      return `replay ${fault.messages} ${fault.of ?? 'messages'}`;
    case 'noise':
      return `noise ${fault.node} ${fault.messages} messages`;
    case 'crash':
    case 'reboot':
      return `${kind} ${fault.node}${fault.calls > 0 ? ` in a step` : ''}, down ${ms(fault.downMs)}`;
    case 'restart':
    case 'bit flip':
    case 'wipe':
    case 'roll back':
      return `${kind} ${fault.node}, down ${ms(fault.downMs)}`;
    case 'wall clock':
      return `wall clock ${fault.node} by ${ms(fault.byMs)}`;
    case 'drift':
      return `drift ${fault.node} rate ${fault.rate.toFixed(4)}, ${ms(fault.forMs)}`;
    case 'timers':
      return `timers ${fault.node} late by up to ${ms(fault.lateMs)}, ${ms(fault.forMs)}`;
    case 'slow disk':
      return `slow disk ${fault.node} ${ms(fault.flushMs)} a flush, ${ms(fault.forMs)}`;
    case 'resign':
      return fault.election === undefined ? 'resign' : `resign ${fault.election}`;
    case 'isolate':
      return `isolate the master of ${fault.election}, ${fault.lateMs === null ? '' : `it hears ${ms(fault.lateMs)} late, `}${ms(fault.forMs)}`;
    case 'sleep':
      return `the master of ${fault.election} sleeps ${ms(fault.sleepMs)}${fault.isHidden ? ' by its boot clock alone' : ''}, ${ms(fault.forMs)}`;
    case 'hand over':
    case 'transfer':
      return `${kind} ${fault.election} to ${fault.to}`;
    case 'priority':
      return `priority ${fault.node} is ${fault.priority}`;
    case 'lease':
      return `lease ${fault.node} is ${ms(fault.leaseMs)}`;
    case 'checkpoint':
      return `checkpoint ${fault.node}`;
    default:
      return `${kind} ${fault.node}, ${ms(fault.forMs)}`;
  }
}
