import type { Voter } from '@synod/paxos/internal';
import type { Value } from '@synod/protocol';
import type { MembersLayout } from './members-bounds.ts';

// What may happen in a small world in which the members change: to a store, then by a leader.

export const PROMISE = 0;
export const ACCEPT = 1;
export const LEARN = 2;
export const RESTORE = 3;
export const SAVE = 4;
export const RESTART = 5;
export const DIE = 6;
export const RELIEVE = 7;
export const PREPARE = 8;
export const TAKE_OVER = 9;
export const PROPOSE = 10;

/** `at` is a store, or a leader. */
export const codeOf = (kind: number, at: number, arg = 0, more = 0): number =>
  (kind << 24) | (at << 16) | (arg << 8) | more;

/** An action as a sentence. */
export function inWords(action: number, { voters, leaders }: MembersLayout, valueAt: (id: number) => Value): string {
  const kind = action >>> 24;
  const at = (action >>> 16) & 0xff;
  const [arg, more] = [(action >>> 8) & 0xff, action & 0xff];
  const named = (mask: number) => voters.filter((_, i) => mask & (1 << i)).map(nameOf);
  const who = nameOf((kind >= PREPARE ? leaders[at] : voters[at]) as Voter);
  switch (kind) {
    case PROMISE:
      return `${who} promises ballot ${arg}`;
    case ACCEPT:
      return `${who} accepts slot ${more} at ballot ${arg}`;
    case LEARN:
      return `${who} learns slot ${more}, chosen at ballot ${arg}`;
    case RESTORE:
      return `${who} is given a snapshot of ${named(1 << arg)}`;
    case SAVE:
      return `${who} saves what it has learned`;
    case RESTART:
      return `${who} restarts`;
    case DIE:
      return `${who} dies`;
    case RELIEVE:
      return `${who} is relieved, and switched off`;
    case PREPARE:
      return `${who} prepares with ballot ${arg}`;
    case TAKE_OVER:
      return `${who} leads by the promises of ${named(arg).join(', ')}`;
    default:
      return `${who} proposes ${valueAt(more)[0] === 1 ? 'a change' : 'a command'} in slot ${arg}`;
  }
}

export const nameOf = ({ node, storeId }: Voter): string => (storeId === node ? node : `${node}'s ${storeId}`);
