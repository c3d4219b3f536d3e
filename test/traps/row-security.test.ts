// Traps of row security: each test runs the naive SQL and shows the trap, then the same on the definition.
import { expect } from 'vitest';
import { test, type TestDatabase } from '../cluster/index.ts';
import { asTenant, refusal, sessionAs } from '../traits/stand.ts';
import { openShop, type Shop } from './shop.ts';

let standing: Promise<Shop> | undefined;
const opened = (db: TestDatabase): Promise<Shop> => (standing ??= openShop(db));

/** A table of five tenants' rows as a document would write it: policy on the parent, grants by default. */
async function naive(db: TestDatabase, app: string): Promise<void> {
  await db.query(`
    CREATE SCHEMA IF NOT EXISTS naive; GRANT USAGE ON SCHEMA naive TO "${app}";
    CREATE TABLE naive.rows (tenant_id text NOT NULL, id int NOT NULL, at timestamptz NOT NULL DEFAULT '2026-11-05', slug text) PARTITION BY RANGE (at);
    ALTER TABLE naive.rows ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON naive.rows USING (tenant_id = current_setting('app.tenant'));
    ALTER DEFAULT PRIVILEGES IN SCHEMA naive GRANT ALL ON TABLES TO "${app}";
    GRANT ALL ON naive.rows TO "${app}";
    CREATE TABLE naive.rows_11 PARTITION OF naive.rows FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
    INSERT INTO naive.rows (tenant_id, id) SELECT chr(96 + n), n FROM generate_series(1, 5) n;
    CREATE VIEW naive.everything AS SELECT * FROM naive.rows;
    CREATE MATERIALIZED VIEW naive.totals AS SELECT tenant_id, count(*) FROM naive.rows GROUP BY 1`);
}

test('BX-06 a partition is not covered by its parent: naive shows all tenants, ours shows none', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await naive(db, roles.app);
  const client = await sessionAs(db, roles.app);
  expect(await asTenant(client, 'a', 'SELECT tenant_id FROM naive.rows')).toHaveLength(1);
  expect(await asTenant(client, 'a', 'SELECT tenant_id FROM naive.rows_11')).toHaveLength(5);
  const direct = 'SELECT tenant_id FROM shop.sales_y2026m11';
  expect((await refusal(asTenant(client, 'a', direct))).message).toBe(
    'permission denied for table sales_y2026m11',
  );
  await db.query(`GRANT SELECT ON shop.sales_y2026m11 TO "${roles.app}"`);
  expect(await asTenant(client, 'a', direct)).toEqual([{ tenant_id: 'a' }]);
  await db.query(`REVOKE SELECT ON shop.sales_y2026m11 FROM "${roles.app}"`);
});

test('BX-07 views go around row security: naive shows all tenants, ours the reader’s own', async ({ db }) => {
  const { roles } = await opened(db);
  const client = await sessionAs(db, roles.app);
  expect(await asTenant(client, 'a', 'SELECT * FROM naive.everything')).toHaveLength(5);
  expect(await asTenant(client, 'a', 'SELECT * FROM naive.totals')).toHaveLength(5);
  expect(
    (await refusal(db.query('ALTER MATERIALIZED VIEW naive.totals ENABLE ROW LEVEL SECURITY'))).code,
  ).toBe('42809');
  expect(await asTenant(client, 'a', 'SELECT * FROM shop.names')).toEqual([{ slug: 'tea' }]);
  expect(await asTenant(client, 'a', 'SELECT * FROM shop.totals_v')).toEqual([{ tenant_id: 'a', sold: 1 }]);
  expect((await refusal(asTenant(client, 'a', 'SELECT * FROM shop.totals'))).message).toBe(
    'permission denied for materialized view totals',
  );
  await db.query(
    `CREATE FUNCTION public.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'seen %', $1; END $$`,
  );
  const leak = asTenant(client, 'c', 'SELECT * FROM shop.totals_v WHERE public.tell(tenant_id)');
  expect(await leak).toEqual([]);
});

