// Guesses of whose rows are whose and which roles an application works as, from catalogues alone.
import { expect } from 'vitest';
import { defineValidahub } from '../../systems/validahub/define.ts';
import { collectProofs } from '../../src/define/index.ts';
import type { CatalogueQuery } from '../../src/define/trait.ts';
import { applicationRoles, guessBoundaries, settingsRead } from '../../src/prove/boundary/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { openShop } from '../traps/shop.ts';
import { stand } from '../traits/stand.ts';

const queryOf =
  (db: TestDatabase): CatalogueQuery =>
  async (sql, values) =>
    db.query(sql, values && [...values]);

const names = (tables: readonly { of: { name: string } }[] = []): string[] =>
  tables.map(({ of }) => of.name).sort();

test('a policy on a column gives the setting, the column and the owners', async ({ db }) => {
  const one = await db.another();
  const app = db.role('app');
  await one.query(`
    CREATE ROLE "${app}" LOGIN;
    CREATE TABLE tenants (id uuid PRIMARY KEY, name text);
    CREATE TABLE orders (id uuid PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants, total int);
    CREATE TABLE lines (id int PRIMARY KEY, order_id uuid REFERENCES orders);
    CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants);
    CREATE TABLE currencies (code text PRIMARY KEY);
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO "${app}"`);
  const { boundaries, said } = await guessBoundaries(queryOf(one));
  expect(boundaries).toEqual([
    {
      name: 'tenant',
      setting: 'app.tenant',
      tables: [
        { of: { schema: 'public', name: 'notes' }, column: 'tenant_id' },
        { of: { schema: 'public', name: 'orders' }, column: 'tenant_id' },
        { of: { schema: 'public', name: 'tenants' }, column: 'id' },
      ],
      shared: [
        {
          of: { schema: 'public', name: 'currencies' },
          because: 'it has no owner column, and no foreign key leads from it to a row that has an owner',
        },
      ],
      roles: [app],
      spanning: [],
    },
  ]);
  expect(said).toEqual([
    'Setting app.tenant: policy own on public.orders compares it with public.orders.tenant_id.',
    'Owners are the rows of public.tenants: 2 foreign keys lead to its id.',
    "3 tables have an owner column (tenant_id, id), 1 belong to owners by their foreign keys, 1 are taken for everybody's.",
    `Role ${app} is taken for an application's: rights on 5 objects are granted.`,
  ]);
});

test('functions in between, members and a second setting are followed', async ({ db }) => {
  const one = await db.another();
  const app = db.role('app');
  await one.query(`
    CREATE ROLE "${app}" LOGIN;
    CREATE SCHEMA s;
    CREATE FUNCTION s.me() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT current_setting('app.current_user_id', true)::uuid $$;
    CREATE TABLE s.users (id uuid PRIMARY KEY, email text UNIQUE);
    CREATE TABLE s.organizations (id uuid PRIMARY KEY, name text);
    CREATE TABLE s.members (organization_id uuid REFERENCES s.organizations, user_id uuid REFERENCES s.users, invited_by uuid REFERENCES s.users);
    CREATE TABLE s.projects (id uuid PRIMARY KEY, organization_id uuid REFERENCES s.organizations);
    CREATE TABLE s.tasks (id uuid PRIMARY KEY, project_id uuid REFERENCES s.projects);
    CREATE TABLE s.settings (key text PRIMARY KEY);
    ALTER TABLE s.projects ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON s.projects TO "${app}" USING (EXISTS (SELECT FROM s.members m WHERE m.organization_id = projects.organization_id AND m.user_id = s.me()))`);
  const { boundaries } = await guessBoundaries(queryOf(one));
  expect(boundaries).toHaveLength(1);
  expect(boundaries[0]).toMatchObject({
    name: 'user',
    setting: 'app.current_user_id',
    tables: [
      { of: { schema: 's', name: 'members' }, column: 'user_id' },
      { of: { schema: 's', name: 'users' }, column: 'id' },
    ],
    roles: [app],
  });
  expect(boundaries[0]?.shared.map(({ of }) => of.name)).toEqual(['settings']);
  expect(await settingsRead(queryOf(one))).toEqual([
    { setting: 'app.current_user_id', by: ['function s.me'] },
  ]);
});

