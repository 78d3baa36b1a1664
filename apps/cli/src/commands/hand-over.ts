import { askAdmin } from '@synod/nats';
import { type Asking, asking, type Command } from '../asking.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { Resigned, ResignRequest, TransferRequest, Transferred } from './serve-requests.ts';
import { askMajority } from './whois.ts';

/** Asks the master to hand over: it stops its work, then tells the others. */
export const resign = (command: Command): Promise<number> =>
  asking(
    command,
    (reader) => reader.name('election', '--election'),
    async (to, election) => {
      const { terminal } = command;
      const held = await present(to, election);
      if (!held) return nobody(command, to, election);
      const { node, result } = await askHolder<Resigned>(to, 'resign', held.node, held.request);
      const { term } = result;
      if (to.isJson) terminal.out(JSON.stringify({ group: to.group, election, node, term }));
      else terminal.out(`${node} resigned (term ${term})`);
      return EXIT.yes;
    },
    { kind: 'operator' },
  );

/** Asks the master to hand over to one node: it works on until that one agrees (T8). */
export const transfer = (command: Command): Promise<number> =>
  asking(
    command,
    (reader) => ({ election: reader.name('election', '--election'), heir: reader.name('to', '--to') }),
    async (to, { election, heir }) => {
      const { terminal } = command;
      const held = await present(to, election);
      if (!held) return nobody(command, to, election);
      const request: TransferRequest = { ...held.request, to: heir };
      const { result } =
        held.node === heir
          ? { result: { ...held.request, node: heir } }
          : await askHolder<Transferred>(to, 'transfer', held.node, request);
      const { node, term } = result;
      if (to.isJson) terminal.out(JSON.stringify({ group: to.group, election, node, term }));
      else terminal.out(`${node} is master (term ${term})${held.node === heir ? ', as it was' : ''}`);
      return EXIT.yes;
    },
    { kind: 'operator' },
  );

/** Who holds, and what asks this very holder: whoever is master when it arrives may be another one, and nobody asked him. */
async function present(to: Asking, election: string): Promise<{ node: string; request: ResignRequest } | null> {
  const state = (await askMajority(to, election)).elections.get(election);
  return state?.current ? { node: state.current.node, request: { election, term: state.term } } : null;
}

function nobody({ terminal }: Command, { group }: Asking, election: string): number {
  terminal.say(`nobody is master of election "${election}" in group "${group}"`);
  return EXIT.no;
}

async function askHolder<Result>(
  { bus, timeoutMs, signal, silence }: Asking,
  action: 'resign' | 'transfer',
  holder: string,
  request: ResignRequest,
): Promise<{ readonly node: string; readonly result: Result }> {
  const [answer] = await askAdmin(bus, action, request, { timeoutMs, signal });
  if (!answer) throw silence(`${holder}, master with term ${request.term},`);
  const { node } = answer;
  if (!('error' in answer)) return { node, result: answer.result as Result };
  const { code, message } = answer.error;
  throw new CommandError(code === 'ERR_SYNOD_TIMEOUT' ? EXIT.timedOut : EXIT.failed, `${node}: ${message}`);
}
