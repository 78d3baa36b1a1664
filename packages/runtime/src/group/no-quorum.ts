import { NoQuorumError } from '@synod/protocol';
import type { Voters } from './voters.ts';

/** Why nothing can be decided, by what was heard of the voters lately; `null` while a quorum was. */
export function noQuorum(group: string, voters: Voters, withinMs: number): NoQuorumError | null {
  if (voters.hasQuorum(withinMs)) return null;
  const silences = Object.entries(voters.silences());
  const heard = silences.filter(([, silentMs]) => silentMs !== null && silentMs <= withinMs).map(([node]) => node);
  const silent = silences.map(([node]) => node).filter((node) => !heard.includes(node));
  const who = `${heard.join(', ')} ok; ${silent.join(', ')} silent`;
  return new NoQuorumError(
    `No quorum in group "${group}": ${heard.length} of ${silences.length} voters heard in ${withinMs} ms (${who})`,
    { hint: `Check that ${silent.join(' and ')} run${silent.length === 1 ? 's' : ''}: synod doctor` },
  );
}
