import type { NodeId } from '@synod/protocol';
import { eventStreamApi, hearings, sayings, serviceSubjects } from './subjects.ts';

/** What a NATS user may do, as a server's configuration says it. */
export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
  /** Answers to requests go to the asker's inbox, whatever that is; only a member and a candidate answer. */
  readonly allowResponses: boolean;
}

export interface PermissionsOptions {
  /** `*` for every group. */
  readonly group: string;
  readonly node: NodeId;
  /** `candidate`: campaigns, but is no voter. `observer`: only looks. `operator`: may ask for admin actions. */
  readonly kind: 'member' | 'candidate' | 'observer' | 'operator';
}

/**
 * Smallest rules under which a node works. The publish rule pins the sender: with it nobody else can speak as `node`, and
 * `node` as nobody else (I4). Only a member tells events, only an operator asks for admin actions.
 */
export function permissionsOf(options: PermissionsOptions): NatsPermissions {
  const { group, node, kind } = options;
  const deny: string[] = [];
  if (kind !== 'operator') deny.push(sayings(group, node, 'admin'));
  if (kind !== 'member') deny.push(sayings(group, node, 'event'));
  const api = (['INFO', 'MSG.GET'] as const).map(eventStreamApi);
  if (kind === 'member') api.push(eventStreamApi('CREATE'));
  const isResponder = kind === 'member' || kind === 'candidate';
  const services = isResponder ? serviceSubjects('*', '*') : [];
  return {
    publish: { allow: [sayings(group, node), ...api], deny },
    subscribe: { allow: [hearings(group), ...services, '_INBOX.>'] },
    allowResponses: isResponder,
  };
}
