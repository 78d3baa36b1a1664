/** Name of a participant: a token of a NATS subject, so that a permission can pin it (I4). */
export type NodeId = string;

/** Random id of one process start. Never reused, never shared. */
export type Incarnation = string;

/** What a node, group, election or incarnation may be called. One token of a subject. */
export const NAME_PATTERN = '^[A-Za-z0-9_-]{1,64}$';

/** The recipient that stands for everybody who plays a role; no node may be called so. */
export const EVERYBODY = 'all';

const namePattern = new RegExp(NAME_PATTERN);

/** True when `name` can stand in a subject and is not the reserved `all`. */
export const isName = (name: unknown): name is string =>
  typeof name === 'string' && namePattern.test(name) && name !== EVERYBODY;
