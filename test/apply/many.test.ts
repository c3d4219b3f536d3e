import { expect } from 'vitest';
import { apply } from '../../src/build/apply.ts';
import { rollback } from '../../src/build/rollback.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { test } from '../cluster/index.ts';
import { stage } from '../online/stage.ts';

const TABLES = 120;

test('many new tables share transactions, are applied in seconds, and go back in one', async ({ db }) => {
  const tables = Array.from(
    { length: TABLES },
    (_, at) => `
      CREATE TABLE t${at} (id int PRIMARY KEY, a text NOT NULL UNIQUE, b int REFERENCES t0 (id), CHECK (b > 0));
      CREATE INDEX t${at}_b ON t${at} (b);
      ALTER TABLE t${at} ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON t${at} USING (a <> '');`,
  );
  const { plan, target } = await stage(db, { before: '', after: tables.join('\n') });
  const transactions = new Set(plan.steps.map(({ group, number }) => group ?? -number));
  expect(plan.steps.length).toBeGreaterThan(TABLES * 3);
  expect(transactions.size).toBeLessThan(plan.steps.length / 50);
  const since = performance.now();
  expect(await apply(plan, target.url)).toMatchObject({ endsAsPlanned: true });
  expect(performance.now() - since).toBeLessThan(30_000);
  await rollback(target.url, { to: 'previous' });
  expect(await fingerprint(target.pool)).toBe(plan.from);
});
