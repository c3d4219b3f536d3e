// What the patterns hold that is worth a suggestion.
import type { Query } from 'holdfast/use';
import type { CompiledPlan } from '../rules/rule.ts';
import type { CellValue } from './correction-rows.ts';
import { implementationOf, textOf, type Implementation } from './mined-rule.ts';
import { changedBy } from './rehearse-rules.ts';
import { wilsonLower } from '../wilson.ts';

/** A miner's question, checked, and the current rules of each channel. */
export interface Mining {
  readonly tenantId: string;
  readonly now: Date;
  readonly minSupport: number;
  readonly minAcceptance: number;
  readonly minConfidence: number;
  readonly limit: number;
  readonly expiresInDays: number;
  readonly plans: ReadonlyMap<string, CompiledPlan>;
}

/** Something worth a suggestion. */
export interface Found {
  readonly type: 'new_rule' | 'value' | 'rule_improvement';
  readonly field: string;
  readonly ruleId: string;
  readonly channel: string | null;
  readonly originalValue: CellValue;
  readonly suggestedValue: CellValue;
  readonly confidence: number;
  readonly accepted: number;
  readonly against: number;
  readonly title: string;
  readonly explanation: string;
  /** Other values that were accepted for the same original, most accepted first, at most five. */
  readonly alternatives: readonly unknown[];
  readonly implementation: Implementation;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly evidenceHash: string;
}

/** For how many days a rejected suggestion is not made again. */
export const REJECTED_DAYS = 90;

/** Different values a rule must have been accepted for before it is suggested that it act by itself. */
export const RULE_BREADTH = 10;

/** The suggestions that keep a pattern from being suggested: `s` is the candidate's row, `$2` the time, both tenants are `$1`. */
const NOT_SUGGESTED = `NOT EXISTS (
    SELECT FROM validahub.suggestions g
    WHERE g.tenant_id = $1 AND g.evidence_hash = s.evidence_hash AND g.field_name = s.field_name AND g.rule_id = s.rule_id
      AND (g.status IN ('generated', 'reviewed', 'accepted', 'applied')
        OR g.status = 'rejected' AND g.rejected_at > $2::timestamptz - interval '${REJECTED_DAYS} days'))`;

// Pages of the index on confidence, not of what passes: with a limit of its own the scan stops after a page, and what it
// costs does not grow with the table.
const PAGE_SQL = `
  WITH page AS MATERIALIZED (
    SELECT p.field_name, p.rule_id, p.original_hash, p.corrected_hash, p.original_value, p.corrected_value, p.channel,
      p.proposed, p.accepted, p.rejected, p.first_seen, p.last_seen, p.confidence,
      encode(sha256(p.original_hash || p.corrected_hash), 'hex') AS evidence_hash
    FROM validahub.correction_patterns p
    WHERE p.tenant_id = $1 AND p.confidence >= $5::float8
    ORDER BY p.confidence DESC, p.original_hash, p.corrected_hash, p.field_name, p.rule_id
    LIMIT $6 OFFSET $7),
  fresh AS MATERIALIZED (
    SELECT s.* FROM page s
    WHERE s.accepted >= $3::bigint AND s.accepted >= $4::float8 * (s.accepted + s.rejected) AND ${NOT_SUGGESTED})
  SELECT all_of.looked_at, worth.*
  FROM (SELECT count(*)::int AS looked_at FROM page) all_of
  LEFT JOIN (
  SELECT s.field_name, s.rule_id, s.original_value, s.corrected_value, s.channel, s.proposed::float8, s.accepted::float8,
    s.rejected::float8, s.first_seen, s.last_seen, s.evidence_hash, coalesce(rivals.accepted, 0)::float8 AS rivals,
    coalesce(rivals.list, '[]'::jsonb) AS alternatives, s.confidence, s.original_hash, s.corrected_hash
  FROM fresh s
  CROSS JOIN LATERAL (
    SELECT sum(r.accepted) AS accepted,
      jsonb_agg(jsonb_build_object('value', r.corrected_value, 'accepted', r.accepted) ORDER BY r.accepted DESC, r.corrected_hash)
        AS list
    FROM validahub.correction_patterns r
    WHERE r.tenant_id = $1 AND r.field_name = s.field_name AND r.rule_id = s.rule_id
      AND r.original_hash = s.original_hash AND r.corrected_hash <> s.corrected_hash AND r.accepted > 0) rivals
  WHERE s.accepted >= $4::float8 * (s.accepted + s.rejected + coalesce(rivals.accepted, 0))) worth ON true
  ORDER BY worth.confidence DESC, worth.original_hash, worth.corrected_hash, worth.field_name, worth.rule_id`;

