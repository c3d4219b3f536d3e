// What tests of erasure share: a house with two tenants whose people leave rows everywhere, the hand that erases, and a
// search for what is left of somebody in every place a byte of them could lie.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { onTestFinished } from 'vitest';
import {
  bigint,
  customType,
  date,
  foreignKey,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { database, type Definition } from '../../src/define/index.ts';
import type { TaskContext } from '../../src/define/job.ts';
import { runJob, withTask } from '../../src/keep/index.ts';
import {
  erasersOf,
  erasure,
  type Eraser,
  folder,
  immutability,
  incremental,
  partitions,
  retention,
  rollups,
} from '../../src/traits/index.ts';
import type { ArchiveFiles, ErasureOptions } from '../../src/traits/index.ts';
import { filedRows } from '../../src/traits/retention/files/prove.ts';
import type { TestDatabase } from '../cluster/index.ts';
import { random } from './archive-stand.ts';
import { stand } from './stand.ts';

/** The instant the house opens. */
export const OPENED = new Date('2026-01-10T12:00:00Z');
/** Today: January and February of visits and events are archived. */
export const TODAY = new Date('2026-05-15T04:00:00Z');

const oid = customType<{ data: number }>({ dataType: () => 'oid' });
const at = () => timestamp('created_at', { withTimezone: true }).notNull();
const tenantId = () => text('tenant_id').notNull();

/** The tables of a house. */
export function tablesOf(name: string) {
  const schema = pgSchema(name);
  const tenants = schema.table('tenants', { id: text().primaryKey(), name: text().notNull() });
  const users = schema.table(
    'users',
    {
      tenantId: tenantId(),
      id: integer().notNull(),
      email: text().notNull(),
      fullName: text('full_name'),
      photo: oid('photo'),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id] }),
      foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.id] }),
    ],
  );
  const toUser = (t: { tenantId: typeof users.tenantId; userId: typeof users.id }) =>
    foreignKey({ columns: [t.tenantId, t.userId], foreignColumns: [users.tenantId, users.id] });
  const orders = schema.table(
    'orders',
    { tenantId: tenantId(), id: integer().notNull(), userId: integer('user_id').notNull(), note: text() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] }), toUser(t as never)],
  );
  const items = schema.table(
    'items',
    {
      tenantId: tenantId(),
      id: integer().notNull(),
      orderId: integer('order_id').notNull(),
      what: text().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id] }),
      foreignKey({ columns: [t.tenantId, t.orderId], foreignColumns: [orders.tenantId, orders.id] }),
    ],
  );
  const comments = schema.table(
    'comments',
    {
      tenantId: tenantId(),
      id: integer().notNull(),
      authorId: integer('author_id'),
      authorName: text('author_name').notNull(),
      body: text(),
    },
    (t) => [
      primaryKey({ columns: [t.tenantId, t.id] }),
      foreignKey({ columns: [t.tenantId, t.authorId], foreignColumns: [users.tenantId, users.id] }),
    ],
  );
  const timed = (table: string) =>
    schema.table(
      table,
      {
        tenantId: tenantId(),
        id: integer().notNull(),
        createdAt: at(),
        userId: integer('user_id').notNull(),
        detail: text(),
      },
      (t) => [primaryKey({ columns: [t.tenantId, t.id, t.createdAt] })],
    );
  const visits = timed('visits');
  const events = timed('events');
  const audit = schema.table(
    'audit',
    { tenantId: tenantId(), id: integer().notNull(), actor: text().notNull(), what: text() },
    (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
  );
  const days = schema.table(
    'days',
    { tenantId: tenantId(), day: date().notNull(), visits: bigint({ mode: 'number' }).notNull() },
    (t) => [primaryKey({ columns: [t.tenantId, t.day] })],
  );
  const totals = schema
    .materializedView('totals', { tenantId: text('tenant_id'), visits: bigint({ mode: 'number' }) })
    .as(
      sql`select tenant_id, sum(visits)::bigint as visits from ${sql.raw(`"${name}"."days"`)} group by tenant_id`,
    );
  return { schema, tenants, users, orders, items, comments, visits, events, audit, days, totals };
}

export type House = ReturnType<typeof tablesOf>;

/** What a house erases, unless a test says otherwise. */
export function subjectsOf(tables: House): ErasureOptions['subjects'] {
  return {
    person: {
      table: tables.users,
      key: 'id',
      within: 'tenant_id',
      tables: [
        { table: tables.users, largeObjects: ['photo'] },
        { table: tables.orders },
        { table: tables.items },
        {
          table: tables.comments,
          by: 'author_id',
          blank: { author_id: null, author_name: 'somebody', body: null },
        },
        { table: tables.visits, by: 'user_id' },
        {
          table: tables.events,
          by: 'user_id',
          pseudonymise: ['detail'],
          despiteImmutability: true,
          blank: { user_id: '0' },
        },
      ],
    },
    tenant: {
      table: tables.tenants,
      everywhere: 'tenant_id',
      tables: [
        { table: tables.users, largeObjects: ['photo'] },
        { table: tables.events, despiteImmutability: true },
        { table: tables.audit, despiteImmutability: true },
      ],
    },
  };
}

