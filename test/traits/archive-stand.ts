// What tests of the archive share: a task's context on a test database, a table with every kind of column, random rows.
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { TaskContext } from '../../src/define/job.ts';
import type { Model } from '../../src/define/model.ts';
import type { CatalogueQuery } from '../../src/define/trait.ts';
import type { TestDatabase } from '../cluster/index.ts';

/** A task's context whose session is a real one of the database; nothing in it reaches for the ledger. */
export async function contextOn(
  db: TestDatabase,
  options: { readonly prepare?: string; readonly signal?: AbortSignal; readonly now?: Date } = {},
): Promise<TaskContext> {
  const client = new Client(db.url);
  await client.connect();
  onTestFinished(() => client.end());
  if (options.prepare !== undefined) await client.query(options.prepare);
  const query: CatalogueQuery = async (sql, values) => (await client.query(sql, values && [...values])).rows;
  const model = { name: 'shop', tables: [], views: [] } as unknown as Model;
  return {
    model,
    now: options.now ?? new Date('2026-06-01T00:00:00Z'),
    signal: options.signal ?? new AbortController().signal,
    session: {
      query,
      transaction: async (work) => {
        await client.query('BEGIN');
        try {
          const result = await work(query);
          await client.query('COMMIT');
          return result;
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        }
      },
    },
    pieces: {
      list: async () => [],
      put: async () => undefined,
      remove: async () => undefined,
    },
    pause: async () => undefined,
    beforeLeaving: async () => undefined,
    tell: () => undefined,
  };
}

/** Pseudo-random numbers from a seed, the same on every machine (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Columns of every kind, each with values that have gone wrong somewhere: SQL text of the type, and of the values. */
export const KINDS: readonly {
  readonly name: string;
  readonly type: string;
  readonly values: readonly string[];
}[] = [
  { name: 'c_bool', type: 'boolean', values: ['true', 'false'] },
  { name: 'c_int2', type: 'smallint', values: ['-32768', '32767', '0'] },
  { name: 'c_int4', type: 'integer', values: ['-2147483648', '2147483647', '0'] },
  {
    name: 'c_int8',
    type: 'bigint',
    values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  },
  {
    name: 'c_numeric',
    type: 'numeric',
    values: ['1.10', '-0.000000000000000000001', 'NaN', 'Infinity', '-Infinity', '1e100'],
  },
  { name: 'c_money_amount', type: 'numeric(12,2)', values: ['-0.05', '9999999999.99', '0', '1.1'] },
  { name: 'c_small', type: 'numeric(4,4)', values: ['0.0001', '-0.9999'] },
  {
    name: 'c_wide',
    type: 'numeric(38,10)',
    values: ['1234567890123456789012345678.0123456789', '-0.0000000001'],
  },
  {
    name: 'c_wider',
    type: 'numeric(60,5)',
    values: ['123456789012345678901234567890123456789012345678901234.12345'],
  },
  { name: 'c_hundreds', type: 'numeric(3,-2)', values: ['12300', '-99900'] },
  { name: 'c_with_nan', type: 'numeric(8,3)', values: ['12345.678', 'NaN'] },
  { name: 'c_float4', type: 'real', values: ['0.1', 'NaN', '-0', 'Infinity', '1e-45', '3.4028235e38'] },
  {
    name: 'c_float8',
    type: 'double precision',
    values: ['0.1', 'NaN', '-0', '-Infinity', '5e-324', '1.7976931348623157e308'],
  },
  {
    name: 'c_text',
    type: 'text',
    values: ['', 'plain', 'NULL', '\\N', '\uFEFFmark', 'línea\n"\'', '🎉 e\u0301', '-', '1:a'],
  },
  { name: 'c_varchar', type: 'varchar(10)', values: ['', 'ten chars!', 'a  '] },
  { name: 'c_char', type: 'char(5)', values: ['ab', '', 'abcde'] },
  { name: 'c_name', type: 'name', values: ['some_name'] },
  {
    name: 'c_uuid',
    type: 'uuid',
    values: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-fffffffffffe'],
  },
  { name: 'c_json', type: 'json', values: ['{"b":1,  "a":1.10, "a":2}', 'null', '[]'] },
  {
    name: 'c_jsonb',
    type: 'jsonb',
    values: ['{"b":1.10,"a":[1e2,null]}', 'null', '12345678901234567890.5', '"\uFEFF"'],
  },
  {
    name: 'c_date',
    type: 'date',
    values: ['2024-02-29', '0001-01-01', '4713-01-01 BC', '12345-01-01', '1969-12-31'],
  },
  { name: 'c_date_open', type: 'date', values: ['infinity', '-infinity', '2024-01-01'] },
  { name: 'c_time', type: 'time', values: ['00:00:00', '23:59:59.999999'] },
  { name: 'c_time_24', type: 'time', values: ['24:00:00', '12:00:00.000001'] },
  { name: 'c_timetz', type: 'timetz', values: ['12:34:56.789-03', '00:00+05:45'] },
  {
    name: 'c_ts',
    type: 'timestamp',
    values: ['2024-02-29 23:59:59.999999', 'infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31'],
  },
  {
    name: 'c_tstz',
    type: 'timestamptz',
    values: [
      '2024-02-29 23:59:59.999999+00',
      'infinity',
      '-infinity',
      '1969-12-31 23:59:59.999999+00',
      '10000-01-01 00:00+00',
      '0044-03-15 12:00+00 BC',
    ],
  },
  { name: 'c_tstz_last', type: 'timestamptz', values: ['294276-12-31 23:59:59.999999+00', '2020-01-01+00'] },
  {
    name: 'c_interval',
    type: 'interval',
    values: ['1 year -2 days +03:04:05.000006', '-00:00:00.000001', '178000000 years'],
  },
  { name: 'c_bytea', type: 'bytea', values: ['\\x', '\\x00ff5c27', '\\x0a0d'] },
  {
    name: 'c_array',
    type: 'text[]',
    values: ['{}', '{a,NULL,"","NULL","q\\"\\\\"}', '{{1,2},{3,4}}', '[2:3]={x,y}'],
  },
  { name: 'c_instants', type: 'timestamptz[]', values: ['{"2024-01-01 00:00:00.000001+00",infinity}'] },
  { name: 'c_state', type: 'odd."Stäte"', values: ['open', 'closed, "really"'] },
  { name: 'c_domain', type: 'odd.price', values: ['12.50', '0.00'] },
  { name: 'c_pair', type: 'odd.pair', values: ['(1,"a,b")', '(,)', '(2,"")'] },
  { name: 'c_range', type: 'tstzrange', values: ['["2024-01-01 00:00:00+00",)', 'empty', '(,)'] },
  { name: 'c_inet', type: 'inet', values: ['10.0.0.1', '10.0.0.0/8', '::1'] },
  { name: 'c_bits', type: 'bit varying', values: ['', '1010'] },
  { name: 'c_xml', type: 'xml', values: ['<a b="1">x</a>'] },
  { name: 'c_tsvector', type: 'tsvector', values: ["'fat':2 'rat':3A"] },
  { name: 'c_cash', type: 'money', values: ['12.34', '-0.01'] },
  { name: 'c "odd", näme', type: 'integer', values: ['1'] },
];

/** Types of the schema `odd` that KINDS uses. */
export const ODD_SQL = `
  CREATE SCHEMA odd;
  CREATE TYPE odd."Stäte" AS ENUM ('open', 'closed, "really"');
  CREATE DOMAIN odd.price AS numeric(10,2) CHECK (VALUE >= 0);
  CREATE TYPE odd.pair AS (number integer, word text);`;