interface PatternRow {
  /** Patterns in the page, whether they pass or not. */
  readonly looked_at: number;
  /** Null in the one row of a page of which nothing passes. */
  readonly field_name: string | null;
  readonly rule_id: string;
  readonly original_value: CellValue;
  readonly corrected_value: CellValue;
  readonly channel: string | null;
  readonly proposed: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly first_seen: Date;
  readonly last_seen: Date;
  readonly evidence_hash: string;
  readonly rivals: number;
  readonly alternatives: readonly unknown[];
}

// Small at first, since the surest are mostly enough; then larger, since what was suggested before stays among the surest.
const PAGES = [250, 500, 1_000, 2_000, 4_000, 8_000];
const ALTERNATIVES = 5;

/**
 * Single patterns worth a suggestion, surest first, until there are as many as the limit; of each tenant the 15,750 surest
 * patterns are looked at.
 */
export async function minedValues(query: Query, mining: Mining): Promise<readonly Found[]> {
  const { tenantId, now, minSupport, minAcceptance, minConfidence } = mining;
  const found: Found[] = [];
  let from = 0;
  for (const size of PAGES) {
    const asked = [tenantId, now.toISOString(), minSupport, minAcceptance, minConfidence, size, from];
    const { rows } = await query<PatternRow & Record<string, unknown>>(PAGE_SQL, asked);
    for (let at = 0; at < rows.length && found.length < mining.limit; at += mining.limit) {
      const worth = rows.slice(at, at + mining.limit).map((row) => valueOf(row, mining));
      found.push(
        ...(await uncovered(
          worth.filter((one) => one !== null),
          mining,
        )),
      );
    }
    if (found.length >= mining.limit || (rows[0]?.looked_at ?? 0) < size) break;
    from += size;
  }
  return found;
}

function valueOf(row: PatternRow, mining: Mining): Found | null {
  const { accepted, field_name: field, rule_id: ruleId, channel } = row;
  if (field === null) return null;
  const against = row.rejected + row.rivals;
  const confidence = fourDecimals(wilsonLower(accepted, accepted + against));
  const share = accepted / (accepted + against);
  if (share < mining.minAcceptance || confidence < mining.minConfidence) return null;
  const proposing = mining.plans.get(channel ?? '')?.rules.find((rule) => rule.id === ruleId);
  const implementation = implementationOf({
    field,
    original: row.original_value,
    corrected: row.corrected_value,
    before: proposing?.precedence ?? 500,
  });
  if (implementation === null) return null;
  return {
    type: implementation.kind === 'fill' ? 'value' : 'new_rule',
    field,
    ruleId,
    channel,
    originalValue: row.original_value,
    suggestedValue: row.corrected_value,
    confidence,
    accepted,
    against,
    title: cut(titleOf(implementation), 200),
    explanation: explanationOf(accepted, against, confidence),
    alternatives: row.alternatives.slice(0, ALTERNATIVES),
    implementation,
    evidence: {
      proposed: row.proposed,
      accepted,
      rejected: row.rejected,
      rivals: row.rivals,
      firstSeen: row.first_seen.toISOString(),
      lastSeen: row.last_seen.toISOString(),
    },
    evidenceHash: row.evidence_hash,
  };
}

function titleOf(of: Implementation): string {
  if (of.kind === 'act') return `Let ${of.ruleId} correct by itself`;
  if (of.kind === 'fill') return `Fill an empty ${of.field} with ${quoted(of.value)}`;
  if (of.to === '') return `Empty ${of.field} where it says ${quoted(of.from)}`;
  return `Write ${quoted(of.to)} for ${quoted(of.from)} in ${of.field}`;
}

