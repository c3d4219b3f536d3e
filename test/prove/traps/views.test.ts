// HT2xx on a real server: what fires, what does not, and that the mends mend.
import { fixtures } from './fixtures.ts';

const FORCED = `CREATE TABLE t (tenant_id text, n int); INSERT INTO t VALUES ('a', 1), ('b', 2);
  ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
  CREATE POLICY mine ON t USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));`;
const GUARDED = FORCED.replace('ALTER TABLE t FORCE ROW LEVEL SECURITY;', '');
const NUMBERS = `CREATE TABLE t (k int, v int); INSERT INTO t VALUES (1, 2), (1, 3), (NULL, 4);`;
const PEOPLE = `CREATE TABLE people (id int PRIMARY KEY, name text);
  CREATE TABLE tasks (id int, person int REFERENCES people); CREATE TABLE lists (id int, person int REFERENCES people);`;

fixtures('views', [
  {
    code: 'HT201',
    fires: `${FORCED} ALTER TABLE t OWNER TO {owner};
      CREATE MATERIALIZED VIEW m AS SELECT * FROM t; ALTER MATERIALIZED VIEW m OWNER TO {owner}`,
    near: `${FORCED} GRANT SELECT ON t TO {bypass}; ALTER TABLE t OWNER TO {owner};
      CREATE MATERIALIZED VIEW m AS SELECT * FROM t; ALTER MATERIALIZED VIEW m OWNER TO {bypass};
      CREATE TABLE u (n int); CREATE MATERIALIZED VIEW o AS SELECT * FROM u; ALTER MATERIALIZED VIEW o OWNER TO {owner}`,
    subject: 'materialized view {fx}.m',
    severity: 'error',
    fails: {
      sql: 'SET row_security = off; REFRESH MATERIALIZED VIEW {fx}.m',
      with: 'query would be affected by row-level security policy for table "t"',
    },
  },
  {
    code: 'HT202',
    fires: `${GUARDED} CREATE MATERIALIZED VIEW m AS SELECT * FROM t; GRANT SELECT ON m TO {app}`,
    near: `${GUARDED} CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
      CREATE TABLE u (n int); CREATE MATERIALIZED VIEW o AS SELECT * FROM u; GRANT SELECT ON o TO {app}`,
    subject: 'materialized view {fx}.m',
    severity: 'error',
    fails: {
      sql: 'ALTER MATERIALIZED VIEW {fx}.m ENABLE ROW LEVEL SECURITY',
      with: 'ALTER action ENABLE ROW SECURITY cannot be performed on relation "m"',
    },
  },
  {
    code: 'HT203',
    fires: `${GUARDED} CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO {app}`,
    near: `${GUARDED} CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM t;
      CREATE VIEW w WITH (security_barrier) AS SELECT * FROM t WHERE tenant_id = current_setting('app.tenant_id', true);
      CREATE TABLE u (n int); CREATE VIEW x AS SELECT * FROM u; GRANT SELECT ON v, w, x TO {app};
      CREATE VIEW y AS SELECT * FROM t`,
    subject: 'view {fx}.v',
    severity: 'error',
  },
  {
    code: 'HT203',
    name: 'over a matview',
    fires: `${GUARDED} CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE VIEW v AS SELECT * FROM m; GRANT SELECT ON v TO {app}`,
    near: `${GUARDED} CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
      CREATE FUNCTION mine() RETURNS text LANGUAGE sql STABLE AS $$SELECT nullif(current_setting('app.tenant_id', true), '')$$;
      CREATE VIEW v WITH (security_barrier) AS SELECT * FROM m WHERE tenant_id = mine(); GRANT SELECT ON v TO {app}`,
    subject: 'view {fx}.v',
  },
  {
    code: 'HT203',
    name: 'without a barrier',
    fires: `${GUARDED} CREATE VIEW v AS SELECT * FROM t WHERE tenant_id = current_setting('app.tenant_id', true); GRANT SELECT ON v TO {app}`,
    near: `${GUARDED} CREATE VIEW below WITH (security_invoker) AS SELECT * FROM t; CREATE VIEW v AS SELECT * FROM below;
      GRANT SELECT ON v, below TO {app}`,
    subject: 'view {fx}.v',
    says: ['without security_barrier'],
  },
  {
    code: 'HT204',
    fires: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT coalesce(k, 0) AS key, count(*) AS n FROM t GROUP BY coalesce(k, 0);
      CREATE UNIQUE INDEX m_some ON m (key) WHERE key > 0;
      CREATE FUNCTION refresh() RETURNS void LANGUAGE plpgsql AS $$BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY m; END$$`,
    near: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT coalesce(k, 0) AS key, count(*) AS n FROM t GROUP BY 1;
      CREATE UNIQUE INDEX m_key ON m (key)`,
    subject: 'materialized view {fx}.m',
    severity: 'error',
    fails: {
      sql: 'REFRESH MATERIALIZED VIEW CONCURRENTLY {fx}.m',
      with: 'cannot refresh materialized view "{fx}.m" concurrently',
    },
  },
  {
    code: 'HT204',
    name: 'not grouped',
    fires: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT k, v FROM t`,
    near: `${NUMBERS} CREATE VIEW m AS SELECT k, v FROM t`,
    subject: 'materialized view {fx}.m',
    severity: 'warning',
    advised: true,
  },
  {
    code: 'HT205',
    fires: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT k, v FROM t WITH NO DATA`,
    near: `CREATE TABLE t (n int); CREATE MATERIALIZED VIEW m AS SELECT n FROM t`,
    subject: 'materialized view {fx}.m',
    fails: { sql: 'TABLE {fx}.m', with: 'materialized view "m" has not been populated' },
  },
  {
    code: 'HT206',
    fires: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT k, count(*) AS n FROM t GROUP BY k;
      CREATE UNIQUE INDEX m_key ON m (k) NULLS NOT DISTINCT`,
    near: `${NUMBERS} CREATE MATERIALIZED VIEW m AS SELECT k, count(*) AS n FROM t WHERE k IS NOT NULL GROUP BY k;
      CREATE UNIQUE INDEX m_key ON m (k); CREATE MATERIALIZED VIEW o AS SELECT k FROM t; CREATE UNIQUE INDEX ON o (k) WHERE k > 1`,
    subject: 'materialized view {fx}.m',
    advised: true,
  },
  {
    code: 'HT207',
    fires: `${NUMBERS} CREATE FUNCTION lbl(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'l' || $1$$;
      CREATE FUNCTION label(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN upper(lbl($1)); END$$;
      CREATE MATERIALIZED VIEW m AS SELECT {fx}.label(k) FROM {fx}.t WITH NO DATA`,
    near: `${NUMBERS} CREATE FUNCTION lbl(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'l' || $1$$;
      CREATE FUNCTION label(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN upper({fx}.lbl($1)); END$$;
      CREATE FUNCTION fixed(int) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = {fx} AS $$BEGIN RETURN upper(lbl($1)); END$$;
      CREATE MATERIALIZED VIEW m AS SELECT label(k), fixed(k) FROM t; CREATE INDEX ON t (label(v));
      CREATE FUNCTION unused(int) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN lbl($1); END$$`,
    subject: 'function {fx}.label(integer)',
    fails: { sql: `SET search_path = ''; REFRESH MATERIALIZED VIEW {fx}.m`, with: 'does not exist' },
    says: ['names lbl without a schema', 'materialized view {fx}.m calls it'],
  },
  {
    code: 'HT207',
    name: 'in a CHECK',
    fires: `CREATE TABLE words (w text); CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT EXISTS (SELECT FROM words WHERE w = $1)$$;
      CREATE TABLE t (w text CHECK (known(w)))`,
    near: `CREATE TABLE words (w text); CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql STABLE BEGIN ATOMIC SELECT EXISTS (SELECT FROM words WHERE w = $1); END;
      CREATE TABLE t (w text CHECK (known(w)))`,
    subject: 'function {fx}.known(text)',
    severity: 'warning',
    fails: {
      sql: `SET search_path = ''; INSERT INTO {fx}.t VALUES ('a')`,
      with: 'relation "words" does not exist',
    },
  },
  {
    code: 'HT208',
    fires: `${PEOPLE} CREATE VIEW v AS SELECT p.id, count(CASE WHEN t.id > 0 THEN 1 END) AS tasks, count(DISTINCT l.id) AS lists
      FROM people p LEFT JOIN tasks t ON t.person = p.id LEFT JOIN lists l ON p.id = l.person AND l.id > 0 GROUP BY p.id`,
    near: `${PEOPLE} CREATE VIEW v AS SELECT p.id, count(DISTINCT t.id) AS tasks, count(DISTINCT l.id) AS lists
      FROM people p LEFT JOIN tasks t ON t.person = p.id LEFT JOIN lists l ON l.person = p.id GROUP BY p.id;
      CREATE VIEW w AS SELECT p.id, count(t.id) AS tasks FROM tasks t JOIN people p ON t.person = p.id GROUP BY p.id`,
    subject: 'view {fx}.v',
    advised: true,
  },
  {
    code: 'HT209',
    fires: `${NUMBERS} CREATE VIEW v AS SELECT k, coalesce(avg(v), 0) AS mean FROM t GROUP BY k`,
    near: `${NUMBERS} CREATE VIEW v AS SELECT k, avg(v) AS mean, coalesce(sum(v), 0) AS total FROM t GROUP BY k`,
    subject: 'view {fx}.v',
    advised: true,
  },
  {
    code: 'HT210',
    fires: `CREATE TABLE t (at timestamptz); CREATE MATERIALIZED VIEW m AS SELECT date(at) AS day FROM t`,
    near: `CREATE TABLE t (at timestamptz, local timestamp); CREATE MATERIALIZED VIEW m AS SELECT (at AT TIME ZONE 'UTC')::date AS day, date(local) FROM t`,
    subject: 'materialized view {fx}.m',
    severity: 'warning',
    advised: true,
  },
  {
    code: 'HT211',
    fires: `CREATE TABLE users (id int, email text); CREATE MATERIALIZED VIEW m AS SELECT email, count(*) AS n FROM users GROUP BY email; GRANT SELECT ON m TO {app}`,
    near: `CREATE TABLE users (id int, email text); CREATE MATERIALIZED VIEW m AS SELECT id, count(*) AS n FROM users GROUP BY id; GRANT SELECT ON m TO {app};
      CREATE VIEW mine AS SELECT email FROM users WHERE id::text = current_setting('app.tenant_id', true); GRANT SELECT ON mine TO {app}`,
    subject: 'materialized view {fx}.m',
  },
  {
    code: 'HT212',
    fires: `${NUMBERS} CREATE MATERIALIZED VIEW forgotten AS SELECT k FROM t`,
    near: `${NUMBERS} CREATE MATERIALIZED VIEW remembered AS SELECT k FROM t;
      CREATE PROCEDURE again() LANGUAGE sql AS 'REFRESH MATERIALIZED VIEW {fx}.remembered'`,
    subject: 'materialized view {fx}.forgotten',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT213',
    fires: `${NUMBERS} CREATE VIEW v AS SELECT k, max(v) AS most FROM t GROUP BY k HAVING count(*) > 10`,
    near: `${NUMBERS} CREATE VIEW twice AS SELECT k FROM t GROUP BY k HAVING count(*) > 1`,
    subject: 'view {fx}.v',
    severity: 'info',
    advised: true,
  },
]);
