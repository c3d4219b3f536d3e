// The traffic of a replay of years (`holdfast lapse`): what ValidaHub's tenants write in a day, as the application's role
// under row security. Nothing expires here: what the keeper itself writes is no traffic, and the replay counts each row.
import type { Slice, Traffic, TrafficContext, Written } from 'holdfast/prove';
import { ROLES, TENANT_SETTING, type RoleNames } from './define.ts';

/** The tenants of the replay; the first has half of all rows. */
export const LAPSE_TENANTS = ['t_lapse_large', 't_lapse_middle', 't_lapse_small'] as const;

/** What part of a tenant's rows each table gets; every table gets two a slice at least. */
const SHARES = { correction_logs: 0.6, job_violations: 0.25, audit_log: 0.1, suggestions: 0.05 } as const;

/** ValidaHub's traffic, with its roles under the given names. */
export function traffic(roles: Pick<RoleNames, 'app'> = ROLES): Traffic {
  return {
    tenant: 'tenant_id',
    begin: async (context, slice) => {
      for (const tenant of LAPSE_TENANTS)
        await asTenant(context, { tenant, roles }, () => begin(context, tenant, slice));
    },
    write: async (context, slice) => {
      const written: Written[] = [];
      for (const [index, tenant] of LAPSE_TENANTS.entries()) {
        const rows = Math.max(1, Math.round(slice.rows * (index === 0 ? 0.5 : 0.25)));
        const work = () => writeDay(context, { tenant, rows, slice });
        written.push(...(await asTenant(context, { tenant, roles }, work)));
      }
      return summed(written);
    },
  };
}

export default traffic();

async function asTenant<Result>(
  { query }: TrafficContext,
  of: { readonly tenant: string; readonly roles: Pick<RoleNames, 'app'> },
  work: () => Promise<Result>,
): Promise<Result> {
  await query('BEGIN');
  try {
    await query('SELECT pg_catalog.set_config($1, $2, true), pg_catalog.set_config($3, $4, true)', [
      'role',
      of.roles.app,
      TENANT_SETTING,
      of.tenant,
    ]);
    const result = await work();
    await query('COMMIT');
    return result;
  } catch (error) {
    await query('ROLLBACK');
    throw error;
  }
}

const SET_SQL = `
  WITH tenant AS (INSERT INTO validahub.tenants (id, name, created_at) VALUES ($1, $1, $2))
  INSERT INTO validahub.rule_sets (tenant_id, channel, name, status, current_version, created_by, updated_by, created_at)
  VALUES ($1, 'custom', 'Lapse', 'published', '1.0.0', 'p_1', 'p_1', $2) RETURNING id`;

const VERSION_SQL = `
  INSERT INTO validahub.rule_versions (tenant_id, rule_set_id, major, minor, patch, version, status, is_current, is_latest,
    rules, rule_count, compiled, checksum, published_at, published_by, activated_at, created_by, created_at)
  SELECT $1, id, 1, 0, 0, '1.0.0', 'published', true, true, '[{"id": "brand_listed"}]', 1, '{}',
    encode(sha256('lapse'), 'hex'), $2::timestamptz, 'p_1', $2::timestamptz, 'p_1', $2::timestamptz
  FROM validahub.rule_sets WHERE tenant_id = $1`;

async function begin({ query }: TrafficContext, tenant: string, slice: Slice): Promise<void> {
  const at = slice.from.toISOString();
  await query(SET_SQL, [tenant, at]);
  await query(VERSION_SQL, [tenant, at]);
}

interface Day {
  readonly tenant: string;
  readonly rows: number;
  readonly slice: Slice;
}

const JOB_SQL = `
  INSERT INTO validahub.jobs (tenant_id, channel, rule_set_id, rule_version_id, file_name, file_sha256, status, created_by,
    created_at, finished_at)
  SELECT $1, 'custom', v.rule_set_id, v.id, 'day.csv', encode(sha256(t::text::bytea), 'hex'), 'completed', 'p_1', t, t
  FROM validahub.rule_versions v, unnest($2::timestamptz[]) AS t WHERE v.tenant_id = $1
  RETURNING id`;

