// A copy is like its target in everything but rows; what is not is said; and the target is only read.
import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { catalogueDump } from '../../src/build/index.ts';
import { compareTexts, pgDumpReader } from '../../src/build/pg-dump.ts';
import { withCopy, type Copy } from '../../src/prove/copy/index.ts';
import { close, majorOf } from '../../src/server/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const RICH = readFileSync(new URL('./copying/rich.sql', import.meta.url), 'utf8');
const now = new Date('2026-11-21T10:00:00Z');
const TIMEOUT_MS = 60_000;

interface Cast {
  readonly owner: string;
  readonly app: string;
}

/** One of each kind of object, by two roles of its own. */
async function rich(db: TestDatabase): Promise<Cast> {
  const cast = { owner: db.role('owner'), app: db.role('app') };
  const member = db.role('member');
  const [version] = await db.query<{ number: number }>(
    `SELECT current_setting('server_version_num')::int AS number`,
  );
  const options =
    majorOf(version?.number ?? 0) >= 16 ? 'ADMIN TRUE, INHERIT FALSE, SET FALSE' : 'ADMIN OPTION';
  await db.query(`CREATE ROLE ${cast.owner} NOLOGIN CREATEROLE; CREATE ROLE ${cast.app} LOGIN BYPASSRLS NOINHERIT IN ROLE ${cast.owner};
    ALTER ROLE ${cast.app} SET search_path = shop, "$user", public; ALTER ROLE ${cast.app} IN DATABASE ${db.name} SET app.id = '7';
    ALTER DATABASE ${db.name} SET app.id = '6'; ALTER DATABASE ${db.name} SET default_transaction_read_only = on;
    GRANT CREATE ON DATABASE ${db.name} TO ${cast.owner}; REVOKE TEMPORARY ON DATABASE ${db.name} FROM PUBLIC; GRANT pg_read_all_stats TO ${cast.owner};
    CREATE ROLE ${member}; GRANT ${cast.owner} TO ${member} WITH ${options}`);
  await db.query(
    `BEGIN READ WRITE; ${RICH.replaceAll(':owner', cast.owner).replaceAll(':app', cast.app)}; COMMIT`,
  );
  return cast;
}

const SESSION_SQL = `SELECT session_user::text AS session, current_user::text AS "current", current_setting('app.id') AS id,
  current_setting('search_path') AS path, current_setting('is_superuser') AS super`;

async function session(copy: Copy, role: string): Promise<unknown> {
  const client = await copy.login(role);
  try {
    return (await client.query(SESSION_SQL)).rows[0];
  } finally {
    await close(client);
  }
}

const MEMBERS_SQL = `SELECT m.roleid::regrole::text AS role, m.member::regrole::text AS member, m.admin_option, to_jsonb(m) ->> 'inherit_option' AS inherit,
  to_jsonb(m) ->> 'set_option' AS set FROM pg_auth_members m WHERE m.member::regrole::text NOT LIKE 'hf\\_login%' ORDER BY 1, 2`;
// Other files make roles and copies on the same server meanwhile: only those of this test are looked at.
const ROLES_SQL = `SELECT to_jsonb(r) - 'oid' AS role FROM pg_authid r WHERE rolname = ANY ($1) ORDER BY rolname`;
const STANDS_SQL = 'SELECT FROM pg_database WHERE datname = $1';
const nameOf = (copy: Copy): string => new URL(copy.url).pathname.slice(1);

