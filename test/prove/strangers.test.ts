// Habits of databases that Holdfast did not build, each in a small schema that is right: none may be called a hole, and a
// hole planted beside it is found.
import { expect } from 'vitest';
import { isolationEvidence, proveIsolation, type Isolation } from '../../src/prove/isolation/index.ts';
import { findTraps, type Finding } from '../../src/prove/traps/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { NOW } from '../traps/shop.ts';

const attack = (db: TestDatabase): Promise<Isolation> =>
  proveIsolation({ url: db.url, scratchUrl: db.url, now: NOW });

const crossed = ({ cells }: Isolation): string[] =>
  cells.filter(({ outcome }) => outcome === 'crossed').map(({ object, attack }) => `${object}: ${attack}`);

const outcome = ({ cells }: Isolation, object: string, attack: string): string | undefined =>
  cells.find((cell) => cell.object === object && cell.attack === attack)?.outcome;

async function trapsOf(db: TestDatabase, code: `HT${number}`): Promise<readonly Finding[]> {
  const { findings, unseen } = await findTraps({ url: db.url, now: NOW, only: [code] });
  expect(unseen).toEqual([]);
  return findings;
}

interface Api {
  readonly db: TestDatabase;
  readonly gateway: string;
  readonly service: string;
}

/** Users with a token, teams they are members of, and the login that becomes the role a token names. */
async function api(db: TestDatabase, beside = ''): Promise<Api> {
  const one = await db.another();
  const [gateway, user, service, owner] = [
    one.role('gateway'),
    one.role('signed_in'),
    one.role('service'),
    one.role('owner'),
  ];
  await one.query(`
    CREATE ROLE "${owner}"; CREATE ROLE "${user}"; CREATE ROLE "${service}" BYPASSRLS; CREATE ROLE "${gateway}" LOGIN NOINHERIT;
    GRANT "${user}", "${service}" TO "${gateway}";
    CREATE SCHEMA api AUTHORIZATION "${owner}"; SET ROLE "${owner}";
    CREATE FUNCTION api.uid() RETURNS uuid STABLE LANGUAGE sql AS
      $$ SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
    CREATE FUNCTION api.token() RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT md5(gen_random_uuid()::text) $$;
    CREATE TABLE api.people (id uuid PRIMARY KEY, name text);
    CREATE TABLE api.teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner_id uuid NOT NULL REFERENCES api.people, name text NOT NULL);
    CREATE TABLE api.members (person_id uuid NOT NULL REFERENCES api.people, team_id uuid NOT NULL REFERENCES api.teams,
      PRIMARY KEY (person_id, team_id));
    CREATE TABLE api.invitations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team_id uuid NOT NULL REFERENCES api.teams,
      token text NOT NULL UNIQUE DEFAULT api.token(), invited_by uuid NOT NULL REFERENCES api.people);
    CREATE TABLE api.private_keys (id int PRIMARY KEY, key bytea);
    CREATE FUNCTION api.mine() RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog LANGUAGE sql AS
      $$ SELECT m.team_id FROM api.members m WHERE m.person_id = api.uid() $$;
    CREATE FUNCTION api.signed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.invited_by := api.uid(); RETURN NEW; END $$;
    CREATE TRIGGER signed BEFORE INSERT OR UPDATE ON api.invitations FOR EACH ROW EXECUTE FUNCTION api.signed();
    CREATE FUNCTION api.invited_to(shown text) RETURNS text STABLE SECURITY DEFINER SET search_path = pg_catalog LANGUAGE sql AS
      $$ SELECT t.name FROM api.invitations i JOIN api.teams t ON t.id = i.team_id WHERE i.token = shown $$;
    CREATE TABLE api.profiles (id uuid PRIMARY KEY REFERENCES api.people, handle text NOT NULL UNIQUE);
    CREATE VIEW api.handles WITH (security_invoker = true) AS SELECT p.id, p.handle FROM api.profiles p;
    ALTER TABLE api.profiles ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everybody ON api.profiles FOR SELECT USING (true);
    CREATE POLICY own ON api.profiles FOR UPDATE TO "${user}" USING (id = api.uid());
    CREATE POLICY new ON api.profiles FOR INSERT TO "${user}" WITH CHECK (id = api.uid());
    ALTER TABLE api.people ENABLE ROW LEVEL SECURITY; ALTER TABLE api.teams ENABLE ROW LEVEL SECURITY;
    ALTER TABLE api.members ENABLE ROW LEVEL SECURITY; ALTER TABLE api.invitations ENABLE ROW LEVEL SECURITY;
    ALTER TABLE api.private_keys ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON api.people TO "${user}" USING (id = api.uid());
    CREATE POLICY own ON api.teams TO "${user}" USING (owner_id = api.uid());
    CREATE POLICY own ON api.members FOR SELECT TO "${user}" USING (person_id = api.uid());
    CREATE POLICY own ON api.invitations TO "${user}" USING (team_id IN (SELECT api.mine()));
    GRANT USAGE ON SCHEMA api TO "${user}", "${service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA api TO "${user}", "${service}";
    REVOKE ALL ON FUNCTION api.mine() FROM PUBLIC; GRANT EXECUTE ON FUNCTION api.mine() TO "${user}";
    ${beside.replaceAll('{owner}', `"${owner}"`).replaceAll('{user}', `"${user}"`)} RESET ROLE`);
  return { db: one, gateway, service };
}

