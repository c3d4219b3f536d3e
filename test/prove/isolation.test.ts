// Isolation under attack: what holds is shown as held, and each hole that is planted in it is found where it is.
import { expect } from 'vitest';
import { close } from '../../src/server/index.ts';
import { withCopy } from '../../src/prove/copy/index.ts';
import { isolationEvidence, proveIsolation, type Isolation } from '../../src/prove/isolation/index.ts';
import { populate } from '../../src/prove/rows/index.ts';
import { findTraps } from '../../src/prove/traps/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { openShop, NOW } from '../traps/shop.ts';

const SETTING = "nullif(current_setting('app.tenant', true), '')";

const secured = (table: string): string => `
  ALTER TABLE app.${table} ENABLE ROW LEVEL SECURITY; ALTER TABLE app.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY own ON app.${table} USING (tenant = ${SETTING});`;

/** Tenants, their teams, members and notes, isolated as it should be; `hole` is run by the superuser afterwards. */
async function stage(db: TestDatabase, hole = ''): Promise<{ db: TestDatabase; app: string; owner: string }> {
  const one = await db.another();
  const [app, owner] = [one.role('app'), one.role('owner')];
  await one.query(`
    CREATE ROLE "${owner}"; CREATE ROLE "${app}" LOGIN;
    CREATE SCHEMA app AUTHORIZATION "${owner}"; SET ROLE "${owner}";
    CREATE TABLE app.teams (tenant text NOT NULL, id int NOT NULL, name text NOT NULL, PRIMARY KEY (tenant, id), UNIQUE (tenant, name));
    CREATE TABLE app.notes (tenant text NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), team int NOT NULL, open boolean NOT NULL, body text,
      PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, team) REFERENCES app.teams (tenant, id) ON DELETE CASCADE);
    ${secured('teams')} ${secured('notes')}
    GRANT USAGE ON SCHEMA app TO "${app}"; GRANT SELECT, INSERT, UPDATE, DELETE ON app.teams, app.notes TO "${app}";
    RESET ROLE; ${hole.replaceAll('{app}', `"${app}"`).replaceAll('{owner}', `"${owner}"`)}`);
  return { db: one, app, owner };
}

const attack = (db: TestDatabase): Promise<Isolation> =>
  proveIsolation({ url: db.url, scratchUrl: db.url, now: NOW });

/** Where it was crossed: `object: attack`, each once. */
const crossed = ({ cells }: Isolation): string[] =>
  cells.filter(({ outcome }) => outcome === 'crossed').map(({ object, attack }) => `${object}: ${attack}`);

const definer = (path: string): string => `
  CREATE SCHEMA own AUTHORIZATION {app};
  CREATE FUNCTION app.named(word text) RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER ${path}
    AS $$ BEGIN RETURN (SELECT count(*) FROM app.teams t WHERE t.tenant = ${SETTING} AND t.name = lower(word)); END $$`;

const enter = (local: boolean): string => `
  CREATE FUNCTION app.enter(tenant text) RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN PERFORM set_config('app.tenant', tenant, ${local}); END $$`;

test('the test shop holds: every object by every attack', async ({ db }) => {
  await openShop(db);
  const found = await attack(db);
  expect(found.crossings).toEqual([]);
  expect(found.empty).toEqual([]);
  expect(found.cells).toHaveLength(found.objects.length * found.attacks.length);
  const evidence = isolationEvidence(found);
  expect(evidence.verdict).toBe('held');
  expect(evidence.line).toMatch(/^[\d,]+ attacks by 1 role on \d+ objects: none crossed$/);
  expect(
    found.told.filter(({ severity, subject }) => severity !== 'info' && !subject.startsWith('PostgreSQL')),
  ).toEqual([]);
  const tried = new Set(found.cells.filter((cell) => cell.tried > 0).map((cell) => cell.attack));
  for (const attack of [
    'read',
    'COPY',
    'cursor',
    'prepared',
    'insert',
    'move',
    'MERGE',
    'foreign key',
    'call',
    'new partition',
  ])
    expect(tried).toContain(attack);
});

test('a small schema that is right holds, on both its tables', async ({ db }) => {
  const { db: one } = await stage(db);
  expect(crossed(await attack(one))).toEqual([]);
});

