import { incarnationOf } from '@synod/protocol';
import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/**
 * What a node was told is done stays done: a command that its own submitter saw applied is applied, at that position, by
 * every node that is healed.
 */
export const nothingLost: Invariant = {
  name: 'no acknowledged command is lost',
  source: 'S1, protocol.md section 1; fault 50',
  watch: ({ group }, fail) => {
    const acknowledged = new Map<number, string>();
    /** What was acknowledged before the healing: whoever rests since has applied all of it. */
    let throughHealing = 0;
    const applied = new Map<Life, Map<number, string>>();
    const restored = new Map<Life, number>();
    return {
      applied: (life, { id, position, applied: isApplied }) => {
        if (isApplied && incarnationOf(id) === life.incarnation) acknowledged.set(position, id);
        const log = applied.get(life) ?? new Map<number, string>();
        applied.set(life, log.set(position, id));
      },
      restored: (life, position) => void restored.set(life, position),
      ended: (life) => {
        applied.delete(life);
        restored.delete(life);
      },
      healed: () => {
        throughHealing = Math.max(0, ...acknowledged.keys());
      },
      finished: (rested) => {
        for (const life of group.lives) {
          if (!life.isReady || !life.process.isRunning) continue;
          if (life.role === 'member' && rested.has(life.node) && life.fold.position < throughHealing)
            fail(`${life.node} has not applied position ${throughHealing} (${acknowledged.get(throughHealing)})`);
          for (const [position, id] of acknowledged) {
            // What lies behind a snapshot is compared as state.
            if (position <= (restored.get(life) ?? 0) || position > life.fold.position) continue;
            if (applied.get(life)?.get(position) !== id) fail(`${life.node} lost ${id} of position ${position}`);
          }
        }
      },
    };
  },
};
