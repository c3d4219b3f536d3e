import { expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { maintain, runJob } from './keeping.ts';
import { differences, NOW, openTill, session } from './rollups-stand.ts';
import { asTenant, refusal, sessionAs } from './stand.ts';

let opened: ReturnType<typeof openTill> | undefined;
const till = (...of: Parameters<typeof openTill>) => (opened ??= openTill(...of));

test('what statements of every kind change is added up, and equals a full count', async ({ db }) => {
  const { definition } = await till(db);
  const { session: maintenance } = await maintain(db, { now: NOW });
  const client = await session(db);
  const settled = () => runJob(definition, 'rollup', { session: maintenance, now: NOW });
  const same = async (): Promise<void> => {
    await settled();
    const { ['materialised view till.best']: _, ...others } = await differences(
      (text) => client.query(text),
      definition,
    );
    expect(others).toEqual({});
  };
  await client.query(`INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price)
    SELECT CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, n, timestamptz '2026-11-01 00:00Z' + n * interval '1 hour', n % 4 + 1,
      CASE WHEN n % 11 = 0 THEN NULL ELSE 'item ' || n % 3 END, CASE WHEN n % 7 = 0 THEN NULL ELSE n % 5 END
    FROM generate_series(1, 200) n`);
  await same();
  const [first] = await db.query('SELECT sum(n)::int AS rows FROM till.days');
  expect(first).toEqual({ rows: 200 - 18 });
  await client.query(`UPDATE till.sales SET price = price + 0.5, note = 'x' WHERE id % 3 = 0`);
  await same();
  await client.query(`UPDATE till.sales SET at = at - interval '20 days', item = 'moved' WHERE id % 5 = 0`);
  await same();
  await client.query(`DELETE FROM till.sales WHERE id % 4 = 0`);
  await same();
  await client.query(`INSERT INTO till.sales (tenant_id, id, at, shop_id, item, price)
    VALUES ('b', 1, '2026-11-01 01:00Z', 2, 'item 1', 9), ('b', 1000, '2026-12-01 01:00Z', 2, 'new', 9)
    ON CONFLICT (tenant_id, id, at) DO UPDATE SET price = excluded.price`);
  await same();
  await client.query(`MERGE INTO till.sales t USING (SELECT generate_series(1, 20) AS id) s ON t.id = s.id
    WHEN MATCHED AND t.id % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET price = 77
    WHEN NOT MATCHED THEN INSERT (tenant_id, id, at, shop_id, item, price) VALUES ('a', s.id, '2026-10-20Z', 1, 'merged', 1)`);
  await same();
  await client.query(`WITH gone AS (DELETE FROM till.sales WHERE id % 7 = 0 RETURNING *)
    INSERT INTO till.sales SELECT tenant_id, id + 10000, at, shop_id, 'put back', price, 'test' FROM gone`);
  await same();
  await client.query(`BEGIN; INSERT INTO till.sales VALUES ('a', 5000, '2026-11-02Z', 1, 'never', 1); SAVEPOINT s;
    UPDATE till.sales SET price = 1; ROLLBACK TO s; DELETE FROM till.sales WHERE id = 5000; COMMIT`);
  await same();
  await client.query(`BEGIN; UPDATE till.sales SET price = 2; ROLLBACK`);
  expect((await db.query('SELECT count(*)::int AS n FROM till.days_pending'))[0]).toEqual({ n: 0 });
  await client.query('TRUNCATE till.sales_y2026m11');
  await same();
  await client.query('TRUNCATE till.sales');
  await same();
  expect(
    await db.query(
      'SELECT * FROM till.days UNION ALL SELECT NULL, hash, NULL, NULL, n, NULL, total, NULL, NULL, NULL FROM till.items',
    ),
  ).toEqual([]);
});
