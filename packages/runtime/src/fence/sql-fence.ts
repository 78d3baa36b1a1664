import { ConfigError, isTerm, StaleFenceError } from '@synod/protocol';
import type { Fence } from './fence.ts';

/** Runs a statement and gives its rows, at once or later: whatever client you have. */
export type SqlQuery = (
  sql: string,
  parameters: readonly [election: string, term: number],
) => readonly unknown[] | Promise<readonly unknown[]>;

export interface SqlFenceOptions {
  /** Default `synod_fences`; see {@link sqlFenceTable}. */
  readonly table?: string;
  /** How a statement names its parameters: `$1, $2` as PostgreSQL (default), or `?, ?` as SQLite. */
  readonly placeholders?: '$' | '?';
}

/** The statement that makes the table of a {@link sqlFence}, once. */
export const sqlFenceTable = (table = DEFAULT_TABLE): string =>
  `create table if not exists ${checked(table)} (election text primary key, term bigint not null)`;

/**
 * A fence that a PostgreSQL or SQLite database keeps. **Check inside the transaction of the write**: its row is then locked
 * until the write is there, so that no newer master comes between the two.
 *
 * @param query - Bound to that transaction.
 * @throws ConfigError when the table's name is none.
 */
export function sqlFence(query: SqlQuery, options: SqlFenceOptions = {}): Fence {
  const table = checked(options.table ?? DEFAULT_TABLE);
  const [election, term] = options.placeholders === '?' ? ['?', '?'] : ['$1', '$2'];
  const raise =
    `insert into ${table} as fence (election, term) values (${election}, ${term}) ` +
    'on conflict (election) do update set term = excluded.term where fence.term <= excluded.term returning term';
  return {
    check: async (name, value) => {
      if (!isTerm(value)) throw new StaleFenceError(name, value, 'it is no term');
      const rows = await query(raise, [name, value]);
      if (rows.length === 0) throw new StaleFenceError(name, value, 'a newer one has been seen');
    },
  };
}

const DEFAULT_TABLE = 'synod_fences';

function checked(table: string): string {
  if (/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/.test(table)) return table;
  throw new ConfigError([`table is "${table}": a name, or a schema and a name, of A-Z a-z 0-9 _`]);
}
