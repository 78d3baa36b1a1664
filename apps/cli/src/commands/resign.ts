import { askAdmin } from '@synod/nats';
import { asking, type Command } from '../asking.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { Resigned, ResignRequest } from './serve-requests.ts';
import { askMajority } from './whois.ts';

/** Asks the master to hand over: it stops its work, then tells the others. */
export const resign = (command: Command): Promise<number> =>
  asking(
    command,
    (reader) => reader.name('election', '--election'),
    async (to, election) => {
      const { terminal } = command;
      const { group, bus, timeoutMs, signal, isJson, silence } = to;
      const state = (await askMajority(to, election)).elections.get(election);
      if (!state?.current) {
        terminal.say(`nobody is master of election "${election}" in group "${group}"`);
        return EXIT.no;
      }
      // Naming the term: whoever is master when the request arrives may be another one, and nobody asked him.
      const request: ResignRequest = { election, term: state.term };
      const [answer] = await askAdmin(bus, 'resign', request, { timeoutMs, signal });
      if (!answer) throw silence(`${state.current.node}, master with term ${state.term},`);
      if ('error' in answer) throw new CommandError(EXIT.failed, `${answer.node}: ${answer.error.message}`);
      const { term } = answer.result as Resigned;
      if (isJson) terminal.out(JSON.stringify({ group, election, node: answer.node, term }));
      else terminal.out(`${answer.node} resigned (term ${term})`);
      return EXIT.yes;
    },
    { kind: 'operator' },
  );
