import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { planAlteration, planLowered } from '../../src/build/plan.ts';
import { rollback } from '../../src/build/rollback.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { OPTIONS, wanted } from './wanted.ts';

const SHOP = [
  'CREATE SCHEMA shop',
  'CREATE TABLE shop.customers (id bigint PRIMARY KEY, mail text UNIQUE)',
  `CREATE TABLE shop.orders (id bigint, at timestamptz NOT NULL, customer bigint REFERENCES shop.customers (id),
    PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
  `CREATE TABLE shop.orders_2026_03 PARTITION OF shop.orders
    FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00')`,
  'CREATE INDEX customers_again ON shop.customers (mail)',
  `CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'`,
  'CREATE VIEW shop.mails AS SELECT mail FROM shop.customers',
];

async function make(db: TestDatabase): Promise<void> {
  for (const sql of SHOP) await db.query(sql);
  await db.query('INSERT INTO shop.customers SELECT n, n::text FROM generate_series(1, 50) n');
}

const alteration = (statements: readonly string[]): Parameters<typeof planAlteration>[0] => ({
  alter: async (goal) => {
    for (const sql of statements) await goal.query(sql);
  },
  settle: async () => [],
});

test('what changes a copy is planned online, goes there and comes back', async ({ db }) => {
  await make(db);
  const nothing = await planAlteration(alteration([]), db.url, OPTIONS);
  expect(nothing.steps).toEqual([]);
  const plan = await planAlteration(
    alteration([
      'CREATE INDEX orders_customer ON shop.orders (customer)',
      'CREATE INDEX customers_lower ON shop.customers (lower(mail))',
      'DROP INDEX shop.customers_again',
      'ALTER FUNCTION shop.twice(int) SET search_path = pg_catalog',
    ]),
    db.url,
    OPTIONS,
  );
  const sql = plan.steps.map((step) => step.sql).join('\n');
  expect(sql).toContain('CREATE INDEX CONCURRENTLY "customers_lower"');
  expect(sql).toContain('DROP INDEX CONCURRENTLY IF EXISTS "shop"."customers_again"');
  expect(plan).toMatchObject({
    reversible: true,
    manages: [],
    rehearsal: { forward: 'equal', back: 'equal' },
  });
  const before = await fingerprint(db.pool);
  expect((await apply(plan, db.url)).endsAsPlanned).toBe(true);
  expect(await fingerprint(db.pool)).toBe(plan.to);
  await rollback(db.url, { to: 'previous' });
  expect(await fingerprint(db.pool)).toBe(before);
});

test('a plan of an alteration claims nothing: a definition that knows none of it drops none of it', async ({
  db,
}) => {
  const other = await db.another();
  await make(other);
  await apply(
    await planAlteration(alteration(['DROP INDEX shop.customers_again']), other.url, OPTIONS),
    other.url,
  );
  const plan = await planLowered(wanted(['CREATE SCHEMA elsewhere']), other.url, OPTIONS);
  expect(plan.steps.map((step) => step.subject)).toEqual(['schema elsewhere']);
});

test('what a settlement asks for runs with the rest', async ({ db }) => {
  const other = await db.another();
  await make(other);
  const plan = await planAlteration(
    {
      alter: async () => undefined,
      settle: async ({ query }) => {
        const rows = await query(`SELECT FROM pg_catalog.pg_class WHERE relname = 'orders_2026_04'`);
        if (rows.length > 0) return [];
        return [
          {
            subject: 'partition shop.orders_2026_04',
            statements: [
              {
                sql: `CREATE TABLE shop.orders_2026_04 PARTITION OF shop.orders
                      FOR VALUES FROM ('2026-04-01 00:00:00+00') TO ('2026-05-01 00:00:00+00')`,
                transactional: true,
                lock: 'ACCESS EXCLUSIVE',
                on: { schema: 'shop', name: 'orders' },
              },
            ],
            back: ['DROP TABLE shop.orders_2026_04'],
          },
        ];
      },
    },
    other.url,
    OPTIONS,
  );
  expect(plan.steps).toMatchObject([{ subject: 'partition shop.orders_2026_04', verb: 'settle' }]);
  expect(plan.reversible).toBe(true);
});
