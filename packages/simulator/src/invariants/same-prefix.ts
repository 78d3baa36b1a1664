import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/** Every node applies the same commands at the same positions, and leaves none out. */
export const samePrefix: Invariant = {
  name: 'same prefix everywhere',
  source: 'S1, protocol.md section 1; N1, section 2',
  watch: (_observed, fail) => {
    /** Command id by position: what the first node that came there applied. */
    const log: (string | undefined)[] = [];
    const reached = new Map<Life, number>();
    return {
      applied: (life, { id, position }) => {
        const before = reached.get(life) ?? 0;
        if (position <= before) fail(`${life.node} applied position ${position} after ${before}`);
        for (let skipped = before + 1; skipped < position; skipped++) {
          if (log[skipped] !== undefined) fail(`${life.node} left out position ${skipped} (${log[skipped]})`);
        }
        const known = log[position];
        if (known === undefined) log[position] = id;
        else if (known !== id) fail(`position ${position}: ${life.node} applied ${id}, another node ${known}`);
        reached.set(life, position);
      },
      restored: (life, position) => {
        if (position < (reached.get(life) ?? 0)) fail(`${life.node} went back to position ${position} by a snapshot`);
        reached.set(life, position);
      },
      ended: (life) => void reached.delete(life),
    };
  },
};
