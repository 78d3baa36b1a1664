import type { Invariant } from './invariant.ts';

/** No node meets an impossible state: only a broken invariant of its own stops a node, and none is broken. */
export const noBrokenNode: Invariant = {
  name: 'no node meets an impossible state',
  source: 'N1, protocol.md section 2; architecture.md, principle 4',
  watch: (_observed, fail) => ({
    ended: (life) => {
      if (life.ending === 'broken') fail(`${life.node}: ${life.error?.message} ${causeOf(life.error)}`);
    },
  }),
};

const causeOf = (error: Error | null): string => (error?.cause instanceof Error ? (error.cause.stack ?? '') : '');