const CORRECTIONS_SQL = `
  INSERT INTO validahub.correction_logs (tenant_id, job_id, rule_set_id, rule_version_id, correction_batch_id, record_number,
    field_name, rule_id, original_value, corrected_value, correction_method, confidence, status, accepted, decided_at,
    applied_at, created_by, created_at)
  SELECT $1, j.id, j.rule_set_id, j.rule_version_id, j.id, r.n, 'brand', 'rule_' || (r.pick * 5)::int,
    to_jsonb('was ' || (r.pick * 40)::int), to_jsonb('is ' || (r.pick * 40)::int),
    CASE WHEN r.pick < 0.3 THEN 'automatic' ELSE 'rule_based' END, round(r.pick::numeric, 4),
    CASE WHEN r.pick < 0.3 THEN 'applied' ELSE 'pending' END, CASE WHEN r.pick < 0.3 THEN true END,
    CASE WHEN r.pick < 0.3 THEN r.at END, CASE WHEN r.pick < 0.3 THEN r.at END, 'p_1', r.at
  FROM unnest($3::timestamptz[], $4::float8[]) WITH ORDINALITY AS r(at, pick, n), validahub.jobs j
  WHERE j.tenant_id = $1 AND j.id = $2::uuid`;

// The youngest first: what waits longer than the replay allows to touch is never decided, as in life.
const DECIDE_SQL = `
  WITH chosen AS (
    SELECT id, created_at FROM validahub.correction_logs
    WHERE tenant_id = $1 AND status = 'pending' AND created_at >= $2::timestamptz AND created_at < $3::timestamptz
    ORDER BY created_at DESC, id LIMIT $4)
  UPDATE validahub.correction_logs c
  SET status = CASE WHEN $5 THEN 'approved' ELSE 'rejected' END, accepted = $5, decided_at = $3::timestamptz,
    approved_by = CASE WHEN $5 THEN 'p_2' END, rejected_by = CASE WHEN NOT $5 THEN 'p_2' END
  FROM chosen WHERE c.tenant_id = $1 AND c.id = chosen.id AND c.created_at = chosen.created_at`;

const VIOLATIONS_SQL = `
  INSERT INTO validahub.job_violations (tenant_id, job_id, record_number, field_name, rule_id, severity, message, created_at)
  SELECT $1, $2::uuid, n, 'title', 'title_required', 'error', 'A title is needed.', at
  FROM unnest($3::timestamptz[]) WITH ORDINALITY AS r(at, n)`;

const AUDIT_SQL = `
  INSERT INTO validahub.audit_log (tenant_id, event_type, actor, entity, entity_id, created_at)
  SELECT $1, 'corrections.accepted', 'p_2', 'job', $2, at FROM unnest($3::timestamptz[]) AS r(at)`;

const SUGGESTIONS_SQL = `
  INSERT INTO validahub.suggestions (tenant_id, suggestion_type, field_name, rule_id, channel, title, source, model_name,
    model_version, evidence_hash, confidence_score, job_id, created_at, status, accepted_at, accepted_by)
  SELECT $1, 'new_rule', 'brand', 'brand_listed', 'custom', 'Write it so', 'historical_pattern', 'lapse', '1',
    encode(sha256(convert_to($2 || at::text || n, 'UTF8')), 'hex'), 0.9, $2::uuid, at, 'accepted', at, 'p_2'
  FROM unnest($3::timestamptz[]) WITH ORDINALITY AS r(at, n)`;

async function writeDay({ query, random }: TrafficContext, day: Day): Promise<readonly Written[]> {
  const { tenant, rows, slice } = day;
  const many = (table: keyof typeof SHARES): number => Math.max(2, Math.round(rows * SHARES[table]));
  const jobs = await query<{ id: string }>(JOB_SQL, [tenant, slice.times(1)]);
  const job = jobs[0]?.id;
  const corrections = slice.times(many('correction_logs'));
  const picks = corrections.map(() => random());
  await query(CORRECTIONS_SQL, [tenant, job, corrections, picks]);
  for (const accept of [true, false]) {
    const bounds = [slice.touchFrom.toISOString(), slice.to.toISOString()];
    await query(DECIDE_SQL, [
      tenant,
      ...bounds,
      Math.ceil(corrections.length * (accept ? 0.4 : 0.1)),
      accept,
    ]);
  }
  const violations = slice.times(many('job_violations'));
  await query(VIOLATIONS_SQL, [tenant, job, violations]);
  const events = slice.times(many('audit_log'));
  await query(AUDIT_SQL, [tenant, job, events]);
  const suggestions = slice.times(many('suggestions'));
  await query(SUGGESTIONS_SQL, [tenant, job, suggestions]);
  return [
    wrote('jobs', jobs.length),
    wrote('correction_logs', corrections.length),
    wrote('job_violations', violations.length),
    wrote('audit_log', events.length),
    wrote('suggestions', suggestions.length),
  ];
}

function wrote(table: string, inserted: number): Written {
  return { relation: { schema: 'validahub', name: table }, inserted, deleted: 0 };
}

function summed(written: readonly Written[]): readonly Written[] {
  const sums = new Map<string, Written>();
  for (const one of written) {
    const { name } = one.relation;
    const inserted = (sums.get(name)?.inserted ?? 0) + one.inserted;
    sums.set(name, { ...one, inserted });
  }
  return [...sums.values()];
}
