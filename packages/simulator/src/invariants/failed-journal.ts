import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/** Who cannot write any more holds nothing any more, from the step on in which it was told. */
export const failedJournal: Invariant = {
  name: 'a failed journal ends masterships',
  source: 'P3, protocol.md section 2',
  watch: (_observed, fail) => ({
    stepped: (stepped) => {
      const life = stepped?.owner as Life | null | undefined;
      if (life?.journal?.hasFailed && life.mayHold && !life.ending)
        fail(`${life.node} may be master, and its journal has failed`);
    },
  }),
};
