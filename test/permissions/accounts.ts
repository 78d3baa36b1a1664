import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { type NatsPermissions, type PermissionsOptions, permissionsOf } from '@synod/nats';

/** A user of the server as its configuration says it. Every password is `x`. */
export interface User {
  readonly user: string;
  readonly permissions?: object;
}

/** A user who may do what a node of its kind needs, or what `change` makes of it. */
export function userOf(
  node: string,
  kind: PermissionsOptions['kind'],
  {
    name = node,
    change = (rules) => rules,
  }: { name?: string; change?: (rules: NatsPermissions) => NatsPermissions } = {},
): User {
  return { user: name, permissions: change(permissionsOf({ group: 'orders', node, kind })) };
}

/** A server with two accounts: one for the group, and one that has nothing to do with it. */
export function startGuarded(users: readonly User[], options: { jetstream?: boolean } = {}): Promise<NatsServer> {
  const withPassword = (each: User) => JSON.stringify({ ...each, password: 'x' });
  const jetstream = options.jetstream ? 'jetstream: enabled, ' : '';
  return startNatsServer({
    ...options,
    extraConfig: `accounts {
      ORDERS { ${jetstream}users: [${users.map(withPassword).join(', ')}] }
      OTHERS { users: [${withPassword({ user: 'stranger' })}] }
    }`,
  });
}