test('BX-08 keys ignore row security: naive tells of and points at other tenants, ours does neither', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await db.query(`
    CREATE TABLE naive.sets (id int PRIMARY KEY, tenant_id text NOT NULL, slug text UNIQUE);
    CREATE TABLE naive.versions (id int PRIMARY KEY, tenant_id text NOT NULL, set_id int REFERENCES naive.sets);
    INSERT INTO naive.sets VALUES (1, 'b', 'secret');
    ALTER TABLE naive.sets ENABLE ROW LEVEL SECURITY; ALTER TABLE naive.versions ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON naive.sets USING (tenant_id = current_setting('app.tenant'));
    CREATE POLICY p ON naive.versions USING (tenant_id = current_setting('app.tenant'))`);
  const client = await sessionAs(db, roles.app);
  expect(
    (await refusal(asTenant(client, 'a', `INSERT INTO naive.sets VALUES (2, 'a', 'secret')`))).message,
  ).toContain('sets_slug_key');
  expect(
    await asTenant(client, 'a', `INSERT INTO naive.versions VALUES (1, 'a', 1) RETURNING set_id`),
  ).toEqual([{ set_id: 1 }]);
  expect(await asTenant(client, 'a', `INSERT INTO shop.items VALUES ('a', 2, 'milk') RETURNING id`)).toEqual([
    { id: 2 },
  ]);
  await asTenant(client, 'a', `DELETE FROM shop.items WHERE id = 2`);
  const pointed = asTenant(client, 'a', `INSERT INTO shop.sales VALUES ('a', 2, 2, '2026-11-06')`);
  expect((await refusal(pointed)).code).toBe('23503');
});

test('BX-09 an unset or empty setting: naive fails on every query, ours shows no rows', async ({ db }) => {
  const { roles } = await opened(db);
  await db.query(`CREATE TABLE naive.ids (tenant_id uuid NOT NULL); ALTER TABLE naive.ids ENABLE ROW LEVEL SECURITY;
    INSERT INTO naive.ids VALUES (gen_random_uuid());
    CREATE POLICY p ON naive.ids USING (tenant_id = current_setting('app.tenant')::uuid)`);
  const client = await sessionAs(db, roles.app);
  expect((await refusal(client.query('SELECT * FROM naive.ids'))).message).toBe(
    'unrecognized configuration parameter "app.tenant"',
  );
  expect((await client.query('SELECT * FROM shop.items')).rows).toEqual([]);
  await client.query(`BEGIN; SET LOCAL app.tenant = 'a'; COMMIT`);
  expect((await refusal(client.query('SELECT * FROM naive.ids'))).message).toBe(
    'invalid input syntax for type uuid: ""',
  );
  expect((await client.query('SELECT * FROM shop.items')).rows).toEqual([]);
});

test('BX-10 SET outlives its transaction and takes no parameter: ours is local and checked', async ({
  db,
}) => {
  const { roles, definition } = await opened(db);
  const client = await sessionAs(db, roles.app);
  await client.query(`BEGIN; SET app.tenant = 'b'; COMMIT`);
  expect((await client.query('SELECT * FROM shop.items')).rows).toHaveLength(2);
  await client.query('RESET app.tenant');
  expect((await refusal(client.query('SET app.tenant = $1', ['a']))).code).toBe('42601');
  expect(await asTenant(client, 'a', 'SELECT id FROM shop.items')).toEqual([{ id: 1 }]);
  expect((await client.query('SELECT * FROM shop.items')).rows).toEqual([]);
  const session = definition.traits.find((trait) => trait.session !== undefined)?.session;
  expect(Object.keys(session?.settings ?? {})).toEqual(['tenant', 'user']);
  expect(session?.settings['tenant']?.pattern.test("a'; SET app.tenant = 'b")).toBe(false);
});

test('BX-11 policies that read each other’s tables: naive recurses, ours asks one function', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await db.query(`
    CREATE TABLE naive.projects (id int PRIMARY KEY); CREATE TABLE naive.members (project_id int, user_id text);
    INSERT INTO naive.projects VALUES (1), (2); INSERT INTO naive.members VALUES (1, 'ann'), (2, 'bob');
    ALTER TABLE naive.projects ENABLE ROW LEVEL SECURITY; ALTER TABLE naive.members ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON naive.projects USING (id IN (SELECT project_id FROM naive.members WHERE user_id = current_setting('app.user_id')));
    CREATE POLICY p ON naive.members USING (project_id IN (SELECT id FROM naive.projects))`);
  const client = await sessionAs(db, roles.app);
  await client.query(`SET app.user_id = 'ann'`);
  expect((await refusal(client.query('SELECT * FROM naive.projects'))).message).toBe(
    'infinite recursion detected in policy for relation "projects"',
  );
  const seen = async (user: string, tenant = 'a'): Promise<number[]> => {
    await client.query(`SET app.user_id = '${user}'`);
    const projects = await asTenant(client, tenant, 'SELECT * FROM shop.projects');
    const members = await asTenant(client, tenant, 'SELECT * FROM shop.members');
    return [projects.length, members.length];
  };
  expect(await seen('ann')).toEqual([1, 2]);
  expect(await seen('bob')).toEqual([2, 3]);
  expect(await seen('')).toEqual([0, 0]);
  expect(await seen('ann', 'b')).toEqual([0, 0]);
  const [made] = await db.query(
    `SELECT prosecdef AS definer, proconfig AS config, pg_get_userbyid(proowner) AS owner, has_function_privilege('public', oid, 'execute') AS everybody
     FROM pg_proc WHERE proname = 'visible_projects'`,
  );
  expect(made).toEqual({
    definer: true,
    config: ['search_path=pg_catalog, pg_temp'],
    owner: roles.system,
    everybody: false,
  });
});