test('what a request leaves on its connection is told, once for each way, and is no crossing', async ({
  db,
}) => {
  const { db: one } = await stage(db);
  const found = await attack(one);
  expect(crossed(found)).toEqual([]);
  expect(found.cells).toContainEqual(
    expect.objectContaining({ object: 'the database', attack: 'next request', outcome: 'told' }),
  );
  const left = found.told.filter(({ subject }) => subject === 'connections that are used again');
  expect(left.map(({ severity, what }) => `${severity}: ${what}`)).toEqual([
    'info: a cursor WITH HOLD outlives its transaction: what a request leaves in it the next request on the connection reads, whoever that works for, on any PostgreSQL.',
    'info: a temporary table outlives its transaction: what a request leaves in it the next request on the connection reads, whoever that works for, on any PostgreSQL.',
  ]);
});

test('a function that keeps rows over its transaction crosses, and its script shows it', async ({ db }) => {
  const { db: one, app } = await stage(
    db,
    `CREATE FUNCTION app.mine() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
       CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT n.body FROM app.notes n; RETURN QUERY SELECT m.body FROM mine m; END $$`,
  );
  const found = await attack(one);
  expect(crossed(found)).toEqual(['app.mine(): next request']);
  const [crossing] = found.crossings;
  expect(crossing).toMatchObject({
    role: app,
    state: 'setting of owner 2, after setting of owner 1 on the same connection',
  });
  expect(crossing?.sql.split('\n').filter((line) => /^(BEGIN|SELECT|COMMIT|ROLLBACK)/.test(line))).toEqual([
    'BEGIN;',
    'SELECT * FROM "app"."mine"() AS called;',
    'COMMIT;',
    'BEGIN;',
    'SELECT * FROM "app"."mine"() AS called;',
    'ROLLBACK;',
  ]);
});

test('what is shown of a crossing shows it again when it is typed', async ({ db }) => {
  const { db: one, app } = await stage(db, 'ALTER TABLE app.notes DISABLE ROW LEVEL SECURITY');
  const found = await attack(one);
  expect(crossed(found)).toContain('app.notes: read');
  expect(crossed(found).filter((at) => at.startsWith('app.teams'))).toEqual([]);
  expect(isolationEvidence(found).line).toMatch(/: crossed at app\.notes$/);
  const shown = found.crossings.find((one) => one.object === 'app.notes' && one.attack === 'read');
  expect(shown).toMatchObject({ role: app, state: 'setting of owner 1' });
  await withCopy({ url: one.url, scratchUrl: one.url, now: NOW }, async (copy) => {
    await populate(copy, { boundaries: found.boundaries, worlds: 2, seed: 1 });
    const session = await copy.login(app);
    const results = (await session.query(shown?.sql ?? '')) as unknown as {
      rows: { body: string; tenant: string }[];
    }[];
    await close(session);
    const rows = results.flatMap((result) => result.rows ?? []);
    expect(new Set(rows.map((row) => row.tenant)).size).toBe(2);
    expect(rows.some((row) => shown?.said.includes(`tenant = ${row.tenant}`))).toBe(true);
  });
});

test('a policy for one command is found by that command, a membership that is not inherited by SET ROLE', async ({
  db,
}) => {
  const { db: one } = await stage(
    db,
    `CREATE POLICY more ON app.teams FOR DELETE USING (true);
    ALTER TABLE app.notes NO FORCE ROW LEVEL SECURITY; ALTER ROLE {app} NOINHERIT; GRANT {owner} TO {app}`,
  );
  const found = crossed(await attack(one));
  expect(found.filter((at) => at.startsWith('app.notes'))).toEqual(['app.notes: SET ROLE']);
  expect(found.filter((at) => at.startsWith('app.teams'))).toEqual([
    'app.teams: delete',
    'app.teams: no setting',
    'app.teams: empty setting',
  ]);
});

const planted = (path: string): string => `
  CREATE TABLE app.users (id uuid PRIMARY KEY, name text);
  CREATE TABLE app.members (tenant text NOT NULL, user_id uuid NOT NULL REFERENCES app.users, PRIMARY KEY (tenant, user_id));
  ALTER TABLE app.users OWNER TO {owner}; ALTER TABLE app.members OWNER TO {owner};
  CREATE FUNCTION app.tenants() RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ${path}
    AS $$ BEGIN RETURN ARRAY(SELECT tenant FROM members WHERE user_id = nullif(current_setting('app.user', true), '')::uuid); END $$;
  GRANT EXECUTE ON FUNCTION app.tenants() TO {app};
  ALTER POLICY own ON app.notes USING (tenant = ANY (app.tenants()))`;
