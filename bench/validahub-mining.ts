// The document's targets for suggestion mining (< 100 ms) and analytics (< 500 ms): 20 tenants, one of them with half of
// 300,000 patterns, 400,000 suggestions and 300,000 violations, as the application's role under row security.
import { withClient } from 'holdfast/server';
import {
  addVersion,
  createRuleSet,
  createTenant,
  mineSuggestions,
  publishVersion,
  ruleEffectiveness,
  topErrorFields,
  validateVersion,
  type Hub,
} from '../systems/validahub/operations/index.ts';
import type { Rule } from '../systems/validahub/rules/index.ts';
import { compare } from './measure.ts';
import type { Aim, Comparison, Context, Report } from './measure.ts';
import { openLab } from './validahub.ts';

export const name = 'validahub-mining';

const TENANTS = Array.from({ length: 20 }, (_, index) => `t_mine_${index}`);
const LARGE = TENANTS[0] ?? '';
const by = 'p_bench';
/** Few a run, so that a hundred runs do not leave thousands of open suggestions at the top, as no tenant would. */
const limit = 5;

const MINE_LARGE = 'mineSuggestions, the tenant with half of all patterns';
const MINE_SMALL = 'mineSuggestions, one of the others';
const MINE_RULES = 'the same with rules: every pattern of the large tenant is read';
const EFFECT = 'ruleEffectiveness, from its view';
const FIELDS = 'topErrorFields, 30 days, the large tenant';

/** Part: mining and analytics. */
export async function run(context: Context): Promise<Report> {
  const part = context.quick ? 0.05 : 1;
  const lab = await openLab(context.serverUrl);
  try {
    for (const tenant of TENANTS) await prepare(lab.hub, tenant);
    await withClient(lab.url, async (client) => {
      // The rollup begins before rows are put past it, which it would refuse.
      await client.query('SELECT FROM validahub.correction_patterns_settle()');
      for (const [sql, rows] of FILLS) await client.query(sql, [Math.round(rows * part)]);
      await client.query('VACUUM ANALYZE validahub.correction_patterns');
      await client.query('VACUUM ANALYZE validahub.suggestions');
      await client.query('ANALYZE validahub.job_violations');
    });
    const runs = context.quick ? 10 : 60;
    const mining = await compare('mining', minersOf(lab.hub), runs);
    const analytics = await compare('analytics', readersOf(lab.hub), runs);
    return {
      settings: {
        patterns: 300_000 * part,
        suggestions: 400_000 * part,
        violations: 300_000 * part,
        tenants: `${TENANTS.length}, one of them with half of the rows`,
        role: 'the application role, under forced row security; statements prepared',
        'a run': `makes up to ${limit} suggestions, which the next runs pass over`,
      },
      comparisons: [mining, analytics],
      aims: aims([mining, analytics]),
    };
  } finally {
    await lab.drop();
  }
}

function aims(comparisons: readonly Comparison[]): Aim[] {
  const p95 = (label: string): number =>
    comparisons.flatMap(({ timings }) => timings).find((timing) => timing.label === label)?.p95 ?? Number.NaN;
  return [
    { text: `p95 in ms: ${MINE_LARGE}; the document: < 100 ms`, limit: 100, measured: p95(MINE_LARGE) },
    { text: `p95 in ms: ${FIELDS}; the document: < 500 ms`, limit: 500, measured: p95(FIELDS) },
  ];
}

const small = (round: number): string => TENANTS[1 + (round % (TENANTS.length - 1))] ?? LARGE;

function minersOf(hub: Hub) {
  return [
    { label: MINE_LARGE, run: () => mineSuggestions(hub, { tenant: LARGE, by, limit }) },
    { label: MINE_SMALL, run: (round: number) => mineSuggestions(hub, { tenant: small(round), by, limit }) },
    { label: MINE_RULES, run: () => mineSuggestions(hub, { tenant: LARGE, by, limit, rules: true }) },
  ];
}

