// Patterns as decisions leave them, for tests of what is made of them.
import type { TestDatabase } from '../../../test/cluster/index.ts';
import type { CellValue } from '../operations/correction-rows.ts';

/** One pattern: how often a correction was proposed, accepted and rejected. */
export interface PatternRow {
  readonly field?: string;
  readonly rule?: string;
  readonly original: CellValue;
  readonly corrected: CellValue;
  readonly accepted: number;
  readonly rejected?: number;
  readonly channel?: string | null;
}

/** Writes patterns of a tenant past row security, once the rollup has begun: it refuses a table that others filled before. */
export async function putPatterns(
  db: TestDatabase,
  tenant: string,
  patterns: readonly PatternRow[],
): Promise<void> {
  const rows = patterns.map((pattern) => ({
    field: 'brand',
    rule: 'brand_listed',
    channel: 'custom',
    rejected: 0,
    ...pattern,
  }));
  await db.query('SELECT FROM validahub.correction_patterns_settle()');
  await db.query(
    `INSERT INTO validahub.correction_patterns (tenant_id, field_name, rule_id, original_hash, corrected_hash,
       original_value, corrected_value, channel, proposed, accepted, rejected, sum_confidence)
     SELECT $1, r.field, r.rule, sha256(convert_to(coalesce(r.original::text, ''), 'UTF8')),
       sha256(convert_to(coalesce(r.corrected::text, ''), 'UTF8')), r.original, r.corrected, r.channel,
       r.accepted + r.rejected, r.accepted, r.rejected, 0
     FROM jsonb_to_recordset($2::jsonb) AS r(
       field text, rule text, original jsonb, corrected jsonb, channel text, accepted bigint, rejected bigint)`,
    [tenant, JSON.stringify(rows)],
  );
}