const TIDY = `CREATE FUNCTION app.tidy() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ UPDATE app.teams SET name = trim(name) $$`;

test('a table in pg_temp that a function of the policy finds first lets its maker in', async ({ db }) => {
  const { db: one } = await stage(db, planted('app'));
  const found = crossed(await attack(one));
  expect(found).toContain('app.notes: planted object');
  expect(found.filter((at) => !at.endsWith('planted object'))).toEqual([]);
});

test('planted code runs as the owner, a setting outlives its transaction, a call changes everybody’s rows', async ({
  db,
}) => {
  const { db: one, app } = await stage(db, [definer(''), enter(false), TIDY].join(';'));
  const found = await attack(one);
  expect(crossed(found)).toEqual([
    'app.enter(text): next request',
    'app.named(text): planted object',
    'app.tidy(): call',
  ]);
  expect(found.crossings.find(({ attack }) => attack === 'planted object')?.said).toBe(
    `planted code ran as postgres: whatever postgres may do, ${app} may`,
  );
});

test('the same, mended, hold; a change that is meant is told with its reason', async ({ db }) => {
  const mended = [
    planted('app, pg_temp'),
    definer('SET search_path = pg_catalog, pg_temp'),
    enter(true),
    TIDY,
  ];
  const { db: one } = await stage(db, mended.join(';'));
  const accepted = ['app.tidy()', 'app.gone()'].map((subject) => ({
    code: 'isolation',
    subject,
    because: 'it trims',
  }));
  const found = await proveIsolation({ url: one.url, scratchUrl: one.url, accepted, now: NOW });
  expect(crossed(found)).toEqual([]);
  expect(found.told.find(({ subject }) => subject === 'app.tidy()')?.what).toMatch(
    /^\d rows of another owner changed in app\.teams\. It is meant: it trims\.$/,
  );
  expect(found.told.find(({ subject }) => subject === 'app.gone()')).toMatchObject({
    severity: 'info',
    what: 'it is accepted, and no function of that name is there.',
  });
});