test('tokens, members, a gateway and a trigger that signs are no holes', async ({ db }) => {
  const { db: one, gateway, service } = await api(db);
  const found = await attack(one);
  expect(crossed(found)).toEqual([]);
  expect(found.saw).toBe(true);
  // The trigger writes the session's own person over the other one that was sent.
  expect(outcome(found, 'api.invitations', 'foreign key')).toBe('held');
  // Nobody chose the token's text: that it is taken says nothing.
  expect(outcome(found, 'api.invitations', 'existence')).toBe('told');
  expect(outcome(found, 'api.teams', 'SET ROLE')).toBe('told');
  expect(found.told).toContainEqual({
    subject: `role ${gateway}`,
    severity: 'warning',
    what: `it becomes the role each request asks for, and one of these is ${service}, to which no policy applies: what decides between them stands outside the database.`,
    fix: `Guard the key that signs the tokens as you guard the data; or let what needs ${service} log in by itself, and REVOKE ${service} FROM ${gateway}.`,
  });
  // Public by a policy that somebody wrote for reading; a change of such a row is no reading.
  expect(outcome(found, 'api.profiles', 'read')).toBe('told');
  expect(outcome(found, 'api.profiles', 'existence')).toBe('told');
  expect(outcome(found, 'api.handles', 'read')).toBe('told');
  expect(outcome(found, 'api.profiles', 'update')).toBe('held');
  expect(found.told).toContainEqual({
    subject: 'api.profiles',
    severity: 'warning',
    what: 'policy everybody is FOR SELECT USING (true), and no other policy is asked for reading: whoever may SELECT reads the rows of every owner.',
    fix: 'Nothing, where these rows are meant to be public; else compare the owner column in that policy.',
  });
  // A revoke would shut out whatever works as that role: no plan may hold it.
  const [trap, ...others] = await trapsOf(one, 'HT309');
  expect(others).toEqual([]);
  expect(trap).toMatchObject({ subject: `role ${gateway}`, severity: 'warning', mend: [] });
  expect(trap?.advice).toContain(`REVOKE ${service} FROM ${gateway}`);
});

test('the same without what made each of them right is broken', async ({ db }) => {
  const { db: one, gateway, service } = await api(db);
  await one.query(`
    ALTER TABLE api.invitations DISABLE TRIGGER signed; ALTER TABLE api.invitations ALTER token DROP DEFAULT;
    GRANT USAGE ON SCHEMA api TO "${gateway}"; GRANT SELECT ON api.teams TO "${gateway}";
    CREATE POLICY debug ON api.teams FOR SELECT USING (true); ALTER POLICY own ON api.profiles USING (true)`);
  const found = crossed(await attack(one));
  expect(found).toContain('api.invitations: foreign key');
  expect(found).toContain('api.invitations: existence');
  expect(found).toContain('api.teams: SET ROLE');
  expect(found).toContain('api.teams: read');
  expect(found).toContain('api.profiles: update');
  expect(found).not.toContain('api.profiles: read');
  expect(await trapsOf(one, 'HT309')).toMatchObject([
    { severity: 'error', mend: [`REVOKE "${service}" FROM "${gateway}"`] },
  ]);
});

