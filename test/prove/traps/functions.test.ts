// HT3xx on a real server: what fires, what does not, and that the mends mend.
import { expect, test } from 'vitest';
import { embedded } from '../../../src/server/index.ts';
import { findTraps } from '../../../src/prove/traps/index.ts';
import { overwrites, shipsLate } from '../../../src/prove/traps/functions/archiving.ts';
import { fixtures } from './fixtures.ts';

const CRYPTO = 'CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public;';
const SECRETS = `CREATE TABLE secrets (s text); GRANT SELECT ON secrets TO {owner};`;
const chain = (reads: string): string =>
  `CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, what text, prev_hash text, hash text); CREATE TABLE head (hash text);
   CREATE FUNCTION chained() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     ${reads};
     NEW.hash := md5(coalesce(NEW.prev_hash, ''));
     RETURN NEW;
   END$$;
   CREATE TRIGGER chained BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION chained();`;

fixtures('functions', [
  {
    code: 'HT301',
    fires: `${SECRETS} CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN RETURN (SELECT s FROM secrets); END$$;
      ALTER FUNCTION peek() OWNER TO {bypass}`,
    near: `${SECRETS} CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {fx}, pg_temp
        AS $$BEGIN RETURN (SELECT s FROM secrets); END$$;
      CREATE FUNCTION invoked() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT s FROM secrets); END$$;
      CREATE FUNCTION parsed() RETURNS text LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT s FROM secrets; END`,
    subject: 'function {fx}.peek()',
    severity: 'error',
    says: ['has no search_path of its own', 'an object called secrets'],
  },
  {
    code: 'HT301',
    name: 'temporary table first',
    fires: `${SECRETS} CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = {fx} AS $$BEGIN RETURN (SELECT s FROM secrets); END$$`,
    near: `${SECRETS} CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$BEGIN RETURN (SELECT s FROM {fx}.secrets); END$$`,
    subject: 'function {fx}.peek()',
    says: ['does not say pg_temp, which is then searched first for secrets'],
  },
  {
    code: 'HT302',
    fires: `CREATE FUNCTION power() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1'; ALTER FUNCTION power() OWNER TO {bypass}`,
    near: `CREATE FUNCTION power() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
      REVOKE EXECUTE ON FUNCTION power() FROM PUBLIC; GRANT EXECUTE ON FUNCTION power() TO {app};
      CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$BEGIN RETURN NEW; END$$`,
    subject: 'function {fx}.power()',
    severity: 'warning',
  },
  {
    code: 'HT303',
    fires: `CREATE FUNCTION me() RETURNS uuid LANGUAGE sql STABLE AS $$SELECT current_setting('app.{fx}')::uuid$$`,
    near: `CREATE FUNCTION me() RETURNS uuid LANGUAGE sql STABLE AS $$SELECT nullif(current_setting('app.{fx}', true), '')::uuid$$;
      CREATE FUNCTION zone() RETURNS text LANGUAGE sql STABLE AS $$SELECT current_setting('TimeZone') || current_setting('app.{fx}', true)$$;
      CREATE FUNCTION caught() RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN current_setting('app.{fx}'); EXCEPTION WHEN undefined_object THEN RETURN NULL; END$$`,
    subject: 'function {fx}.me()',
    fails: { sql: 'SELECT {fx}.me()', with: 'unrecognized configuration parameter "app.{fx}"' },
  },
  {
    code: 'HT304',
    fires: `CREATE FUNCTION enter(t text) RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('app.tenant_id', t, false); END$$`,
    near: `CREATE FUNCTION enter(t text) RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('app.tenant_id', t, true); SET LOCAL app.x = '1'; END$$`,
    subject: 'function {fx}.enter(t text)',
    severity: 'error',
  },
  {
    code: 'HT304',
    name: 'plain SET',
    fires: `CREATE FUNCTION enter() RETURNS void LANGUAGE plpgsql AS $$BEGIN SET app.other TO '1'; EXECUTE 'SET app.other = 2'; END$$`,
    near: `CREATE TABLE t (n int); CREATE FUNCTION enter() RETURNS void LANGUAGE plpgsql AS $$BEGIN UPDATE t SET n = 1; SET LOCAL app.other = '1'; END$$`,
    subject: 'function {fx}.enter()',
    severity: 'warning',
  },
  {
    code: 'HT305',
    alone: true,
    fires: `CREATE TABLE t (tenant_id text); DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET app.tenant_id = %L', current_database(), 'a'); END$$`,
    near: `CREATE TABLE t (tenant_id text); DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET app.tenant_id = %L', current_database(), ''); END$$;
      ALTER ROLE {app} SET app.other = 'a'`,
    subject: 'setting app.tenant_id of database {db}',
    severity: 'error',
  },
  {
    code: 'HT305',
    name: 'of a role',
    alone: true,
    fires: `CREATE TABLE t (tenant_id text); ALTER ROLE {app} SET app.tenant_id = 'a'`,
    near: `CREATE TABLE t (tenant_id text); ALTER ROLE {app} SET statement_timeout = '1s'`,
    subject: 'setting app.tenant_id of role {app}',
  },
  {
    code: 'HT306',
    alone: true,
    fires: `DO $$BEGIN EXECUTE format('ALTER ROLE {app} IN DATABASE %I SET app.encryption_key = %L', current_database(), 'SECRET-1'); END$$`,
    near: `DO $$BEGIN EXECUTE format('ALTER ROLE {app} IN DATABASE %I SET app.encryption_key_id = %L', current_database(), '7'); END$$`,
    subject: 'setting app.encryption_key of role {app} in database {db}',
    severity: 'error',
  },
  {
    code: 'HT306',
    name: 'in a function',
    fires: `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.api_token = 'SECRET-2' AS 'SELECT 1'`,
    near: `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.batch = '2' AS 'SELECT 1'`,
    subject: 'function {fx}.f()',
  },
  {
    code: 'HT307',
    fires: `CREATE FUNCTION seal(d text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN d || current_setting('app.encryption_key'); END$$`,
    near: `CREATE FUNCTION seal(d text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN d || current_setting('app.encryption_key_id', true); END$$`,
    subject: 'function {fx}.seal(d text)',
    advised: true,
    fails: {
      sql: `SELECT {fx}.seal('a')`,
      with: 'unrecognized configuration parameter "app.encryption_key"',
    },
  },
  {
    code: 'HT308',
    alone: true,
    fires: `DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = %L', current_database(), '30s'); END$$`,
    near: `ALTER ROLE {app} SET statement_timeout = '30s'`,
    subject: 'setting statement_timeout of database {db}',
  },
  {
    code: 'HT309',
    alone: true,
    fires: `ALTER ROLE {app} BYPASSRLS`,
    near: `GRANT {owner} TO {app}`,
    subject: 'role {app}',
    severity: 'error',
  },
  {
    code: 'HT309',
    name: 'as a member',
    alone: true,
    fires: `GRANT {bypass} TO {owner}; GRANT {owner} TO {app}; REVOKE {bypass} FROM {owner}; GRANT {bypass} TO {app}`,
    near: `GRANT {app} TO {bypass}`,
    subject: 'role {app}',
    says: ['After SET ROLE {bypass} no policy applies'],
  },
  {
    code: 'HT309',
    name: 'without SET',
    alone: true,
    from: 16,
    fires: `GRANT {bypass} TO {app} WITH INHERIT FALSE, SET TRUE`,
    near: `GRANT {bypass} TO {app} WITH INHERIT TRUE, SET FALSE`,
    subject: 'role {app}',
  },
  {
    code: 'HT310',
    alone: true,
    fires: `CREATE TABLE t (n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY`,
    near: `CREATE TABLE t (n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
      ALTER ROLE {bypass} LOGIN; GRANT USAGE ON SCHEMA {fx} TO {bypass}; GRANT SELECT ON t TO {bypass}`,
    subject: 'database {db}',
    undo: 'DROP ROLE "{db}_backup"',
  },
  {
    code: 'HT311',
    fires: `CREATE TABLE users (id int, mfa_secret text, mfa_secret_encrypted bytea)`,
    near: `CREATE TABLE users (id int, mfa_secret bytea, token_id text, api_key text CHECK (api_key LIKE 'sha256:%'))`,
    subject: 'column {fx}.users.mfa_secret',
    advised: true,
  },
  {
    code: 'HT312',
    fires: `CREATE TABLE users (id int, password_hash text)`,
    near: `CREATE TABLE users (id int, password_hash text CHECK (password_hash LIKE '$argon2id$%'), password_changed_at text)`,
    subject: 'column {fx}.users.password_hash',
  },
  {
    code: 'HT313',
    fires: `${CRYPTO} CREATE FUNCTION hashed(p text) RETURNS text LANGUAGE sql AS $$SELECT public.crypt(p, public.gen_salt('argon2id'))$$`,
    near: `${CRYPTO} CREATE FUNCTION hashed(p text) RETURNS text LANGUAGE sql AS $$SELECT public.crypt(p, public.gen_salt('bf', 12))$$`,
    subject: 'function {fx}.hashed(p text)',
    advised: true,
    fails: { sql: `SELECT {fx}.hashed('a')`, with: 'gen_salt: Unknown salt algorithm' },
  },
  {
    code: 'HT313',
    name: 'cipher',
    fires: `${CRYPTO} CREATE FUNCTION sealed(d bytea, k bytea) RETURNS bytea LANGUAGE sql AS $$SELECT public.encrypt(d, k, 'aes-gcm')$$`,
    near: `${CRYPTO} CREATE FUNCTION sealed(d bytea, k bytea) RETURNS bytea LANGUAGE sql AS $$SELECT public.encrypt(d, k, 'aes-cbc')$$`,
    subject: 'function {fx}.sealed(d bytea, k bytea)',
    advised: true,
    fails: { sql: `SELECT {fx}.sealed('a', '0123456789abcdef')`, with: 'No such cipher algorithm' },
  },
  {
    code: 'HT314',
    fires: `${CRYPTO} CREATE FUNCTION seal(d text, k text) RETURNS bytea LANGUAGE sql AS $$SELECT public.pgp_sym_encrypt(coalesce(d, 'a,b'), k)$$`,
    near: `${CRYPTO} CREATE FUNCTION seal(d text, k text) RETURNS bytea LANGUAGE sql AS $$SELECT public.pgp_sym_encrypt(d, k, 'cipher-algo=aes256')$$`,
    subject: 'function {fx}.seal(d text, k text)',
  },
  {
    code: 'HT315',
    fires: chain('SELECT l.hash INTO NEW.prev_hash FROM log l ORDER BY l.id DESC LIMIT 1'),
    near: chain('SELECT h.hash INTO NEW.prev_hash FROM head h FOR UPDATE'),
    subject: 'function {fx}.chained()',
    advised: true,
  },
  {
    code: 'HT316',
    fires: `CREATE FUNCTION h(created_at timestamptz) RETURNS bytea LANGUAGE sql STABLE AS $$SELECT sha256(created_at::text::bytea)$$`,
    near: `CREATE FUNCTION h(created_at timestamptz) RETURNS bytea LANGUAGE sql STABLE SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' AS $$SELECT sha256(created_at::text::bytea)$$`,
    subject: 'function {fx}.h(created_at timestamp with time zone)',
  },
  {
    code: 'HT316',
    name: 'with NULL',
    fires: `CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.hash := md5(NEW.a || NEW.b); RETURN NEW; END$$`,
    near: `CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.hash := md5(jsonb_build_array(NEW.a, NEW.b)::text); RETURN NEW; END$$`,
    subject: 'function {fx}.h()',
    advised: true,
  },
  {
    code: 'HT317',
    fires: `CREATE TABLE t (n int); CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE format('VACUUM ANALYZE %I.%I', '{fx}', 't'); END$$`,
    near: `CREATE FUNCTION tidy() RETURNS text LANGUAGE plpgsql AS $$BEGIN ANALYZE; RETURN 'VACUUM done by the scheduler'; END$$`,
    subject: 'function {fx}.tidy()',
    severity: 'error',
    advised: true,
    fails: { sql: 'SELECT {fx}.tidy()', with: 'VACUUM cannot be executed from a function' },
  },
  {
    code: 'HT317',
    name: 'index',
    fires: `CREATE TABLE t (n int); CREATE PROCEDURE build() LANGUAGE plpgsql AS $$BEGIN CREATE INDEX CONCURRENTLY i ON {fx}.t (n); END$$`,
    near: `CREATE TABLE t (n int); CREATE PROCEDURE build() LANGUAGE plpgsql AS $$BEGIN CREATE INDEX i ON {fx}.t (n); END$$`,
    subject: 'procedure {fx}.build()',
    advised: true,
    fails: { sql: 'CALL {fx}.build()', with: 'CREATE INDEX CONCURRENTLY cannot be executed from a function' },
  },
  {
    code: 'HT318',
    fires: `CREATE TABLE t (n int); CREATE FUNCTION archive() RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO {fx}.outputs SELECT * FROM {fx}.t; END$$`,
    near: `CREATE TABLE t (n int, created_at timestamptz); CREATE FUNCTION archive() RETURNS int LANGUAGE plpgsql AS $$
      DECLARE r record;
      BEGIN
        CREATE TEMP TABLE moved (n int);
        INSERT INTO moved SELECT n FROM {fx}.t;
        WITH gone AS (DELETE FROM {fx}.t RETURNING n) INSERT INTO {fx}.t (n) SELECT n FROM gone;
        FOR r IN SELECT * FROM {fx}.t LOOP
          IF r.n IS DISTINCT FROM r.n AND extract(day FROM r.created_at) > 1 THEN RETURN 1; END IF;
        END LOOP;
        EXECUTE 'SELECT $1' USING r.n;
        RETURN 0;
      END$$;
      CREATE FUNCTION guarded() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN IF to_regclass('{fx}.outputs') IS NOT NULL THEN DELETE FROM {fx}.outputs; END IF; END$$`,
    subject: 'function {fx}.archive()',
    advised: true,
    fails: { sql: 'SELECT {fx}.archive()', with: 'relation "{fx}.outputs" does not exist' },
  },
  {
    code: 'HT318',
    name: 'of a partition',
    fires: `CREATE FUNCTION ahead() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE format('CREATE TABLE %I PARTITION OF outputs_partitioned FOR VALUES FROM (1) TO (2)', 'p1'); END$$`,
    near: `CREATE TABLE there (n int) PARTITION BY RANGE (n);
      CREATE FUNCTION ahead() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE format('CREATE TABLE %I PARTITION OF there FOR VALUES FROM (1) TO (2)', 'p1'); EXECUTE format('CREATE TABLE p2 PARTITION OF %I DEFAULT', 'x'); END$$`,
    subject: 'function {fx}.ahead()',
    advised: true,
    fails: { sql: 'SELECT {fx}.ahead()', with: 'relation "outputs_partitioned" does not exist' },
  },
  {
    code: 'HT319',
    fires: `CREATE TABLE t (at int); CREATE TABLE old (at int); CREATE FUNCTION move() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO old SELECT * FROM t WHERE at < 5; DELETE FROM t WHERE at < 5; END$$`,
    near: `CREATE TABLE t (at int); CREATE TABLE old (at int); CREATE FUNCTION move() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN WITH moved AS (DELETE FROM t WHERE at < 5 RETURNING at) INSERT INTO old (at) SELECT at FROM moved; END$$;
      CREATE FUNCTION held() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO old SELECT * FROM t WHERE at < 5; DELETE FROM t WHERE at IN (SELECT at FROM old); END$$`,
    subject: 'function {fx}.move()',
    advised: true,
  },
  {
    code: 'HT322',
    fires: `CREATE TABLE t (who text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (who = current_setting('app.{fx}', true))`,
    near: `CREATE TABLE t (who text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (who = current_user)`,
    subject: 'setting app.{fx}',
    severity: 'info',
    advised: true,
  },
  {
    code: 'HT323',
    fires: `CREATE TABLE usage (who text); CREATE FUNCTION spend(me text) RETURNS boolean LANGUAGE plpgsql AS $$
      DECLARE used int;
      BEGIN
        SELECT count(*) INTO used FROM usage WHERE who = me;
        IF used >= 100 THEN RETURN false; END IF;
        INSERT INTO usage VALUES (me);
        RETURN true;
      END$$`,
    near: `CREATE TABLE usage (who text); CREATE TABLE owners (who text); CREATE FUNCTION spend(me text) RETURNS boolean LANGUAGE plpgsql AS $$
      DECLARE used int;
      BEGIN
        PERFORM 1 FROM owners WHERE who = me FOR UPDATE;
        SELECT count(*) INTO used FROM usage WHERE who = me;
        IF used >= 100 THEN RETURN false; END IF;
        INSERT INTO usage VALUES (me);
        RETURN true;
      END$$`,
    subject: 'function {fx}.spend(me text)',
    advised: true,
  },
  {
    code: 'HT324',
    fires: `CREATE TABLE users (who text, failed_attempts int DEFAULT 0); CREATE FUNCTION enter(me text) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        IF me <> 'known' THEN
          UPDATE users SET failed_attempts = failed_attempts + 1 WHERE who = me;
          RAISE EXCEPTION 'wrong password';
        END IF;
      END$$`,
    near: `CREATE TABLE users (who text, failed_attempts int DEFAULT 0); CREATE FUNCTION enter(me text) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        IF me IS NULL THEN RAISE EXCEPTION 'who?'; END IF;
        UPDATE users SET failed_attempts = failed_attempts + 1 WHERE who = me;
        RETURN false;
      END$$`,
    subject: 'function {fx}.enter(me text)',
    advised: true,
  },
]);

