// What a plan says of rights, statement by statement, and that each object ends with the rights of the goal and goes back
// to those it had, whatever default privileges were in force while it was made.
import { expect } from 'vitest';
import { catalogueDump } from '../../../src/build/catalogue-dump.ts';
import { forward, runAlone, waysBack } from '../../../src/build/catalogue-session.ts';
import { planAlteration, planLowered } from '../../../src/build/plan.ts';
import type { Plan } from '../../../src/build/step.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';
import { OPTIONS, wanted } from '../wanted.ts';

/** Plans statements as an alteration, runs the plan there and back; the steps about rights. */
async function altered(db: TestDatabase, sql: string): Promise<readonly string[]> {
  const plan = await planAlteration(
    { alter: async (goal) => void (await goal.query(sql)), settle: async () => [] },
    db.url,
    OPTIONS,
  );
  const before = await catalogueDump(db.pool);
  await runAlone(db.pool, forward(plan.steps));
  const again = await planAlteration(
    { alter: async (goal) => void (await goal.query('SELECT 1')), settle: async () => [] },
    db.url,
    OPTIONS,
  );
  expect(again.steps).toEqual([]);
  await runAlone(db.pool, waysBack(plan.steps));
  expect(await catalogueDump(db.pool)).toEqual(before);
  return rights(plan);
}

function rights({ steps }: Plan): readonly string[] {
  return steps.map(({ sql }) => sql).filter((sql) => /\b(GRANT|REVOKE)\b/.test(sql));
}

async function twoRoles(db: TestDatabase): Promise<readonly [string, string]> {
  const [app, other] = [db.role('app'), db.role('other')];
  await db.query(`CREATE ROLE "${app}"; CREATE ROLE "${other}"`);
  return [app, other];
}

test('a role loses and gains what differs, in one statement, and nothing in between', async ({
  db: file,
}) => {
  const db = await file.another();
  const [app] = await twoRoles(db);
  await db.query(`CREATE TABLE t (a int, b int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO "${app}";
    GRANT SELECT, INSERT ON t TO "${app}"; GRANT UPDATE (a), SELECT (b) ON t TO "${app}"; GRANT DELETE ON t TO PUBLIC`);
  expect(
    await altered(
      db,
      `REVOKE SELECT ON t FROM "${app}"; GRANT SELECT (b) ON t TO "${app}"; GRANT UPDATE ON t TO "${app}" WITH GRANT OPTION;
       REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO "${app}"`,
    ),
  ).toEqual([
    `GRANT EXECUTE ON FUNCTION "public"."f"() TO "${app}"`,
    'REVOKE ALL ON FUNCTION "public"."f"() FROM PUBLIC',
    `REVOKE SELECT ON TABLE "public"."t" FROM "${app}"; GRANT UPDATE ON TABLE "public"."t" TO "${app}" WITH GRANT OPTION; GRANT SELECT ("b") ON TABLE "public"."t" TO "${app}"`,
  ]);
});

test('a new object is rid of what default privileges give it, those that go and those that come', async ({
  db: file,
}) => {
  const db = await file.another();
  const [app, other] = await twoRoles(db);
  await db.query(`ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO "${app}", PUBLIC`);
  await db.query(`ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`);
  expect(
    await altered(
      db,
      `CREATE TABLE t (a int); REVOKE ALL ON t FROM PUBLIC, "${app}"; GRANT SELECT ON t TO "${app}";
       CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f() TO PUBLIC;
       ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "${other}"`,
    ),
  ).toEqual([
    expect.stringMatching(/^ALTER DEFAULT PRIVILEGES FOR ROLE "\w+" REVOKE .* ON TABLES FROM PUBLIC$/),
    'REVOKE ALL ON TABLE "public"."t" FROM PUBLIC',
    `REVOKE ALL ON TABLE "public"."t" FROM "${app}"; GRANT SELECT ON TABLE "public"."t" TO "${app}"`,
    `REVOKE ALL ON TABLE "public"."t" FROM "${other}"`,
    'REVOKE ALL ON FUNCTION "public"."f"() FROM PUBLIC; GRANT EXECUTE ON FUNCTION "public"."f"() TO PUBLIC',
    expect.stringMatching(/^ALTER DEFAULT PRIVILEGES FOR ROLE "\w+" GRANT SELECT ON TABLES TO /),
  ]);
});