function quoted(text: string): string {
  return JSON.stringify(cut(text, 60));
}

function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

function explanationOf(accepted: number, against: number, confidence: number): string {
  const percent = (100 * confidence).toFixed(0);
  return `Right in ${accepted} of ${accepted + against} decisions; at least ${percent} % of such corrections are right, with 95 % certainty.`;
}

function fourDecimals(share: number): number {
  return Math.floor(share * 10_000) / 10_000;
}

/** Leaves out what the current rules of the channel change by themselves. */
async function uncovered(found: readonly Found[], mining: Mining): Promise<readonly Found[]> {
  const groups = new Map<string, Found[]>();
  for (const one of found) {
    const key = JSON.stringify([one.channel, one.field]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const covered = new Set<Found>();
  for (const group of groups.values()) {
    const [first] = group;
    const plan = first === undefined ? undefined : mining.plans.get(first.channel ?? '');
    if (first === undefined || plan === undefined) continue;
    const values = group.map((one) => textOf(one.originalValue));
    const changed = await changedBy(plan, first.field, values);
    for (const [index, one] of group.entries()) if (changed[index] === true) covered.add(one);
  }
  return found.filter((one) => !covered.has(one));
}

const RULES_SQL = `
  SELECT s.* FROM (
    SELECT p.field_name, p.rule_id, p.channel, sum(p.accepted)::float8 AS accepted, sum(p.rejected)::float8 AS rejected,
      (count(*) FILTER (WHERE p.accepted > 0))::int AS breadth,
      encode(sha256(convert_to(coalesce(p.channel, '') || ' lets it act', 'UTF8')), 'hex') AS evidence_hash
    FROM validahub.correction_patterns p
    WHERE p.tenant_id = $1 AND p.field_name = ANY ($5::text[]) AND p.rule_id = ANY ($3::text[])
    GROUP BY p.field_name, p.rule_id, p.channel) s
  WHERE s.breadth >= $4 AND ${NOT_SUGGESTED}`;

interface RuleRow {
  readonly field_name: string;
  readonly rule_id: string;
  readonly channel: string | null;
  readonly accepted: number;
  readonly rejected: number;
  readonly breadth: number;
  readonly evidence_hash: string;
}

/** Rules of the current versions that only propose, and whose proposals are as good as always right. */
export async function minedRules(query: Query, mining: Mining): Promise<readonly Found[]> {
  const proposing = [...mining.plans].flatMap(([channel, plan]) =>
    plan.rules.filter((rule) => rule.action === 'suggest').map((rule) => ({ channel, ...rule })),
  );
  if (proposing.length === 0) return [];
  const ids = [...new Set(proposing.map((rule) => rule.id))];
  const { rows } = await query<RuleRow & Record<string, unknown>>(RULES_SQL, [
    mining.tenantId,
    mining.now.toISOString(),
    ids,
    RULE_BREADTH,
    [...new Set(proposing.map((rule) => rule.field))],
  ]);
  return rows
    .filter((row) =>
      proposing.some(
        (rule) => rule.id === row.rule_id && rule.field === row.field_name && rule.channel === row.channel,
      ),
    )
    .map((row) => ruleOf(row, mining))
    .filter((one) => one !== null);
}

function ruleOf(row: RuleRow, mining: Mining): Found | null {
  const { accepted, rejected, rule_id: ruleId } = row;
  const confidence = fourDecimals(wilsonLower(accepted, accepted + rejected));
  const share = accepted / (accepted + rejected);
  if (accepted < mining.minSupport || share < mining.minAcceptance || confidence < mining.minConfidence)
    return null;
  const implementation: Implementation = { kind: 'act', ruleId };
  return {
    type: 'rule_improvement',
    field: row.field_name,
    ruleId,
    channel: row.channel,
    originalValue: null,
    suggestedValue: null,
    confidence,
    accepted,
    against: rejected,
    title: cut(titleOf(implementation), 200),
    explanation: explanationOf(accepted, rejected, confidence),
    alternatives: [],
    implementation,
    evidence: { accepted, rejected, values: row.breadth },
    evidenceHash: row.evidence_hash,
  };
}
