import { type AdminAnswer, askAdmin, askHealth, askWhois, type Whois } from '@synod/nats';
import { type Asking, asking, type Command } from '../asking.ts';
import { EXIT } from '../exit.ts';
import { type Paint, type Terminal, table } from '../terminal.ts';
import type { MemberHealth, MemberStatus, StatusRequest } from './serve-requests.ts';

/** More members than any group has: all that answer are wanted. */
const EVERYBODY = 1000;

/** How long to listen for further members after the first, ms. */
const MORE_MS = 250;

/** Prints how each member is; with `--check` only says by its exit code whether one is joined and sees a quorum. */
export function status(command: Command): Promise<number> {
  const { flags } = command;
  // A check is of the container it runs in, by the credentials of that: the node asks in its own name.
  const checked = flags['check'] === true ? flags['node'] || process.env['SYNOD_NODE'] || undefined : undefined;
  return asking(
    checked === undefined ? command : { ...command, flags: { ...flags, node: checked, as: flags['as'] || checked } },
    (reader) => ({
      node: reader.text('node') === undefined ? undefined : reader.name('node', '--node'),
      isCheck: reader.flag('check'),
    }),
    async (to, { node, isCheck }) => {
      if (isCheck) return check(to, node, command.terminal);
      const { terminal } = command;
      const [members, whois] = await Promise.all([
        askMembers(to),
        askWhois(to.bus, { quorum: EVERYBODY, timeoutMs: to.timeoutMs, waitMs: MORE_MS, signal: to.signal }),
      ]);
      const rows = merge(members, whois).filter((row) => node === undefined || row.node === node);
      if (rows.length === 0) throw to.silence(node ?? 'a member');
      if (to.isJson) terminal.out(JSON.stringify({ group: to.group, members: rows }));
      else for (const line of print(rows, terminal.paint)) terminal.out(line);
      return EXIT.yes;
    },
    { kind: checked === undefined ? 'operator' : 'member' },
  );
}

async function check(to: Asking, node: string | undefined, { say }: Terminal): Promise<number> {
  const members = await (node === undefined ? askMembers(to) : askHealthOf(to, node));
  if (members.length === 0) throw to.silence(node ?? 'a member');
  const sick = members.filter((member) => !isHealthy(member));
  for (const member of sick) {
    const { state } = member;
    const detail = 'detail' in member && member.detail ? `: ${member.detail}` : '';
    say(`${member.node} is ${state}${member.hasQuorum ? '' : ', sees no quorum'}${detail}`);
  }
  return sick.length === 0 ? EXIT.yes : EXIT.no;
}

/** Joined, and in touch with a majority. Not "is master": a rolling update would wait for ever (interfaces.md). */
const isHealthy = ({ state, hasQuorum }: MemberHealth): boolean =>
  (state === 'voter' || state === 'follower') && hasQuorum;

async function askHealthOf({ bus, timeoutMs, signal }: Asking, node: string): Promise<readonly MemberHealth[]> {
  const answers = await askHealth(bus, node, { timeoutMs, signal });
  return answers.flatMap((answer) => ('result' in answer ? [answer.result as MemberHealth] : []));
}

async function askMembers({ bus, timeoutMs, signal }: Asking): Promise<readonly MemberStatus[]> {
  const request: StatusRequest = {};
  const answers = await askAdmin(bus, 'status', request, { timeoutMs, signal, expected: EVERYBODY, waitMs: MORE_MS });
  return answers.flatMap((answer: AdminAnswer) => ('result' in answer ? [answer.result as MemberStatus] : []));
}

type Row = MemberStatus | { readonly node: string; readonly state: 'member'; readonly position: number };

/** Members of other programs than `synod serve` answer whois only: still they are there. */
function merge(members: readonly MemberStatus[], whois: Whois | null): readonly Row[] {
  const known = new Set(members.map(({ node }) => node));
  const others = (whois?.answers ?? []).filter(({ node }) => !known.has(node));
  const rows = [...members, ...others.map(({ node, position }) => ({ node, state: 'member' as const, position }))];
  return rows.sort((a, b) => a.node.localeCompare(b.node));
}

function print(rows: readonly Row[], paint: Paint): string[] {
  const header = ['NODE', 'STATE', 'MASTER', 'QUORUM', 'LEADER', 'POSITION', 'VOTERS HEARD'];
  const lines = rows.map((row) => {
    if (!('voters' in row)) return [row.node, row.state, '', '', '', 'position' in row ? String(row.position) : ''];
    const named = row.master?.master == null ? 'nobody' : row.master.node;
    const master = row.isMaster ? paint('green', 'itself') : named;
    const heard = Object.entries(row.voters)
      .filter(([node]) => node !== row.node)
      .map(([node, ms]) => `${node} ${ms === null ? 'never' : `${ms} ms ago`}`);
    const quorum = row.hasQuorum ? 'yes' : paint('red', 'no');
    const state = row.detail === null ? row.state : `${row.state} (${row.detail})`;
    return [row.node, state, master, quorum, row.leader ?? '', String(row.position), heard.join(', ')];
  });
  return table([header, ...lines], [5]);
}
