// `holdfast metrics`, `alerts` and the measured lines of `status`, as the built command line in a user's project.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { promtool, run as runPromtool } from '../watch/promtool.ts';
import { project } from './project.ts';

const user = project();
afterAll(() => user.remove());
writeFileSync(
  join(user.dir, 'holdfast.ts'),
  `import { integer, pgTable, primaryKey, timestamp } from 'drizzle-orm/pg-core';
import { database, job } from 'holdfast';
import { partitions } from 'holdfast/traits';
const sales = pgTable(
  'sales',
  { id: integer().notNull(), at: timestamp({ withTimezone: true }).notNull() },
  (t) => [primaryKey({ columns: [t.id, t.at] })],
);
export default database('cli', {
  tables: { sales },
  traits: [partitions(sales, { by: sales.at, every: 'month' })],
  jobs: [job('nightly', { schedule: { cron: '0 1 * * *' } }, { sql: 'SELECT 1' })],
});`,
);

describe('holdfast metrics', () => {
  test('--once prints them for Prometheus, or for machines', async ({ db }) => {
    expect((await user.run(db.url, 'apply')).code).toBe(0);
    const { code, out, err } = await user.run(db.url, 'metrics', '--once');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('holdfast_database_up 1\n');
    expect(out).toContain('holdfast_job_scheduled{keeper_job="nightly"} 0\n');
    expect(out).toMatch(/^holdfast_partition_horizon_seconds\{relation="public.sales"\} \d+/m);
    if (promtool.there) expect(runPromtool(['check', 'metrics'], out)).toEqual({ code: 0, says: '' });
  });

  test('--once says for machines too what is wrong, and fails where the database cannot be reached', async ({
    db,
  }) => {
    const wrong = new URL(db.url);
    wrong.pathname = '/nowhere';
    const { code, out } = await user.run(wrong.href, 'metrics', '--once', '--json');
    expect(code).toBe(1);
    const { samples, notes } = JSON.parse(out) as { samples: object[]; notes: { code: string }[] };
    expect(samples).toContainEqual({ metric: 'holdfast_database_up', labels: {}, value: 0 });
    expect(new Set(notes.map((note) => note.code))).toEqual(new Set(['HF_NO_DATABASE']));
  });

  test('serves them until it is told to stop', async ({ db }) => {
    const { child, ended } = user.start(db.url, 'metrics', '--port', '0', '--json');
    const line = await new Promise<string>((done, failed) => {
      child.stdout?.once('data', (chunk: Buffer) => done(chunk.toString()));
      child.once('close', (code) => failed(new Error(`it ended with ${code}`)));
    });
    const { url, database: shown } = JSON.parse(line) as { url: string; database: string };
    expect(shown).toContain(db.name);
    const page = await fetch(url, { headers: { connection: 'close' } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('holdfast_database_up 1\n');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, err: '' });
  });
});

describe('holdfast alerts', () => {
  test('writes rules and tests that promtool takes, and asks no database', async () => {
    const nowhere = 'postgres://nobody@127.0.0.1:1/nowhere';
    const { code, out } = await user.run(nowhere, 'alerts', '--out', 'a.rules.yml', '--tests', 'a.test.yml');
    expect(code).toBe(0);
    const rules = readFileSync(join(user.dir, 'a.rules.yml'), 'utf8');
    const count = rules.match(/- alert: /g)?.length ?? 0;
    expect(out).toBe(`${count} rules written to a.rules.yml; promtool check rules reads them\n`);
    if (!promtool.there) return;
    expect(runPromtool(['test', 'rules', join(user.dir, 'a.test.yml')])).toMatchObject({ code: 0 });
  });

  test('--tests without --out is a wrong command line', async () => {
    expect(await user.run('', 'alerts', '--tests', 'a.test.yml')).toEqual({
      code: 2,
      out: '',
      err: "holdfast: --tests needs --out, the file it tests; see 'holdfast alerts --help'\n",
    });
  });
});

describe('holdfast status', () => {
  test('marks what is late, and exits with 3 until it is not', async ({ db }) => {
    const late = await user.run(db.url, 'status');
    expect(late.code).toBe(3);
    expect(late.out).toMatch(/^keeper +none leads +LATE: none has led yet, or the last one stopped$/m);
    expect(late.out).toMatch(/^partitions +public\.sales +ahead until 20\d\d-\d\d-\d\d \(\d+ days\)/m);
    await db.query(
      `UPDATE holdfast.lease SET holder = 'k', host = 'h', renewed_at = clock_timestamp() WHERE name = 'keeper'`,
    );
    const led = await user.run(db.url, 'status', '--json');
    const { watched } = JSON.parse(led.out) as { watched: { topic: string; late: boolean }[] };
    expect(watched.find(({ topic }) => topic === 'keeper')).toMatchObject({ subject: 'leads', late: false });
    expect(watched.filter((line) => line.late)).toEqual([]);
    expect(led.code).toBe(0);
    await db.query(
      `INSERT INTO holdfast.job (definition, name, first_seen_at, last_due_at, served_due_at, failures, last_error)
       SELECT 'cli', 'nightly', t, t, t, 2, 'out of order' FROM (SELECT clock_timestamp()) AS now (t)`,
    );
    const failing = await user.run(db.url, 'status');
    expect(failing.code).toBe(3);
    expect(failing.out).toContain('nightly failed 2 times: out of order');
  });
});

describe('holdfast slow', () => {
  test('shows the slowest statements of a database, with or without a definition', async ({ db }) => {
    const before = await user.run('', 'slow', '--url', db.url);
    expect(before.code).toBe(1);
    expect(before.err).toContain('HF_STATEMENTS_NOT_HERE extension pg_stat_statements');
    await db.query('CREATE EXTENSION pg_stat_statements');
    // Often, because the server forgets what is seldom run when thousands of other statements come, as in a whole suite.
    for (let time = 0; time < 200; time += 1) await db.query('SELECT count(*) FROM generate_series(1, 1000)');
    const { code, out } = await user.run('', 'slow', '--url', db.url, '--above', '0', '--limit', '5000');
    expect(code).toBe(0);
    expect(out).toMatch(/^postgres:.*: \d+ statements remembered since /);
    expect(out).toMatch(/^mean ms +max ms +calls +of all time +role +statement$/m);
    expect(out).toContain('SELECT count(*) FROM generate_series($1, $2)');
    const machine = await user.run(db.url, 'slow', '--above', '3600000', '--json');
    expect(JSON.parse(machine.out)).toMatchObject({ statements: [], hidden: 0 });
    const wrong = await user.run('', 'slow', '--url', db.url, '--above', '1.5');
    expect(wrong.err).toContain('HF_NUMBER --above\n  "1.5" is no whole number from 0.');
  });
});
