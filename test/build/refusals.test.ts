// What a plan is refused for: each by its code and words, with nothing changed and nothing left behind.
import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { planLowered } from '../../src/build/plan.ts';
import { test } from '../cluster/index.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { OPTIONS, role, wanted } from './wanted.ts';
import type { LoweredDefinition, PlanOptions } from '../../src/build/sides.ts';

async function refusal(
  db: TestDatabase,
  what: LoweredDefinition,
  options: Partial<PlanOptions> = {},
): Promise<unknown> {
  const before = await catalogueDump(db.pool);
  const error = await planLowered(what, db.url, { ...OPTIONS, ...options }).then(
    (plan) => expect.fail(`planned: ${plan.steps.map((step) => step.sql).join('; ')}`),
    (thrown: unknown) => thrown,
  );
  expect(await catalogueDump(db.pool)).toEqual(before);
  return error;
}

test('a statement PostgreSQL refuses is named by its origin, SQLSTATE and place', async ({ db }) => {
  const error = await refusal(
    db,
    wanted(['CREATE TABLE fine (id int)', 'CREATE TABLE wrong (\n  id int,\n  other nothing)']),
  );
  expect(error).toMatchObject({
    code: 'HF_DDL',
    subject: 'CREATE TABLE wrong (',
    what: 'PostgreSQL says "type "nothing" does not exist" (SQLSTATE 42704, line 3, column 9).',
    fix: 'Correct it in statement 2.',
  });
});

test('an index predicate that is not immutable is refused with the way out', async ({ db }) => {
  const error = await refusal(
    db,
    wanted([
      'CREATE TABLE logs (at timestamptz)',
      "CREATE INDEX hot ON logs (at) WHERE at > now() - interval '7 days'",
    ]),
  );
  expect(error).toMatchObject({
    code: 'HF_NOT_IMMUTABLE',
    what: expect.stringContaining('"functions in index predicate must be marked IMMUTABLE" (SQLSTATE 42P17'),
    fix:
      'Change statement 2: leave now() and CURRENT_DATE out of the predicate and index the time column instead, ' +
      "and write (column AT TIME ZONE 'UTC')::date for a date of a timestamptz.",
  });
});

test('statements whose order is a guess are tried again until they fit', async ({ db }) => {
  const late = wanted([
    'CREATE VIEW v AS SELECT * FROM t',
    'CREATE TABLE t (id f)',
    'CREATE DOMAIN f AS int',
  ]);
  const reorderable = {
    ...late,
    lowered: {
      ...late.lowered,
      statements: late.lowered.statements.map((one) => ({ ...one, reorderable: true })),
    },
  };
  const plan = await planLowered(reorderable, db.url, OPTIONS);
  expect(plan.steps.map((step) => step.subject)).toContain('view public.v');
});

test('a changed partition key would cost the rows and is refused', async ({ db: file }) => {
  const db = await file.another();
  await db.query('CREATE TABLE t (id int, at date NOT NULL)');
  expect(
    await refusal(db, wanted(['CREATE TABLE t (id int, at date NOT NULL) PARTITION BY RANGE (at)'])),
  ).toMatchObject({ code: 'HF_REPLACES_TABLE', subject: 'table public.t' });
});

test('a kind of object that cannot be planned is named, never dropped silently', async ({ db: file }) => {
  const db = await file.another();
  const statistics = wanted(['CREATE TABLE t (a int, b int)', 'CREATE STATISTICS t_ab ON a, b FROM t']);
  expect(await refusal(db, statistics)).toMatchObject({
    code: 'HF_NOT_MANAGED',
    subject: 'statistics public.t_ab',
  });
  await db.query('CREATE TABLE t (a int, b int)');
  expect(await refusal(db, statistics)).toMatchObject({
    code: 'HF_NOT_MANAGED',
    subject: 'statistics public.t_ab',
  });
  await db.query('CREATE STATISTICS t_ab ON a, b FROM t');
  expect((await planLowered(statistics, db.url, OPTIONS)).steps).toEqual([]);
});

test('a role that is said to exist and does not is named', async ({ db }) => {
  expect(await refusal(db, wanted([], { roles: [role('hf_not_there', { existing: true })] }))).toMatchObject({
    code: 'HF_ROLE_MISSING',
    subject: 'role hf_not_there',
  });
});

test('a trait that fails to say what is missing is named', async ({ db }) => {
  const traits = [{ name: 'broken', settle: () => Promise.reject(new Error('no idea')) }];
  expect(await refusal(db, wanted([], { traits }))).toMatchObject({
    code: 'HF_SETTLE',
    subject: 'trait broken',
    what: 'it could not say which run-time objects are missing: no idea.',
  });
});

test('a statement that fails only on the copy is named with what PostgreSQL says', async ({ db: file }) => {
  const db = await file.another();
  await db.query('CREATE TABLE t (id int, note text); CREATE VIEW by_hand AS SELECT note FROM t');
  expect(await refusal(db, wanted(['CREATE TABLE t (id int)']))).toMatchObject({
    code: 'HF_REHEARSAL_STEP',
    what: expect.stringContaining('view public.by_hand depends on column note of table public.t'),
  });
});

test('stopping it drops what it made and changes nothing', async ({ db }) => {
  const stop = new AbortController();
  const error = await refusal(db, wanted(['CREATE TABLE t (id int)']), {
    signal: stop.signal,
    onProgress: ({ stage }) => (stage === 'rehearsing' ? stop.abort() : undefined),
  });
  expect(error).toMatchObject({ code: 'HF_INTERRUPTED', subject: 'the plan' });
  const mine = await db.query(
    `SELECT datname FROM pg_database WHERE datname LIKE 'hf\\_scratch\\_%'
       AND split_part(datname, '_', 3) IN (SELECT pid::text FROM pg_stat_activity WHERE datname = $1)`,
    [db.name],
  );
  expect(mine).toEqual([]);
});

test('an attribute that no plan sets is named, and left alone where only the server has it', async ({
  db: file,
}) => {
  const db = await file.another();
  const tuned = wanted(['CREATE TABLE t (a int, b text)', 'ALTER TABLE t ALTER b SET STATISTICS 500']);
  const named = {
    code: 'HF_NOT_MANAGED',
    subject: 'table public.t',
    what: expect.stringContaining('table public.t, column b: "text"'),
  };
  expect(await refusal(db, tuned)).toMatchObject(named);
  await db.query('CREATE TABLE t (a int, b text)');
  expect(await refusal(db, tuned)).toMatchObject(named);
  await db.query('ALTER TABLE t ALTER b SET STATISTICS 500; ALTER TABLE t ALTER b SET STORAGE EXTERNAL');
  expect((await planLowered(tuned, db.url, OPTIONS)).steps).toEqual([]);
});