test('a definition gets what it says where somebody else left default privileges', async ({ db: file }) => {
  const db = await file.another();
  const [app, other] = await twoRoles(db);
  await db.query(`CREATE SCHEMA shop; ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT ALL ON TABLES TO "${app}";
    ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT ALL ON SEQUENCES TO "${app}"`);
  const definition = wanted([
    'CREATE SCHEMA shop',
    'CREATE TABLE shop.t (id int GENERATED ALWAYS AS IDENTITY, a int)',
    `GRANT INSERT ON shop.t TO "${other}"`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO "${other}"`,
  ]);
  const plan = await planLowered(definition, db.url, OPTIONS);
  const before = await catalogueDump(db.pool);
  await runAlone(db.pool, forward(plan.steps));
  expect(await aclsOf(db)).toEqual({ t: [`${other}=a`], t_id_seq: [] });
  expect((await planLowered(definition, db.url, OPTIONS)).steps).toEqual([]);
  await runAlone(db.pool, waysBack(plan.steps));
  expect(await catalogueDump(db.pool)).toEqual(before);
});

test('rights that go with an owner are put right in the same step', async ({ db: file }) => {
  const db = await file.another();
  const [app, other] = await twoRoles(db);
  await db.query(
    `CREATE TABLE t (id serial); ALTER TABLE t OWNER TO "${app}"; GRANT SELECT ON t TO "${other}"`,
  );
  expect(await altered(db, `ALTER TABLE t OWNER TO "${other}"; GRANT INSERT ON t TO "${app}"`)).toEqual([
    `ALTER TABLE "public"."t" OWNER TO "${other}"; GRANT INSERT ON TABLE "public"."t" TO "${app}"`,
  ]);
});

test('grants on columns of views and on sequences of identity columns are planned', async ({ db: file }) => {
  const db = await file.another();
  const [app] = await twoRoles(db);
  await db.query(
    'CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY); CREATE VIEW v AS SELECT 1 AS x, 2 AS y',
  );
  expect(
    await altered(db, `GRANT SELECT (x) ON v TO "${app}"; GRANT USAGE ON SEQUENCE t_id_seq TO "${app}"`),
  ).toEqual([
    `GRANT USAGE ON SEQUENCE "public"."t_id_seq" TO "${app}"`,
    `GRANT SELECT ("x") ON TABLE "public"."v" TO "${app}"`,
  ]);
});

test('a right that another than the owner gave is refused by name', async ({ db: file }) => {
  const db = await file.another();
  const [app, lender] = await twoRoles(db);
  await db.query(`CREATE TABLE t (a int); GRANT SELECT ON t TO "${lender}" WITH GRANT OPTION;
    SET ROLE "${lender}"; GRANT SELECT ON t TO "${app}"; RESET ROLE`);
  await expect(altered(db, `REVOKE SELECT ON t FROM "${app}"`)).rejects.toMatchObject({
    code: 'HF_NOT_MANAGED',
    subject: 'table public.t',
    what: `SELECT is to be taken from ${app}, and ${app} holds it from ${lender}, who is not the owner: only ${lender} can take it back.`,
    fix: `As ${lender}, REVOKE SELECT from ${app}; then plan again.`,
  });
  await expect(altered(db, `REVOKE SELECT ON t FROM "${lender}"`)).rejects.toMatchObject({
    code: 'HF_NOT_MANAGED',
  });
});

const ACLS_SQL = `
  SELECT c.relname AS name, COALESCE(array_agg(e.grantee::regrole || '=' || e.privilege ORDER BY 1)
           FILTER (WHERE e.grantee <> c.relowner), '{}') AS entries
  FROM pg_class c LEFT JOIN LATERAL (
    SELECT grantee, string_agg(left(lower(replace(privilege_type, 'INSERT', 'append')), 1), '') AS privilege
    FROM aclexplode(c.relacl) GROUP BY grantee) e ON true
  WHERE c.relnamespace = 'shop'::regnamespace GROUP BY 1`;

async function aclsOf(db: TestDatabase): Promise<Record<string, string[]>> {
  const rows = await db.query<{ name: string; entries: string[] }>(ACLS_SQL);
  return Object.fromEntries(rows.map(({ name, entries }) => [name, entries]));
}
