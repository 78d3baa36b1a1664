import type { Incarnation, MessageType, Store } from '@synod/protocol';

/** I3: a vote counts only under the same configuration. News and catch-up pass also while one of the two knows none. */
const VOTES: ReadonlySet<MessageType> = new Set(['prepare', 'accept', 'promise', 'accepted', 'reject', 'trimmed']);

/** Before a configuration is known, and across configurations: who is there, and what does he keep? */
const UNGATED: ReadonlySet<MessageType> = new Set(['claim', 'claimed', 'formation']);

/** What is heard, and whose votes count, as plain functions. One object, so that a control can break one. */
export const voteRules = {
  isVote: (type: MessageType): boolean => VOTES.has(type),

  /** I3: by the digests of the newest configuration applied at its sender and here; empty while none is known. */
  isWelcome(type: MessageType, theirs: string, ours: string): boolean {
    if (UNGATED.has(type) || theirs === ours) return true;
    return !VOTES.has(type) && (theirs === '' || ours === '');
  },

  /**
   * I2: a folder that was rolled back names fewer openings than were seen of it, or as many as another life of it did: that
   * has the same past, and not the same memory.
   */
  isRolledBack(store: Store, life: Incarnation, seen: number, seenLife: Incarnation | undefined): boolean {
    if (store.incarnations !== seen) return store.incarnations < seen;
    return seenLife !== undefined && seenLife !== life;
  },
};

/** @see {@link voteRules} */
export type VoteRules = typeof voteRules;
