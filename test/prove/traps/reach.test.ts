// What every check does where there is nothing, very much, or little that the role may see; and whose objects it leaves alone.
import { expect } from 'vitest';
import { CHECKS, findTraps, type Traps } from '../../../src/prove/traps/index.ts';
import { ident } from '../../../src/sql.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';

const now = new Date('2026-11-21T12:00:00Z');
const PASSWORD = 'only-for-tests';
const TABLES = 500;
const MOST_MS = 5_000;

const worse = ({ findings }: Traps): readonly string[] =>
  findings.filter(({ severity }) => severity !== 'info').map(({ code, subject }) => `${code} ${subject}`);

async function lookAs(db: TestDatabase, name: string, grants = ''): Promise<Traps> {
  const role = db.role(name);
  await db.query(
    `CREATE ROLE ${ident(role)} LOGIN PASSWORD '${PASSWORD}'; ${grants.replaceAll('{role}', ident(role))}`,
  );
  return findTraps({ url: db.urlAs(role, PASSWORD), now });
}

/** Tables with what checks look for: row security, partitions, functions, views, keys, indexes. */
const MANY = (count: number): string => `
  DO $do$ BEGIN
    FOR n IN 1..${count} LOOP
      IF n % 5 = 0 THEN
        EXECUTE format('CREATE TABLE t%s (tenant_id text NOT NULL, id bigint, at timestamptz NOT NULL, body jsonb, status text) PARTITION BY RANGE (at)', n);
        EXECUTE format('CREATE TABLE t%1$s_1 PARTITION OF t%1$s FOR VALUES FROM (''2026-11-01 00:00+00'') TO (''2026-12-01 00:00+00'')', n);
      ELSE
        EXECUTE format('CREATE TABLE t%s (tenant_id text NOT NULL, id bigint PRIMARY KEY, parent bigint, at timestamptz, body jsonb, status text CHECK (status IN (''a'', ''b'')))', n);
        EXECUTE format('CREATE INDEX ON t%s USING gin (body)', n);
        EXECUTE format('CREATE INDEX ON t%s (lower(status))', n);
      END IF;
      EXECUTE format('ALTER TABLE t%s ENABLE ROW LEVEL SECURITY', n);
      EXECUTE format('CREATE POLICY mine ON t%s USING (tenant_id = current_setting(''app.tenant_id'', true))', n);
      EXECUTE format('CREATE VIEW v%1$s AS SELECT id, count(*) AS n FROM t%1$s GROUP BY id', n);
      CONTINUE WHEN n % 5 > 0;
      EXECUTE format('CREATE FUNCTION f%1$s() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $f$
        DECLARE n bigint; BEGIN IF current_setting(''app.x'') = ''y'' THEN EXECUTE ''SELECT 1'' INTO n; END IF; RETURN (SELECT count(*) FROM t%1$s); END$f$', n);
    END LOOP; END $do$`;

test('an empty database has no traps and nothing that cannot be seen, whoever looks', async ({ db }) => {
  const empty = await db.another();
  const traps = await findTraps({ url: empty.url, now });
  expect(traps).toMatchObject({ unseen: [], checks: CHECKS.length });
  expect(worse(traps)).toEqual([]);
  for (const [name, grants] of [
    ['plain', ''],
    ['monitor', 'GRANT pg_monitor TO {role}'],
  ] as const) {
    const as = await lookAs(empty, name, grants);
    expect(as.unseen).toEqual([]);
    expect(worse(as)).toEqual([]);
  }
});

test(`${TABLES} tables take seconds`, { timeout: 120_000 }, async ({ db }) => {
  const many = await db.another();
  await many.query(MANY(TABLES));
  const role = many.role('app');
  await many.query(`CREATE ROLE ${ident(role)} LOGIN PASSWORD '${PASSWORD}';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${ident(role)}`);
  const traps = await findTraps({ url: many.url, now });
  expect(traps.unseen).toEqual([]);
  expect(traps.findings.filter(({ code }) => code === 'HT303')).toHaveLength(TABLES / 5);
  // A machine that is busy with other tests takes longer.
  expect(traps.durationMs).toBeLessThan(MOST_MS * 4);
});

test('a function of half a megabyte takes seconds', async ({ db }) => {
  const long = await db.another();
  const step = `-- it's said\n PERFORM set_config('app.x', 'a''b', true); IF a > (SELECT count(*) FROM t WHERE x = '(') THEN EXECUTE format('SELECT %I', 'y'); END IF;\n`;
  const body = `DECLARE a int; BEGIN ${step.repeat(4000)} END`;
  expect(body.length).toBeGreaterThan(500_000);
  await long.query(
    `CREATE TABLE t (x text); CREATE FUNCTION long() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $f$${body}$f$`,
  );
  const traps = await findTraps({ url: long.url, now });
  expect(traps.unseen).toEqual([]);
  expect(worse(traps)).toContain('HT301 function public.long()');
  expect(traps.durationMs).toBeLessThan(MOST_MS * 4);
});

test('whoever may read little is told what he did not see, and loses nothing else', async ({ db }) => {
  const few = await db.another();
  await few.query(MANY(10));
  await few.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT id FROM t1; CREATE UNIQUE INDEX totals_key ON totals (id)',
  );
  const whole = worse(await findTraps({ url: few.url, now }));
  for (const [name, grants] of [
    ['plain', ''],
    ['monitor', 'GRANT pg_monitor TO {role}'],
  ] as const) {
    const as = await lookAs(few, name, grants);
    expect(as.unseen).not.toEqual([]);
    for (const { why } of as.unseen) expect(why).toMatch(/\b(?:right|may not|permission denied)\b/);
    const unseen = new Set(as.unseen.map(({ code }) => code));
    const seen = worse(as);
    const lost = whole.filter((one) => !seen.includes(one) && !unseen.has(one.split(' ')[0] ?? ''));
    expect(lost).toEqual([]);
  }
});

test('what an extension brought is accused of nothing', async ({ db }) => {
  const one = await db.another();
  const available = await one.query<{ name: string }>(
    `SELECT name FROM pg_available_extensions WHERE name = ANY ($1) ORDER BY name`,
    [
      [
        'pg_stat_statements',
        'pgcrypto',
        'pg_trgm',
        'btree_gist',
        'hstore',
        'citext',
        'postgis',
        'uuid-ossp',
        'ltree',
        'tablefunc',
        'pg_partman',
        'earthdistance',
        'cube',
        'unaccent',
        'dblink',
        'postgres_fdw',
        'file_fdw',
        'lo',
        'intarray',
        'pageinspect',
        'pg_buffercache',
      ],
    ],
  );
  for (const { name } of available) await one.query(`CREATE EXTENSION IF NOT EXISTS ${ident(name)} CASCADE`);
  const role = one.role('app');
  // Its tables, views and functions are granted as somebody would who grants everything.
  await one.query(`CREATE ROLE ${ident(role)} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${ident(role)};
    GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO ${ident(role)}`);
  const traps = await findTraps({ url: one.url, roles: [role], now });
  expect(traps.unseen).toEqual([]);
  const loaded = traps.findings.filter(({ code }) => code !== 'HT407');
  expect(loaded.filter(({ severity }) => severity !== 'info')).toEqual([]);
});