function readersOf(hub: Hub) {
  return [
    { label: EFFECT, run: () => ruleEffectiveness(hub, { tenant: LARGE }) },
    { label: FIELDS, run: () => topErrorFields(hub, { tenant: LARGE }) },
  ];
}

const RULES: readonly Rule[] = Array.from({ length: 25 }, (_, index) => ({
  id: `rule_${index}`,
  type: 'length',
  field: index % 2 === 0 ? 'brand' : 'title',
  message: 'It is too long.',
  action: 'suggest',
  params: { max: 60 + index },
  fix: [{ step: 'truncate_words', max: 60 + index }],
}));

async function prepare(hub: Hub, tenant: string): Promise<void> {
  await createTenant(hub, { id: tenant, name: tenant, by });
  const set = await createRuleSet(hub, { tenant, channel: 'custom', name: 'Bench', by });
  const { id: versionId } = await addVersion(hub, {
    tenant,
    setId: set.id,
    version: '1.0.0',
    rules: RULES,
    expectedVersion: set.version,
    by,
  });
  await validateVersion(hub, { tenant, versionId, by });
  await publishVersion(hub, { tenant, versionId, by });
}

const TENANT_OF_N = "'t_mine_' || CASE WHEN n % 2 = 0 THEN 0 ELSE 1 + (n / 2) % 19 END";

/** Rows to put in, and how many: acceptances fall off as 1/x, and a third of originals has rival corrections. */
const FILLS: readonly (readonly [sql: string, rows: number])[] = [
  [
    `INSERT INTO validahub.correction_patterns (tenant_id, field_name, rule_id, original_hash, corrected_hash,
       original_value, corrected_value, channel, proposed, accepted, rejected)
     SELECT ${TENANT_OF_N}, CASE WHEN n % 25 % 2 = 0 THEN 'brand' ELSE 'title' END, 'rule_' || n % 25, sha256(o::bytea),
       sha256(k::bytea), to_jsonb(o), to_jsonb(k), 'custom', a + r, a, r
     FROM (SELECT n, 'original value number ' || n / 3 AS o, 'Corrected value number ' || n AS k,
         floor(1 / (0.02 + random()))::int AS a, floor(random() * random() * 6)::int AS r
       FROM generate_series(1, $1::int) n) x`,
    300_000,
  ],
  [
    `INSERT INTO validahub.suggestions (tenant_id, suggestion_type, field_name, rule_id, channel, title, source, model_name,
       model_version, evidence_hash, confidence_score, status, expires_at, rejected_at, accepted_at, created_at)
     SELECT ${TENANT_OF_N}, 'new_rule', 'brand', 'rule_' || n % 25, 'custom', 'A title of some length ' || n,
       'historical_pattern', 'm', '1', encode(sha256(n::text::bytea), 'hex'), random(),
       (ARRAY['generated', 'rejected', 'accepted', 'expired'])[1 + n / 2 % 4], now() + interval '20 days',
       now() - random() * interval '170 days', now() - random() * interval '170 days', now() - random() * interval '170 days'
     FROM generate_series(1, $1::int) n`,
    400_000,
  ],
  [
    `INSERT INTO validahub.jobs (tenant_id, channel, rule_set_id, rule_version_id, file_name, file_sha256, status,
       created_by, finished_at)
     SELECT v.tenant_id, 'custom', v.rule_set_id, v.id, 'f', encode(sha256('f'), 'hex'), 'completed', 'p', now()
     FROM validahub.rule_versions v WHERE $1::int > 0`,
    1,
  ],
  [
    `INSERT INTO validahub.job_violations (tenant_id, job_id, record_number, field_name, rule_id, severity, message)
     SELECT j.tenant_id, j.id, n, (ARRAY['title', 'brand', 'gtin', 'price_brl', 'stock'])[1 + n % 5], 'rule_' || n % 25,
       CASE WHEN n % 3 = 0 THEN 'warning' ELSE 'error' END, 'It is too long.'
     FROM generate_series(1, $1::int) n JOIN validahub.jobs j ON j.tenant_id = ${TENANT_OF_N}`,
    300_000,
  ],
];
