import type { NodeId } from '@synod/protocol';
import { eventStreamApi, hearings, sayings, serviceSubjects } from './subjects.ts';

/** What a NATS user may do, as a server's configuration says it. */
export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
}

/** Where answers to requests go. */
export const INBOXES = '_INBOX.>';

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
 *
 * Who answers may publish to inboxes, and there is no `allow_responses`: that lets a user publish wherever a message that it
 * heard names as reply subject, whatever is denied, and a user may send itself any such message.
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
  const answers = isResponder ? [INBOXES] : [];
  return {
    publish: { allow: [sayings(group, node), ...api, ...answers], deny },
    subscribe: { allow: [hearings(group), ...services, INBOXES] },
  };
}
