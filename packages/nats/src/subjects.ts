import { type Address, invariant, isName, NAME_PATTERN, type NodeId, type Role } from '@synod/protocol';

/** The only file that spells a subject: `synod.<group>.<role>.<to>.from.<node>`, six tokens, always. */
const PREFIX = 'synod';

const ROLES: ReadonlySet<string> = new Set<Role>([
  'acceptor',
  'proposer',
  'learner',
  'news',
  'log',
  'identity',
  'formation',
  'candidate',
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
export const subjectOf = (group: string, to: Address, from: NodeId): string =>
  `${stemOf(group, to.role, to.to)}.from.${nodeToken(from)}`;

/** Pattern of everything sent to `address`, whoever sends. `to: '*'` matches every recipient. */
export const patternOf = (group: string, address: Address): string =>
  `${stemOf(group, address.role, address.to === '*' ? undefined : address.to)}.from.*`;

/**
 * Where NATS tells that nobody subscribes to `to`: of the same shape and from the asker itself, so that the permission
 * that pins the asker covers it, and so that the notice says whom it is about.
 */
export const noRespondersSubjectOf = (group: string, to: Address, from: NodeId): string =>
  `${stemOf(group, `no-${to.role}`, to.to)}.from.${nodeToken(from)}`;

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

/**
 * Where a public answer may go. A reply subject is the asker's choice: one of ours, or of the server's own interfaces, would
 * make this node say under its own name, with its own permissions, what a stranger asked for (I4).
 */
export const isPublicReply = (reply: string): boolean => !isSynodSubject(reply) && !reply.startsWith('$');

/** True for a subject of this group. */
export const isSubjectOfGroup = (subject: string, group: string): boolean => subject.startsWith(`${PREFIX}.${group}.`);

/** The stream of all groups' events, and what it holds. */
export const EVENT_STREAM = 'SYNOD_EVENTS';
export const EVENT_STREAM_SUBJECTS = `${PREFIX}.*.event.>`;

/** Subject of JetStream's own interface for the event stream. */
export const eventStreamApi = (verb: 'INFO' | 'CREATE' | 'MSG.GET'): string => `$JS.API.STREAM.${verb}.${EVENT_STREAM}`;

/** Subjects of JetStream's own interface: which stream keeps a subject, and a message of a stream. */
export const STREAM_NAMES_API = '$JS.API.STREAM.NAMES';
export const messageApi = (stream: string): string => `$JS.API.STREAM.MSG.GET.${stream}`;

/** The micro-service protocol of NATS (ADR-32): all services, those of our name, and one of them. */
export const SERVICE = 'synod';
export const SERVICE_VERBS = ['PING', 'INFO', 'STATS'] as const;
export type ServiceVerb = (typeof SERVICE_VERBS)[number];
export const serviceSubjects = (verb: ServiceVerb | '*' | '{verb}', id: string): readonly string[] => [
  `$SRV.${verb}`,
  `$SRV.${verb}.${SERVICE}`,
  `$SRV.${verb}.${SERVICE}.${id}`,
];

/** The same as a document writes them. */
export const SERVICE_TEMPLATES = serviceSubjects('{verb}', '{id}');

/** A subject as a document writes it: `synod.{group}.event.{election}.from.{node}`. */
export const subjectTemplate = (role: Role, to: string, from: string): string =>
  `${PREFIX}.{group}.${role}.${to}.from.{${from}}`;

/** Everything that `node` may say in a group, or in any with `*`: the rule that pins a sender (I4). */
export const sayings = (group: string, node: NodeId, role = '*'): string =>
  `${PREFIX}.${groupToken(group)}.${role}.*.from.${nodeToken(node)}`;

/** Everything that is said in a group, or in any with `*`. */
export const hearings = (group: string): string => `${PREFIX}.${groupToken(group)}.*.*.from.*`;

const stemOf = (group: string, role: string, to: string | undefined): string => {
  invariant(isName(group), `I4 the group "${group}" is a token of a subject`);
  invariant(to === undefined || namePattern.test(to), `I4 the recipient "${to}" is a token of a subject`);
  return `${PREFIX}.${group}.${role}.${to ?? '*'}`;
};

function nodeToken(node: NodeId): NodeId {
  invariant(isName(node), `I4 the node "${node}" is a token of a subject`);
  return node;
}

function groupToken(group: string): string {
  invariant(group === '*' || isName(group), `I4 the group "${group}" is a token of a subject`);
  return group;
}
