// An erasure is proved: of a definition that keeps its word, and of some that do not.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { bigint, foreignKey, integer, jsonb, pgSchema, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { database, type Definition, statement } from '../../src/define/index.ts';
import { proveRemoval, removalEvidence, type Removed } from '../../src/prove/index.ts';
import { erasure, immutability, type ErasedTable, type ErasureOptions } from '../../src/traits/index.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { houseOf, ownFolder } from '../traits/erasure-stand.ts';

const NOW = new Date('2026-05-15T04:00:00Z');
/** How often each erasure is stopped in the large test; ValidaHub's own is stopped as well. */
const STOPS = Number(process.env['HOLDFAST_KILLS'] ?? 0);

async function proved(db: TestDatabase, definition: Definition, stops = 0): Promise<Removed> {
  return proveRemoval({ definition, serverUrl: db.url, now: NOW, stops });
}

test('a house with archives in tables and files, sums and views forgets a person and a tenant', async ({
  db,
}) => {
  let asked = 0;
  const root = ownFolder();
  const definition = houseOf('house_proved', {
    root,
    role: db.role('sums'),
    erasing: {
      caches: {
        pages: async () => {
          asked += 1;
          return { entries: 0 };
        },
      },
    },
  });
  const removed = await proved(db, definition, STOPS);
  const evidence = removalEvidence(removed);
  expect(evidence.verdict).toBe('held');
  expect(evidence.line).toBe(
    `a person and a tenant erased ${8 + 2 * STOPS} times from 12 relations, 2 of them archived: nothing found after, no other row changed`,
  );
  expect(asked).toBe(0);
}, 120_000);

/** A shop whose orders stay when the customer goes. */
function shopOf(
  name: string,
  of: {
    readonly orders: Omit<ErasedTable, 'table'>;
    readonly caches?: ErasureOptions['caches'];
    readonly beside?: readonly string[];
    readonly accept?: { readonly subject: string; readonly because: string };
  },
): Definition {
  const schema = pgSchema(name);
  const customers = schema.table(
    'customers',
    {
      shop: text().notNull(),
      id: integer().notNull(),
      email: text().notNull(),
      address: text().notNull(),
    },
    (t) => [primaryKey({ columns: [t.shop, t.id] })],
  );
  const orders = schema.table(
    'orders',
    {
      shop: text().notNull(),
      id: integer().notNull(),
      customer: integer(),
      goods: text().notNull(),
      shippingAddress: text('shipping_address'),
    },
    (t) => [
      primaryKey({ columns: [t.shop, t.id] }),
      foreignKey({ columns: [t.shop, t.customer], foreignColumns: [customers.shop, customers.id] }),
    ],
  );
  return database(name, {
    tables: { schema, customers, orders },
    facets: (of.beside ?? []).map((sql) => statement(sql.slice(7, 40), sql, { phase: 'after' })),
    ...(of.accept !== undefined && { accept: [{ code: 'removal', ...of.accept }] }),
    traits: [
      erasure({
        subjects: {
          customer: {
            table: customers,
            key: 'id',
            within: 'shop',
            tables: [{ table: orders, ...of.orders }],
          },
        },
        ...(of.caches !== undefined && { caches: of.caches }),
      }),
    ],
  });
}

const BLANK = { customer: null, shipping_address: null };

test('a column that still has the address is found, and named with a query to copy', async ({ db }) => {
  const orders = { blank: { customer: null } };
  const removed = await proved(db, shopOf('shop_address', { orders }));
  const evidence = removalEvidence(removed);
  expect(evidence.verdict).toBe('broken');
  expect(evidence.line).toBe(
    'column shop_address.orders.shipping_address still holds what was theirs; and 1 more',
  );
  expect(evidence.figures).toMatchObject({ found_after: 1, others_changed: 0 });
  const statements = evidence.sections.filter((one) => one.kind === 'statement');
  expect(statements).toEqual([
    {
      kind: 'statement',
      title: 'column shop_address.orders.shipping_address still holds what was theirs',
      sql: expect.stringMatching(
        /^SELECT t\.\* FROM "shop_address"\."orders" AS t WHERE strpos\(t\."shipping_address"::text, 'q\d\w{4}'\) > 0;$/,
      ) as string,
      said: "a row that should hold nothing of it; name shop_address.orders.shipping_address in the erasure (the row goes, or the column is blanked or pseudonymised), or say why it holds nobody: accept: [{ code: 'removal', subject: 'column shop_address.orders.shipping_address', because: '…' }]",
    },
  ]);
  const table = evidence.sections.find((one) => one.kind === 'table');
  expect(table?.rows.map((row) => [row.verdict, row.cells[0]])).toEqual([
    ['held', 'table shop_address.customers'],
    ['broken', 'table shop_address.orders'],
  ]);
  const accepted = await proved(
    db,
    shopOf('shop_meant', {
      orders,
      accept: { subject: 'column shop_meant.orders.shipping_address', because: 'it is the shop’s own' },
    }),
  );
  expect(removalEvidence(accepted).verdict).toBe('held');
}, 60_000);

test('a plain table that repeats a value by a trigger is found, though nothing says anything about it', async ({
  db,
}) => {
  const name = 'shop_copied';
  const definition = shopOf(name, {
    orders: { blank: BLANK },
    beside: [
      `CREATE TABLE ${name}.mails (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)`,
      `CREATE FUNCTION ${name}.remember() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS
         $$ BEGIN INSERT INTO ${name}.mails (body) VALUES ('welcome ' || NEW.email); RETURN NULL; END $$`,
      `CREATE TRIGGER remember AFTER INSERT ON ${name}.customers FOR EACH ROW EXECUTE FUNCTION ${name}.remember()`,
    ],
  });
  const evidence = removalEvidence(await proved(db, definition));
  expect(evidence.verdict).toBe('broken');
  expect(evidence.line).toContain('column shop_copied.mails.body still holds what was theirs');
}, 60_000);

