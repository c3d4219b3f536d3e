// `holdfast up` as a user runs it: it applies, keeps, and leaves in order.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { test, type TestDatabase } from '../cluster/index.ts';
import { project } from './project.ts';

const SOURCE = `
import { integer, pgTable, timestamp } from 'drizzle-orm/pg-core';
import { database, job } from 'holdfast';

const visits = pgTable('visits', { id: integer().primaryKey().generatedAlwaysAsIdentity(), at: timestamp().defaultNow() });

export default database('up', {
  tables: { visits },
  jobs: [job('visit', { schedule: { cron: '0 0 1 1 *' }, atStart: true }, { sql: 'INSERT INTO public.visits DEFAULT VALUES' })],
});`;

async function visited(db: TestDatabase): Promise<number> {
  for (let tries = 0; tries < 300; tries += 1) {
    const [row] = await db.query<{ rows: string }>(
      `SELECT (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM public.visits', false, true, '')))[1]::text AS rows
       WHERE to_regclass('public.visits') IS NOT NULL`,
    );
    if (Number(row?.rows ?? 0) > 0) return Number(row?.rows);
    await db.query('SELECT pg_catalog.pg_sleep(0.05)');
  }
  return 0;
}

test('up runs the jobs of the definition until it is stopped, and --no-keep leaves them alone', async ({
  db,
}) => {
  const own = project();
  onTestFinished(own.remove);
  writeFileSync(join(own.dir, 'holdfast.ts'), SOURCE);
  const running = own.start(db.url, 'up');
  expect(await visited(db)).toBe(1);
  running.child.kill('SIGINT');
  const { code, out } = await running.ended;
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringMatching(/leads[^]*visit done[^]*lead is given back/),
  });

  const idle = own.start(db.url, 'up', '--no-keep');
  for await (const chunk of idle.child.stdout ?? []) if (String(chunk).includes('Ctrl-C stops it.')) break;
  idle.child.kill('SIGINT');
  await idle.ended;
  expect(await db.query('SELECT count(*)::int AS n FROM public.visits')).toEqual([{ n: 1 }]);
});