test('a list of members points at rows of others; another table that does is a trap', async ({ db }) => {
  const { db: one } = await api(
    db,
    `CREATE TABLE api.notes (person_id uuid NOT NULL REFERENCES api.people, team_id uuid NOT NULL REFERENCES api.teams);
     ALTER TABLE api.notes ENABLE ROW LEVEL SECURITY; GRANT SELECT, INSERT ON api.notes TO {user};
     CREATE POLICY own ON api.notes TO {user} USING (person_id = api.uid());`,
  );
  const found = await trapsOf(one, 'HT107');
  expect(found.filter(({ severity }) => severity === 'error').map(({ subject }) => subject)).toEqual([
    'foreign key notes_team_id_fkey on api.notes',
  ]);
});

test('row security without a policy is told as a lock where others work past it', async ({ db }) => {
  const { db: one, service } = await api(db);
  expect(await trapsOf(one, 'HT102')).toMatchObject([
    { subject: 'table api.private_keys', severity: 'info' },
  ]);
  await one.query(`REVOKE ALL ON api.private_keys FROM "${service}"`);
  expect(await trapsOf(one, 'HT102')).toMatchObject([{ severity: 'error' }]);
});

test('a queue that keeps its tables under row security for itself is only told so', async ({ db }) => {
  const one = await db.another();
  await one.query(`CREATE SCHEMA jobs; CREATE TABLE jobs.waiting (id int PRIMARY KEY, payload json);
    ALTER TABLE jobs.waiting ENABLE ROW LEVEL SECURITY`);
  expect(await trapsOf(one, 'HT102')).toMatchObject([{ subject: 'table jobs.waiting', severity: 'info' }]);
  await one.query(
    `CREATE TABLE orders (tenant_id uuid, id int); ALTER TABLE orders ENABLE ROW LEVEL SECURITY`,
  );
  expect(await trapsOf(one, 'HT102')).toMatchObject([
    { subject: 'table public.orders', severity: 'warning' },
    { subject: 'table jobs.waiting', severity: 'info' },
  ]);
});

const attaching = (bounds: string): string => `
  CREATE OR REPLACE FUNCTION make(name text) RETURNS void LANGUAGE plpgsql AS
    $f$ BEGIN EXECUTE format('ALTER TABLE queue ATTACH PARTITION %I FOR VALUES ${bounds}', name, name); END $f$`;

test('a function that makes partitions of a list follows no clock', async ({ db }) => {
  const one = await db.another();
  await one.query(attaching('IN (%L)'));
  expect(await trapsOf(one, 'HT507')).toEqual([]);
  await one.query(attaching('FROM (%L) TO (DEFAULT)'));
  expect(await trapsOf(one, 'HT507')).toMatchObject([{ subject: 'function public.make(name text)' }]);
});

const PLAIN = `CREATE TABLE shops (id bigint PRIMARY KEY, name text);
  CREATE TABLE orders (id bigint PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, total int)`;

test('where the application alone keeps owners apart there is no line to attack', async ({ db }) => {
  const one = await db.another();
  const app = one.role('app');
  await one.query(`CREATE ROLE "${app}" LOGIN; ${PLAIN}; GRANT ALL ON shops, orders TO "${app}"`);
  const found = await attack(one);
  expect(found.tried).toBe(0);
  const evidence = isolationEvidence(found);
  expect([evidence.verdict, evidence.line]).toEqual([
    'not shown',
    'not shown: nothing in the database keeps owners apart: no table is under row security',
  ]);
  expect(evidence.sections.map(({ kind }) => kind)).not.toContain('matrix');
  // Asked for by name, or once one table is under row security, it is attacked.
  const asked = { url: one.url, scratchUrl: one.url, now: NOW, hints: { column: 'shop_id' } };
  expect(crossed(await proveIsolation(asked))).toContain('public.orders: read');
  await one.query(`ALTER TABLE shops ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON shops USING (id = nullif(current_setting('app.shop_id', true), '')::bigint)`);
  expect(crossed(await attack(one))).toContain('public.orders: read');
});

