// Mining: from decided corrections to suggestions. Brings the patterns up to date, reads them alone and never the log.
import type { Query } from 'holdfast/use';
import type { CellValue } from './correction-rows.ts';
import { asTenant, record, type Hub } from './hub.ts';
import { actorInput, shareInput, tenantInput, wholeInput } from './input.ts';
import { currentPlans } from './lookup.ts';
import { minedRules, minedValues, type Found, type Mining } from './mine-patterns.ts';

/** What to look for. */
export interface MineInput {
  readonly tenant: string;
  readonly by: string;
  /** Acceptances a pattern needs at least. */
  readonly minSupport?: number;
  /** Share of its decisions that accepted it, 0 to 1. */
  readonly minAcceptance?: number;
  /** Lower bound of the 95 % interval of that share, 0 to 1. With 0.5, four of four will do and three of three will not. */
  readonly minConfidence?: number;
  /** Suggestions made at most, 1 to 1,000. */
  readonly limit?: number;
  /** Also look for rules that shall act by themselves: this reads every pattern of the tenant, where the rest reads the surest. */
  readonly rules?: boolean;
  /** Days until a suggestion that nobody decides expires, 1 to 365. */
  readonly expiresInDays?: number;
}

/** What {@link mineSuggestions} does where it is not told. */
export const MINE_DEFAULTS = {
  minSupport: 3,
  minAcceptance: 0.8,
  minConfidence: 0.5,
  limit: 50,
  rules: false,
  expiresInDays: 30,
} as const;

/** A suggestion that was made. */
export interface Mined {
  readonly id: string;
  readonly type: 'new_rule' | 'value' | 'rule_improvement';
  readonly field: string;
  readonly ruleId: string;
  readonly channel: string | null;
  readonly originalValue: CellValue;
  readonly suggestedValue: CellValue;
  /** Lower bound of the share of such corrections that are right, four decimals. */
  readonly confidence: number;
  readonly accepted: number;
  /** Decisions that spoke against it: rejections, and acceptances of another value for the same original. */
  readonly against: number;
  readonly title: string;
}

/**
 * Makes suggestions of what people accepted again and again: an entry of the field's learnt rule (`new_rule`), a value for
 * an empty field (`value`), or, where `rules` is asked for, that a rule which only proposes shall act by itself
 * (`rule_improvement`, once ten different values of it were accepted and all its decisions together are sure enough).
 *
 * What was accepted for the same original under the same rule but with another value counts against a pattern, so that
 * fifty fills of an empty brand with fifty brands suggest none. Left out: what is open or was accepted before, what was
 * rejected in the last 90 days, and what the current rules of its channel change by themselves. The surest come first.
 * Of two miners at once a unique index lets one make a suggestion.
 * @returns the suggestions that were made, surest first
 * @throws HoldfastError HF_VALIDAHUB_INPUT
 */
export async function mineSuggestions(
  hub: Hub,
  input: MineInput,
): Promise<{ readonly suggestions: readonly Mined[] }> {
  const mining = await miningOf(hub, input);
  const actor = actorInput(input.by);
  // A transaction of its own: it keeps others from bringing the patterns up to date, and mining takes longer than it.
  await hub.sessions
    .session({ tenant: mining.tenantId })
    .query('SELECT FROM validahub.correction_patterns_settle($1)', [mining.now.toISOString()]);
  return asTenant(hub, mining.tenantId, async (tx, query) => {
    const rules = input.rules === true ? await minedRules(query, mining) : [];
    const found = [...rules, ...(await minedValues(query, mining))].sort(surestFirst);
    const suggestions = await insert(query, { hub, mining }, found.slice(0, mining.limit));
    if (suggestions.length > 0) {
      await record(tx, {
        tenantId: mining.tenantId,
        eventType: 'suggestions.mined',
        actor,
        entity: 'suggestion',
        entityId: suggestions[0]?.id ?? '',
        details: { suggestions: suggestions.length },
      });
    }
    return { suggestions };
  });
}

