// Traps of a definition, before any server has it.
import { bigint, date, index, pgPolicy, pgRole, pgSchema, text, timestamp } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { trapsOfDefinition } from '../../src/prove/traps/index.ts';
import { partitions } from '../../src/traits/index.ts';
import { ident } from '../../src/sql.ts';
import { test } from '../cluster/index.ts';

const NOW = new Date('2026-03-15T12:00:00Z');
const shop = pgSchema('shop');
const customers = shop.table('customers', {
  id: bigint({ mode: 'number' }).primaryKey(),
  mail: text().notNull(),
});
const orders = shop.table('orders', {
  id: bigint({ mode: 'number' }).primaryKey(),
  customer: bigint({ mode: 'number' })
    .notNull()
    .references(() => customers.id),
});
const visits = shop.table('visits', {
  day: date().notNull(),
  at: timestamp({ withTimezone: true }).notNull(),
});

test('a definition is built and looked at where no server has it', async ({ db }) => {
  const definition = database('shop', { tables: { shop, customers, orders, visits } });
  const { findings, unseen } = await trapsOfDefinition(definition, { url: db.url, now: NOW });
  expect(unseen).toEqual([]);
  expect(findings.filter(({ severity }) => severity !== 'info')).toMatchObject([
    { code: 'HT701', subject: 'foreign key orders_customer_customers_id_fk on shop.orders' },
  ]);
  expect(await db.query(`SELECT FROM pg_namespace WHERE nspname = 'shop'`)).toEqual([]);
});

test('what a definition means is information; its partitions are there', async ({ db }) => {
  const definition = database('shop', {
    tables: { shop, customers, orders, visits },
    traits: [partitions(visits, { by: 'at', every: 'month', ahead: 2 })],
    accept: [{ code: 'HT701', because: 'customers are never deleted' }],
  });
  const { findings } = await trapsOfDefinition(definition, {
    url: db.url,
    now: NOW,
    only: ['HT501', 'HT701'],
  });
  expect(findings).toMatchObject([
    { code: 'HT701', severity: 'info', accepted: 'customers are never deleted' },
  ]);
});

test('a role that is made for the occasion has BYPASSRLS where the definition says so, and is gone afterwards', async ({
  db,
}) => {
  const role = db.role('analyst');
  const analyst = pgRole(role);
  const secret = shop.table('secret', { id: bigint({ mode: 'number' }).primaryKey(), note: text() }, (t) => [
    index('notes').on(sql`lower(${t.note})`),
    pgPolicy('mine', { using: sql`note = current_user::text`, to: analyst }),
  ]);
  const look = async (bypassRls: boolean): Promise<readonly string[]> => {
    const definition = database('shop', { tables: { shop, secret, analyst } });
    const model = {
      ...definition.model,
      roles: definition.model.roles.map((one) => ({ ...one, bypassRls })),
      statements: [
        ...definition.model.statements,
        {
          sql: `GRANT USAGE ON SCHEMA shop TO ${ident(role)}; GRANT SELECT ON shop.secret TO ${ident(role)}`,
          subject: 'grant',
          origin: 'test',
          phase: 'after' as const,
        },
      ],
    };
    const me = { name: 'me', setting: 'a.b', tables: [], shared: [], roles: [role], spanning: [] };
    const traps = await trapsOfDefinition(
      { ...definition, model, proofs: { ...definition.proofs, boundaries: [me] } },
      { url: db.url, now: NOW, only: ['HT705'] },
    );
    return traps.findings.map(({ subject }) => subject);
  };
  expect(await look(false)).toEqual(['index notes on shop.secret']);
  expect(await look(true)).toEqual([]);
  expect(await db.query('SELECT FROM pg_roles WHERE rolname = $1', [role])).toEqual([]);
});