test.each([
  ['rsync -a %p /archive/%f', 'It runs rsync without asking whether the file is there already.'],
  ['cp %p /archive/%f', 'It runs cp without asking whether the file is there already.'],
  ['/bin/true', 'It does nothing and reports success.'],
])('HT320: archive_command %s', (command, what) => {
  const archiving = { mode: 'on', command, library: '', timeoutSeconds: 0 };
  expect(overwrites(archiving)?.what).toBe(what);
  expect(overwrites({ ...archiving, mode: 'off' })).toBeUndefined();
  expect(overwrites({ ...archiving, library: 'basic_archive' })).toBeUndefined();
});

test.each(['test ! -f /archive/%f && cp %p /archive/%f', 'pgbackrest --stanza=main archive-push %p', ''])(
  'HT320: archive_command %s is left alone',
  (command) => {
    expect(overwrites({ mode: 'on', command, library: '', timeoutSeconds: 0 })).toBeUndefined();
  },
);

test('HT321: an archive without a timeout ships late', () => {
  const archiving = { mode: 'on', command: 'a', library: '', timeoutSeconds: 0 };
  expect(shipsLate(archiving)?.subject).toBe('setting archive_timeout');
  expect(shipsLate({ ...archiving, timeoutSeconds: 300 })).toBeUndefined();
  expect(shipsLate({ ...archiving, mode: 'off' })).toBeUndefined();
});

test('HT320 and HT321 on a server that archives', async () => {
  const server = await embedded({
    ephemeral: true,
    major: Number(process.env['HOLDFAST_TEST_PG'] ?? 18),
    settings: { archive_mode: 'on', archive_command: '/bin/true', fsync: 'off' },
  });
  try {
    const look = { boundaries: [], now: new Date(), only: ['HT320', 'HT321'] };
    const { findings, unseen } = await findTraps({ url: server.url, ...look });
    expect(findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      'HT320 setting archive_command',
      'HT321 setting archive_timeout',
    ]);
    expect(unseen).toEqual([]);
  } finally {
    await server.stop();
  }
});
