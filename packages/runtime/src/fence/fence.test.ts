import { DatabaseSync } from 'node:sqlite';
import { ConfigError, StaleFenceError } from '@synod/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fence } from './fence.ts';
import { memoryFence } from './memory-fence.ts';
import { type SqlQuery, sqlFence, sqlFenceTable } from './sql-fence.ts';

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function sqlite(): { database: DatabaseSync; query: SqlQuery } {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  database.exec(sqlFenceTable());
  return { database, query: (sql, parameters) => database.prepare(sql).all(...parameters) };
}

const fences: [string, () => Fence][] = [
  ['in memory', memoryFence],
  ['in SQL', () => sqlFence(sqlite().query, { placeholders: '?' })],
];

describe.each(fences)('F2: a fence %s', (_where, fence) => {
  it('refuses a lower term once it has seen a higher one, and takes the same again', async () => {
    const made = fence();
    await made.check('group', 5);
    await made.check('group', 5);
    await made.check('group', 9);
    await expect(made.check('group', 8)).rejects.toThrow(StaleFenceError);
    await expect(made.check('group', 5)).rejects.toMatchObject({
      code: 'ERR_SYNOD_STALE_FENCE',
      election: 'group',
      term: 5,
    });
    await made.check('group', 9);
  });

  it('compares terms within one election only', async () => {
    const made = fence();
    await made.check('group', 9);
    await made.check('shard-7', 5);
    await expect(made.check('group', 5)).rejects.toThrow('term 5 of "group" is refused');
  });

  it.each([0, -1, 4.5, Number.NaN, 2 ** 53, '9' as never, undefined as never])(
    'refuses what is no term: %s',
    async (term) => {
      const made = fence();
      await expect(made.check('group', term)).rejects.toThrow(StaleFenceError);
      await made.check('group', 1);
    },
  );
});

it('in memory: says whether a write may happen without waiting', () => {
  const fence = memoryFence();
  expect([fence.admits('group', 9), fence.admits('group', 5), fence.admits('group', 9)]).toEqual([true, false, true]);
});

describe('in SQL', () => {
  it('is undone with the transaction of the write it stood before', async () => {
    const { database, query } = sqlite();
    const fence = sqlFence(query, { placeholders: '?' });
    database.exec('begin');
    await fence.check('group', 9);
    database.exec('rollback');
    await fence.check('group', 5);
  });

  it('outlives its process: another fence over the same table has seen what the first saw', async () => {
    const { query } = sqlite();
    await sqlFence(query, { placeholders: '?' }).check('group', 9);
    await expect(sqlFence(query, { placeholders: '?' }).check('group', 8)).rejects.toThrow(StaleFenceError);
  });

  it('takes a table of any plain name, and nothing else', () => {
    expect(sqlFenceTable('audit.fences')).toContain('audit.fences');
    expect(() => sqlFence(() => [], { table: 'fences; drop table users' })).toThrow(ConfigError);
  });

  it('names parameters as PostgreSQL does unless told otherwise', async () => {
    const asked: string[] = [];
    await sqlFence(async (sql) => [asked.push(sql)]).check('group', 9);
    expect(asked[0]).toContain('values ($1, $2)');
  });
});
