// Checks that judge by words, where the words stand in comments, strings, quoted names, other branches or statements that
// are put together: on a real server.
import { fixtures } from './fixtures.ts';

const SECRETS = `CREATE TABLE secrets (s text); GRANT SELECT ON secrets TO {owner};`;
const FUNCTION = (head: string, body: string): string =>
  `CREATE FUNCTION ${head} LANGUAGE plpgsql AS $f$ ${body} $f$;`;
const DEFINER = (name: string, body: string): string =>
  `CREATE FUNCTION ${name} RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $f$ ${body} $f$; ALTER FUNCTION ${name} OWNER TO {bypass};`;
const KEPT = (name: string, body: string): string =>
  `CREATE TABLE ${name} (id int PRIMARY KEY, tenant_id text, who int); CREATE FUNCTION ${name}_keep() RETURNS trigger LANGUAGE plpgsql AS $f$ ${body} $f$;
   CREATE TRIGGER ${name}_keep BEFORE UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION ${name}_keep();`;

fixtures('words', [
  {
    code: 'HT301',
    name: 'names in a statement that is put together',
    fires:
      SECRETS +
      DEFINER('peek()', `DECLARE r text; BEGIN EXECUTE 'SELECT s FROM secrets' INTO r; RETURN r; END`),
    near:
      SECRETS +
      DEFINER(
        'peek()',
        `BEGIN SET LOCAL search_path = pg_catalog, {fx}, pg_temp; RETURN (SELECT s FROM secrets); END`,
      ),
    subject: 'function {fx}.peek()',
    severity: 'error',
    says: ['Whoever calls it', 'relation "secrets" does not exist'],
  },
  {
    code: 'HT301',
    name: 'path set too late',
    fires:
      SECRETS +
      DEFINER(
        'peek()',
        `DECLARE r text := lower('A'); BEGIN SET LOCAL search_path = pg_catalog, {fx}, pg_temp; RETURN r; END`,
      ),
    near:
      SECRETS +
      DEFINER(
        'peek()',
        `DECLARE r text; BEGIN SET search_path TO 'pg_catalog'; RETURN pg_catalog.lower('A'); END`,
      ),
    subject: 'function {fx}.peek()',
  },
  {
    code: 'HT303',
    name: 'in a parsed body',
    fires: `CREATE FUNCTION me() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT current_setting('app.{fx}')::int; END`,
    near: `CREATE FUNCTION me() RETURNS int LANGUAGE sql STABLE RETURN nullif(current_setting('app.{fx}', true), '')::int`,
    subject: 'function {fx}.me()',
    fails: { sql: 'SELECT {fx}.me()', with: 'unrecognized configuration parameter "app.{fx}"' },
  },
  {
    code: 'HT303',
    name: 'caught by nobody',
    fires: FUNCTION(
      'me() RETURNS text',
      `BEGIN BEGIN PERFORM 1; EXCEPTION WHEN others THEN NULL; END; RETURN current_setting('app.{fx}'); EXCEPTION WHEN unique_violation THEN RETURN NULL; END`,
    ),
    near: FUNCTION(
      'me() RETURNS text',
      `BEGIN BEGIN RETURN current_setting('app.{fx}'); EXCEPTION WHEN unique_violation OR undefined_object THEN RETURN NULL; END; END`,
    ),
    subject: 'function {fx}.me()',
    fails: { sql: 'SELECT {fx}.me()', with: 'unrecognized configuration parameter "app.{fx}"' },
  },
  {
    code: 'HT303',
    name: 'said in a comment and a string',
    fires: FUNCTION(
      'me() RETURNS text',
      `BEGIN -- /* current_setting('app.said')
        RETURN /* one /* two */ three */ current_setting ( 'app.{fx}' ); END`,
    ),
    near: FUNCTION(
      'me() RETURNS text',
      `BEGIN /* one /* two */ current_setting('app.{fx}') */ RAISE NOTICE $$set current_setting('app.{fx}') first$$; RETURN "current_setting('app.{fx}')" FROM (SELECT 1 AS "current_setting('app.{fx}')") x; END`,
    ),
    subject: 'function {fx}.me()',
  },
  {
    code: 'HT304',
    name: 'said in a string',
    fires: FUNCTION(
      'enter(t text) RETURNS void',
      `DECLARE q text := 'SET app.tenant_id = '; BEGIN q := q || quote_literal(t); EXECUTE q; END`,
    ),
    near: FUNCTION(
      'enter(t text) RETURNS void',
      `BEGIN RAISE NOTICE 'SET app.tenant_id = ...'; INSERT INTO {fx}.notes VALUES ('set_config(''app.tenant_id'', x, false)'); EXECUTE format('SET LOCAL app.tenant_id = %L', t); END`,
    ).concat('CREATE TABLE notes (n text)'),
    subject: 'function {fx}.enter(t text)',
    severity: 'error',
  },
  {
    code: 'HT304',
    name: 'in a body of SQL',
    fires: `CREATE FUNCTION enter(t text) RETURNS text LANGUAGE sql AS $$ SELECT /* 'x' */ pg_catalog.set_config('app.tenant_id'::text, (SELECT max(x) FROM (VALUES (t), ('(')) v(x)), FALSE) $$`,
    near: `CREATE FUNCTION enter(t text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.tenant_id', t, (false OR true)) $$`,
    subject: 'function {fx}.enter(t text)',
  },
  {
    code: 'HT306',
    name: 'words in words',
    fires: `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.jwt_secret_v2 = 'x' AS 'SELECT 1'`,
    near: `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.monkey_mode = 'x' SET app.keyboard = 'x' SET app.public_key = 'x'
        SET app.token_lifetime = '5' SET app.tokenizer = 'x' SET app.idempotency_key = 'x' SET app.password_rounds = '5' AS 'SELECT 1'`,
    subject: 'function {fx}.f()',
  },
  {
    code: 'HT307',
    name: 'said in a comment',
    fires: `CREATE FUNCTION seal(d text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT d || current_setting('vault.signing_key'); END`,
    near: FUNCTION(
      'seal(d text) RETURNS text',
      `BEGIN RAISE NOTICE $$current_setting('app.signing_key')$$; RETURN d || current_setting('app.public_key', true); END`,
    ),
    subject: 'function {fx}.seal(d text)',
    advised: true,
  },
  {
    code: 'HT311',
    name: 'a reference',
    fires: `CREATE TABLE hooks (id int, "Webhook_Secret" text)`,
    near: `CREATE TABLE tokens (id text PRIMARY KEY); CREATE TABLE hooks (id int, access_token text REFERENCES tokens, secretary text, passwords_changed int)`,
    subject: 'column {fx}.hooks.Webhook_Secret',
    advised: true,
  },
  {
    code: 'HT313',
    name: 'a function of the same name',
    fires: `CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public; CREATE FUNCTION sealed(d bytea, k bytea) RETURNS bytea LANGUAGE sql AS $$SELECT public.encrypt(d, k, 'aes-gcm')$$`,
    near: `CREATE FUNCTION encrypt(d bytea, k text, how text) RETURNS bytea LANGUAGE sql AS $$SELECT d$$;
      CREATE FUNCTION sealed(d bytea, k text) RETURNS bytea LANGUAGE sql AS $$SELECT {fx}.encrypt(d, k, 'aes-gcm')$$;
      CREATE FUNCTION said() RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE $x$no gen_salt('argon2id') here$x$; RETURN ''; END$$`,
    subject: 'function {fx}.sealed(d bytea, k bytea)',
    advised: true,
  },
  {
    code: 'HT314',
    name: 'brackets in strings',
    fires: `CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public; CREATE FUNCTION seal(d text, k text) RETURNS bytea LANGUAGE sql AS $$SELECT public.pgp_sym_encrypt(d || ')(, ' || upper(lower(trim(both ' ' from d))), /* , */ k)$$`,
    near: `CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public; CREATE FUNCTION seal(d text, k text) RETURNS bytea LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE $x$pgp_sym_encrypt(a, b)$x$; RETURN public.pgp_sym_encrypt(d, k, 'cipher-algo=aes256'); END$$`,
    subject: 'function {fx}.seal(d text, k text)',
  },
  {
    code: 'HT317',
    name: 'by a variable',
    fires: FUNCTION(
      'tidy() RETURNS void',
      `DECLARE q text; BEGIN q := 'VACUUM ' || 'x'; -- later
        EXECUTE q; END`,
    ),
    near: FUNCTION(
      'tidy() RETURNS void',
      `DECLARE vacuum int; BEGIN /* ; VACUUM /* x */ ; VACUUM */ vacuum := 1; RAISE NOTICE '; VACUUM'; RAISE NOTICE E'it\\'s; VACUUM'; EXECUTE 'SELECT ''; VACUUM'''; END`,
    ),
    subject: 'function {fx}.tidy()',
    advised: true,
    fails: { sql: 'SELECT {fx}.tidy()', with: 'VACUUM cannot be executed from a function' },
  },
  {
    code: 'HT318',
    name: 'quoted and nested',
    fires: FUNCTION(
      'archive() RETURNS void',
      `BEGIN IF true THEN BEGIN INSERT INTO "{fx}"."Old Outputs" SELECT 1; END; END IF; END`,
    ),
    near: `CREATE TABLE "Old Outputs" (n int); CREATE TYPE pair AS (a int, b int);
      ${FUNCTION(
        'archive(target text) RETURNS void',
        `DECLARE p {fx}.pair; q text;
        BEGIN
          INSERT INTO "{fx}"."Old Outputs" SELECT (p).a FROM {fx}."Old Outputs" WHERE n IS NOT DISTINCT FROM p.a;
          EXECUTE format('INSERT INTO %I.%I SELECT 1', '{fx}', target);
          q := 'INSERT INTO nowhere.at_all VALUES (1)'; RAISE NOTICE '%', q;
          FOR p IN SELECT n, n FROM {fx}."Old Outputs" LOOP NULL; END LOOP;
        END`,
      )}`,
    subject: 'function {fx}.archive()',
    advised: true,
    fails: { sql: 'SELECT {fx}.archive()', with: 'relation "{fx}.Old Outputs" does not exist' },
  },
  {
    code: 'HT324',
    name: 'raised by name',
    fires:
      `CREATE TABLE users (who text, failed_attempts int);` +
      FUNCTION(
        'enter(me text) RETURNS void',
        `BEGIN UPDATE users u SET failed_attempts = u.failed_attempts + 1 WHERE who = me; IF me = 'x' THEN NULL; END IF; RAISE invalid_password; END`,
      ),
    near:
      `CREATE TABLE users (who text, failed_attempts int);` +
      FUNCTION(
        'enter(me text) RETURNS boolean',
        `BEGIN UPDATE users SET failed_attempts = failed_attempts + 1 WHERE who = me; RAISE NOTICE 'RAISE EXCEPTION'; RAISE WARNING 'x'; -- RAISE EXCEPTION 'x'
        RETURN false; END`,
      ),
    subject: 'function {fx}.enter(me text)',
    advised: true,
  },
  {
    code: 'HT114',
    name: 'refused under a condition',
    fires: KEPT(
      'events',
      `BEGIN IF TG_OP IN ('UPDATE', 'DELETE') THEN RAISE EXCEPTION 'kept'; END IF; RETURN NEW; END`,
    ),
    near: KEPT(
      'events',
      `BEGIN IF OLD.who <> NEW.who THEN BEGIN RAISE EXCEPTION 'prevented'; END; END IF; RETURN NEW; END`,
    ).replaceAll('_keep', '_prevent_overbooking'),
    subject: 'table {fx}.events',
  },
  {
    code: 'HT403',
    name: 'a schema of that name',
    alone: true,
    fires: FUNCTION('plan() RETURNS void', `BEGIN EXECUTE 'SELECT cron.schedule(''a'', ''b'', ''c'')'; END`),
    near: `CREATE SCHEMA cron; CREATE TABLE cron.job (n int); ${FUNCTION('plan() RETURNS void', `BEGIN INSERT INTO cron.job VALUES (1); RAISE NOTICE 'cron.schedule'; END`)}`,
    subject: 'function {fx}.plan()',
    advised: true,
    fails: { sql: 'SELECT {fx}.plan()', with: 'schema "cron" does not exist' },
  },
  {
    code: 'HT405',
    name: 'whose column it is',
    fires: FUNCTION(
      'seen() RETURNS text',
      `BEGIN RETURN (SELECT s.tablename FROM pg_stat_user_tables s LIMIT 1); END`,
    ),
    near: `CREATE TABLE log (tablename text); ${FUNCTION(
      'seen(indexname text) RETURNS text',
      `DECLARE tablename text;
      BEGIN
        INSERT INTO {fx}.log (tablename) SELECT relname FROM pg_stat_user_tables;
        RETURN (SELECT l.tablename FROM {fx}.log l JOIN pg_stat_user_tables s ON s.relname = l.tablename LIMIT 1);
      END`,
    )} ${FUNCTION('said() RETURNS text', `BEGIN RAISE NOTICE 'tablename of pg_stat_user_tables'; RETURN ''; END`)}`,
    subject: 'function {fx}.seen()',
    advised: true,
    fails: { sql: 'SELECT {fx}.seen()', with: 'column s.tablename does not exist' },
  },
  {
    code: 'HT406',
    name: 'of a value',
    fires: FUNCTION(
      'size() RETURNS bigint',
      `BEGIN RETURN (SELECT sum(pg_total_relation_size(schemaname || '.' || tablename)) FROM pg_tables WHERE schemaname = '{fx}'); END`,
    ),
    near: FUNCTION(
      'size(a text) RETURNS bigint',
      `BEGIN RAISE NOTICE $$pg_relation_size(a || '.' || b)$$; RETURN pg_column_size(a || '.' || a) + pg_relation_size(a::regclass) + length(a || '.' || a); END`,
    ),
    subject: 'function {fx}.size()',
  },
  {
    code: 'HT407',
    name: 'said in a string',
    alone: true,
    fires: FUNCTION(
      'slow() RETURNS bigint',
      `DECLARE n bigint; BEGIN EXECUTE 'SELECT count(*) FROM pg_stat_statements' INTO n; RETURN n; END`,
    ),
    near: FUNCTION(
      'slow() RETURNS bigint',
      `BEGIN /* pg_stat_statements */ RAISE NOTICE 'make pg_stat_statements'; RETURN 0; END`,
    ),
    subject: 'function {fx}.slow()',
    advised: true,
    fails: { sql: 'SELECT {fx}.slow()', with: 'relation "pg_stat_statements" does not exist' },
  },
  {
    code: 'HT507',
    name: 'said in a string',
    fires: FUNCTION(
      'ahead(d date) RETURNS void',
      `DECLARE q text; BEGIN q := 'CREATE TABLE x PARTITION OF y ' || format('FOR VALUES FROM (%L) TO (%L)', d, d + 1); EXECUTE q; END`,
    ),
    near: FUNCTION(
      'ahead(d date) RETURNS void',
      `BEGIN RAISE NOTICE 'no partition of y for values from %', d; EXECUTE 'SELECT 1'; END`,
    ),
    subject: 'function {fx}.ahead(d date)',
  },
  {
    code: 'HT212',
    name: 'said in a string',
    fires: `CREATE MATERIALIZED VIEW stats AS SELECT 1 AS n; ${FUNCTION('said() RETURNS void', `BEGIN RAISE NOTICE 'refresh materialized view {fx}.stats'; END`)}`,
    near: `CREATE MATERIALIZED VIEW stats AS SELECT 1 AS n; ${FUNCTION('again() RETURNS void', `BEGIN EXECUTE 'refresh materialized view ' || '{fx}.stats'; END`)}`,
    subject: 'materialized view {fx}.stats',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT203',
    name: 'through a parsed function',
    fires: `CREATE TABLE t (tenant_id text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id = current_setting('app.tenant_id', true));
      CREATE FUNCTION mine(w text) RETURNS boolean LANGUAGE sql STABLE BEGIN ATOMIC SELECT w IS NOT NULL; END;
      CREATE VIEW v WITH (security_barrier) AS SELECT * FROM t WHERE {fx}.mine(tenant_id); GRANT SELECT ON v TO {app}`,
    near: `CREATE TABLE t (tenant_id text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id = current_setting('app.tenant_id', true));
      CREATE FUNCTION mine(w text) RETURNS boolean LANGUAGE sql STABLE BEGIN ATOMIC SELECT w = current_setting('app.tenant_id', true); END;
      CREATE VIEW v WITH (security_barrier) AS SELECT * FROM t WHERE {fx}.mine(tenant_id); GRANT SELECT ON v TO {app}`,
    subject: 'view {fx}.v',
    severity: 'error',
  },
  {
    code: 'HT111',
    name: 'a parent with a level',
    fires: `CREATE TABLE projects (id int PRIMARY KEY, tenant_id text); CREATE TABLE members (project int REFERENCES projects, who text, level int);
      ALTER TABLE projects ENABLE ROW LEVEL SECURITY; GRANT SELECT, UPDATE ON projects TO {app};
      CREATE POLICY mine ON projects USING (id IN (SELECT m.project FROM members m WHERE m.who = current_setting('app.user', true)))`,
    near: `CREATE TABLE floors (id int PRIMARY KEY, tenant_id text, level int); CREATE TABLE rooms (id int PRIMARY KEY, floor int REFERENCES floors);
      ALTER TABLE rooms ENABLE ROW LEVEL SECURITY; GRANT SELECT, UPDATE ON rooms TO {app};
      CREATE POLICY mine ON rooms USING (floor IN (SELECT f.id FROM floors f WHERE f.tenant_id = current_setting('app.tenant_id', true)))`,
    subject: 'policy mine on {fx}.projects',
    advised: true,
  },
  {
    code: 'HT115',
    name: 'audits that are work',
    fires: `CREATE TABLE orgs (id int PRIMARY KEY); CREATE TABLE security_audit_trail (org int CONSTRAINT of_org REFERENCES orgs)`,
    near: `CREATE TABLE orgs (id int PRIMARY KEY); CREATE TABLE audits (id int PRIMARY KEY, org int REFERENCES orgs);
      CREATE TABLE audit_plans (org int REFERENCES orgs); CREATE TABLE audit_log_settings (org int REFERENCES orgs)`,
    subject: 'foreign key of_org on {fx}.security_audit_trail',
    severity: 'warning',
  },
  {
    code: 'HT114',
    name: 'a function of that name is there',
    fires: `CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN INSERT INTO {fx}.kept VALUES (1); RETURN NULL; END$f$; CREATE TABLE kept (n int);
      ${KEPT('events', `BEGIN RAISE EXCEPTION 'kept'; END`)}`,
    near: KEPT('events', `BEGIN IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'kept'; END IF; RETURN NEW; END`),
    subject: 'table {fx}.events',
    keeps: `SELECT prosrc FROM pg_proc WHERE oid = '{fx}.refuse_truncate()'::regprocedure`,
  },
]);
