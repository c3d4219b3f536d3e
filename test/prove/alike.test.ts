// Roles that nothing tells apart are attacked as one; whatever tells them apart, each by itself.
import { expect } from 'vitest';
import { standingAlike } from '../../src/prove/isolation/alike.ts';
import { isolationEvidence, proveIsolation } from '../../src/prove/isolation/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { NOW } from '../traps/shop.ts';

interface Roles {
  readonly group: string;
  readonly logins: readonly string[];
}

/** A table of tenants' notes that a group may use, and logins that are its members. */
async function notes(db: TestDatabase, count: number): Promise<Roles> {
  const group = db.role('group');
  const logins = Array.from({ length: count }, (_, at) => db.role(`login${at}`));
  await db.query(`
    CREATE ROLE "${group}"; ${logins.map((login) => `CREATE ROLE "${login}" LOGIN IN ROLE "${group}"`).join('; ')};
    CREATE TABLE notes (tenant text NOT NULL, id int NOT NULL, PRIMARY KEY (tenant, id));
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON notes USING (tenant = current_setting('app.tenant', true));
    GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO "${group}"`);
  return { group, logins };
}

test.for([
  ['nothing', () => 'SELECT 1', ['a b c']],
  ['a right', (b: string) => `GRANT TRUNCATE ON notes TO "${b}"`, ['a c', 'b']],
  ['a right on a column', (b: string) => `GRANT SELECT (id) ON notes TO "${b}"`, ['a c', 'b']],
  ['BYPASSRLS', (b: string) => `ALTER ROLE "${b}" BYPASSRLS`, ['a c', 'b']],
  ['a setting', (b: string) => `ALTER ROLE "${b}" SET app.tenant = 'x'`, ['a c', 'b']],
  ['a policy', (b: string) => `CREATE POLICY more ON notes TO "${b}" USING (id = 1)`, ['a c', 'b']],
  [
    'a table of its own',
    (b: string) => `CREATE TABLE mine (id int); ALTER TABLE mine OWNER TO "${b}"`,
    ['a c', 'b'],
  ],
  [
    'how it is a member',
    (b: string, group: string) =>
      `REVOKE "${group}" FROM "${b}"; GRANT "${group}" TO "${b}" WITH ADMIN OPTION`,
    ['a c', 'b'],
  ],
  ['a schema of its name', (b: string) => `CREATE SCHEMA "${b}"`, ['a c', 'b']],
  [
    'code that asks who it is',
    () => 'CREATE POLICY more ON notes USING (tenant = current_user)',
    ['a', 'b', 'c'],
  ],
] as const)('%s tells roles apart, or does not', async ([, change, expected], { db }) => {
  const one = await db.another();
  const { group, logins } = await notes(one, 3);
  await one.query(change(logins[1] ?? '', group));
  const stands = await standingAlike(async (sql, values) => one.query(sql, values && [...values]), logins);
  const letter = (role: string): string => 'abc'[logins.indexOf(role)] ?? role;
  expect(stands.map(({ role, others }) => [role, ...others].map(letter).join(' '))).toEqual(expected);
});

test('a dozen logins of one group are attacked as one, and that is said', async ({ db }) => {
  const one = await db.another();
  const { logins } = await notes(one, 12);
  const stranger = one.role('stranger');
  await one.query(`CREATE ROLE "${stranger}" LOGIN; ALTER ROLE "${stranger}" SET app.tenant = 'x'`);
  const [first = '', ...others] = logins.toSorted((a, b) => a.localeCompare(b));
  const found = await proveIsolation({ url: one.url, scratchUrl: one.url, now: NOW });
  expect(found.roles).toEqual([first]);
  expect(found.crossings).toEqual([]);
  expect(isolationEvidence(found).verdict).toBe('held');
  expect(found.told).toContainEqual({
    subject: `role ${first}`,
    severity: 'info',
    what: `it was tried for ${others.join(', ')} as well: they hold the same rights, memberships and settings, so what is said of it holds of all.`,
    fix: 'Nothing; where one of them is to be told apart, grant it something of its own.',
  });
  // A role of the server that has nothing here has no default that says anything here.
  const loud = found.told.filter(
    ({ severity, subject }) => severity !== 'info' && !subject.startsWith('PostgreSQL'),
  );
  expect(loud).toEqual([]);
});

test('of nine roles that differ eight are attacked, and the ninth is named', async ({ db }) => {
  const one = await db.another();
  const { logins } = await notes(one, 9);
  for (const [at, login] of logins.entries())
    await one.query(`ALTER ROLE "${login}" SET app.number = '${at}'`);
  const found = await proveIsolation({ url: one.url, scratchUrl: one.url, now: NOW });
  expect(found.roles).toEqual(logins.toSorted((a, b) => a.localeCompare(b)).slice(0, 8));
  expect(found.told.filter(({ subject }) => subject === 'roles').map(({ what }) => what)).toEqual([
    `8 roles were tried; not tried were ${logins.toSorted((a, b) => a.localeCompare(b))[8] ?? ''}.`,
  ]);
});
