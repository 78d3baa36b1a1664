import { acknowledged } from './acknowledged.ts';
import { agreement } from './agreement.ts';
import { equalFolds } from './equal-folds.ts';
import { failedJournal } from './failed-journal.ts';
import { fencesRefuse } from './fences-refuse.ts';
import type { Invariant } from './invariant.ts';
import { noBrokenNode } from './no-broken-node.ts';
import { noInterleaving } from './no-interleaving.ts';
import { noneDeposed } from './none-deposed.ts';
import { nothingLost } from './nothing-lost.ts';
import { noticesCome } from './notices-come.ts';
import { oneFormation } from './one-formation.ts';
import { oneMaster } from './one-master.ts';
import { promisesKept } from './promises-kept.ts';
import { recoveredAsWritten } from './recovered-as-written.ts';
import { rolledBackRefused } from './rolled-back-refused.ts';
import { samePrefix } from './same-prefix.ts';
import { termsGrow } from './terms-grow.ts';
import { toldLast } from './told-last.ts';
import { vetoesCount } from './vetoes-count.ts';
import { workWithin } from './work-within.ts';

/** All that is watched in every run. Liveness (L1) is demanded by the run itself, once it is healed. */
export const invariants: readonly Invariant[] = [
  oneMaster,
  noneDeposed,
  agreement,
  samePrefix,
  equalFolds,
  promisesKept,
  recoveredAsWritten,
  rolledBackRefused,
  termsGrow,
  nothingLost,
  acknowledged,
  failedJournal,
  noticesCome,
  toldLast,
  workWithin,
  fencesRefuse,
  noInterleaving,
  oneFormation,
  noBrokenNode,
  vetoesCount,
];
