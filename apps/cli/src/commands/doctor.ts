import {
  adviseConnection,
  askWhois,
  type PermissionFinding,
  type PermissionsOptions,
  probePermissions,
} from '@synod/nats';
import { type Asking, asking, type Command } from '../asking.ts';
import { DEFAULT_LEASE_MS } from '../defaults.ts';
import { EXIT } from '../exit.ts';
import { type Paint, table } from '../terminal.ts';
import { kindOf } from './permissions.ts';

/** One thing that was looked at. */
interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'note' | 'wrong';
  readonly detail: string;
}

/**
 * Looks at what a node depends on, with the node's own credentials: the server, its permissions rule by rule, the members.
 * Exit 77 names a permission that is missing; a user who may do more than he needs is noted.
 */
export const doctor = (command: Command): Promise<number> =>
  asking(
    // The node asks in its own name: who else could try its permissions?
    { ...command, flags: { ...command.flags, as: command.flags['node'] } },
    (reader) => ({ node: reader.name('node', '--node (or SYNOD_NODE)'), kind: kindOf(reader) }),
    async (to, { node, kind }) => {
      const { terminal } = command;
      const permissions = await probePermissions(to.connection, { group: to.group, node, kind });
      const isMissing = permissions.some(({ state }) => state === 'missing');
      const findings = [await server(to), ...advice(to), ...permissions.map(permission), await members(to)];
      if (to.isJson) terminal.out(JSON.stringify({ group: to.group, node, kind, findings }));
      else for (const line of print(findings, terminal.paint)) terminal.out(line);
      if (isMissing) terminal.say(`Give the user what this prints: ${printing(to.group, node, kind)}`);
      return isMissing ? EXIT.noPermission : findings.some(({ state }) => state === 'wrong') ? EXIT.no : EXIT.yes;
    },
    // What the server refuses is what is looked for.
    { onRefusal: () => {} },
  );

async function server({ connection }: Asking): Promise<Finding> {
  const roundTripMs = await connection.rtt();
  const { version = '', cluster, tls_required: isTls } = connection.info ?? {};
  const detail = `nats-server ${version}, ${roundTripMs} ms${cluster ? `, cluster ${cluster}` : ''}${isTls ? ', TLS' : ''}`;
  return { what: 'connection', state: 'ok', detail };
}

/** Of the connection itself only what the server decides: the other settings are those of the program that joins. */
const advice = ({ connection }: Asking): Finding[] =>
  adviseConnection(connection, DEFAULT_LEASE_MS)
    .filter((sentence) => sentence.includes('max_payload'))
    .map((detail) => ({ what: 'connection', state: 'note', detail }));

const permission = ({ rule, state, subject }: PermissionFinding): Finding => {
  const states = { granted: 'ok', missing: 'wrong', excess: 'note' } as const;
  const words = { granted: rule, missing: `missing: ${rule}`, excess: `not kept: ${rule}` };
  const tried = subject === undefined ? '' : ` (${state === 'missing' ? 'refused' : 'let through'}: ${subject})`;
  return { what: 'permission', state: states[state], detail: `${words[state]}${tried}` };
};

async function members({ bus, group, timeoutMs, signal }: Asking): Promise<Finding> {
  const whois = await askWhois(bus, { timeoutMs, signal });
  if (whois === null) return { what: 'members', state: 'note', detail: `nobody of group "${group}" answers` };
  const voters = whois.answers[0]?.voters ?? [];
  const detail = `${whois.nodes.join(', ')} of ${voters.join(', ')} answered`;
  return { what: 'members', state: whois.isMajority ? 'ok' : 'wrong', detail };
}

const print = (findings: readonly Finding[], paint: Paint): string[] =>
  table(
    findings.map(({ what, state, detail }) => [
      paint(({ ok: 'green', note: 'yellow', wrong: 'red' } as const)[state], state),
      what,
      detail,
    ]),
  );

const printing = (group: string, node: string, kind: PermissionsOptions['kind']): string =>
  `synod permissions --group ${group} --node ${node} --kind ${kind}`;
