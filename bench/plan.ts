// What planning costs: from empty and with nothing to do, at three sizes, against drizzle-kit on the same schema.
// Holdfast's figure includes the rehearsal forward and back on scratch copies; drizzle-kit compares and does not try.
import { createRequire } from 'node:module';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { foreignKey, index, integer, pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';
import { database, type Definition } from 'holdfast';
import { apply, plan } from 'holdfast/build';
import { withClient, withDatabase } from 'holdfast/server';
import { Pool } from 'pg';
import { type Aim, compare, type Comparison, type Context, type Report } from './measure.ts';

export const name = 'plan';

const SIZES = [50, 100, 500] as const;

interface Kit {
  readonly pushSchema: (
    schema: Record<string, unknown>,
    db: unknown,
    schemas: readonly string[],
  ) => Promise<{ statementsToExecute: string[] }>;
}

/** Runs the part. */
export async function run({ serverUrl, quick }: Context): Promise<Report> {
  const comparisons: Comparison[] = [];
  const sizes = quick ? SIZES.slice(0, 1) : SIZES;
  for (const size of sizes) {
    const rounds = quick || size >= 500 ? 3 : 5;
    comparisons.push(...(await atSize(serverUrl, size, rounds)));
  }
  return {
    settings: { tables: sizes.join(', '), 'a table': '9 columns, 2 indexes, 1 unique, 1 foreign key' },
    comparisons,
    aims: [] as Aim[],
  };
}

async function atSize(serverUrl: string, size: number, rounds: number): Promise<Comparison[]> {
  const tables = schemaOf(size);
  const definition = database(`bench_${size}`, { tables });
  const empty = await makeDatabase(serverUrl, `hf_bench_plan_empty_${size}`);
  const built = await makeDatabase(serverUrl, `hf_bench_plan_built_${size}`);
  try {
    await apply(await plan(definition, built, { now: new Date() }), built);
    return [
      await versus(`plan from empty, ${size} tables`, { definition, tables, url: empty, rounds }),
      await versus(`plan with nothing to do, ${size} tables`, { definition, tables, url: built, rounds }),
    ];
  } finally {
    await dropDatabase(serverUrl, empty);
    await dropDatabase(serverUrl, built);
  }
}

interface Matter {
  readonly definition: Definition;
  readonly tables: Readonly<Record<string, unknown>>;
  readonly url: string;
  readonly rounds: number;
}

async function versus(title: string, { definition, tables, url, rounds }: Matter): Promise<Comparison> {
  const kit = createRequire(import.meta.url)('drizzle-kit/api') as Kit;
  // Without a limit on waiting for a session: drizzle-kit asks for one a table at once.
  const pool = new Pool({ connectionString: url, max: 4 });
  try {
    return await compare(
      title,
      [
        {
          label: 'drizzle-kit push, compared only',
          run: () => quietly(() => kit.pushSchema({ ...tables }, drizzle(pool), ['public'])),
        },
        { label: 'holdfast plan, rehearsed', run: () => plan(definition, url, { now: new Date() }) },
      ],
      rounds,
    );
  } finally {
    await pool.end();
  }
}

/** drizzle-kit draws a spinner on stdout, which is this bench's own output. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = () => true;
  try {
    return await work();
  } finally {
    process.stdout.write = write;
  }
}

/** Tables that each point at the one before. */
function schemaOf(size: number): Readonly<Record<string, unknown>> {
  const tables: Record<string, ReturnType<typeof tableOf>> = {};
  for (let number = 0; number < size; number += 1) {
    tables[`t${number}`] = tableOf(number, () => tables[`t${Math.max(0, number - 1)}`]);
  }
  return tables;
}

function tableOf(number: number, previous: () => unknown) {
  const called = `bench_table_${number}`;
  return pgTable(
    called,
    {
      id: uuid().primaryKey().defaultRandom(),
      tenantId: text('tenant_id').notNull(),
      parentId: uuid('parent_id'),
      title: text().notNull(),
      body: text(),
      state: text().notNull().default('new'),
      position: integer().notNull().default(0),
      createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
      updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    },
    (table) => [
      index(`${called}_tenant_created`).on(table.tenantId, table.createdAt.desc()),
      index(`${called}_open`)
        .on(table.tenantId, table.position)
        .where(sql`state = 'new'`),
      unique(`${called}_title`).on(table.tenantId, table.title),
      foreignKey({
        name: `${called}_parent`,
        columns: [table.parentId],
        foreignColumns: [(number === 0 ? table : (previous() as typeof table)).id],
      }),
    ],
  );
}

async function makeDatabase(serverUrl: string, called: string): Promise<string> {
  const url = withDatabase(serverUrl, called);
  await dropDatabase(serverUrl, url);
  await withClient(serverUrl, (client) => client.query(`CREATE DATABASE ${called}`));
  return url;
}

async function dropDatabase(serverUrl: string, url: string): Promise<void> {
  const called = new URL(url).pathname.slice(1);
  await withClient(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${called} WITH (FORCE)`));
}