describe('a database with one of each', () => {
  test(
    'is copied whole to a server of its own, where its roles log in',
    { timeout: TIMEOUT_MS },
    async ({ db: file }) => {
      const db = await file.another();
      const cast = await rich(db);
      const before = await catalogueDump(db.pool);
      await withCopy({ url: db.url, now }, async (copy) => {
        expect(copy.left).toEqual([]);
        expect([copy.own, copy.real, copy.now]).toEqual([false, true, now]);
        const reader = await pgDumpReader(majorOf(copy.versionNumber));
        if (reader !== undefined) {
          const [theirs, ours] = await Promise.all([reader({ url: db.url }), reader({ url: copy.url })]);
          expect(
            compareTexts(theirs, ours, (key) => !key.startsWith('COMMENT') && !key.startsWith('DATABASE')),
          ).toEqual([]);
        }
        const path = 'shop, "$user", public';
        expect(await session(copy, cast.app)).toEqual({
          session: cast.app,
          current: cast.app,
          id: '7',
          path,
          super: 'off',
        });
        expect(await session(copy, cast.owner)).toMatchObject({ current: cast.owner, id: '6', super: 'off' });
        const [role] = await copy.query(
          `SELECT rolbypassrls, rolinherit, rolcanlogin, pg_has_role(rolname, $2, 'MEMBER') AS member FROM pg_roles WHERE rolname = $1`,
          [cast.app, cast.owner],
        );
        expect(role).toEqual({ rolbypassrls: true, rolinherit: false, rolcanlogin: true, member: true });
        const [rights] = await copy.query(
          `SELECT has_database_privilege($1, current_database(), 'CREATE') AS creates, has_database_privilege($2, current_database(), 'TEMP') AS temp,
                has_function_privilege($2, 'pg_sleep(double precision)', 'EXECUTE') AS sleeps, pg_has_role($1, 'pg_read_all_stats', 'USAGE') AS stats,
                has_largeobject AS lob, current_database()::text AS name
         FROM (SELECT count(*) FILTER (WHERE lomacl IS NOT NULL) = 1 AS has_largeobject FROM pg_largeobject_metadata) l`,
          [cast.owner, cast.app],
        );
        expect(rights).toEqual({
          creates: true,
          temp: false,
          sleeps: false,
          stats: true,
          lob: true,
          name: db.name,
        });
        expect(await copy.pool.query(MEMBERS_SQL).then(({ rows }) => rows)).toEqual(
          await db.query(MEMBERS_SQL),
        );
        await expect(copy.login('nobody_of_that_name')).rejects.toMatchObject({ code: 'HF_COPY_ROLE' });
      });
      expect(await catalogueDump(db.pool)).toEqual(before);
    },
  );

  test(
    'is copied whole beside itself, where its roles are left as they are',
    { timeout: TIMEOUT_MS },
    async ({ db: file }) => {
      const db = await file.another();
      const cast = await rich(db);
      const roles = [cast.owner, cast.app, 'postgres'];
      const before = await db.query(ROLES_SQL, [roles]);
      let name = '';
      await withCopy({ url: db.url, scratchUrl: db.url, now }, async (copy) => {
        name = nameOf(copy);
        expect(await db.query(STANDS_SQL, [name])).toHaveLength(1);
        expect(copy.left).toEqual([]);
        expect([copy.own, copy.real]).toEqual([true, false]);
        const client = await copy.login(cast.app);
        await client.query(`SET app.id = '9'; RESET ALL`);
        expect((await client.query(SESSION_SQL)).rows[0]).toEqual({
          session: cast.app,
          current: cast.app,
          id: '7',
          path: 'shop, "$user", public',
          super: 'off',
        });
        await close(client);
        expect(await session(copy, cast.owner)).toMatchObject({ session: cast.owner, id: '6', super: 'off' });
      });
      expect(before).toHaveLength(roles.length);
      expect(await db.query(ROLES_SQL, [roles])).toEqual(before);
      expect(await db.query(STANDS_SQL, [name])).toEqual([]);
    },
  );
});

test(
  'a role that may only connect reads enough for a whole copy, and can write nothing',
  { timeout: TIMEOUT_MS },
  async ({ db: file }) => {
    const db = await file.another();
    await rich(db);
    const reader = db.role('reader');
    await db.query(`CREATE ROLE ${reader} LOGIN PASSWORD 'reads'`);
    await withCopy({ url: db.urlAs(reader, 'reads'), scratchUrl: db.url, now }, async (copy) => {
      expect(copy.left).toEqual([]);
    });
  },
);

