import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import type { Plan } from '../../src/build/step.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { OPTIONS, wanted } from './wanted.ts';

async function run(db: TestDatabase, plan: Plan): Promise<void> {
  for (const step of plan.steps) await db.query(step.sql);
}

const SHOP = [
  'CREATE SCHEMA shop',
  "CREATE TYPE shop.state AS ENUM ('new', 'paid')",
  `CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail varchar(200) NOT NULL UNIQUE,
    tier varchar(10) NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'paid')))`,
  `CREATE TABLE shop.orders (id bigint, at timestamptz NOT NULL, customer bigint REFERENCES shop.customers (id),
    state shop.state NOT NULL DEFAULT 'new', PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
  'CREATE INDEX orders_customer ON shop.orders (customer)',
  "CREATE VIEW shop.paid AS SELECT * FROM shop.orders WHERE state = 'paid'",
];

test('a plan from nothing makes the definition; the next plan is empty', async ({ db }) => {
  const before = await catalogueDump(db.pool);
  const first = await planLowered(wanted(SHOP), db.url, OPTIONS);
  expect(await catalogueDump(db.pool)).toEqual(before);
  expect(first.steps.length).toBeGreaterThan(4);
  expect(first).toMatchObject({ reversible: true, rehearsal: { forward: 'equal', back: 'equal' } });
  await run(db, first);
  expect(await fingerprint(db.pool)).toBe(first.to);
  const second = await planLowered(wanted(SHOP), db.url, OPTIONS);
  expect(second.steps).toEqual([]);
  expect(second.from).toBe(first.to);
});
