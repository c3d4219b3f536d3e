// Applying as an ordinary role: the owner of its database, with CREATEDB and without, and one that owns nothing.
import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import { rollback } from '../../src/build/rollback.ts';
import { runs } from '../../src/ledger/index.ts';
import { ident } from '../../src/sql.ts';
import { OPTIONS, wanted } from '../build/wanted.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const PASSWORD = 'for-the-test-only';
const FIRST = [
  'CREATE SCHEMA shop',
  "CREATE TYPE shop.mood AS ENUM ('good', 'bad')",
  'CREATE TABLE shop.places (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)',
  'CREATE TABLE shop.visits (id bigint, at timestamptz, place bigint, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
];
const THEN = [
  ...FIRST,
  'CREATE INDEX places_name ON shop.places (name)',
  'ALTER TABLE shop.places ALTER COLUMN name SET NOT NULL',
  'ALTER TABLE shop.visits ADD CONSTRAINT visits_place FOREIGN KEY (place) REFERENCES shop.places (id)',
  'ALTER TABLE shop.visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
  'CREATE POLICY every ON shop.visits USING (place > 0)',
  'CREATE VIEW shop.named AS SELECT id FROM shop.places',
];

async function owned(file: TestDatabase): Promise<{ db: TestDatabase; role: string; url: string }> {
  const db = await file.another();
  const role = db.role('owner');
  await db.query(`CREATE ROLE ${ident(role)} LOGIN PASSWORD '${PASSWORD}' CREATEDB`);
  await db.query(`ALTER DATABASE ${ident(db.name)} OWNER TO ${ident(role)}`);
  return { db, role, url: db.urlAs(role, PASSWORD) };
}

test('the owner of a database plans, applies and goes back, with CREATEDB and without', async ({
  db: file,
}) => {
  const { db, role, url } = await owned(file);
  const first = await planLowered(wanted(FIRST), url, OPTIONS);
  expect(await apply(first, url)).toMatchObject({ endsAsPlanned: true });
  await db.query("INSERT INTO shop.places (name) VALUES ('here')");
  await db.query(
    "CREATE TABLE shop.visits_1 PARTITION OF shop.visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
  );
  await db.query(`ALTER TABLE shop.visits_1 OWNER TO ${ident(role)}`);
  await db.query("INSERT INTO shop.visits VALUES (1, '2026-01-05', 1)");

  await db.query(`ALTER ROLE ${ident(role)} NOCREATEDB`);
  const then = await planLowered(wanted(THEN), url, { ...OPTIONS, scratchUrl: file.url });
  expect(then.steps.some(({ transactional }) => !transactional)).toBe(true);
  expect(await apply(then, url)).toMatchObject({ endsAsPlanned: true });
  expect((await planLowered(wanted(THEN), url, { ...OPTIONS, scratchUrl: file.url })).steps).toEqual([]);
  expect((await runs(db.pool)).map(({ byRole, state }) => [byRole, state])).toEqual([
    [role, 'applied'],
    [role, 'applied'],
  ]);
  await rollback(url, { to: 'previous' });
  expect(await fingerprint(db.pool)).toBe(first.to);
  expect(await db.query('SELECT name FROM shop.places')).toEqual([{ name: 'here' }]);
});

test('a silent run of the same role is passed over without a superuser', async ({ db: file }) => {
  const { url } = await owned(file);
  const plan = await planLowered(wanted(FIRST), url, OPTIONS);
  let meanwhile: unknown;
  const silent = apply(plan, url, {
    onBoundary: async (boundary, { number }) => {
      if (boundary !== 'between' || number !== 1) return;
      meanwhile = await apply(plan, url, { leaseExpiresMs: 0 });
    },
  });
  await expect(silent).rejects.toMatchObject({ code: 'HF_LEASE_LOST' });
  expect(meanwhile).toMatchObject({ endsAsPlanned: true });
});

test('a role that may not make a schema is told so, and nothing is left behind', async ({ db: file }) => {
  const { db, url } = await owned(file);
  const stranger = db.role('stranger');
  await db.query(`CREATE ROLE ${ident(stranger)} LOGIN PASSWORD '${PASSWORD}'`);
  const plan = await planLowered(wanted(FIRST), url, OPTIONS);
  await expect(apply(plan, db.urlAs(stranger, PASSWORD))).rejects.toMatchObject({
    code: 'HF_LEDGER_RIGHTS',
    subject: 'schema holdfast',
    fix: 'Grant it CREATE on the database, or create the schema and make the role its owner.',
  });
  expect(await fingerprint(db.pool)).toBe(plan.from);
  expect(await db.query("SELECT FROM pg_namespace WHERE nspname IN ('holdfast', 'shop')")).toEqual([]);
});