test('without a policy the commonest owner column is taken; without one nothing is guessed', async ({
  db,
}) => {
  const one = await db.another();
  await one.query('CREATE TABLE a (account_id int); CREATE TABLE b (account_id int, user_id int)');
  const guessed = await guessBoundaries(queryOf(one), { roles: ['web'] });
  expect(guessed.boundaries[0]).toMatchObject({ name: 'account', setting: 'app.account_id', roles: ['web'] });
  expect(guessed.said[0]).toBe(
    'No policy compares a column with a session setting; account_id is taken to say whose a row is, and sessions set app.account_id.',
  );
  await one.query('DROP TABLE a, b; CREATE TABLE c (id int)');
  expect(await guessBoundaries(queryOf(one), { roles: [] })).toEqual({
    boundaries: [],
    said: [
      'No policy compares a column with a session setting and no table has a column named like tenant_id, organization_id, organisation_id: whose the rows are is not known.',
    ],
  });
});

test('application roles: members that log in, not owners, superusers or those that operate', async ({
  db,
}) => {
  const one = await db.another();
  const [group, member, owner, backup, alone] = ['group', 'member', 'own', 'backup', 'alone'].map((name) =>
    db.role(name),
  );
  await one.query(`
    CREATE ROLE "${group}"; CREATE ROLE "${member}" LOGIN IN ROLE "${group}"; CREATE ROLE "${owner}" LOGIN;
    CREATE ROLE "${backup}" LOGIN BYPASSRLS; CREATE ROLE "${alone}";
    CREATE TABLE t (id int); ALTER TABLE t OWNER TO "${owner}";
    GRANT SELECT ON t TO "${group}", "${backup}", "${alone}"`);
  const roles = await applicationRoles(queryOf(one));
  expect(roles.map(({ name, why }) => ({ name, why }))).toEqual([
    {
      name: member,
      why: `it logs in and is a member of ${group}, to which rights on 1 objects are granted`,
    },
  ]);
  await one.query(`ALTER ROLE "${member}" NOLOGIN`);
  expect((await applicationRoles(queryOf(one))).map(({ name, why }) => ({ name, why }))).toEqual([
    { name: alone, why: 'rights on 1 objects are granted; nobody logs in as it yet' },
    { name: group, why: 'rights on 1 objects are granted; nobody logs in as it yet' },
    { name: owner, why: 'it owns 1 relations, it logs in, and no other role does' },
  ]);
});

test('the guess from the catalogue of a definition is what its trait says', async ({ db }) => {
  const { definition, roles } = await openShop(db);
  const asked = collectProofs(definition.model, definition.traits).boundaries[0];
  const { boundaries } = await guessBoundaries(queryOf(db));
  expect(names(boundaries[0]?.tables)).toEqual(names(asked?.tables));
  expect(boundaries[0]?.setting).toBe('app.tenant');
  expect(boundaries[0]?.roles).toEqual([roles.app]);
  expect(asked?.roles).toEqual([roles.app]);
  const carries = [{ setting: 'app.user_id', of: { schema: 'shop', name: 'members' }, column: 'user_id' }];
  expect(asked?.carries).toEqual(carries);
  expect(boundaries[0]?.carries).toEqual(carries);
});

test('ValidaHub is guessed as it was meant', async ({ db }) => {
  const one = await db.another();
  const roles = {
    app: db.role('app'),
    analytics: db.role('analytics'),
    admin: db.role('admin'),
    system: db.role('system'),
    owner: db.role('owner'),
  };
  const definition = defineValidahub(roles);
  await stand(one, definition);
  const asked = collectProofs(definition.model, definition.traits).boundaries[0];
  const { boundaries } = await guessBoundaries(queryOf(one));
  expect(boundaries).toHaveLength(1);
  expect(boundaries[0]?.setting).toBe('app.current_tenant_id');
  expect(new Set(boundaries[0]?.tables.map((one) => `${one.of.name}.${one.column}`))).toEqual(
    new Set(asked?.tables.map((one) => `${one.of.name}.${one.column}`)),
  );
  expect(new Set(boundaries[0]?.roles)).toEqual(new Set([roles.app, roles.analytics]));
});