test('what cannot be made again, or must not be, is said', { timeout: TIMEOUT_MS }, async ({ db: file }) => {
  const db = await file.another();
  await db.query(`CREATE EXTENSION pgcrypto; CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE outside (tenant_id int NOT NULL, name text) SERVER files OPTIONS (filename '/nowhere');
    CREATE VIEW through AS SELECT name FROM outside;
    CREATE VIEW hashed AS SELECT encode(digest('a', 'sha256'), 'hex') AS hash;
    ALTER DATABASE ${db.name} SET app.signing_key = 'hunter2';
    SELECT lo_create(0); SELECT lo_create(0);
    SET allow_system_table_mods = on; UPDATE pg_extension SET extname = 'unheard_of' WHERE extname = 'pgcrypto'; RESET allow_system_table_mods`);
  await withCopy({ url: db.url, scratchUrl: db.url, now }, async (copy) => {
    const said = copy.left.map(({ subject, why }) => `${subject}: ${why}`);
    expect(said.filter((line) => !line.startsWith('view public.hashed,'))).toEqual([
      'foreign table public.outside: it is an ordinary table in the copy, so that nothing done there reaches another server or a file',
      'extension file_fdw: a copy has no way out of itself',
      'foreign server files: a copy has no way out of itself',
      'large objects: there are 2; in the copy one stands for all with the same owner and grants',
      'setting app.signing_key: its name says that it is a secret: the copy has a made-up value',
      expect.stringMatching(/^extension unheard_of: PostgreSQL refuses it: .*"unheard_of".*$/),
      expect.stringMatching(
        /^view public.hashed: PostgreSQL refuses it: function public.digest\(.*\) does not exist$/,
      ),
      expect.stringMatching(/^owner of public.hashed: /),
      'extension unheard_of, is: it is missing in the copy',
    ]);
    expect(said).toContain('view public.hashed, query: it is missing in the copy');
    const [row] =
      await copy.query(`SELECT relkind::text AS kind, (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)::text AS columns,
      EXISTS (SELECT FROM pg_class WHERE relname = 'through') AS view FROM pg_class c WHERE relname = 'outside'`);
    expect(row).toEqual({ kind: 'r', columns: '{tenant_id,name}', view: true });
    const client = await copy.pool.connect();
    expect((await client.query(`SELECT current_setting('app.signing_key') AS key`)).rows).toEqual([
      { key: 'xxxxxxx' },
    ]);
    client.release();
  });
});

test(
  'a superuser’s name may be an ordinary role’s on the target, and roles another server lacks are made there for the while',
  { timeout: TIMEOUT_MS },
  async ({ db: file }) => {
    const db = await file.another();
    const managed = db.role('managed');
    await withCopy({ url: db.url, now }, async (first) => {
      await first.pool
        .query(`CREATE ROLE ${managed} LOGIN BYPASSRLS; ALTER ROLE postgres NOSUPERUSER CREATEROLE; GRANT ${managed} TO postgres;
      CREATE TABLE mine (n int); ALTER TABLE mine OWNER TO ${managed}`);
      await withCopy({ url: first.url, now }, async (second) => {
        expect(second.left).toEqual([]);
        expect(
          await second.query(
            `SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname IN ('postgres', $1) ORDER BY rolname = 'postgres'`,
            [managed],
          ),
        ).toEqual([
          { rolname: managed, rolsuper: false, rolbypassrls: true },
          { rolname: 'postgres', rolsuper: false, rolbypassrls: true },
        ]);
      });
      await withCopy({ url: first.url, scratchUrl: db.url, now }, async (second) => {
        const subjects = second.left.map(({ subject }) => subject);
        expect(subjects).toContain('role postgres');
        expect(subjects).not.toContain(`role ${managed}`);
        expect(await second.query(`SELECT rolbypassrls FROM pg_roles WHERE rolname = $1`, [managed])).toEqual(
          [{ rolbypassrls: true }],
        );
        expect([second.own, second.real]).toEqual([false, false]);
      });
    });
    expect(await db.query(`SELECT FROM pg_roles WHERE rolname = $1`, [managed])).toEqual([]);
  },
);

describe('stopping', () => {
  test(
    'a copy that is stopped ends with HF_INTERRUPTED, and nothing of it stays',
    { timeout: TIMEOUT_MS },
    async ({ db: file }) => {
      const db = await file.another();
      const controller = new AbortController();
      let name = '';
      const stopped = withCopy(
        { url: db.url, scratchUrl: db.url, now, signal: controller.signal },
        async (copy) => {
          name = nameOf(copy);
          const sleeping = copy.pool.query('SELECT pg_sleep(60)');
          controller.abort();
          await sleeping;
        },
      );
      await expect(stopped).rejects.toMatchObject({ code: 'HF_INTERRUPTED', subject: 'the proof' });
      expect(name).not.toBe('');
      expect(await db.query(STANDS_SQL, [name])).toEqual([]);
    },
  );

  test('one that was stopped before does not begin', async ({ db: file }) => {
    const db = await file.another();
    const began = withCopy({ url: db.url, now, signal: AbortSignal.abort() }, async () => undefined);
    await expect(began).rejects.toMatchObject({ code: 'HF_INTERRUPTED' });
  });

  test('a failure of the work comes through, and the copy is gone', async ({ db: file }) => {
    const db = await file.another();
    let name = '';
    const failed = withCopy({ url: db.url, scratchUrl: db.url, now }, async (copy) => {
      name = nameOf(copy);
      throw new Error('of the work');
    });
    await expect(failed).rejects.toThrow('of the work');
    expect(name).not.toBe('');
    expect(await db.query(STANDS_SQL, [name])).toEqual([]);
  });
});
