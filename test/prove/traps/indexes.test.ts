// HT7xx on a real server: what fires, what does not, and that the mends mend.
import { expect } from 'vitest';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { armsOf, keysOf } from '../../../src/prove/traps/indexes/parts.ts';
import { test } from '../../cluster/index.ts';
import { fixtures } from './fixtures.ts';

const TENANTS = `CREATE TABLE t (tenant_id text, id int, meta jsonb, mail text, price numeric, at timestamptz);
  ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {app};
  CREATE POLICY p ON t USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')));
  CREATE INDEX led ON t (tenant_id, id);`;

fixtures('indexes', [
  {
    code: 'HT701',
    fires: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE t (made_by int CONSTRAINT maker REFERENCES users ON DELETE CASCADE)`,
    near: `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE t (made_by int REFERENCES users, seen_by int REFERENCES users);
      CREATE INDEX ON t (made_by, seen_by); CREATE INDEX ON t (seen_by) WHERE seen_by IS NOT NULL`,
    subject: 'foreign key maker on {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT701',
    name: 'of a partitioned table, with a tenant',
    fires: `CREATE TABLE users (tenant_id int, id int, PRIMARY KEY (tenant_id, id));
      CREATE TABLE t (tenant_id int, by int, at date, CONSTRAINT maker FOREIGN KEY (tenant_id, by) REFERENCES users) PARTITION BY RANGE (at);
      CREATE TABLE t_all PARTITION OF t DEFAULT; CREATE INDEX ON t (tenant_id, at); CREATE INDEX ON t_all (tenant_id, by) WHERE at IS NULL`,
    near: `CREATE TABLE users (tenant_id int, id int, PRIMARY KEY (tenant_id, id));
      CREATE TABLE t (tenant_id int, by int, at date, CONSTRAINT maker FOREIGN KEY (tenant_id, by) REFERENCES users) PARTITION BY RANGE (at);
      CREATE TABLE t_all PARTITION OF t DEFAULT; CREATE INDEX ON t (by, tenant_id)`,
    subject: 'foreign key maker on {fx}.t',
  },
  {
    code: 'HT701',
    name: 'to rows that stay',
    fires: `CREATE TABLE kinds (id int PRIMARY KEY); GRANT SELECT ON kinds TO {app}; CREATE TABLE t (kind int CONSTRAINT what REFERENCES kinds)`,
    near: `CREATE TABLE kinds (id int PRIMARY KEY); CREATE TABLE t (kind int PRIMARY KEY REFERENCES kinds)`,
    subject: 'foreign key what on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT702',
    name: 'alike',
    fires: `CREATE TABLE t (slug text UNIQUE, n int); CREATE INDEX again ON t (slug)`,
    near: `CREATE TABLE t (slug text UNIQUE, n int); CREATE INDEX ON t (slug text_pattern_ops); CREATE INDEX ON t (slug) WHERE n > 0;
      CREATE INDEX ON t (slug DESC NULLS LAST); CREATE INDEX ON t USING hash (slug); CREATE INDEX ON t (lower(slug))`,
    subject: 'index again on {fx}.t',
    severity: 'warning',
    says: ['t_slug_key is an index of the same keys (slug)'],
  },
  {
    code: 'HT702',
    name: 'without those that have none',
    fires: `CREATE TABLE t (github_id text UNIQUE, n int); CREATE INDEX again ON t (github_id) WHERE github_id IS NOT NULL`,
    near: `CREATE TABLE t (github_id text UNIQUE, n int); CREATE INDEX ON t (github_id) WHERE n IS NOT NULL;
      CREATE INDEX ON t (n) WHERE github_id IS NOT NULL`,
    subject: 'index again on {fx}.t',
  },
  {
    code: 'HT702',
    name: 'prefix',
    fires: `CREATE TABLE t (org int, person int, at date, UNIQUE (org, person)); CREATE INDEX again ON t (org)`,
    near: `CREATE TABLE t (org int, person int, at date, UNIQUE (org, person)); CREATE INDEX ON t (person); CREATE UNIQUE INDEX ON t (org);
      CREATE INDEX ON t (org) INCLUDE (at)`,
    subject: 'index again on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT702',
    name: 'expression on a partitioned table',
    fires: `CREATE TABLE t (a text, at date) PARTITION BY RANGE (at); CREATE TABLE t_1 PARTITION OF t DEFAULT;
      CREATE INDEX one ON t (lower(a), at DESC); CREATE INDEX two ON t (lower(a), at DESC)`,
    near: `CREATE TABLE t (a text, at date) PARTITION BY RANGE (at); CREATE TABLE t_1 PARTITION OF t DEFAULT;
      CREATE INDEX one ON t (lower(a), at DESC); CREATE INDEX two ON t (lower(a), at)`,
    subject: 'index two on {fx}.t',
  },
  {
    code: 'HT703',
    fires: `CREATE TABLE t (id int, deleted_at timestamptz); INSERT INTO t SELECT n FROM generate_series(1, 50) n; ANALYZE t;
      CREATE INDEX live ON t (deleted_at) WHERE deleted_at IS NULL`,
    near: `CREATE TABLE t (id int, deleted_at timestamptz); CREATE INDEX live ON t (id) WHERE deleted_at IS NULL;
      CREATE INDEX dead ON t (deleted_at) WHERE deleted_at IS NOT NULL; CREATE INDEX late ON t (deleted_at) WHERE deleted_at > '2020-01-01' AND id = 1`,
    subject: 'index live on {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT703',
    name: 'second key',
    fires: `CREATE TABLE t (email text, is_active bool, kind text); CREATE INDEX live ON t (email, is_active) WHERE is_active AND kind = 'a AND b'`,
    near: `CREATE TABLE t (email text, is_active bool, kind text); CREATE INDEX live ON t (email) WHERE is_active;
      CREATE UNIQUE INDEX ON t (email, is_active) WHERE is_active; CREATE INDEX ON t (kind) WHERE kind = 'a' OR kind = 'b'`,
    subject: 'index live on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT704',
    fires: `CREATE TABLE t (n int); CREATE UNIQUE INDEX broken ON t (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`,
    near: `CREATE TABLE t (n int); CREATE UNIQUE INDEX broken ON t (n)`,
    subject: 'index broken on {fx}.t',
    severity: 'error',
  },
  {
    code: 'HT704',
    name: 'of a partitioned table',
    fires: `CREATE TABLE t (n int) PARTITION BY RANGE (n); CREATE TABLE t_1 PARTITION OF t DEFAULT; CREATE INDEX broken ON ONLY t (n)`,
    near: `CREATE TABLE t (n int) PARTITION BY RANGE (n); CREATE TABLE t_1 PARTITION OF t DEFAULT; CREATE INDEX broken ON t (n)`,
    subject: 'index broken on {fx}.t',
  },
  {
    code: 'HT704',
    name: 'left by a rebuild',
    fires: `CREATE TABLE t (n int); CREATE INDEX t_n_ccnew ON t (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_n_ccnew'::regclass`,
    near: `CREATE TABLE t (n int PRIMARY KEY)`,
    subject: 'index t_n_ccnew on {fx}.t',
  },
  {
    code: 'HT705',
    name: 'gin',
    fires: `${TENANTS} CREATE INDEX metas ON t USING gin (meta)`,
    near: `${TENANTS} CREATE INDEX ids ON t (id); CREATE INDEX mails ON t (tenant_id, mail); CREATE UNIQUE INDEX prices ON t (tenant_id, price); ALTER TABLE t ADD EXCLUDE USING gist (box(point(0, 0), point(id, id)) WITH &&);
      CREATE TABLE seen (tenant_id text, meta jsonb, mail text, price numeric); ALTER TABLE seen ENABLE ROW LEVEL SECURITY; GRANT SELECT ON seen TO {app};
      CREATE POLICY p ON seen USING (true); CREATE INDEX seen_metas ON seen USING gin (meta); CREATE INDEX seen_prices ON seen (price); CREATE INDEX seen_mails ON seen (lower(mail))`,
    subject: 'index metas on {fx}.t',
    severity: 'warning',
    says: ['EXPLAIN as {app} shows Filter: (meta @> ', 'no operator of jsonb_ops is leakproof'],
    advised: true,
  },
  {
    code: 'HT705',
    name: 'lower',
    fires: `${TENANTS} CREATE INDEX mails ON t (lower(mail))`,
    near: `${TENANTS} ALTER TABLE t DISABLE ROW LEVEL SECURITY; CREATE INDEX mails ON t (lower(mail))`,
    subject: 'index mails on {fx}.t',
    severity: 'warning',
    says: ['lower() is not leakproof', 'EXPLAIN as {app} shows Filter: (lower(mail) = '],
    advised: true,
  },
  {
    code: 'HT705',
    name: 'numeric behind the tenant',
    fires: `${TENANTS} CREATE INDEX prices ON t (tenant_id, price)`,
    near: `${TENANTS} REVOKE SELECT ON t FROM {app}; CREATE INDEX prices ON t (tenant_id, price); CREATE INDEX mails ON t (tenant_id, lower(mail))`,
    subject: 'index prices on {fx}.t',
    severity: 'info',
    says: ['EXPLAIN as {app} shows'],
    advised: true,
  },
  {
    code: 'HT705',
    name: 'patterns',
    fires: `${TENANTS} CREATE INDEX mails ON t (mail text_pattern_ops)`,
    near: `${TENANTS} CREATE INDEX mails ON t (mail)`,
    subject: 'index mails on {fx}.t',
    says: ['LIKE is not leakproof'],
    advised: true,
  },
  {
    code: 'HT705',
    name: 'used by those above',
    fires: `${TENANTS} CREATE INDEX metas ON t USING gin (meta); GRANT SELECT ON t TO {bypass}`,
    near: `${TENANTS} CREATE INDEX ats ON t USING brin (at); GRANT SELECT ON t TO {bypass}`,
    subject: 'index metas on {fx}.t',
    severity: 'info',
    says: ['It serves {bypass}, whom no policy holds.'],
    advised: true,
  },
  {
    code: 'HT705',
    name: 'setting that errors',
    fires: `CREATE TABLE t (tenant_id text, kind int[]); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {app};
      CREATE POLICY p ON t USING (tenant_id = current_setting('never.was')); CREATE INDEX kinds ON t USING gin (kind)`,
    near: `CREATE TABLE t (tenant_id text, kind int[]); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {bypass};
      CREATE POLICY p ON t USING (tenant_id = current_setting('never.was')); CREATE INDEX kinds ON t USING gin (kind)`,
    subject: 'index kinds on {fx}.t',
    advised: true,
  },
  {
    code: 'HT706',
    name: 'view',
    fires: `${TENANTS} CREATE VIEW week AS SELECT id FROM t WHERE at >= CURRENT_DATE - INTERVAL '7 days'`,
    near: `${TENANTS} CREATE VIEW week AS SELECT id FROM t WHERE at >= now() - INTERVAL '7 days';
      CREATE TABLE open (at timestamptz); CREATE VIEW other AS SELECT FROM open WHERE at >= CURRENT_DATE - INTERVAL '7 days'`,
    subject: 'view {fx}.week',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT706',
    name: 'function',
    fires: `${TENANTS} CREATE FUNCTION old() RETURNS void LANGUAGE sql AS $$ DELETE FROM t WHERE at < CURRENT_DATE - INTERVAL '90 days' $$`,
    near: `${TENANTS} CREATE FUNCTION old() RETURNS text LANGUAGE sql AS $$ SELECT 'CURRENT_DATE - INTERVAL' FROM t $$`,
    subject: 'function {fx}.old()',
    advised: true,
  },
  {
    code: 'HT707',
    name: 'nowhere',
    fires: `CREATE TABLE t (id int PRIMARY KEY, tenant_id text, at date); GRANT SELECT ON t TO {app}`,
    near: `CREATE TABLE t (id int PRIMARY KEY, tenant_id text, at date); CREATE INDEX ON t (tenant_id, at); GRANT SELECT ON t TO {app};
      CREATE TABLE kept (id int PRIMARY KEY, tenant_id text)`,
    subject: 'table {fx}.t',
    severity: 'warning',
  },
  {
    code: 'HT707',
    name: 'second',
    fires: `CREATE TABLE t (id int PRIMARY KEY, tenant_id text, at date); CREATE INDEX led ON t (tenant_id); CREATE INDEX late ON t (at, tenant_id); GRANT SELECT ON t TO {app}`,
    near: `CREATE TABLE t (id int, tenant_id text, at date, PRIMARY KEY (tenant_id, id), UNIQUE (id, tenant_id)); CREATE INDEX ON t (at); GRANT SELECT ON t TO {app}`,
    subject: 'index late on {fx}.t',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT708',
    fires: `CREATE FUNCTION recent(at timestamptz) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN at > now() - interval '7 days'; END$$;
      CREATE TABLE t (at timestamptz); CREATE INDEX hot ON t (at) WHERE recent(at)`,
    near: `CREATE FUNCTION early(at timestamptz) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN at < '2020-01-01 00:00+00'; -- not now()
      END$$; CREATE TABLE t (at timestamptz); CREATE INDEX hot ON t (at) WHERE early(at)`,
    subject: 'index hot on {fx}.t',
    severity: 'error',
    advised: true,
  },
  {
    code: 'HT709',
    fires: `CREATE TABLE cache (key text, last_accessed timestamptz); CREATE INDEX lru ON cache (last_accessed)`,
    near: `CREATE TABLE cache (key text, last_accessed timestamptz); CREATE INDEX keys ON cache (key); CREATE INDEX lru ON cache USING brin (last_accessed)`,
    subject: 'index lru on {fx}.cache',
    severity: 'info',
  },
  {
    code: 'HT710',
    fires: `CREATE TABLE t (n int) PARTITION BY RANGE (n); CREATE TABLE t_1 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 40000); ANALYZE t_1`,
    near: `CREATE TABLE t (n int) PARTITION BY RANGE (n); CREATE TABLE t_1 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1); CREATE TABLE fresh (n int); INSERT INTO fresh VALUES (1)`,
    subject: 'table {fx}.t',
  },
  {
    code: 'HT711',
    fires: `CREATE TABLE t (n int) WITH (autovacuum_enabled = off)`,
    near: `CREATE TABLE t (n int) WITH (autovacuum_enabled = on, fillfactor = 70)`,
    subject: 'table {fx}.t',
  },
  {
    code: 'HT712',
    fires: `CREATE TABLE t (id int, status varchar(20)); CREATE INDEX open ON t (id) WHERE status <> 'completed'`,
    near: `CREATE TABLE t (id int, status text NOT NULL); CREATE INDEX open ON t (id) WHERE status <> 'completed' AND id IS NOT NULL`,
    subject: 'index open on {fx}.t',
    severity: 'info',
  },
  {
    code: 'HT713',
    fires: `CREATE TABLE t (title text NOT NULL, body text); CREATE INDEX words ON t USING gin (to_tsvector('english', title || ' ' || body))`,
    near: `CREATE TABLE t (title text NOT NULL, body text, note text); CREATE INDEX words ON t USING gin (to_tsvector('english', title || ' body ' || coalesce(body, '')));
      CREATE INDEX notes ON t USING gin (to_tsvector('english', note))`,
    subject: 'index words on {fx}.t',
    says: ['A row without body'],
    advised: true,
  },
  {
    code: 'HT713',
    name: 'generated',
    fires: `CREATE TABLE t (title text, body text, words tsvector GENERATED ALWAYS AS (to_tsvector('english', title || ' ' || coalesce(body, ''))) STORED)`,
    near: `CREATE TABLE t (title text, body text, words tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body, ''))) STORED)`,
    subject: 'column words on {fx}.t',
    advised: true,
  },
  {
    code: 'HT714',
    fires: `CREATE TABLE t (n int); CREATE INDEX ns ON t (n); UPDATE pg_class SET relpages = 2000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 3000 WHERE oid = 'ns'::regclass`,
    near: `CREATE TABLE t (n int); CREATE INDEX ns ON t (n); UPDATE pg_class SET relpages = 2000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 500 WHERE oid = 'ns'::regclass`,
    subject: 'table {fx}.t',
    says: ['150 % of what its rows take (23 MB to 16 MB)'],
    advised: true,
  },
  {
    code: 'HT715',
    fires: `CREATE TABLE agents (configuration jsonb); CREATE INDEX configured ON agents USING gin (configuration);
      CREATE VIEW m5 AS SELECT FROM agents WHERE configuration->>'model' = 'm5'`,
    near: `CREATE TABLE agents (configuration jsonb); CREATE INDEX configured ON agents USING gin (configuration);
      CREATE VIEW m5 AS SELECT configuration->>'model' AS model FROM agents WHERE configuration @> '{"model": "m5"}'`,
    subject: 'index configured on {fx}.agents',
    advised: true,
  },
]);

test('keys and predicates are taken apart where no bracket and no quote holds them together', () => {
  const definition = `CREATE INDEX i ON s.t USING btree (a, lower(((b)::text || ', ('::text)) DESC, "x,y") INCLUDE (c) WHERE (a > 1)`;
  expect(keysOf({ definition, method: 'btree' } as Parameters<typeof keysOf>[0])).toEqual([
    'a',
    `lower(((b)::text || ', ('::text)) DESC`,
    '"x,y"',
  ]);
  expect(armsOf(`((a IS NULL) AND (b = ' AND '::text) AND (c OR d))`)).toEqual([
    'a IS NULL',
    `b = ' AND '::text`,
    'c OR d',
  ]);
  expect(armsOf('(deleted_at IS NULL)')).toEqual(['deleted_at IS NULL']);
  expect(armsOf('is_active')).toEqual(['is_active']);
});

test('what a failed concurrent build leaves is found; the mend fails on the same rows and works without them', async ({
  db,
}) => {
  const other = await db.another();
  await other.query('CREATE TABLE t (n int); INSERT INTO t VALUES (1), (1)');
  const build = 'CREATE UNIQUE INDEX CONCURRENTLY once ON t (n)';
  await expect(other.query(build)).rejects.toThrow('could not create unique index "once"');
  await other.query(build.replace('CONCURRENTLY', 'CONCURRENTLY IF NOT EXISTS'));
  const look = async (): Promise<readonly (readonly string[])[]> =>
    (await findTraps({ url: other.url, boundaries: [], only: ['HT704'], now: new Date() })).findings.map(
      ({ mend }) => mend,
    );
  const [[drop = '', make = ''] = []] = await look();
  await other.query(drop);
  await expect(other.query(make)).rejects.toThrow('could not create unique index "once"');
  await other.query('DELETE FROM t');
  for (const statement of [drop, make]) await other.query(statement);
  expect(await look()).toEqual([]);
});
