// `drizzle-kit push` made the database; the definition of the same schema finds it as it is, and pg_dump says so too.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { compare } from '../../src/build/compare.ts';
import { load } from '../../src/build/load.ts';
import { lower } from '../../src/build/lower.ts';
import { database } from '../../src/define/index.ts';
import { type TestDatabase, test } from '../cluster/index.ts';
import { kitDdl, kitPush } from '../define/drizzle-kit.ts';
import { withRoles } from '../define/roles.ts';
import * as wide from '../define/wide-schema.ts';

const run = promisify(execFile);

// The dump's restrict key is random and its first lines name versions.
async function pgDump(db: TestDatabase): Promise<string> {
  const { stdout } = await run('pg_dump', ['--schema-only', '--dbname', db.url], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.replace(/^(\\(un)?restrict .*|-- Dumped .*)$/gm, '');
}

async function pgDumpFits(db: TestDatabase): Promise<boolean> {
  const [server] = await db.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const { stdout } = await run('pg_dump', ['--version']).catch(() => ({ stdout: '' }));
  return Number(/ (\d+)/.exec(stdout)?.[1] ?? 0) >= (server?.major ?? 0);
}

describe('a database that drizzle-kit made', () => {
  test('by push is the definition’s own, but for what push forgets of policies', async ({ db }) => {
    const { statements, roles } = await lower(database('wide', { tables: wide }));
    const [ours, theirs] = [await db.another(), await db.another()];
    await withRoles([ours, theirs], roles, async () => {
      await load(ours.pool, statements);
      const pushed = await kitPush(wide, theirs.pool, ['public', 'app', 'Odd schema']);
      // drizzle-kit 0.31 pushes every policy without its USING and WITH CHECK; generate keeps them.
      const policies = pushed.filter((statement) => statement.startsWith('CREATE POLICY'));
      expect(policies).toHaveLength(5);
      expect(policies.filter((policy) => / USING | WITH CHECK /.test(policy))).toEqual([]);
      const differences = compare(
        await catalogueDump(ours.pool),
        await catalogueDump(theirs.pool),
        () => true,
      );
      expect(differences.map((one) => `${one.object}, ${one.facet}`)).toEqual([
        'table public.secured, policy all_for_me',
        'table public.secured, policy linked',
        'table public.secured, policy read_own',
        'table public.secured, policy write_own',
      ]);
    });
  });

  test('by generate gives the same pg_dump, where one fits the server', async ({ db, skip }) => {
    skip(!(await pgDumpFits(db)), 'no pg_dump on this machine fits the server');
    const { statements, roles } = await lower(database('wide', { tables: wide }));
    const [ours, theirs] = [await db.another(), await db.another()];
    await withRoles([ours, theirs], roles, async () => {
      await load(ours.pool, statements);
      for (const statement of await kitDdl(wide)) await theirs.query(statement);
      expect(await pgDump(ours)).toBe(await pgDump(theirs));
    });
  });
});
