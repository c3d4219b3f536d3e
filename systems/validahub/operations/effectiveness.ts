// How well rules do: read from the rollups that are kept, with their age, or counted anew.
import { sql, type SQL } from 'drizzle-orm';
import { CHANNELS, type Channel } from '../tables/columns.ts';
import { wilsonLower } from '../wilson.ts';
import { failure } from './failure.ts';
import { asTenant, rowsOf, type Hub, type Tx } from './hub.ts';
import { tenantInput, textInput, wholeInput, wordInput } from './input.ts';

/** One rule's figures. */
export interface RuleEffect {
  readonly ruleId: string;
  /** Corrections it proposed or made. */
  readonly applications: number;
  /** Those that were accepted, also where they were applied or reverted since. */
  readonly acceptances: number;
  /** Null where the source does not tell what was rejected from what still waits. */
  readonly rejections: number | null;
  /** Acceptances by applications, 0 to 1. */
  readonly successRate: number;
  /** Null where no correction had a confidence. */
  readonly meanConfidence: number | null;
}

/** Where figures come from, and how old they are. */
export interface Freshness {
  readonly source:
    | 'mv_rule_effectiveness'
    | 'rule_effectiveness_daily'
    | 'correction_logs'
    | 'job_violations';
  /** Everything committed before is in the figures; null where the rollup was not brought up to date yet. */
  readonly asOf: Date | null;
  /** By the hub's clock; null with `asOf`. */
  readonly ageMs: number | null;
}

/** Which figures. Days are UTC. */
export interface EffectivenessInput {
  readonly tenant: string;
  readonly ruleId?: string;
  readonly channel?: Channel;
  /** First day, included. */
  readonly from?: Date;
  /** Last day, included. */
  readonly to?: Date;
  /** Counts the corrections that are online now, instead of reading a rollup. */
  readonly fresh?: boolean;
}