test('BX-12 TRUNCATE sees neither policies nor row triggers: naive is emptied, ours refuses everybody', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await db.query(`
    CREATE FUNCTION naive.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'immutable'; END $$;
    CREATE TRIGGER no BEFORE UPDATE OR DELETE ON naive.rows FOR EACH ROW EXECUTE FUNCTION naive.no()`);
  const client = await sessionAs(db, roles.app);
  await asTenant(client, 'a', 'TRUNCATE naive.rows');
  expect(await db.query('SELECT * FROM naive.rows')).toEqual([]);
  for (const relation of ['shop.sales', 'shop.sales_y2026m11']) {
    expect((await refusal(asTenant(client, 'a', `TRUNCATE ${relation}`))).code).toBe('42501');
    expect((await refusal(db.query(`TRUNCATE ${relation}`))).code).toBe('ZH004');
  }
});

test('BX-05 a day of the session’s zone loses the index under row security, now() keeps it', async ({
  db,
}) => {
  const { roles } = await opened(db);
  await db.query(`CREATE TABLE naive.stamps (tenant_id text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, at));
    ALTER TABLE naive.stamps ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON naive.stamps USING (tenant_id = current_setting('app.tenant', true));
    INSERT INTO naive.stamps SELECT 'a', now() - n * interval '1 minute' FROM generate_series(1, 20000) n; ANALYZE naive.stamps`);
  const client = await sessionAs(db, roles.app);
  const plan = async (since: string): Promise<string> =>
    JSON.stringify(await asTenant(client, 'a', `EXPLAIN SELECT * FROM naive.stamps WHERE at >= ${since}`));
  expect(await plan(`CURRENT_DATE - interval '1 day'`)).toMatch(/Filter: [^"]*at >= \(CURRENT_DATE/);
  expect(await plan(`now() - interval '1 day'`)).toMatch(/Index Cond: [^"]*at >= \(now\(\)/);
  await db.query(
    `INSERT INTO shop.sales SELECT 'a', 100 + n, NULL, '2026-11-10'::timestamptz + n * interval '1 minute' FROM generate_series(1, 20000) n; ANALYZE shop.sales`,
  );
  const ours = await asTenant(
    client,
    'a',
    `EXPLAIN SELECT * FROM shop.sales WHERE at >= '2026-11-23 00:00+00'`,
  );
  expect(JSON.stringify(ours)).toMatch(/Index Cond: [^"]*tenant_id = NULLIF[^"]*at >= '2026-11-2/);
});

test('B0-17 a tenant that does not lead the key: naive cannot use it, ours can', async ({ db }) => {
  const { roles } = await opened(db);
  await db.query(`CREATE TABLE naive.late (id int NOT NULL, tenant_id text NOT NULL, PRIMARY KEY (id, tenant_id));
    ALTER TABLE naive.late ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON naive.late USING (tenant_id = current_setting('app.tenant', true));
    INSERT INTO naive.late SELECT n, 't' || n % 400 FROM generate_series(1, 20000) n; ANALYZE naive.late;
    INSERT INTO shop.items SELECT 't' || n % 400, n, NULL FROM generate_series(10, 20000) n; ANALYZE shop.items`);
  const client = await sessionAs(db, roles.app);
  const plan = async (table: string): Promise<string> =>
    JSON.stringify(await asTenant(client, 't7', `EXPLAIN SELECT * FROM ${table}`));
  expect(await plan('naive.late')).toContain('Seq Scan on late');
  expect(await plan('shop.items')).toMatch(/Index (Only )?Scan|Bitmap Index Scan/);
});
