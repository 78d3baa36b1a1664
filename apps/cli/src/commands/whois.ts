import { askWhois, type ElectionState, type Whois } from '@synod/nats';
import { type Asking, asking, type Command } from '../asking.ts';
import { EXIT } from '../exit.ts';

/** Prints who is master, by the newest of what a majority of the voters says. */
export const whois = (command: Command): Promise<number> =>
  asking(
    command,
    (reader) => reader.name('election', '--election'),
    async (to, election) => {
      const { terminal } = command;
      const answer = await askMajority(to, election);
      const state = answer.elections.get(election);
      const master = state?.current ?? null;
      if (to.isJson) terminal.out(JSON.stringify(describe(to.group, election, answer, state)));
      else if (state && master) terminal.out(`${terminal.paint('bold', master.node)} (${detailsOf(state)})`);
      if (!answer.isMajority) {
        const names = answer.nodes.join(', ');
        terminal.say(`only ${names} answered, no majority of the voters: this may be old, and nobody may be master`);
        return EXIT.unavailable;
      }
      if (master) return EXIT.yes;
      const last = state?.previous ? `: ${state.previous.node} ${state.cause}` : ', and nobody ever was';
      terminal.say(`nobody is master of election "${election}" in group "${to.group}"${last}`);
      return EXIT.no;
    },
  );

/** Asks until a majority has answered. @throws CommandError when nobody did. */
export async function askMajority({ bus, timeoutMs, signal, silence }: Asking, election?: string): Promise<Whois> {
  const options = { timeoutMs, waitMs: Math.min(500, timeoutMs), signal };
  const answer = await askWhois(bus, election === undefined ? options : { ...options, election });
  if (!answer) throw silence('a member');
  return answer;
}

function detailsOf({ term, leaseMs, current, cause, previous }: ElectionState): string {
  const metadata = Object.entries(current?.metadata ?? {}).map(([key, value]) => `${key} ${value}`);
  const lease = leaseMs === null ? [] : [`lease ${leaseMs} ms`];
  const before = previous ? [`was ${previous.node}, ${cause}`] : [];
  return [`term ${term}`, ...lease, ...before, ...metadata].join(', ');
}

const describe = (group: string, election: string, answer: Whois, state: ElectionState | undefined) => ({
  group,
  election,
  master: state?.current ? { ...state.current, leaseMs: state.leaseMs } : null,
  term: state?.term ?? 0,
  version: state?.version ?? 0,
  cause: state?.cause ?? 'vacant',
  previous: state?.previous ?? null,
  answered: answer.nodes,
  isMajority: answer.isMajority,
});
