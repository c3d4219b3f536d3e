// What a parameter costs a prepared statement where an index is partial.
import { expect } from 'vitest';
import { close, connect } from '../../src/server/index.ts';
import { test } from '../cluster/index.ts';

const SETUP_SQL = `
  CREATE TABLE job (id int PRIMARY KEY, tenant int NOT NULL, open boolean NOT NULL);
  INSERT INTO job SELECT n, n % 50, n % 500 = 0 FROM generate_series(1, 20000) AS n;
  CREATE INDEX job_open ON job (tenant) WHERE open;
  ANALYZE job`;

const PLANS_SQL = `
  SELECT name, custom_plans::int AS custom, generic_plans::int AS generic
  FROM pg_catalog.pg_prepared_statements ORDER BY name`;

test('a condition sent as a parameter is planned anew at every call, because no plan for any value may use the index', async ({
  db,
}) => {
  await db.query(SETUP_SQL);
  const client = await connect(db.url);
  await client.query('PREPARE written AS SELECT id FROM job WHERE tenant = $1 AND open');
  await client.query('PREPARE sent AS SELECT id FROM job WHERE tenant = $1 AND open = $2');
  for (let number = 0; number < 12; number += 1) {
    await client.query(`EXECUTE written (${number})`);
    await client.query(`EXECUTE sent (${number}, true)`);
  }
  const plans = await client.query(PLANS_SQL);
  const explained = async (call: string): Promise<string> => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) EXECUTE ${call}`);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  await client.query('SET plan_cache_mode = force_generic_plan');
  const [written, sent] = [await explained('written (1)'), await explained('sent (1, true)')];
  await close(client);
  expect(plans.rows).toEqual([
    { name: 'sent', custom: 12, generic: 0 },
    { name: 'written', custom: 5, generic: 7 },
  ]);
  expect(written).toMatch(/job_open/);
  expect(sent).toMatch(/Seq Scan/);
});
