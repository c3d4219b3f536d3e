// Drift: what differs between definition, ledger and server, and what is left alone.
import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { driftLowered } from '../../src/build/drift.ts';
import { planLowered } from '../../src/build/plan.ts';
import { test } from '../cluster/index.ts';
import { OPTIONS, wanted } from './wanted.ts';

const ORDERS = wanted([
  'CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(20))',
  'CREATE INDEX orders_note ON orders (note)',
]);

test('drift names each difference by object with a sentence, and none after apply', async ({ db: file }) => {
  const db = await file.another();
  await apply(await planLowered(ORDERS, db.url, OPTIONS), db.url);
  expect(await driftLowered(ORDERS, db.url, OPTIONS)).toEqual({
    differences: [],
    notes: [],
    asApplied: true,
  });

  await db.query(
    'DROP INDEX orders_note; ALTER TABLE orders ADD COLUMN extra int, ALTER COLUMN note SET NOT NULL',
  );
  expect(await driftLowered(ORDERS, db.url, OPTIONS)).toMatchObject({
    asApplied: false,
    differences: [
      {
        object: 'table public.orders',
        facet: 'column extra',
        kind: 'unknown',
        sentence: 'table public.orders, column extra is on the server and not in the definition.',
      },
      {
        kind: 'different',
        sentence:
          'table public.orders, column note: "character varying(20) not null" on the server, ' +
          '"character varying(20)" in the definition.',
      },
      {
        kind: 'missing',
        sentence: 'table public.orders, index orders_note is in the definition and not on the server.',
      },
    ],
  });
});

test('what nobody asked for stays, is named, and goes only by name; what Holdfast made goes with its definition', async ({
  db: file,
}) => {
  const db = await file.another();
  await apply(await planLowered(ORDERS, db.url, OPTIONS), db.url);
  await db.query(`CREATE TABLE by_hand (id serial, mood text); CREATE FUNCTION helper() RETURNS int LANGUAGE sql RETURN 1;
    CREATE SCHEMA foreign_land; CREATE TABLE foreign_land.t (id int)`);
  const plan = await planLowered(ORDERS, db.url, OPTIONS);
  expect(plan.steps).toEqual([]);
  expect(plan.notes).toEqual([
    'function public.helper() is on the server and not in the definition: left alone.',
    'schema foreign_land is on the server and not in the definition: left alone.',
    'sequence public.by_hand_id_seq is on the server and not in the definition: left alone.',
    'table public.by_hand is on the server and not in the definition: left alone.',
  ]);
  const named = await planLowered(ORDERS, db.url, { ...OPTIONS, allowDataLoss: ['table public.by_hand'] });
  expect(named.steps.map((step) => [step.sql, step.loses?.object])).toEqual([
    ['DROP TABLE "public"."by_hand"', 'table public.by_hand'],
  ]);
  const without = await planLowered(wanted([]), db.url, OPTIONS);
  expect(without.steps.map((step) => step.loses?.object)).toEqual(['table public.orders']);
});

test('partitions that exist are run-time state, not drift', async ({ db: file }) => {
  const db = await file.another();
  const events = wanted([
    'CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at)',
    'CREATE INDEX events_id ON events (id)',
  ]);
  await apply(await planLowered(events, db.url, OPTIONS), db.url);
  await db.query(
    `CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')`,
  );
  expect(await driftLowered(events, db.url, OPTIONS)).toEqual({
    differences: [],
    notes: [],
    asApplied: true,
  });
  expect((await planLowered(events, db.url, OPTIONS)).steps).toEqual([]);
});

test('a database restored from a dump, whose texts are spelled otherwise, plans to nothing', async ({
  db: file,
}) => {
  const db = await file.another();
  const definition = wanted([
    "CREATE TABLE t (id int, state varchar(9) CHECK (state IN ('new', 'paid')), b text DEFAULT 'x' || 'y')",
    "CREATE INDEX t_new ON t (id) WHERE state IN ('new', 'paid')",
    "CREATE VIEW v AS SELECT id FROM t WHERE state IN ('new', 'paid')",
  ]);
  await db.query(`CREATE TABLE t (id int, state varchar(9), b text DEFAULT ('x'::text || 'y'::text),
      CONSTRAINT t_state_check CHECK (((state)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[]))));
    CREATE INDEX t_new ON t USING btree (id) WHERE ((state)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[]));
    CREATE VIEW v AS SELECT id FROM t WHERE ((state)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[]))`);
  expect((await planLowered(definition, db.url, OPTIONS)).steps.map((step) => step.sql)).toEqual([]);
  await db.query(`ALTER TABLE t DROP CONSTRAINT t_state_check, ADD CHECK (state IN ('new', 'void'))`);
  const { steps } = await planLowered(definition, db.url, OPTIONS);
  expect(new Set(steps.map((step) => step.subject))).toEqual(new Set(['constraint public.t.t_state_check']));
});