/** The definition of a house whose events go into files and whose visits into another schema. */
export function houseOf(
  name: string,
  of: {
    readonly root: string;
    readonly role: string;
    readonly erasing?: Partial<ErasureOptions>;
    readonly store?: ArchiveFiles;
  },
): Definition<House> {
  const tables = tablesOf(name);
  const byMonth = { by: 'created_at', every: 'month', from: '2026-01-01' } as const;
  return database(name, {
    tables,
    traits: [
      partitions(tables.visits, byMonth),
      partitions(tables.events, byMonth),
      retention(tables.visits, {
        online: '60 days',
        archive: { to: 'schema', schema: `${name}_archive`, for: '2 years' },
        then: 'delete',
      }),
      retention(tables.events, {
        online: '60 days',
        archive: {
          to: 'files',
          schema: `${name}_archive`,
          store: of.store ?? folder(of.root),
          for: '2 years',
        },
        then: 'delete',
      }),
      immutability(tables.events, { kind: 'append-only' }),
      immutability(tables.audit, { kind: 'append-only' }),
      incremental(tables.days, {
        of: tables.visits,
        key: { tenant_id: 'source.tenant_id' },
        time: 'created_at',
        bucket: { column: 'day', every: 'day' },
        count: 'visits',
        refreshedBy: of.role,
      }),
      rollups(tables.totals, { key: ['tenant_id'], refreshedBy: of.role }),
      erasure({ subjects: subjectsOf(tables), batch: { rows: 40, pauseMs: 0 }, ...of.erasing }),
    ],
  });
}

/** A house on a test database, its archive on disk, and what two tenants left in it. */
export interface Standing {
  readonly db: TestDatabase;
  readonly definition: Definition<House>;
  readonly name: string;
  /** Where the files of its archive lie, and what reads them. */
  readonly root: string;
  readonly files: ArchiveFiles;
  readonly role: string;
  readonly eraser: Eraser;
}

export interface Opening {
  readonly seed?: number;
  readonly people?: number;
  readonly erasing?: Partial<ErasureOptions>;
  /** An archive elsewhere than in a folder of its own, with the folder in which its files end up. */
  readonly archive?: { readonly store: ArchiveFiles; readonly root: string };
}

/** Makes the house, fills it with random rows and lets the retention archive what is old. */
export async function openHouse(db: TestDatabase, name: string, how: Opening = {}): Promise<Standing> {
  const root = how.archive?.root ?? ownFolder();
  const role = db.role('sums');
  const files = how.archive?.store ?? folder(root);
  const definition = houseOf(name, {
    root,
    role,
    store: files,
    ...(how.erasing && { erasing: how.erasing }),
  });
  await stand(db, definition, OPENED);
  await fillHouse(db, name, how);
  for (const job of ['rollup', 'retention', 'refresh'])
    await runJob(definition, db.url, job, { clock: clockAt(TODAY) });
  const [eraser] = erasersOf(definition);
  if (eraser === undefined) throw new Error('The definition erases nobody.');
  return { db, definition, name, root, files, role, eraser };
}

