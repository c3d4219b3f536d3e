// The archive as part of the structure: planned, protected like its table, and never planned away.
import { date, integer, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import { describe, expect } from 'vitest';
import { apply, drift, plan, rollback } from '../../src/build/index.ts';
import { database, type Definition, type DefinitionError } from '../../src/define/index.ts';
import { immutability, partitions, retention, tenancy } from '../../src/traits/index.ts';
import type { RetentionOptions } from '../../src/traits/index.ts';
import { before, lengthOf, startOfDay } from '../../src/traits/retention/duration.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { fill, OPENED, shopOf, sumOf, turn } from './retention-stand.ts';
import { asTenant, refusal, sessionAs, settle } from './stand.ts';

const at = (iso: string): Date => new Date(iso);
const MAY = at('2026-05-02T01:00:00Z');

const key = (t: { tenantId: never; id: never; createdAt: never }) => [
  primaryKey({ columns: [t.tenantId, t.id, t.createdAt] }),
];

async function applied(db: TestDatabase, definition: Definition, now = OPENED): Promise<string[]> {
  const made = await plan(definition, db.url, { now });
  await apply(made, db.url);
  return made.steps.map((step) => step.sql);
}

test('a plan after an archive run is empty, drift has nothing to say, and a column goes to both', async ({
  db,
}) => {
  const roles = { app: db.role('app'), owner: db.role('owner'), bypass: [db.role('system')] };
  const reader = db.role('auditor');
  await db.query(`CREATE ROLE ${reader} LOGIN`);
  const schema = pgSchema('planned');
  const columns = {
    tenantId: text('tenant_id').notNull(),
    id: integer().generatedByDefaultAsIdentity().notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
    kind: text().notNull().default('plain'),
  };
  const plain = schema.table('events', columns, key as never);
  const wider = schema.table('events', { ...columns, note: text().notNull().default('new') }, key as never);
  const define = (events: typeof plain): Definition =>
    database('planned', {
      tables: { schema, events },
      traits: [
        partitions(events, { by: events.createdAt, every: 'month', from: '2026-01-01' }),
        immutability(events, { kind: 'append-only' }),
        retention(events, {
          online: '90 days',
          archive: { to: 'schema', for: '2 years', readers: [reader] },
          then: 'delete',
        }),
        tenancy({ column: 'tenant_id', setting: 'app.tenant', roles }),
      ],
    });
  const definition = define(plain);
  await applied(db, definition);
  await fill(db, 'planned.events', { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
  await turn(db, definition, { now: MAY });
  expect((await sumOf(db, ['archive.events'])).rows).toBe(62);

  await settle(db, definition, MAY);
  const again = await plan(definition, db.url, { now: MAY });
  expect(again.steps.map((step) => step.sql)).toEqual([]);
  const drifted = await drift(definition, db.url, { now: MAY });
  expect(drifted).toMatchObject({ differences: [], notes: [] });

  // Nobody but the owner and the readers has a right there, and readers see their tenant's rows alone.
  const auditor = await sessionAs(db, reader);
  const [own] = await asTenant<{ rows: number }>(
    auditor,
    'b',
    'SELECT count(*)::int AS rows FROM archive.events',
  );
  expect(own?.rows).toBe((await sumOf(db, ['archive.events'], `tenant_id = 'b'`)).rows);
  const direct = await refusal(asTenant(auditor, 'b', 'SELECT FROM archive.events_y2026m01'));
  expect(direct.code).toBe('42501');
  const app = await sessionAs(db, roles.app);
  expect((await refusal(asTenant(app, 'b', 'SELECT FROM archive.events'))).code).toBe('42501');
  // What was append-only stays so.
  expect((await refusal(db.query(`DELETE FROM archive.events`))).code).toBe('ZH001');
  expect((await refusal(db.query(`TRUNCATE archive.events_y2026m01`))).code).toBe('ZH004');

  const steps = await applied(db, define(wider), MAY);
  expect(steps.filter((sql) => sql.includes('"note"') || sql.includes('note')).length).toBe(2);
  expect(await db.query('SELECT count(note)::int AS notes FROM archive.events')).toEqual([{ notes: 0 }]);
  await turn(db, define(wider), { now: at('2026-06-02T01:00:00Z') });
  expect(await db.query('SELECT count(note)::int AS notes FROM archive.events')).toEqual([{ notes: 56 }]);
  await db.query(`DROP OWNED BY ${reader}`);
});

test('a partition on its way is noted, never dropped; the archive goes back only with the word that loses data', async ({
  db: shared,
}) => {
  const db = await shared.another();
  const definition = shopOf('underway', {
    online: '90 days',
    archive: { to: 'schema', for: '2 years' },
    then: 'delete',
  });
  await applied(db, definition);
  await fill(db, 'underway.events', { from: '2026-01-01T00:00:00Z', to: '2026-04-30T12:00:00Z' });
  const inserted = await sumOf(db, ['underway.events']);
  const stop = new AbortController();
  await turn(db, definition, {
    now: MAY,
    signal: stop.signal,
    after: (sql) => {
      if (sql.includes('DETACH PARTITION')) stop.abort();
    },
  });
  await settle(db, definition, MAY);
  const between = await plan(definition, db.url, { now: MAY });
  expect(between.steps.map((step) => step.sql)).toEqual([]);
  expect(between.notes.join(' ')).toContain('underway.events_y2026m01');
  await turn(db, definition, { now: MAY });
  expect(await sumOf(db, ['underway.events', 'archive.events'])).toEqual(inserted);
  await expect(rollback(db.url, { to: 'previous' })).rejects.toThrow(
    'table underway.events, table archive.events: this would be lost for good: every row of the table (table underway.events); every row of the table (table archive.events).',
  );
  expect((await sumOf(db, ['underway.events', 'archive.events'])).rows).toBe(inserted.rows);
});

describe('what cannot be promised is refused before anything is built', () => {
  const schema = pgSchema('refused');
  const events = schema.table(
    'events',
    {
      id: integer().notNull(),
      at: timestamp({ withTimezone: true }).notNull(),
      maybe: timestamp({ withTimezone: true }),
      day: date(),
      word: text().notNull(),
    },
    (t) => [primaryKey({ columns: [t.id, t.at] })],
  );
  const archive = schema.table('archive', { id: integer().primaryKey() });
  const tables = { schema, events, archive };
  const kept = { online: '90 days', then: 'delete' } as const;

  function refusalOf(
    options: RetentionOptions,
    more: readonly ReturnType<typeof partitions>[] = [],
  ): string[] {
    try {
      database('refused', { tables, traits: [retention(events, options), ...more] });
    } catch (error) {
      return (error as DefinitionError).diagnostics.map(
        (one) => `${one.subject}: ${one.what} ${one.fix} [${one.code}]`,
      );
    }
    return [];
  }

  const byMonth = partitions(events, { by: events.at, every: 'month' });
  const cases: readonly (readonly [string, () => string[], string])[] = [
    [
      'a column that is not there',
      () => refusalOf(kept),
      "table refused.events: retention counts from column created_at, which the table does not have. Name the column that says how old a row is in 'by'. [HF_TRAIT_COLUMN]",
    ],
    [
      'a column that is no time',
      () => refusalOf({ ...kept, by: 'word' }),
      'column refused.events.word: its type text is no time. Use timestamptz, timestamp or date. [HF_RETENTION_TYPE]',
    ],
    [
      'a column that may be NULL',
      () => refusalOf({ ...kept, by: 'maybe' }),
      'column refused.events.maybe: it may be NULL, and such a row would never leave. Make it NOT NULL. [HF_RETENTION_NULL]',
    ],
    [
      'partitions where there are none',
      () => refusalOf({ ...kept, by: 'at', exact: 'partition' }),
      "table refused.events: its rows are to leave by partition, and it has none. Give it partitions, or leave out 'exact': its rows leave to the day. [HF_RETENTION_EXACT]",
    ],
    [
      'another column than the one it is partitioned by',
      () => refusalOf({ ...kept, by: 'day' }, [byMonth]).slice(1),
      'table refused.events: it is partitioned by range (at), and retention counts from day: a partition would hold old rows and new ones. Count from the one column whose ranges are its partitions. [HF_RETENTION_BY]',
    ],
    [
      'rows of an append-only table one by one',
      () => refusalOf({ ...kept, by: 'at' }, [immutability(events, { kind: 'append-only' })]),
      'table refused.events: its rows are kept as they are written, and would have to be deleted one by one. Partition it by time: a whole partition leaves without a row being deleted. [HF_RETENTION_IMMUTABLE]',
    ],
    [
      'an append-only table to the day',
      () => refusalOf({ ...kept, exact: 'day' }, [byMonth, immutability(events, { kind: 'append-only' })]),
      "table refused.events: its rows are kept as they are written, and would have to be deleted one by one. Say exact: 'partition', with a shorter period where a month is too late. [HF_RETENTION_IMMUTABLE]",
    ],
    [
      'an archive that is a table of its own already',
      () =>
        refusalOf({
          online: '90 days',
          by: 'at',
          archive: { to: 'schema', schema: 'refused', table: 'archive', for: '1 year' },
          then: 'delete',
        }),
      "table refused.events: its archive would be refused.archive, and the definition has that already. Give the archive another 'table' or 'schema'. [HF_RETENTION_ARCHIVE]",
    ],
  ];
  test.for(cases)('%s', ([, run, said]) => {
    expect(run()).toEqual([said]);
  });

  const options: readonly (readonly [RetentionOptions, string])[] = [
    [
      { online: '90', then: 'delete' },
      `retention of table refused.events: "90" is no length of time. Write a whole number from 1 and a unit: '90 days', '26 weeks', '6 months', '2 years'. [HF_RETENTION_PERIOD]`,
    ],
    [
      { online: '90 days', then: 'keep' },
      "retention of table refused.events: rows that are kept for ever have no place to go. Give an archive, or say then: 'delete'. [HF_RETENTION_OPTIONS]",
    ],
    [
      { online: '90 days', archive: { to: 'schema' }, then: 'delete' },
      "retention of table refused.events: its archive is deleted, and it does not say when. Say for: '2 years', counted from the end of the time online. [HF_RETENTION_OPTIONS]",
    ],
    [
      { online: '90 days', archive: { to: 'schema', for: '1 year' }, then: 'keep' },
      "retention of table refused.events: its archive is for 1 year and then kept. Leave out 'for', or say then: 'delete'. [HF_RETENTION_OPTIONS]",
    ],
    [
      { online: '90 days', archive: { to: 'files', for: '1 year' }, then: 'delete' },
      "retention of table refused.events: its archive is of files, and it does not say where. Give 'store'. [HF_RETENTION_OPTIONS]",
    ],
    [
      { online: '90 days', then: 'delete', batch: { rows: 0 } },
      `retention of table refused.events: its batch is {"rows":0}. Give 'rows' a whole number from 1 and 'pauseMs' one from 0. [HF_RETENTION_OPTIONS]`,
    ],
  ];
  test.for(options)('options %j', ([given, said]) => {
    expect(() => retention(events, given)).toThrow(said);
  });
});

const ago = (text: string, instant: string): string => before(at(instant), lengthOf(text, 'x')).toISOString();

describe('lengths of time', () => {
  test('are counted on the calendar of UTC', () => {
    expect(ago('90 days', '2026-05-02T01:00:00Z')).toBe('2026-02-01T01:00:00.000Z');
    expect(ago('2 weeks', '2026-03-01T00:00:00Z')).toBe('2026-02-15T00:00:00.000Z');
    expect(ago('1 month', '2026-03-31T12:00:00Z')).toBe('2026-02-28T12:00:00.000Z');
    expect(ago('1 month', '2028-03-31T12:00:00Z')).toBe('2028-02-29T12:00:00.000Z');
    expect(ago('1 year', '2028-02-29T00:00:00Z')).toBe('2027-02-28T00:00:00.000Z');
    expect(ago('14 months', '2027-01-15T00:00:00Z')).toBe('2025-11-15T00:00:00.000Z');
    expect(startOfDay(at('2026-05-02T23:59:59.999Z')).toISOString()).toBe('2026-05-02T00:00:00.000Z');
  });
  test.for([
    '',
    '0 days',
    '-5 days',
    '1.5 years',
    '90d',
    'P90D',
    '90  days',
    '1 year 2 months',
    '3 hours',
    '90 Days',
  ])('%j is none', (text) => {
    expect(() => lengthOf(text, 'x')).toThrow(/HF_RETENTION_PERIOD/);
  });
});