test('without anything to go by, or without a role, nothing is shown, and that is said', async ({ db }) => {
  const one = await db.another();
  await one.query('CREATE TABLE plain (id int)');
  const evidence = isolationEvidence(await attack(one));
  expect(evidence).toMatchObject({
    verdict: 'not shown',
    line: 'not shown: nothing says whose the rows are',
  });
  await one.query('CREATE TABLE owned (tenant_id int); ALTER TABLE owned ENABLE ROW LEVEL SECURITY');
  expect(isolationEvidence(await attack(one)).line).toBe(
    'not shown: there is no role that an application works as',
  );
  const { db: closed } = await stage(
    db,
    `
    ALTER POLICY own ON app.teams USING (md5(current_setting('app.tenant', true)) = tenant);
    REVOKE ALL ON app.notes FROM {app}`,
  );
  const blind = isolationEvidence(await attack(closed));
  expect(blind.verdict).toBe('not shown');
  expect(blind.line).toMatch(/^not shown: .*, and no session reached even its own owner's rows$/);
});

test('on a server of its own the roles really log in, and may not become another', async ({ db }) => {
  const { db: one } = await stage(db, 'CREATE POLICY more ON app.notes FOR SELECT USING (open)');
  const found = await proveIsolation({ url: one.url, now: NOW });
  expect(crossed(found).filter((at) => at.startsWith('app.teams'))).toEqual([]);
  const authorization = found.cells.find(
    (cell) => cell.object === 'the database' && cell.attack === 'session authorization',
  );
  expect(authorization).toMatchObject({ outcome: 'held' });
  expect(authorization?.tried).toBeGreaterThan(0);
});

test('an attack that is stopped ends at once, and says so', async ({ db }) => {
  const { db: one } = await stage(db);
  const stop = new AbortController();
  const running = proveIsolation({
    url: one.url,
    scratchUrl: one.url,
    now: NOW,
    signal: stop.signal,
    onProgress: ({ done, proof }) => {
      if (proof === 'isolation' && done > 20) stop.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'HF_INTERRUPTED' });
});

const claimed = (open: string): string => `
  CREATE ROLE {member}; CREATE ROLE {login} LOGIN NOINHERIT IN ROLE {member};
  CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO {member};
  CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(auth.jwt() ->> 'sub', '')::uuid $$;
  CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id bigint NOT NULL, owner_id uuid NOT NULL, body text);
  CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id bigint NOT NULL, total int);
  ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON notes TO {member} USING (owner_id = (SELECT auth.uid())
    AND tenant_id = nullif(auth.jwt() -> 'app_metadata' ->> 'tenant_id', '')::bigint);
  CREATE POLICY own ON orders TO {member}
    USING (tenant_id = nullif(auth.jwt() -> 'app_metadata' ->> 'tenant_id', '')::bigint ${open});
  GRANT SELECT, INSERT, UPDATE, DELETE ON notes, orders TO {member}`;

async function stageClaimed(
  db: TestDatabase,
  open = '',
): Promise<{ db: TestDatabase; login: string; member: string }> {
  const one = await db.another();
  const [login, member] = [one.role('login'), one.role('member')];
  await one.query(claimed(open).replaceAll('{login}', `"${login}"`).replaceAll('{member}', `"${member}"`));
  return { db: one, login, member };
}

test('owners in a token’s claims, asked by a role that its login becomes: all of it is tried, and holds', async ({
  db,
}) => {
  const { db: one, member } = await stageClaimed(db);
  const found = await attack(one);
  expect(found.boundaries).toHaveLength(1);
  expect(found.boundaries[0]).toMatchObject({
    setting: 'request.jwt.claims',
    within: ['app_metadata', 'tenant_id'],
    carries: [{ setting: 'request.jwt.claims', within: ['sub'], column: 'owner_id' }],
  });
  expect(found.roles).toContain(member);
  expect(found.crossings).toEqual([]);
  expect(isolationEvidence(found).verdict).toBe('held');
  const tried = found.cells.filter(({ object, outcome }) => object === 'public.orders' && outcome === 'held');
  expect(tried.map((cell) => cell.attack)).toEqual(
    expect.arrayContaining(['read', 'insert', 'move', 'prepared']),
  );
  expect(
    found.told.filter(({ severity, subject }) => severity !== 'info' && !subject.startsWith('PostgreSQL')),
  ).toEqual([]);
});

test('a claim that nobody checks lets in whoever sends it empty, and the script says who becomes what', async ({
  db,
}) => {
  const {
    db: one,
    login,
    member,
  } = await stageClaimed(db, `OR auth.jwt() -> 'app_metadata' ->> 'tenant_id' = ''`);
  const found = await attack(one);
  expect(crossed(found)).toEqual(['public.orders: malformed setting']);
  const [shown] = found.crossings;
  expect(shown).toMatchObject({ role: member, state: expect.stringContaining('tenant_id') });
  expect(shown?.sql.split('\n').slice(0, 3)).toEqual([
    `-- logged in as ${login}`,
    `SET ROLE "${member}";`,
    'BEGIN;',
  ]);
  await withCopy({ url: one.url, scratchUrl: one.url, now: NOW }, async (copy) => {
    await populate(copy, { boundaries: found.boundaries, worlds: 2, seed: 1 });
    const session = await copy.login(login);
    const results = (await session.query(shown?.sql ?? '')) as unknown as { rows: { tenant_id: string }[] }[];
    await close(session);
    expect(new Set(results.flatMap(({ rows }) => rows ?? []).map((row) => row.tenant_id)).size).toBe(2);
  });
});

test('row security that is missing is mended with the keys that lead to the owner', async ({ db }) => {
  const { db: one } = await stageClaimed(db);
  await one.query('DROP POLICY own ON orders; ALTER TABLE orders DISABLE ROW LEVEL SECURITY');
  const { findings } = await findTraps({ url: one.url, now: NOW });
  const open = findings.find(({ code, subject }) => code === 'HT101' && subject === 'table public.orders');
  const mend = (open?.mend ?? []).join('; ');
  expect(mend).toContain(
    `"tenant_id" = (nullif(nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'tenant_id', ''))::bigint`,
  );
  await one.query(mend);
  const found = await attack(one);
  expect(found.crossings).toEqual([]);
  expect(isolationEvidence(found).verdict).toBe('held');
});