/** A folder; removed when the test ends. */
export function ownFolder(): string {
  const root = mkdtempSync(join(tmpdir(), 'erasure-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** A clock that stands still, but for what a task waits. */
export function clockAt(now: Date) {
  const started = performance.now();
  return {
    now: () => new Date(now),
    monotonicMs: () => performance.now() - started,
    sleep: async (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.min(ms, 5))),
  };
}

/** What stands in every value of a person, whatever table: nothing else in the database does. */
export function markOf(tenant: string, person: number): string {
  return `${tenant}~person~${person}~`;
}

async function fillHouse(
  db: TestDatabase,
  name: string,
  { seed = 1, people = 4 }: { readonly seed?: number; readonly people?: number },
): Promise<void> {
  const chance = random(seed);
  const some = (most: number): number => 1 + Math.floor(chance() * most);
  for (const tenant of ['acmeco', 'birdco']) {
    await db.query(`INSERT INTO ${name}.tenants VALUES ($1, $2)`, [tenant, `${tenant} limited`]);
    for (let person = 1; person <= people; person += 1) {
      const mark = markOf(tenant, person);
      await db.query(
        `INSERT INTO ${name}.users VALUES ($1, $2, $3, $4, lo_from_bytea(0, convert_to($5, 'UTF8')))`,
        [tenant, person, `${mark}@example.org`, `${mark} Silva`, `${mark} photo`],
      );
      const scope = `SELECT $1, $2::int * 1000 + n`;
      const values = [tenant, person, mark];
      const orders = some(60);
      await db.query(
        `INSERT INTO ${name}.orders SELECT $1, $2::int * 1000 + n, $2, $3 || n FROM generate_series(1, ${orders}) n`,
        values,
      );
      await db.query(
        `INSERT INTO ${name}.items ${scope}, $2::int * 1000 + 1 + n % ${orders}, $3 || 'item' FROM generate_series(1, ${some(90)}) n`,
        values,
      );
      await db.query(
        `INSERT INTO ${name}.comments ${scope}, $2, $3 || 'name', $3 || 'said' FROM generate_series(1, ${some(50)}) n`,
        values,
      );
      for (const table of ['visits', 'events'])
        await db.query(
          `INSERT INTO ${name}.${table} ${scope}, timestamptz '2026-01-01 00:00+00' + n * interval '5 hours', $2, $3 || n
           FROM generate_series(1, ${300 + some(200)}) n`,
          values,
        );
      await db.query(
        `INSERT INTO ${name}.audit ${scope}, 'p' || $2::int, $3::text IS NULL FROM generate_series(1, ${some(20)}) n`,
        values,
      );
    }
  }
  await db.query('VACUUM ANALYZE');
}

/** Works as the command does: leads, with the pieces of erasure. */
export async function erasing<T>(
  on: Pick<Standing, 'definition'> & { readonly db: Pick<TestDatabase, 'url'> },
  work: (context: TaskContext) => Promise<T>,
  now: Date = TODAY,
): Promise<T> {
  return withTask(on.definition, on.db.url, { trait: 'erasure', leading: true, clock: clockAt(now) }, work);
}

/** Where a text still stands: tables of every schema but PostgreSQL's own, statistics, large objects, files, decoded too. */
export async function leftOf(on: Standing, needle: string): Promise<readonly string[]> {
  const { db } = on;
  const found: string[] = [];
  const tables = await db.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_toast%'
       AND (n.nspname <> 'pg_catalog' OR c.relname IN ('pg_statistic_ext_data', 'pg_description'))`,
  );
  for (const { name } of tables) {
    const [row] = await db.query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM ${name} t WHERE strpos(t::text, $1) > 0`,
      [needle],
    );
    if ((row?.rows ?? 0) > 0) found.push(`${name} ${row?.rows}`);
  }
  const stats = await db.query<{ name: string }>(
    `SELECT format('pg_stats of %s.%s.%s', schemaname, tablename, attname) AS name FROM pg_stats
     CROSS JOIN LATERAL concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text) AS held
     WHERE strpos(held, $1) > 0 OR strpos(held, encode(convert_to($1, 'UTF8'), 'hex')) > 0`,
    [needle],
  );
  found.push(...stats.map((row) => row.name));
  const [objects] = await db.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_largeobject WHERE strpos(encode(data, 'escape'), $1) > 0`,
    [needle],
  );
  if ((objects?.n ?? 0) > 0) found.push(`pg_largeobject ${objects?.n}`);
  found.push(...(await inFiles(on, needle)));
  return found.sort();
}

async function inFiles(on: Standing, needle: string): Promise<readonly string[]> {
  const found: string[] = [];
  const all = readdirSync(on.root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  for (const file of all) {
    const path = join(file.parentPath, file.name);
    if (readFileSync(path).includes(needle)) found.push(`bytes of ${file.name}`);
  }
  for (const { receipt } of await on.files.list(on.name)) {
    for await (const row of filedRows(on.files, receipt)) {
      if (!JSON.stringify(row).includes(needle)) continue;
      found.push(`rows of ${receipt.path}`);
      break;
    }
  }
  return found;
}

/** A sum over every row of the house that is not the named tenant's or person's, wherever it lies. */
export async function othersSum(
  on: Standing,
  who: { readonly tenant: string; readonly person?: number },
): Promise<string> {
  const { db, name } = on;
  const parts: string[] = [];
  const own = (person: string): string =>
    who.person === undefined
      ? `tenant_id = '${who.tenant}'`
      : `tenant_id = '${who.tenant}' AND ${person} = ${who.person}`;
  const sums: Readonly<Record<string, string>> = {
    [`${name}.users`]: own('id'),
    [`${name}.orders`]: own('user_id'),
    [`${name}.items`]: own('id / 1000'),
    [`${name}.comments`]: own('id / 1000'),
    [`${name}.audit`]: own('-1'),
    [`${name}.visits`]: own('id / 1000'),
    [`${name}_archive.visits`]: own('id / 1000'),
    [`${name}.events`]: own('id / 1000'),
  };
  for (const [table, theirs] of Object.entries(sums)) {
    const [row] = await db.query<{ sum: string }>(
      `SELECT count(*) || ' ' || coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0) AS sum
       FROM ${table} t WHERE NOT (${theirs})`,
    );
    parts.push(`${table} ${row?.sum}`);
  }
  const rows: string[] = [];
  for (const { receipt } of await on.files.list(name))
    for await (const row of filedRows(on.files, receipt)) {
      const person = Math.floor(Number(row['id']) / 1000);
      if (row['tenant_id'] === who.tenant && (who.person === undefined || person === who.person)) continue;
      rows.push(JSON.stringify(row));
    }
  return [...parts, ...rows.sort()].join('\n');
}
