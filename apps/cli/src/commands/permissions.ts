import { type PermissionsOptions, permissionsOf } from '@synod/nats';
import { ConfigError } from 'synod';
import type { Command } from '../asking.ts';
import { EXIT } from '../exit.ts';
import { FlagReader } from '../options.ts';

const KINDS = ['member', 'candidate', 'observer', 'operator'] as const satisfies PermissionsOptions['kind'][];

/** Prints what a NATS user needs to be a node, and nothing more, as a server's configuration says it. */
export async function permissions({ flags, terminal }: Command): Promise<number> {
  const reader = new FlagReader(flags);
  const group = reader.name('group', '--group (or SYNOD_GROUP)');
  const node = reader.name('node', '--node (or SYNOD_NODE)');
  const kind = kindOf(reader);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const rules = permissionsOf({ group, node, kind });
  // A server's configuration may be written as JSON.
  terminal.out(JSON.stringify({ permissions: rules }, null, reader.flag('json') ? 0 : 2));
  return EXIT.yes;
}

/** What part a node plays, from `--kind`; a problem goes to the reader. */
export function kindOf(reader: FlagReader): PermissionsOptions['kind'] {
  const given = reader.required('kind', '--kind');
  const kind = KINDS.find((each) => each === given);
  if (kind === undefined) reader.problems.push(`--kind is "${given}": ${KINDS.join(', ')} are known`);
  return kind ?? 'member';
}