test('a setting that holds JSON: the keys that lead to the value, in policies, functions and variables', async ({
  db,
}) => {
  const one = await db.another();
  await one.query(`
    CREATE SCHEMA auth;
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE
      AS $$ SELECT coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT (auth.jwt() ->> 'sub')::uuid $$;
    CREATE FUNCTION auth.may(asked uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
      DECLARE tenant uuid := (current_setting('request.jwt.claims', true)::json #>> '{app_metadata,tenant_id}')::uuid;
      BEGIN RETURN EXISTS (SELECT FROM public.tenants t WHERE t.id = tenant AND t.id = asked); END $$;
    CREATE TABLE tenants (id uuid PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, tenant_id uuid NOT NULL);
    CREATE TABLE lines (id int PRIMARY KEY, tenant_id uuid NOT NULL);
    CREATE TABLE notes (id int PRIMARY KEY, owner_id uuid NOT NULL);
    CREATE TABLE prices (id int PRIMARY KEY, region text NOT NULL);
    CREATE POLICY own ON orders USING (tenant_id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid);
    CREATE POLICY own ON lines USING (((SELECT current_setting('request.jwt.claims', true))::json -> 'app_metadata' ->> 'tenant_id')::uuid = tenant_id);
    CREATE POLICY own ON tenants USING (auth.may(id));
    CREATE POLICY own ON notes USING (owner_id = (SELECT auth.uid()));
    CREATE POLICY own ON prices USING (region = current_setting('app.region', true))`);
  const { boundaries, said } = await guessBoundaries(queryOf(one), { roles: [] });
  const shown = boundaries.map(({ setting, within, tables }) => ({
    setting,
    within,
    tables: tables.map(({ of, column }) => `${of.name}.${column}`),
  }));
  expect(shown).toEqual([
    {
      setting: 'request.jwt.claims',
      within: ['app_metadata', 'tenant_id'],
      tables: ['lines.tenant_id', 'orders.tenant_id', 'tenants.id'],
    },
  ]);
  expect(said[0]).toMatch(
    /^Setting request\.jwt\.claims, in it app_metadata\.tenant_id: .*, and 2 more do alike\.$/,
  );
});

test('a group that a login becomes by SET ROLE is an application role; one that bypasses or owns is none', async ({
  db,
}) => {
  const one = await db.another();
  const [anon, member, service, owner, login] = ['anon', 'member', 'service', 'holder', 'login'].map((name) =>
    db.role(name),
  );
  await one.query(`
    CREATE ROLE "${anon}"; CREATE ROLE "${member}"; CREATE ROLE "${service}" BYPASSRLS; CREATE ROLE "${owner}";
    CREATE ROLE "${login}" LOGIN NOINHERIT IN ROLE "${member}", "${anon}", "${service}", "${owner}";
    CREATE TABLE t (id int); CREATE TABLE u (id int); ALTER TABLE u OWNER TO "${owner}";
    GRANT SELECT ON t TO "${anon}", "${member}", "${service}", "${owner}"`);
  const groups = (await applicationRoles(queryOf(one))).filter(({ name }) => name !== login);
  expect(groups.map(({ name, through, why }) => ({ name, through, why }))).toEqual(
    [anon, member].map((name) => ({
      name,
      through: login,
      why: `rights on 1 objects are granted; ${login} logs in and becomes it by SET ROLE`,
    })),
  );
  await one.query(`DROP ROLE "${login}"; CREATE ROLE "${login}" LOGIN IN ROLE "${member}"`);
  expect((await applicationRoles(queryOf(one))).map(({ name }) => name)).toEqual([login]);
});

test('a login with a group past row security beside the one it works as is taken by that one', async ({
  db,
}) => {
  const one = await db.another();
  const login = db.role('login');
  // By name and by age the group past row security comes first.
  const [bypass, app] = [db.role('a_service'), db.role('b_app')];
  await one.query(`
    CREATE ROLE "${bypass}" BYPASSRLS; CREATE ROLE "${app}"; CREATE ROLE "${login}" LOGIN;
    GRANT "${bypass}" TO "${login}"; GRANT "${app}" TO "${login}";
    CREATE TABLE t (id int); GRANT SELECT ON t TO "${bypass}", "${app}"`);
  expect((await applicationRoles(queryOf(one))).map(({ name }) => name)).toEqual([login]);
});
