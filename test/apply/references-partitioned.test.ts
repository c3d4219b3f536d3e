// A foreign key whose other end is a partitioned table: the server keeps one hidden constraint for each partition there.
import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import { rollback } from '../../src/build/rollback.ts';
import { OPTIONS, wanted } from '../build/wanted.ts';
import { test, type TestDatabase } from '../cluster/index.ts';

const STRUCTURE = [
  'CREATE TABLE day (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
  'CREATE TABLE visit (id int PRIMARY KEY, day int, at date)',
];
const KEY = 'ALTER TABLE visit ADD CONSTRAINT visit_day FOREIGN KEY (day, at) REFERENCES day (id, at)';

async function scene(file: TestDatabase): Promise<TestDatabase> {
  const db = await file.another();
  for (const sql of [
    ...STRUCTURE,
    "CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
    "CREATE TABLE day_2 PARTITION OF day FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
    "INSERT INTO day VALUES (1, '2026-01-05'), (2, '2026-02-05')",
    "INSERT INTO visit VALUES (1, 1, '2026-01-05'), (2, 2, '2026-02-05')",
  ])
    await db.query(sql);
  return db;
}

const VALIDATED_SQL = `SELECT convalidated AS valid FROM pg_constraint WHERE conname = 'visit_day'`;

test('it is added online, holds, survives partitions that come and go, and goes back', async ({
  db: file,
}) => {
  const db = await scene(file);
  const plan = await planLowered(wanted([...STRUCTURE, KEY]), db.url, OPTIONS);
  expect(plan.steps.map(({ lock }) => lock)).not.toContain('ACCESS EXCLUSIVE');
  expect(await apply(plan, db.url)).toMatchObject({ endsAsPlanned: true });
  expect(await db.query(VALIDATED_SQL)).toEqual([{ valid: true }]);
  await expect(db.query("INSERT INTO visit VALUES (3, 9, '2026-01-05')")).rejects.toThrow('visit_day');
  await expect(db.query('DELETE FROM day WHERE id = 2')).rejects.toThrow('visit_day');

  await db.query("CREATE TABLE day_3 PARTITION OF day FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')");
  await db.query('DELETE FROM visit WHERE id = 1; ALTER TABLE day DETACH PARTITION day_1; DROP TABLE day_1');
  expect(await fingerprint(db.pool)).toBe(plan.to);
  expect((await planLowered(wanted([...STRUCTURE, KEY]), db.url, OPTIONS)).steps).toEqual([]);
  await rollback(db.url, { to: 'previous' });
  expect(await fingerprint(db.pool)).toBe(plan.from);
  await db.query('DELETE FROM day WHERE id = 2');
});

test('rows that point at nothing stop it with advice, and it goes on when they are mended', async ({
  db: file,
}) => {
  const db = await scene(file);
  await db.query("INSERT INTO visit VALUES (3, 9, '2026-01-05')");
  const plan = await planLowered(wanted([...STRUCTURE, KEY]), db.url, OPTIONS);
  await expect(apply(plan, db.url)).rejects.toMatchObject({
    code: 'HF_STEP_FAILED',
    fix: 'Mend the rows that point at nothing, then run the same plan again.',
  });
  await db.query('DELETE FROM visit WHERE id = 3');
  expect(await apply(plan, db.url)).toMatchObject({ resumed: true, endsAsPlanned: true });
  expect(await db.query(VALIDATED_SQL)).toEqual([{ valid: true }]);
});