test('a trigger that takes rows of others along is found', async ({ db }) => {
  const name = 'shop_others';
  const definition = shopOf(name, {
    orders: { blank: BLANK },
    beside: [
      `CREATE FUNCTION ${name}.sweep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS
         $$ BEGIN DELETE FROM ${name}.orders WHERE shop = OLD.shop AND customer IS NOT NULL; RETURN NULL; END $$`,
      `CREATE TRIGGER sweep AFTER DELETE ON ${name}.customers FOR EACH ROW EXECUTE FUNCTION ${name}.sweep()`,
    ],
  });
  const evidence = removalEvidence(await proved(db, definition));
  expect(evidence.verdict).toBe('broken');
  expect(evidence.line).toMatch(
    /^table shop_others\.orders: a row of somebody else is gone or changed: shop "w1\w{4}-1-shop", id \d+/,
  );
  expect(evidence.figures['others_changed']).toBeGreaterThan(0);
}, 60_000);

test('rows that no copy of the subject can be made of are said not to be shown', async ({ db }) => {
  const name = 'shop_none';
  const definition = shopOf(name, {
    orders: { blank: BLANK },
    beside: [
      `CREATE FUNCTION ${name}.closed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS
         $$ BEGIN RAISE EXCEPTION 'closed today'; END $$`,
      `CREATE TRIGGER closed BEFORE INSERT OR UPDATE ON ${name}.orders FOR EACH ROW EXECUTE FUNCTION ${name}.closed()`,
      `ALTER TABLE ${name}.orders ENABLE ALWAYS TRIGGER closed`,
    ],
  });
  const evidence = removalEvidence(await proved(db, definition));
  expect(evidence.verdict).toBe('not shown');
  expect(evidence.line).toBe(
    'table shop_none.orders had no row of a customer, so what becomes of it was not seen',
  );
}, 60_000);

test('people of one owner, found through other tables and kept by a pseudonym, are told apart', async ({
  db,
}) => {
  const schema = pgSchema('shop_people');
  const people = schema.table('people', {
    id: uuid().primaryKey(),
    email: text().notNull().unique(),
    details: jsonb(),
  });
  const carts = schema.table('carts', {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    person: uuid()
      .notNull()
      .references(() => people.id),
  });
  const goods = schema.table('goods', {
    id: uuid().primaryKey(),
    cart: bigint({ mode: 'number' })
      .notNull()
      .references(() => carts.id),
    wish: text(),
  });
  const trail = schema.table('trail', { id: uuid().primaryKey(), actor: uuid(), what: text() });
  const kept = { table: trail, by: 'actor', keep: 'its actor is a pseudonym' };
  const definition = database('shop_people', {
    tables: { schema, people, carts, goods, trail },
    traits: [
      immutability(trail, { kind: 'append-only' }),
      erasure({
        subjects: { person: { table: people, tables: [{ table: carts }, { table: goods }, kept] } },
      }),
    ],
  });
  const removed = await proved(db, definition);
  expect(removed.trials.flatMap((trial) => trial.faults)).toEqual([]);
  const [trial] = removed.trials;
  expect(trial?.changes.map((one) => [one.place, one.deleted, one.kept])).toEqual([
    ['table shop_people.carts', 2, 0],
    ['table shop_people.goods', 2, 0],
    ['table shop_people.people', 1, 0],
    ['table shop_people.trail', 0, 2],
  ]);
  expect(removalEvidence(removed).verdict).toBe('held');
}, 60_000);

test('the command proves it, records it and exits with 3 where it is broken', async ({ db: file }) => {
  const db = await file.another();
  const definition = shopOf('shop_cli', {
    orders: { blank: { customer: null } },
    caches: { pages: async () => ({ entries: 0 }) },
  });
  Object.assign(globalThis, { shop_cli: definition });
  const dir = ownFolder();
  writeFileSync(join(dir, 'holdfast.ts'), `export default globalThis['shop_cli'];`);
  const run = async (...argv: string[]) => {
    const said = { out: '', err: '' };
    const into = (name: 'out' | 'err'): Writable =>
      new Writable({ write: (chunk: Buffer, _encoding, done) => ((said[name] += chunk.toString()), done()) });
    const code = await main({
      argv: [...argv, '--url', db.url],
      cwd: dir,
      env: {},
      terminal: { out: into('out'), err: into('err'), colour: false, now: () => 0 },
      signal: new AbortController().signal,
      now: () => NOW,
    });
    return { code, ...said };
  };
  expect((await run('apply')).code).toBe(0);
  const ran = await run('prove', 'erasure', '--server', db.url, '--html', 'proof.html');
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 3, err: '' });
  expect(ran.out).toMatch(
    /^erasure +BROKEN +column shop_cli\.orders\.shipping_address still holds what was theirs; and 1 more \(/m,
  );
  expect(readFileSync(join(dir, 'proof.html'), 'utf8')).toContain('A customer, its rows in their tables');
  expect(await db.query('SELECT proof, verdict, definition FROM holdfast.proof')).toEqual([
    { proof: 'erasure', verdict: 'broken', definition: 'shop_cli' },
  ]);
  const shown = await run('prove', '--last', '--json');
  expect((JSON.parse(shown.out) as { verdict: string }).verdict).toBe('broken');
  // Of the database itself nothing was touched but its record.
  expect(await db.query('SELECT FROM shop_cli.customers')).toEqual([]);
}, 60_000);
