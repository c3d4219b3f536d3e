// The 54 indexes of the specification, where each of them lives, and why the hot ones are not a predicate.
import { describe, expect } from 'vitest';
import { HOT_INDEXES } from '../tables/hot.ts';
import { test } from './installed.ts';

const NAMED: Readonly<Record<string, readonly string[]>> = {
  rule_sets: [
    'tenant_channel_performance',
    'tenant_active_updated',
    'metadata_search_gin',
    'tenant_status_created',
    'auto_apply_patches',
  ],
  rule_versions: [
    'tenant_set_version',
    'tenant_set_current',
    'tenant_set_semantic',
    'published_performance',
    'tenant_status_created',
    'rules_content_gin',
    'performance_gin',
    'breaking_changes_gin',
    'compatibility',
    'api_covering',
  ],
  correction_logs: ['summary_covering', 'created_brin'],
  suggestions: [
    'auto_accept_candidates',
    'job_processing',
    'model_comparison',
    'feedback_analysis',
    'field_intelligence',
    'batch_processing',
    'algorithm_gin',
    'context_features_gin',
    'alternatives_gin',
    'inference_performance',
    'business_impact',
    'summary_covering',
    'expires_at',
  ],
  mv_rule_effectiveness: ['unique'],
  rule_effectiveness: [
    'time_series',
    'performance_ranking',
    'channel_analysis',
    'recent_alerts',
    'rule_evolution',
  ],
};

const HOT = [
  'tenant_time_hot',
  'job_operations',
  'rule_effectiveness',
  'batch_operations',
  'pending_review',
  'applied_audit',
  'high_confidence',
  'field_patterns',
  'metadata_gin',
  'impact_analysis_gin',
  'correlation_tracking',
  'processing_performance',
  'reverted',
  'hourly_buckets',
  'daily_buckets',
  'pattern_frequency',
  'user_activity',
  'revenue_impact',
];

const INDEXES_SQL = `
  SELECT t.relname AS table_name, i.relname AS index_name, x.indisvalid AS valid,
    (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attnum = 1) AS first_column,
    am.amname AS method, pg_get_indexdef(i.oid) AS definition
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_am am ON am.oid = i.relam
  WHERE t.relnamespace = 'validahub'::regnamespace`;

interface IndexRow {
  readonly table_name: string;
  readonly index_name: string;
  readonly valid: boolean;
  readonly first_column: string;
  readonly method: string;
  readonly definition: string;
}

describe('indexes', () => {
  test('all 54 stand where the specification wants them, and are valid', async ({ db }) => {
    const rows = await db.query<IndexRow>(INDEXES_SQL);
    const names = new Set(rows.map((row) => row.index_name));
    const plain = Object.entries(NAMED).flatMap(([of, list]) => list.map((name) => `idx_${of}_${name}`));
    expect(plain.filter((name) => !names.has(name))).toEqual([]);
    expect(HOT_INDEXES.map((index) => index.name).sort()).toEqual([...HOT].sort());
    expect(plain.length + HOT.length).toBe(54);
    expect(rows.filter((row) => !row.valid)).toEqual([]);
  });

  test('hot ones stand on the running and coming months alone', async ({ db }) => {
    const rows = await db.query<IndexRow>(INDEXES_SQL);
    const partitions = new Set(
      rows.map((row) => row.table_name).filter((name) => name.startsWith('correction_logs_y')),
    );
    expect(partitions.size).toBe(4);
    for (const partition of partitions) {
      const own = rows.filter((row) => row.table_name === partition).map((row) => row.index_name);
      expect(HOT.filter((name) => !own.includes(`${partition}_${name}`))).toEqual([]);
    }
    const parent = rows.filter((row) => row.table_name === 'correction_logs').map((row) => row.index_name);
    expect(parent.sort()).toEqual([
      'correction_logs_pkey',
      'idx_correction_logs_created_brin',
      'idx_correction_logs_job',
      'idx_correction_logs_summary_covering',
    ]);
  });

  test('the tenant leads every one that can have a leading column', async ({ db }) => {
    const rows = await db.query<IndexRow>(INDEXES_SQL);
    const others = rows.filter((row) => row.method === 'btree' && row.first_column !== 'tenant_id');
    // All but that of tenants serve the keeper, which works on all tenants together.
    expect(others.map((row) => row.index_name).sort()).toEqual([
      'holdfast_erased_pkey',
      'holdfast_erased_salt_pkey',
      'jobs_retention',
      'rollup_state_pkey',
      'suggestions_retention',
      'tenants_pkey',
    ]);
  });

  test('a predicate on the age of a row, as the document has it, is refused', async ({ db }) => {
    await expect(
      db.query(
        `CREATE INDEX hot ON validahub.correction_logs_y2026m11 (tenant_id, created_at DESC)
        WHERE created_at >= now() - interval '7 days'`.replace('correction_logs_y2026m11', await running(db)),
      ),
    ).rejects.toThrow('functions in index predicate must be marked IMMUTABLE');
    await expect(
      db.query(
        `CREATE INDEX bucket ON validahub.${await running(db)} (tenant_id, date_trunc('day', created_at))`,
      ),
    ).rejects.toThrow('functions in index expression must be marked IMMUTABLE');
  });

  test("recent corrections of a tenant are read from the hot index, as the application's role", async ({
    db,
    installed: { connected },
  }) => {
    await db.query('ANALYZE validahub.correction_logs');
    const session = connected.session({ tenant: 't_nobody' });
    const { plan } = await session.transaction(async (_, query) => {
      await query('SET LOCAL enable_seqscan = off');
      const { rows } = await query<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT created_at, status, rule_id FROM validahub.correction_logs
         WHERE created_at >= now() AND created_at < now() + interval '1 minute' ORDER BY created_at DESC LIMIT 50`,
      );
      return { plan: rows.map((row) => row['QUERY PLAN']).join('\n') };
    });
    expect(plan).toMatch(/Index (Only )?Scan using correction_logs_y\d{4}m\d\d_tenant_time_hot/);
    expect(plan).toContain(
      "tenant_id = NULLIF(current_setting('app.current_tenant_id'::text, true), ''::text)",
    );
  });
});

async function running(db: { query: <Row extends object>(sql: string) => Promise<Row[]> }): Promise<string> {
  const [row] = await db.query<{ name: string }>(
    `SELECT 'correction_logs_y' || to_char(now() AT TIME ZONE 'UTC', 'YYYY"m"MM') AS name`,
  );
  return row?.name ?? '';
}
