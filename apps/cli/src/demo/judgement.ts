import { judgeHistory } from '../lab/overlap.ts';
import type { Observations } from './observations.ts';

/** Logs are dated in whole ms by another clock than histories. */
export const CLOCK_SLACK_NS = 20_000_000n;

/**
 * Over the whole run: there never were two masters, who worked was master, and who watched heard everything once, in order.
 * @returns what speaks against it, a sentence each.
 */
export function judgeRun({ history, work, heard }: Pick<Observations, 'history' | 'work' | 'heard'>): string[] {
  const verdict = judgeHistory(history);
  const problems = [...verdict.problems];
  for (const { first, second, ms } of verdict.overlaps) {
    problems.push(
      `${first.node} (term ${first.term}) and ${second.node} (term ${second.term}) were both master for ${ms} ms`,
    );
  }
  for (const { node, term, atNs } of work) {
    const isCovered = verdict.tenures.some(
      (tenure) =>
        tenure.node === node &&
        tenure.term === term &&
        tenure.fromNs - CLOCK_SLACK_NS <= atNs &&
        atNs <= tenure.toNs + CLOCK_SLACK_NS,
    );
    if (!isCovered) problems.push(`${node} worked with term ${term} while it was not master`);
  }
  const ids = heard.map(({ id }) => id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index)))
    problems.push(`master-watch told ${id} twice`);
  const versions = heard.map(({ version }) => version);
  if (versions.some((version, index) => version < (versions[index - 1] ?? 0))) {
    problems.push(`master-watch told old news: versions ${versions.join(', ')}`);
  }
  return problems;
}