interface Choice {
  readonly tenantId: string;
  readonly ruleId: string | undefined;
  readonly channel: Channel | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/**
 * Figures of each rule, most applied first. Without channel and days they are those of mv_rule_effectiveness (an hour old
 * at most), with them those of the daily rollup; both outlive the corrections. `fresh` counts the log as it is now.
 * @throws HoldfastError HF_VALIDAHUB_INPUT
 */
export async function ruleEffectiveness(
  hub: Hub,
  input: EffectivenessInput,
): Promise<{ readonly rules: readonly RuleEffect[] } & Freshness> {
  const choice = choiceInput(input);
  const bounded = choice.channel !== undefined || choice.from !== undefined || choice.to !== undefined;
  return asTenant(hub, choice.tenantId, async (tx) => {
    if (input.fresh === true) return { rules: effects(await rowsOf(tx, fromLog(choice))), ...now(hub) };
    if (bounded)
      return { rules: effects(await rowsOf(tx, fromDays(choice))), ...(await age(hub, tx, DAILY)) };
    return { rules: effects(await rowsOf(tx, fromView(choice))), ...(await age(hub, tx, VIEW)) };
  });
}

const VIEW = 'mv_rule_effectiveness';
const DAILY = 'rule_effectiveness_daily';

function choiceInput(input: EffectivenessInput): Choice {
  const { from, to } = input;
  if (from !== undefined && to !== undefined && day(from) > day(to)) {
    throw failure('INPUT', {
      subject: 'from',
      what: `${day(from)} is after ${day(to)}.`,
      fix: 'Give the first day in from and the last in to.',
    });
  }
  return {
    tenantId: tenantInput(input.tenant),
    ruleId: input.ruleId === undefined ? undefined : textInput('ruleId', input.ruleId, 100),
    channel: input.channel === undefined ? undefined : wordInput('channel', input.channel, CHANNELS),
    from: from && day(from),
    to: to && day(to),
  };
}

/** The UTC day. */
function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

interface EffectRow {
  readonly rule_id: string;
  readonly applications: number;
  readonly acceptances: number;
  readonly rejections: number | null;
  readonly confidence: number | null;
}

function effects(rows: readonly EffectRow[]): RuleEffect[] {
  return rows.map((row) => ({
    ruleId: row.rule_id,
    applications: row.applications,
    acceptances: row.acceptances,
    rejections: row.rejections,
    successRate: row.applications === 0 ? 0 : row.acceptances / row.applications,
    meanConfidence: row.confidence,
  }));
}

function fromView({ tenantId, ruleId }: Choice): SQL {
  return sql`SELECT rule_id, applications::float8, acceptances::float8, NULL AS rejections, avg_confidence::float8 AS confidence
    FROM validahub.rule_effectiveness_v
    WHERE tenant_id = ${tenantId} AND (${ruleId ?? null}::text IS NULL OR rule_id = ${ruleId ?? null}::text)
    ORDER BY applications DESC, rule_id`;
}

function fromDays({ tenantId, ruleId, channel, from, to }: Choice): SQL {
  return sql`SELECT rule_id, sum(applications)::float8 AS applications, sum(successful)::float8 AS acceptances,
      sum(rejected)::float8 AS rejections,
      (sum(confidence_sum) / nullif(sum(confidence_count), 0))::float8 AS confidence
    FROM validahub.rule_effectiveness_daily_v
    WHERE tenant_id = ${tenantId} AND (${ruleId ?? null}::text IS NULL OR rule_id = ${ruleId ?? null}::text)
      AND (${channel ?? null}::text IS NULL OR channel = ${channel ?? null}::text)
      AND metric_date BETWEEN coalesce(${from ?? null}::date, '-infinity') AND coalesce(${to ?? null}::date, 'infinity')
    GROUP BY rule_id ORDER BY sum(applications) DESC, rule_id`;
}

// The bounds are instants, so that whole months are passed over; a day begins at midnight UTC whatever the session's zone.
function fromLog({ tenantId, ruleId, channel, from, to }: Choice): SQL {
  const start = from === undefined ? null : `${from}T00:00:00Z`;
  const end = to === undefined ? null : `${to}T00:00:00Z`;
  return sql`SELECT c.rule_id, count(*)::float8 AS applications, (count(*) FILTER (WHERE c.accepted))::float8 AS acceptances,
      (count(*) FILTER (WHERE NOT c.accepted))::float8 AS rejections, avg(c.confidence)::float8 AS confidence
    FROM validahub.correction_logs c
    WHERE c.tenant_id = ${tenantId} AND (${ruleId ?? null}::text IS NULL OR c.rule_id = ${ruleId ?? null}::text)
      AND c.created_at >= coalesce(${start}::timestamptz, '-infinity')
      AND c.created_at < coalesce(${end}::timestamptz + interval '1 day', 'infinity')
      AND (${channel ?? null}::text IS NULL OR c.job_id IN (
        SELECT j.id FROM validahub.jobs j WHERE j.tenant_id = ${tenantId} AND j.channel = ${channel ?? null}::text))
    GROUP BY c.rule_id ORDER BY count(*) DESC, c.rule_id`;
}

function now(hub: Hub): Freshness {
  return { source: 'correction_logs', asOf: hub.now(), ageMs: 0 };
}

async function age(hub: Hub, tx: Tx, rollup: typeof VIEW | typeof DAILY): Promise<Freshness> {
  const [row] = await rowsOf<{ refreshed_at: string | null }>(
    tx,
    sql`SELECT refreshed_at::text AS refreshed_at FROM validahub.rollup_age WHERE rollup = ${rollup}`,
  );
  const asOf = row?.refreshed_at == null ? null : new Date(row.refreshed_at);
  return {
    source: rollup,
    asOf,
    ageMs: asOf === null ? null : Math.max(0, hub.now().getTime() - asOf.getTime()),
  };
}

/** A field and how much of it breaks. */
export interface ErrorField {
  readonly field: string;
  /** Values of the field that broke a rule and that nothing corrected. */
  readonly violations: number;
  /** Those of severity error. */
  readonly errors: number;
  readonly rules: number;
  readonly jobs: number;
}

const DAY_MS = 86_400_000;

/**
 * The fields that break most, counted from the violations of the last days: nothing is older than this moment.
 * @param of.days 1 to 90, which is how long violations stay; default 30
 * @param of.limit 1 to 100; default 10
 * @throws HoldfastError HF_VALIDAHUB_INPUT
 */
export async function topErrorFields(
  hub: Hub,
  of: { readonly tenant: string; readonly days?: number; readonly limit?: number },
): Promise<{ readonly fields: readonly ErrorField[] } & Freshness> {
  const tenantId = tenantInput(of.tenant);
  const days = wholeInput('days', of.days ?? 30, { least: 1, most: 90 });
  const limit = wholeInput('limit', of.limit ?? 10, { least: 1, most: 100 });
  const since = new Date(hub.now().getTime() - days * DAY_MS);
  const fields = await asTenant(hub, tenantId, (tx) =>
    rowsOf<ErrorField>(
      tx,
      // Grouped twice: the different rules and jobs of a field are then few rows to sort, not every violation.
      sql`SELECT field_name AS field, sum(of_rule)::int AS violations, sum(wrong)::int AS errors,
          count(DISTINCT rule_id)::int AS rules, count(DISTINCT job_id)::int AS jobs
        FROM (
          SELECT field_name, rule_id, job_id, count(*) AS of_rule, count(*) FILTER (WHERE severity = 'error') AS wrong
          FROM validahub.job_violations
          WHERE tenant_id = ${tenantId} AND created_at >= ${since.toISOString()}::timestamptz
          GROUP BY field_name, rule_id, job_id) v
        GROUP BY field_name ORDER BY errors DESC, violations DESC, field_name LIMIT ${limit}`,
    ),
  );
  return { fields, source: 'job_violations', asOf: hub.now(), ageMs: 0 };
}

/** Two rules side by side. */
export interface Comparison {
  readonly a: RuleEffect;
  readonly b: RuleEffect;
  /** Acceptance rate of what was decided, of a less of b: -1 to 1; null where one of them has no decision. */
  readonly difference: number | null;
  /** The 95 % interval of the difference; null with it. Where it holds 0, the two cannot be told apart. */
  readonly interval: readonly [low: number, high: number] | null;
}

/**
 * Compares two rules over the last days, from the daily rollup.
 * @param of.days 1 to 3,650; default 30
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND for a rule that did nothing in these days
 * @see R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17
 *   (1998), 873–890, method 10
 */
export async function comparePerformance(
  hub: Hub,
  of: { readonly tenant: string; readonly ruleA: string; readonly ruleB: string; readonly days?: number },
): Promise<Comparison & Freshness> {
  const days = wholeInput('days', of.days ?? 30, { least: 1, most: 3_650 });
  const from = new Date(hub.now().getTime() - (days - 1) * DAY_MS);
  const ids = [textInput('ruleA', of.ruleA, 100), textInput('ruleB', of.ruleB, 100)] as const;
  const { rules, ...freshness } = await ruleEffectiveness(hub, { tenant: of.tenant, from, to: hub.now() });
  const [a, b] = ids.map((id) => rules.find((rule) => rule.ruleId === id));
  if (a === undefined || b === undefined) {
    throw failure('NOT_FOUND', {
      subject: `rule ${a === undefined ? ids[0] : ids[1]}`,
      what: `it did nothing in the last ${days} days that is in the daily figures.`,
      fix: 'Look the id up with ruleEffectiveness, or ask for more days.',
    });
  }
  return { a, b, ...differenceOf(a, b), ...freshness };
}

function differenceOf(a: RuleEffect, b: RuleEffect): Pick<Comparison, 'difference' | 'interval'> {
  const [of, or] = [a, b].map((one) => boundsOf(one.acceptances, one.acceptances + (one.rejections ?? 0)));
  if (of === undefined || or === undefined || of.cases === 0 || or.cases === 0) {
    return { difference: null, interval: null };
  }
  const difference = of.rate - or.rate;
  const low = difference - Math.hypot(of.rate - of.low, or.high - or.rate);
  const high = difference + Math.hypot(of.high - of.rate, or.rate - or.low);
  return { difference, interval: [low, high] };
}

function boundsOf(hits: number, cases: number) {
  const rate = cases === 0 ? 0 : hits / cases;
  return { cases, rate, low: wilsonLower(hits, cases), high: 1 - wilsonLower(cases - hits, cases) };
}
