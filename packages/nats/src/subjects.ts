import { type Address, EVERYBODY, invariant, isName, NAME_PATTERN, type NodeId, type Role } from '@synod/protocol';

/** The only file that spells a subject: `synod.<group>.<role>.<to>.from.<node>`, six tokens, always. */
const PREFIX = 'synod';

const ROLES: ReadonlySet<string> = new Set<Role>([
  'acceptor',
  'proposer',
  'learner',
  'log',
  'identity',
  'formation',
  'event',
  'whois',
  'admin',
]);

const namePattern = new RegExp(NAME_PATTERN);

/** What a subject says. */
export interface ParsedSubject {
  readonly group: string;
  readonly to: Address;
  readonly from: NodeId;
}

/**
 * Subject of a message of `from` to `to`.
 * @throws InvariantError when a part is no token: a `.`, `*` or `>` would reach or name somebody else (I4).
 */
export function subjectOf(group: string, to: Address, from: NodeId): string {
  invariant(isName(from), `I4 the sender "${from}" is a token of a subject`);
  return `${stem(group, to.role, to.to)}.from.${from}`;
}

/** Pattern of everything sent to `address`, whoever sends. `to: '*'` matches every recipient. */
export const patternOf = (group: string, address: Address): string =>
  `${address.to === '*' ? stem(group, address.role, EVERYBODY).replace(/\.all$/, '.*') : stem(group, address.role, address.to)}.from.*`;

/**
 * Where NATS tells that nobody subscribes to `to`: of the same shape and from the asker itself, so that the permission
 * that pins the asker covers it, and so that the notice says whom it is about.
 */
export const noRespondersSubjectOf = (group: string, to: Address, from: NodeId): string =>
  subjectOf(group, { role: `no-${to.role}` as Role, to: to.to }, from);

/** Reads a subject; `null` when it is not one of ours. */
export function parseSubject(subject: string): ParsedSubject | null {
  const [prefix, group, role, to, from, node, ...more] = subject.split('.');
  if (prefix !== PREFIX || from !== 'from' || more.length > 0) return null;
  if (!isName(group) || !isName(node) || role === undefined || to === undefined) return null;
  if (!ROLES.has(role) || !namePattern.test(to)) return null;
  return { group, to: { role: role as Role, to }, from: node };
}

/** True for every subject that Synod may use: no public answer ever goes to one, whoever asks for it (I4). */
export const isSynodSubject = (subject: string): boolean => subject === PREFIX || subject.startsWith(`${PREFIX}.`);

/** True for a subject of this group. */
export const isSubjectOfGroup = (subject: string, group: string): boolean => subject.startsWith(`${PREFIX}.${group}.`);

/** Events of one election, or of all, in one group or in all: what a stream or a watcher subscribes to. */
export const eventPattern = (group: string, election: string): string => {
  for (const token of [group, election])
    invariant(token === '*' || isName(token), `"${token}" is a token of a subject`);
  return `${PREFIX}.${group}.event.${election}.from.*`;
};

function stem(group: string, role: string, to: string): string {
  invariant(isName(group), `I4 the group "${group}" is a token of a subject`);
  invariant(namePattern.test(to), `I4 the recipient "${to}" is a token of a subject`);
  return `${PREFIX}.${group}.${role}.${to}`;
}