test('owners told apart by the role that logs in are not said to be held', async ({ db }) => {
  const one = await db.another();
  const app = one.role('app');
  await one.query(`CREATE ROLE "${app}" LOGIN; ${PLAIN}; ALTER TABLE shops ADD login name; GRANT ALL ON shops, orders TO "${app}";
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (shop_id = (SELECT s.id FROM shops s WHERE s.login = current_user))`);
  const { verdict, line } = isolationEvidence(await attack(one));
  expect([verdict, line]).toEqual([
    'not shown',
    'not shown: policies ask who logged in, and each owner has a role of its own: that is not attacked',
  ]);
});

const WHOSE: Readonly<Record<string, string>> = {
  accounts: 'id = me()',
  secrets: 'holder IN (SELECT a.id FROM accounts a)',
};

test('a row that a trigger made is its owner’s; a function is asked for what its body compares', async ({
  db,
}) => {
  const one = await db.another();
  const app = one.role('app');
  await one.query(`CREATE ROLE "${app}" LOGIN;
    CREATE FUNCTION me() RETURNS uuid STABLE LANGUAGE sql AS $$ SELECT nullif(current_setting('app.me', true), '')::uuid $$;
    CREATE TABLE accounts (id uuid PRIMARY KEY, email text NOT NULL);
    CREATE TABLE secrets (holder uuid PRIMARY KEY REFERENCES accounts, hash text NOT NULL DEFAULT 'unset');
    CREATE TABLE sessions (id uuid PRIMARY KEY, account_id uuid NOT NULL REFERENCES accounts);
    CREATE TABLE devices (id uuid PRIMARY KEY, account_id uuid NOT NULL REFERENCES accounts, label text);
    CREATE TABLE visits (id uuid PRIMARY KEY, account_id uuid NOT NULL REFERENCES accounts, page text);
    CREATE TABLE addresses (id uuid PRIMARY KEY, account_id uuid NOT NULL REFERENCES accounts, street text);
    CREATE FUNCTION make_secret() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO secrets (holder) VALUES (NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER make_secret AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION make_secret();
    ${['accounts', 'secrets', 'sessions', 'devices', 'visits', 'addresses']
      .map(
        (table) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY; GRANT SELECT ON ${table} TO "${app}";
          CREATE POLICY own ON ${table} USING (${WHOSE[table] ?? 'account_id = me()'});`,
      )
      .join(' ')}`);
  expect(crossed(await attack(one))).toEqual([]);
  await one.query(`CREATE POLICY open ON secrets FOR SELECT USING (hash <> '');
    CREATE FUNCTION mail_of(who uuid) RETURNS text STABLE SECURITY DEFINER SET search_path = public LANGUAGE sql
      AS $$ SELECT a.email FROM accounts a WHERE a.id = who $$`);
  const found = crossed(await attack(one));
  expect(found).toContain('public.secrets: read');
  expect(found).toContain('public.mail_of(uuid): call');
});

test('a partition that is divided further refuses by its bounds before any policy is asked', async ({
  db,
}) => {
  const one = await db.another();
  const app = one.role('app');
  const tables = ['events', 'events_2026', 'events_2026_0', 'events_rest'];
  await one.query(`CREATE ROLE "${app}" LOGIN;
    CREATE TABLE events (tenant_id uuid NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, at)) PARTITION BY RANGE (at);
    CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (tenant_id);
    CREATE TABLE events_2026_0 PARTITION OF events_2026 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE TABLE events_rest PARTITION OF events DEFAULT;
    ${tables
      .map(
        (
          table,
        ) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY; ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
          CREATE POLICY own ON ${table} USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
          GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO "${app}";`,
      )
      .join(' ')}`);
  const found = await attack(one);
  expect(crossed(found)).toEqual([]);
  expect(found.empty).toEqual([]);
  await one.query('ALTER TABLE events_2026_0 DISABLE ROW LEVEL SECURITY');
  expect(crossed(await attack(one))).toContain('public.events_2026_0: insert');
});