async function miningOf(hub: Hub, input: MineInput): Promise<Mining> {
  const tenantId = tenantInput(input.tenant);
  actorInput(input.by);
  const asked = { ...MINE_DEFAULTS, ...input };
  const checked = {
    tenantId,
    now: hub.now(),
    minSupport: wholeInput('minSupport', asked.minSupport, { least: 1, most: 1_000_000 }),
    minAcceptance: shareInput('minAcceptance', asked.minAcceptance),
    minConfidence: shareInput('minConfidence', asked.minConfidence),
    limit: wholeInput('limit', asked.limit, { least: 1, most: 1_000 }),
    expiresInDays: wholeInput('expiresInDays', asked.expiresInDays, { least: 1, most: 365 }),
  };
  return { ...checked, plans: await currentPlans(hub, tenantId) };
}

function surestFirst(a: Found, b: Found): number {
  return b.confidence - a.confidence || b.accepted - a.accepted || (a.evidenceHash < b.evidenceHash ? -1 : 1);
}

// In the order of the unique index: two miners that meet wait for each other one way round, never both.
const INSERT_SQL = `
  INSERT INTO validahub.suggestions (
    tenant_id, id, suggestion_type, suggestion_category, field_name, channel, rule_id, title, explanation,
    original_value, suggested_value, alternative_suggestions, suggested_implementation, source, model_name,
    model_version, algorithm_metadata, evidence_data, evidence_hash, confidence_score, batch_id, batch_position,
    expires_at, created_at)
  SELECT $1, r.id, r.type, r.category, r.field, r.channel, r.rule_id, r.title, r.explanation, r.original, r.suggested,
    r.alternatives, r.implementation, 'historical_pattern', 'decided_patterns', '1', $2::jsonb, r.evidence, r.evidence_hash,
    r.confidence, $3::uuid, r.position, $4::timestamptz, $5::timestamptz
  FROM jsonb_to_recordset($6::jsonb) AS r(
    id uuid, type text, category text, field text, channel text, rule_id text, title text, explanation text,
    original jsonb, suggested jsonb, alternatives jsonb, implementation jsonb, evidence jsonb, evidence_hash text,
    confidence numeric, position int)
  ORDER BY r.type, r.field, r.rule_id, r.evidence_hash
  ON CONFLICT (tenant_id, suggestion_type, (coalesce(field_name, '')), (coalesce(rule_id, '')), evidence_hash)
    WHERE status IN ('generated', 'reviewed') DO NOTHING
  RETURNING id`;

const DAY_MS = 86_400_000;

async function insert(
  query: Query,
  by: { readonly hub: Hub; readonly mining: Mining },
  found: readonly Found[],
): Promise<readonly Mined[]> {
  if (found.length === 0) return [];
  const { hub, mining } = by;
  const rows = found.map((one, index) => ({ ...one, id: hub.nextId(), position: index + 1 }));
  const { minSupport, minAcceptance, minConfidence } = mining;
  const { rows: made } = await query<{ id: string }>(INSERT_SQL, [
    mining.tenantId,
    JSON.stringify({ bound: 'wilson', level: 0.95, minSupport, minAcceptance, minConfidence }),
    hub.nextId(),
    new Date(mining.now.getTime() + mining.expiresInDays * DAY_MS).toISOString(),
    mining.now.toISOString(),
    JSON.stringify(rows.map(asRow)),
  ]);
  const ids = new Set(made.map((row) => row.id));
  return rows.filter((row) => ids.has(row.id)).map(asMined);
}

function asRow(of: Found & { readonly id: string; readonly position: number }) {
  return {
    id: of.id,
    type: of.type,
    category: of.type === 'value' ? 'coverage' : 'accuracy',
    field: of.field,
    channel: of.channel,
    rule_id: of.ruleId,
    title: of.title,
    explanation: of.explanation,
    original: of.originalValue,
    suggested: of.suggestedValue,
    alternatives: of.alternatives,
    implementation: of.implementation,
    evidence: of.evidence,
    evidence_hash: of.evidenceHash,
    confidence: of.confidence,
    position: of.position,
  };
}

function asMined(of: Found & { readonly id: string }): Mined {
  const { id, type, field, ruleId, channel, originalValue, suggestedValue } = of;
  const { confidence, accepted, against, title } = of;
  return {
    id,
    type,
    field,
    ruleId,
    channel,
    originalValue,
    suggestedValue,
    confidence,
    accepted,
    against,
    title,
  };
}
