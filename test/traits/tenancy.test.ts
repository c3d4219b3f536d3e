import { sql } from 'drizzle-orm';
import {
  foreignKey,
  index,
  integer,
  pgMaterializedView,
  pgPolicy,
  pgSchema,
  pgView,
  primaryKey,
  serial,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { immutability, rollups, setting, tenancy, type TenancyOptions } from '../../src/traits/index.ts';
import { serialSequence } from '../../src/traits/tenancy/grants.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { asTenant, refusal, sessionAs, stand } from './stand.ts';

const app = pgSchema('app');
const tenants = app.table('tenants', { id: text().primaryKey(), name: text() });
const items = app.table(
  'items',
  { tenantId: text('tenant_id').notNull(), id: serial().notNull(), name: text().notNull(), price: integer() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] }), uniqueIndex('items_name').on(t.tenantId, t.name)],
);
const sales = app.table(
  'sales',
  {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    itemId: integer('item_id'),
    at: timestamp({ withTimezone: true }).defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    foreignKey({ columns: [t.tenantId, t.itemId], foreignColumns: [items.tenantId, items.id] }),
    index('sales_at').on(t.tenantId, t.at),
  ],
);
const journal = app.table(
  'journal',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
const channels = app.table('channels', { id: text().primaryKey() });
const jobs = app.table('jobs', { id: integer().primaryKey() });
const cheap = pgView('cheap', { name: text() }).as(sql`SELECT name FROM app.items WHERE price < 10`);
const totals = app
  .view('totals', { tenantId: text('tenant_id'), n: integer() })
  .as(sql`SELECT tenant_id, count(*)::int AS n FROM app.items GROUP BY tenant_id`);
const daily = pgMaterializedView('daily', {
  tenantId: text('tenant_id'),
  itemId: integer('item_id'),
  sold: integer(),
}).as(sql`SELECT tenant_id, item_id, count(*)::int AS sold FROM app.sales GROUP BY 1, 2`);
const tables = { app, tenants, items, sales, journal, channels, jobs, cheap, totals, daily };

let made: { roles: { app: string; analytics: string; system: string; owner: string } } | undefined;

/** One definition for the file: roles are the cluster's, so their names are this database's own. */
function shop(db: TestDatabase) {
  made ??= {
    roles: {
      app: db.role('app'),
      analytics: db.role('analytics'),
      system: db.role('system'),
      owner: db.role('owner'),
    },
  };
  const { roles } = made;
  const definition = database('shop', {
    tables,
    traits: [
      tenancy({
        column: 'tenant_id',
        setting: 'app.tenant',
        pattern: /^[a-z]+$/,
        roles: {
          app: { name: roles.app, statementTimeout: '5s' },
          analytics: roles.analytics,
          bypass: [roles.system],
          owner: roles.owner,
        },
        tables: [
          { table: tenants, column: 'id', app: ['select'] },
          { table: sales, app: ['select', 'insert'] },
        ],
        shared: [channels],
        except: [jobs],
        guardedViews: [{ view: totals, readers: ['app', 'analytics'] }],
        restrict: [
          { table: sales, name: 'recent_only', for: 'select', using: `at > now() - interval '2 years'` },
        ],
      }),
      immutability(journal, { kind: 'append-only' }),
      rollups(daily, {
        key: ['tenant_id', 'item_id'],
        refreshedBy: roles.system,
        guard: {
          name: 'daily_v',
          column: 'tenant_id',
          setting: 'app.tenant',
          readers: [roles.app, roles.analytics],
        },
      }),
    ],
  });
  return { definition, roles };
}

test('a tenant sees and writes its own rows by every relation, and nobody else does', async ({ db }) => {
  const { definition, roles } = shop(db);
  await stand(db, definition);
  await db.query(
    `INSERT INTO app.tenants VALUES ('a', 'A'), ('b', 'B'); INSERT INTO app.channels VALUES ('web')`,
  );
  const client = await sessionAs(db, roles.app);
  for (const tenant of ['a', 'b']) {
    await asTenant(
      client,
      tenant,
      `INSERT INTO app.items (tenant_id, name, price) VALUES ('${tenant}', 'same name', 5)`,
    );
    await asTenant(
      client,
      tenant,
      `INSERT INTO app.sales (tenant_id, id, item_id) SELECT tenant_id, 1, id FROM app.items`,
    );
  }
  await db.query('REFRESH MATERIALIZED VIEW CONCURRENTLY public.daily');
  const relations = ['app.tenants', 'app.items', 'app.sales', 'app.totals', 'public.cheap', 'public.daily_v'];
  for (const relation of relations) {
    const counts = [];
    for (const tenant of ['a', 'b', 'c', '']) {
      const [row] = await asTenant<{ n: number }>(
        client,
        tenant,
        `SELECT count(*)::int AS n FROM ${relation}`,
      );
      counts.push(row?.n);
    }
    expect(counts, relation).toEqual([1, 1, 0, 0]);
    expect((await client.query(`SELECT * FROM ${relation}`)).rows, relation).toEqual([]);
  }
  expect(await asTenant(client, 'c', 'SELECT * FROM app.channels')).toEqual([{ id: 'web' }]);
  const stolen = asTenant(client, 'a', `INSERT INTO app.items (tenant_id, name) VALUES ('b', 'x')`);
  expect((await refusal(stolen)).code).toBe('42501');
  const moved = asTenant(client, 'a', `UPDATE app.items SET tenant_id = 'b'`);
  expect((await refusal(moved)).code).toBe('42501');
  expect(
    (await refusal(client.query(`INSERT INTO app.items (tenant_id, name) VALUES ('a', 'x')`))).code,
  ).toBe('42501');
  const pointed = asTenant(
    client,
    'a',
    `INSERT INTO app.sales (tenant_id, id, item_id) SELECT 'a', 2, max(id) + 1 FROM app.items`,
  );
  expect((await refusal(pointed)).code).toBe('23503');
});

test('nobody holds a right that is not listed, and no role that logs in owns anything', async ({ db }) => {
  const { roles } = shop(db);
  const rights = await db.query<{ grantee: string; relation: string; rights: string }>(
    `SELECT pg_get_userbyid(a.grantee) AS grantee, c.relname AS relation, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) AS rights
     FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace IN ('app'::regnamespace, 'public'::regnamespace) AND a.grantee <> c.relowner AND a.grantee <> $1::text::regrole
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [roles.system],
  );
  const of = (role: string) =>
    rights.filter(({ grantee }) => grantee === role).map(({ relation, rights }) => `${relation}: ${rights}`);
  expect(of(roles.app)).toEqual([
    'channels: SELECT',
    'cheap: SELECT',
    'daily_v: SELECT',
    'items: DELETE INSERT SELECT UPDATE',
    'items_id_seq: USAGE',
    'journal: INSERT SELECT',
    'rollup_age: SELECT',
    'sales: INSERT SELECT',
    'tenants: SELECT',
    'totals: SELECT',
  ]);
  expect(of(roles.analytics)).toEqual(['daily_v: SELECT', 'rollup_age: SELECT', 'totals: SELECT']);
  expect(rights.filter(({ grantee }) => grantee !== roles.app && grantee !== roles.analytics)).toEqual([]);
  const owners = await db.query(
    `SELECT DISTINCT r.rolname AS name, r.rolcanlogin AS login, r.rolbypassrls AS bypass FROM pg_roles r
     JOIN (SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'app'::regnamespace
           UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'app'::regnamespace) o ON o.owner = r.oid ORDER BY 1`,
  );
  expect(owners).toEqual([{ name: roles.owner, login: false, bypass: false }]);
  expect(
    await db.query(
      `SELECT proname FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE pronamespace = 'app'::regnamespace AND a.grantee = 0`,
    ),
  ).toEqual([]);
  const client = await sessionAs(db, roles.app);
  expect((await client.query('SHOW statement_timeout')).rows).toEqual([{ statement_timeout: '5s' }]);
  expect((await refusal(client.query('TRUNCATE app.items'))).code).toBe('42501');
  expect((await refusal(client.query('SELECT * FROM public.daily'))).message).toBe(
    'permission denied for materialized view daily',
  );
  expect((await refusal(client.query('SELECT * FROM app.jobs'))).code).toBe('42501');
});

test('the owner is filtered as well, and the bypass role is not', async ({ db }) => {
  const { roles } = shop(db);
  const seen = async (role: string): Promise<unknown[]> => {
    const client = await db.pool.connect();
    try {
      await client.query(`SET ROLE "${role}"`);
      return (await client.query('SELECT tenant_id FROM app.items ORDER BY 1')).rows;
    } finally {
      client.release(true);
    }
  };
  expect(await seen(roles.owner)).toEqual([]);
  expect(await seen(roles.system)).toEqual([{ tenant_id: 'a' }, { tenant_id: 'b' }]);
});

test('a restriction limits what isolation admits', async ({ db }) => {
  const { roles } = shop(db);
  await db.query(`INSERT INTO app.sales VALUES ('a', 9, NULL, now() - interval '3 years')`);
  const client = await sessionAs(db, roles.app);
  expect(await asTenant(client, 'a', 'SELECT id FROM app.sales')).toEqual([{ id: 1 }]);
});

test('the policy is an index condition for the application role', async ({ db }) => {
  const { roles } = shop(db);
  await db.query(
    `INSERT INTO app.sales SELECT 't' || n % 500, n, NULL, now() FROM generate_series(100, 20100) n; ANALYZE app.sales`,
  );
  const client = await sessionAs(db, roles.app);
  const plan = await asTenant<{ 'QUERY PLAN': string }>(
    client,
    't7',
    'EXPLAIN SELECT * FROM app.sales WHERE id = 507',
  );
  expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toMatch(
    /Index Scan using sales_tenant_id_id_pk[^]*Index Cond: \(\(tenant_id = NULLIF\(current_setting\('app.tenant'::text, true\), ''::text\)\) AND \(id = 507\)\)/,
  );
});

test('uuid and number tenants: an empty value shows no rows, a malformed one fails closed, and the index serves', async ({
  db,
}) => {
  const schema = pgSchema('typed');
  const byUuid = schema.table('by_uuid', { tenantId: uuid('tenant_id').primaryKey() });
  const byNumber = schema.table('by_number', { tenantId: integer('tenant_id').primaryKey() });
  const role = db.role('typed');
  const definition = database('typed', {
    tables: { schema, byUuid, byNumber },
    traits: [
      tenancy({ column: 'tenant_id', setting: 'app.tenant', roles: { app: role, owner: db.role('owner') } }),
    ],
  });
  await stand(db, definition);
  const known = '0b5c6f0e-1f5e-4a39-9c3e-2b6a2f3b8f11';
  await db.query(`INSERT INTO typed.by_uuid VALUES ('${known}'); INSERT INTO typed.by_uuid SELECT gen_random_uuid() FROM generate_series(1, 5000);
    INSERT INTO typed.by_number SELECT generate_series(1, 5000); ANALYZE typed.by_uuid; ANALYZE typed.by_number`);
  const client = await sessionAs(db, role);
  const count = async (tenant: string, table: string): Promise<unknown> =>
    (await asTenant<{ n: number }>(client, tenant, `SELECT count(*)::int AS n FROM typed.${table}`))[0]?.n;
  expect(await count(known.toUpperCase(), 'by_uuid')).toBe(1);
  expect(await count('7', 'by_number')).toBe(1);
  for (const table of ['by_uuid', 'by_number']) expect(await count('', table)).toBe(0);
  for (const hostile of [' ', 'x', `${known}'`, '1e3', '0x', '99999999999999999999', '٧', "' OR true"]) {
    for (const table of ['by_uuid', 'by_number']) {
      expect((await refusal(count(hostile, table))).code, hostile).toMatch(/^22(P02|003)$/);
    }
  }
  for (const [table, tenant] of [
    ['by_uuid', known],
    ['by_number', '7'],
  ] as const) {
    const plan = await asTenant(client, tenant, `EXPLAIN SELECT * FROM typed.${table}`);
    expect(JSON.stringify(plan)).toMatch(/Index Only Scan|Index Scan|Bitmap Index Scan/);
  }
});

test('what would leak at definition is named, with a way out', () => {
  const loose = app.table(
    'loose',
    { id: integer().primaryKey(), tenantId: text('tenant_id'), name: text().unique() },
    (t) => [index('loose_name').on(t.name), foreignKey({ columns: [t.id], foreignColumns: [jobs.id] })],
  );
  const child = app.table(
    'child',
    { tenantId: text('tenant_id').notNull(), id: integer().notNull(), looseId: integer('loose_id') },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id] }),
      foreignKey({ columns: [t.looseId], foreignColumns: [loose.id] }),
      foreignKey({ columns: [t.tenantId, t.id], foreignColumns: [items.tenantId, items.id] }).onDelete(
        'set null',
      ),
    ],
  );
  const found = (more: Partial<TenancyOptions> = {}): string[] => {
    const trait = tenancy({
      column: 'tenant_id',
      setting: 'app.tenant',
      roles: { app: 'x_app', owner: 'x_owner' },
      ...more,
    });
    const { plain } = database('leaky', { tables: { app, loose, child, items, jobs } });
    return (trait.check?.(plain) ?? []).map(({ code, subject }) => `${code} ${subject}`).sort();
  };
  expect(found()).toEqual([
    'HF_TENANT_COLUMN table app.jobs',
    'HF_TENANT_FK foreign key (loose_id) of table app.child',
    'HF_TENANT_FK_ACTION foreign key (tenant_id, id) of table app.child',
    'HF_TENANT_INDEX index loose_name of table app.loose',
    'HF_TENANT_KEY primary key (id) of table app.loose',
    'HF_TENANT_KEY unique key (name) of table app.loose',
    'HF_TENANT_NULL column app.loose.tenant_id',
  ]);
  const allowed = found({
    shared: ['app.jobs', 'app.nothing'],
    except: [child],
    globalKeys: [
      { table: loose, columns: ['id'], because: 'ids are random' },
      { table: loose, columns: [loose.name], because: 'names are public' },
    ],
    membership: [{ function: { schema: 'app', name: 'mine' }, key: 'integer', query: 'SELECT 1' }],
  });
  expect(allowed).toEqual([
    'HF_MEMBERSHIP_OWNER membership function app.mine',
    'HF_TENANT_INDEX index loose_name of table app.loose',
    'HF_TENANT_NULL column app.loose.tenant_id',
    'HF_TRAIT_TABLE table app.nothing',
  ]);
});

