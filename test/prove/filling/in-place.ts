// Rows are made in the test's own database, as if it were a copy; and what must hold of them, whatever the schema.
import { expect } from 'vitest';
import type { Boundary } from '../../../src/define/proof.ts';
import type { CatalogueQuery } from '../../../src/define/trait.ts';
import type { Copy } from '../../../src/prove/copy/index.ts';
import { populate, type Population } from '../../../src/prove/rows/index.ts';
import type { TestDatabase } from '../../cluster/index.ts';

export const now = new Date('2026-11-21T10:00:00Z');

const login = (): never => {
  throw new Error('nobody logs in here');
};

/** The database as a copy of itself. */
function inPlace(db: TestDatabase): Copy {
  const query: CatalogueQuery = async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
    const client = await db.pool.connect();
    try {
      await client.query('BEGIN; SET LOCAL search_path = pg_catalog');
      return (await client.query(sql, [...values])).rows as Row[];
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  };
  return {
    url: db.url,
    pool: db.pool,
    query,
    now,
    versionNumber: 0,
    own: true,
    real: false,
    left: [],
    login,
  };
}

/** Empties schema public, builds a schema there and fills it. */
export async function filled(
  db: TestDatabase,
  sql: string,
  options: {
    readonly boundaries?: readonly Boundary[];
    readonly worlds?: number;
    readonly seed?: number;
  } = {},
): Promise<Population> {
  await db.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await db.query(sql);
  const { boundaries = [await tenantBoundary(db)], worlds = 2, seed = 1 } = options;
  return populate(inPlace(db), { boundaries, worlds, seed });
}

/** The boundary by every column called tenant_id. */
async function tenantBoundary(db: TestDatabase): Promise<Boundary> {
  const tables = await db.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'tenant_id'`,
  );
  return boundary(
    'app.tenant_id',
    tables.map(({ name }) => [name, 'tenant_id']),
  );
}

/** A boundary of tables of schema public. */
export function boundary(
  setting: string,
  tables: readonly (readonly [string, string])[],
  shared: readonly string[] = [],
): Boundary {
  return {
    name: setting,
    setting,
    tables: tables.map(([name, column]) => ({ of: { schema: 'public', name }, column })),
    shared: shared.map((name) => ({ of: { schema: 'public', name }, because: 'the test says so' })),
    roles: [],
    spanning: [],
  };
}

/** Rows of a table in a world; world 0 are those that are nobody's. */
export function rowsOf(
  population: Population,
  world: number,
  table: string,
): readonly Readonly<Record<string, string | null>>[] {
  const rows = world === 0 ? population.shared : (population.worlds[world - 1]?.rows ?? []);
  return rows.filter(({ of }) => of.name === table).map(({ values }) => values);
}

const REFERENCES_SQL = `
  SELECT c.conrelid::regclass::text AS "from", c.confrelid::regclass::text AS "to",
         (SELECT json_agg(a.attname ORDER BY k.at) FROM unnest(c.conkey) WITH ORDINALITY k (num, at) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
         (SELECT json_agg(a.attname ORDER BY k.at) FROM unnest(c.confkey) WITH ORDINALITY k (num, at) JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS "toColumns"
  FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0`;

interface Reference {
  readonly from: string;
  readonly to: string;
  readonly columns: readonly string[];
  readonly toColumns: readonly string[];
}

/** Every foreign key of a world's row leads to a row of the world or to one that is nobody's. */
export async function expectClosed(db: TestDatabase, population: Population): Promise<void> {
  const references = await db.query<Reference>(REFERENCES_SQL);
  for (const world of population.worlds) {
    for (const { from, to, columns, toColumns } of references) {
      const targets = [...rowsOf(population, world.number, to), ...rowsOf(population, 0, to)];
      const pointing = rowsOf(population, world.number, from).filter((row) =>
        columns.every((name) => row[name] !== null),
      );
      const lost = pointing.filter(
        (row) =>
          !targets.some((target) => columns.every((name, at) => row[name] === target[toColumns[at] ?? ''])),
      );
      expect([from, columns, lost]).toEqual([from, columns, []]);
    }
  }
}

/** What is in the tables is what was said, and no constraint is broken, those that were checked late included. */
export async function expectTrue(db: TestDatabase, population: Population): Promise<void> {
  const all = [...population.shared, ...population.worlds.flatMap(({ rows }) => rows)];
  const tables = await db.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
  );
  for (const { name } of tables) {
    const [count] = await db.query<{ count: string }>(`SELECT count(*) FROM ONLY ${name}`).catch(() => []);
    const [whole] = await db.query<{ count: string }>(`SELECT count(*) FROM ${name}`);
    const said = all.filter(({ of }) => name.replaceAll('"', '') === of.name).length;
    expect([name, said]).toEqual([
      name,
      Math.max(Number(count?.count ?? 0), said === Number(whole?.count) ? said : 0),
    ]);
  }
  for (const reference of await db.query<Reference>(REFERENCES_SQL)) {
    const { from, to, columns, toColumns } = reference;
    const on = columns.map((name, at) => `t."${toColumns[at]}" = f."${name}"`).join(' AND ');
    const given = columns.map((name) => `f."${name}" IS NOT NULL`).join(' AND ');
    const lost = await db.query(
      `SELECT FROM ${from} f WHERE ${given} AND NOT EXISTS (SELECT FROM ${to} t WHERE ${on})`,
    );
    expect([reference, lost.length]).toEqual([reference, 0]);
  }
}
