import { type PermissionsOptions, permissionsOf } from '@synod/nats';
import { ConfigError } from 'synod';
import type { Command } from '../asking.ts';
import { EXIT } from '../exit.ts';
import { FlagReader } from '../options.ts';

const KINDS: readonly string[] = ['member', 'observer', 'operator'] satisfies PermissionsOptions['kind'][];

/** Prints what a NATS user needs to be a node, and nothing more, as a server's configuration says it. */
export async function permissions({ flags, terminal }: Command): Promise<number> {
  const reader = new FlagReader(flags);
  const group = reader.name('group', '--group (or SYNOD_GROUP)');
  const node = reader.name('node', '--node (or SYNOD_NODE)');
  const kind = reader.required('kind', '--kind');
  if (!KINDS.includes(kind)) reader.problems.push(`--kind is "${kind}": ${KINDS.join(', ')} are known`);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const { publish, subscribe, allowResponses } = permissionsOf({
    group,
    node,
    kind: kind as PermissionsOptions['kind'],
  });
  const rules = { publish, subscribe, ...(allowResponses ? { allow_responses: true } : {}) };
  // A server's configuration may be written as JSON.
  terminal.out(JSON.stringify({ permissions: rules }, null, reader.flag('json') ? 0 : 2));
  return EXIT.yes;
}