test('a permissive policy beside isolation is refused, because PostgreSQL would OR the two', async ({
  db,
}) => {
  await db.query(`CREATE SCHEMA ored; CREATE TABLE ored.rows (tenant_id text); INSERT INTO ored.rows VALUES ('a'), ('b');
    ALTER TABLE ored.rows ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA ored TO PUBLIC; GRANT SELECT ON ored.rows TO PUBLIC;
    CREATE POLICY tenant_isolation ON ored.rows USING (tenant_id = nullif(current_setting('app.tenant', true), ''));
    CREATE POLICY recent ON ored.rows USING (true)`);
  const client = await sessionAs(db, shop(db).roles.app);
  expect(await asTenant(client, 'a', 'SELECT * FROM ored.rows')).toHaveLength(2);
  const policy = pgPolicy('recent', { as: 'permissive', for: 'select', using: sql`true` });
  const rows = app.table('rows', { tenantId: text('tenant_id').primaryKey() }, () => [policy]);
  const trait = tenancy({
    column: 'tenant_id',
    setting: 'app.tenant',
    roles: { app: 'x_app', owner: 'x_owner' },
  });
  expect(() => database('ored', { tables: { app, rows }, traits: [trait] })).toThrow('[HF_TENANT_POLICY]');
});

test('names and settings that cannot work are refused at once', () => {
  const roles = { app: 'x_app', owner: 'x_owner' };
  expect(() => tenancy({ column: 'tenant_id', setting: 'tenant', roles })).toThrow('[HF_SETTING_NAME]');
  expect(() => tenancy({ column: 'tenant_id', setting: "app.x'; --", roles })).toThrow('[HF_SETTING_NAME]');
  expect(() =>
    tenancy({ column: 'tenant_id', setting: 'app.x', roles, tables: [{ table: 'a.b.c' }] }),
  ).toThrow('[HF_REFERENCE]');
  expect(serialSequence('items', 'id')).toBe('items_id_seq');
  expect(() =>
    database('x', {
      tables: { app, jobs },
      traits: [tenancy({ column: 'tenant_id', setting: 'app.x', roles })],
    }),
  ).toThrow('HF_TENANT_COLUMN');
  expect(setting('app.user', 'uuid')).toContain("current_setting('app.user', true)");
});

test('a long serial name is cut as PostgreSQL cuts it', async ({ db }) => {
  const names: [string, string][] = [
    ['t'.repeat(60), 'id'],
    ['t'.repeat(40), 'c'.repeat(40)],
    ['té'.repeat(19), 'çö'.repeat(10)],
  ];
  for (const [table, column] of names) {
    await db.query(`CREATE TABLE "${table}" ("${column}" serial)`);
    const [row] = await db.query<{ name: string }>(`SELECT pg_get_serial_sequence($1, $2) AS name`, [
      `"${table}"`,
      column,
    ]);
    expect(row?.name).toBe(
      (
        await db.query<{ name: string }>(`SELECT 'public.' || quote_ident($1) AS name`, [
          serialSequence(table, column),
        ])
      )[0]?.name,
    );
    await db.query(`DROP TABLE "${table}"`);
  }
});
