import { rulesOf } from './broken.ts';
import { clockControls } from './clock-controls.ts';
import type { Control } from './control.ts';
import { formationControls } from './formation-controls.ts';
import { groupControls } from './group-controls.ts';
import { handOverControls } from './hand-over-controls.ts';
import { journalControls } from './journal-controls.ts';
import { logControls } from './log-controls.ts';
import { mastershipControls } from './mastership-controls.ts';
import { membersControls } from './members-controls.ts';
import { noticeControls } from './notice-controls.ts';
import { outsideControls } from './outside-controls.ts';

/**
 * Broken rules that whole groups under seeds find too, with a seed that does. The others need a schedule so particular that
 * no seed meets it in seconds: for those there is the explorer.
 */
const SEEDS: Readonly<Record<string, number>> = {
  'replies-counted': 112,
  'promise-forgotten': 14,
  'recovers-by-promises-alone': 9,
  'no-version-check': 5,
  'expiry-by-term': 24,
  'renewal-does-not-move-the-wait': 5,
  'replay-makes-master': 29,
  'no-margin': 129,
  'session-id-reused': 1,
  'term-does-not-grow': 1,
  'keeps-another-configuration': 4,
};

const withSeeds = (control: Control): Control => {
  const seed = SEEDS[control.name];
  const [explored] = control.engines;
  if (seed === undefined || explored?.kind !== 'explorer') return control;
  const rules = () => rulesOf(explored.broken);
  return { ...control, engines: [explored, { kind: 'seeds', seed, rules }] };
};

/** Every broken rule there is: section 9 of the protocol, and the list of faults.md. */
export const controls: readonly Control[] = [
  ...logControls,
  ...journalControls,
  ...mastershipControls,
  ...formationControls,
  ...membersControls,
  ...groupControls,
  ...outsideControls,
  ...handOverControls,
  ...clockControls,
  ...noticeControls,
].map(withSeeds);
