// Decisions about suggestions: taken once, by a person, or by time.
import { and, desc, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm';
import { suggestions } from '../tables/index.ts';
import { addToDraft } from './draft.ts';
import { failure } from './failure.ts';
import { asTenant, record, rowsOf, type Hub, type Tx } from './hub.ts';
import { actorInput, idInput, tenantInput, textInput, wholeInput } from './input.ts';
import type { Implementation } from './mined-rule.ts';
import { lockSet, stale, touchSet } from './versions.ts';

/** A stored suggestion. */
export type Suggestion = typeof suggestions.$inferSelect;

const OPEN = ['generated', 'reviewed'];

/** The suggestions that wait for a decision and have not expired, surest first; at most `limit`, 1 to 1,000, default 50. */
export async function listSuggestions(
  hub: Hub,
  of: { readonly tenant: string; readonly limit?: number },
): Promise<readonly Suggestion[]> {
  const tenantId = tenantInput(of.tenant);
  const limit = wholeInput('limit', of.limit ?? 50, { least: 1, most: 1_000 });
  return asTenant(hub, tenantId, (tx) =>
    tx
      .select()
      .from(suggestions)
      .where(
        and(
          eq(suggestions.tenantId, tenantId),
          inArray(suggestions.status, OPEN),
          or(isNull(suggestions.expiresAt), gt(suggestions.expiresAt, hub.now())),
        ),
      )
      .orderBy(desc(suggestions.confidenceScore), suggestions.id)
      .limit(limit),
  );
}

/** What an acceptance did. */
export interface Acceptance {
  readonly ruleId: string;
  readonly setId: string;
  /** The draft that holds the rule, or the version that held it already. */
  readonly versionId: string;
  readonly version: string;
  /** The set's `version` for the next change. */
  readonly setVersion: number;
}

/**
 * Accepts a suggestion: what it asks for goes into the draft of the set's next version (see addToDraft), which is then
 * validated and published like any other. Acceptances of one set take turns, so all that arrive at once land in one draft.
 * @param input.setId whose draft; default: the set of the suggestion's channel that became current last
 * @param input.expectedVersion the set's `version` as it was read; default: whatever it is
 * @throws HoldfastError HF_VALIDAHUB_INPUT (also where the set is not clear), HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_STALE,
 *   HF_VALIDAHUB_CONFLICT when it was decided before, has expired, or the draft's rules contradict it
 */
export async function acceptSuggestion(
  hub: Hub,
  input: {
    readonly tenant: string;
    readonly id: string;
    readonly by: string;
    readonly setId?: string;
    readonly expectedVersion?: number;
  },
): Promise<Acceptance> {
  const tenantId = tenantInput(input.tenant);
  const id = idInput('suggestion', input.id);
  const actor = actorInput(input.by);
  const asked = input.setId === undefined ? undefined : idInput('rule set', input.setId);
  return asTenant(hub, tenantId, async (tx) => {
    const suggestion = await lockOpen(tx, { tenantId, id, now: hub.now() });
    const setId = asked ?? (await setFor(tx, suggestion));
    const set = await lockSet(tx, tenantId, setId);
    const { expectedVersion } = input;
    if (expectedVersion !== undefined && set.version !== expectedVersion) throw stale(setId, set.version);
    const drafted = await addToDraft(tx, { tenantId, setId, actor }, implementationIn(suggestion));
    const setVersion = drafted.changed
      ? await touchSet(tx, { tenantId, setId, actor, version: set.version })
      : set.version;
    const { versionId, version, ruleId } = drafted;
    await tx
      .update(suggestions)
      .set({ status: 'accepted', acceptedAt: hub.now(), acceptedBy: actor })
      .where(keyOf(suggestion));
    await record(tx, {
      tenantId,
      eventType: 'suggestion.accepted',
      actor,
      entity: 'suggestion',
      entityId: id,
      details: { setId, versionId, version, ruleId },
    });
    return { ruleId, setId, versionId, version, setVersion };
  });
}

/**
 * Rejects a suggestion; for 90 days it is not made again.
 * @param input.feedback how useful it was, 1 (not at all) to 5
 * @throws HoldfastError HF_VALIDAHUB_INPUT (also without a reason), HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_CONFLICT when it was
 *   decided before or has expired
 */
export async function rejectSuggestion(
  hub: Hub,
  input: {
    readonly tenant: string;
    readonly id: string;
    readonly by: string;
    readonly reason: string;
    readonly feedback?: number;
  },
): Promise<void> {
  const tenantId = tenantInput(input.tenant);
  const id = idInput('suggestion', input.id);
  const actor = actorInput(input.by);
  const reason = textInput('reason', input.reason, 500);
  const { feedback } = input;
  if (feedback !== undefined) wholeInput('feedback', feedback, { least: 1, most: 5 });
  await asTenant(hub, tenantId, async (tx) => {
    const suggestion = await lockOpen(tx, { tenantId, id, now: hub.now() });
    await tx
      .update(suggestions)
      .set({
        status: 'rejected',
        rejectedAt: hub.now(),
        rejectedBy: actor,
        rejectionReason: reason,
        feedbackScore: feedback ?? null,
      })
      .where(keyOf(suggestion));
    await record(tx, {
      tenantId,
      eventType: 'suggestion.rejected',
      actor,
      entity: 'suggestion',
      entityId: id,
      details: { reason, ...(feedback === undefined ? {} : { feedback }) },
    });
  });
}

async function lockOpen(
  tx: Tx,
  of: { readonly tenantId: string; readonly id: string; readonly now: Date },
): Promise<Suggestion> {
  const [found] = await tx
    .select()
    .from(suggestions)
    .where(and(eq(suggestions.tenantId, of.tenantId), eq(suggestions.id, of.id)))
    .for('no key update');
  if (found === undefined) {
    throw failure('NOT_FOUND', {
      subject: `suggestion ${of.id}`,
      what: 'there is no such suggestion.',
      fix: 'Look its id up with listSuggestions; another tenant cannot decide it.',
    });
  }
  const expired = found.expiresAt !== null && found.expiresAt.getTime() <= of.now.getTime();
  if (OPEN.includes(found.status) && !expired) return found;
  throw failure('CONFLICT', {
    subject: `suggestion ${of.id}`,
    what: `it is ${OPEN.includes(found.status) ? 'expired' : found.status} already; nothing of this decision was kept.`,
    fix: 'Read it again: a suggestion is decided once.',
  });
}

function keyOf(suggestion: Suggestion) {
  return and(eq(suggestions.tenantId, suggestion.tenantId), eq(suggestions.id, suggestion.id));
}

async function setFor(tx: Tx, suggestion: Suggestion): Promise<string> {
  const { tenantId, channel } = suggestion;
  const found = await rowsOf<{ id: string }>(
    tx,
    sql`SELECT s.id FROM validahub.rule_sets s
      LEFT JOIN validahub.rule_versions v
        ON v.tenant_id = s.tenant_id AND v.rule_set_id = s.id AND v.is_current
      WHERE s.tenant_id = ${tenantId} AND s.is_active AND s.deleted_at IS NULL
        AND (${channel}::text IS NULL OR s.channel = ${channel}::text)
      ORDER BY v.activated_at DESC NULLS LAST, s.created_at, s.id LIMIT 2`,
  );
  const [first, second] = found;
  if (first !== undefined && (channel !== null || second === undefined)) return first.id;
  throw failure('INPUT', {
    subject: 'setId',
    what: `${first === undefined ? 'no rule set' : 'more than one rule set'} could take suggestion ${suggestion.id}.`,
    fix: 'Name the rule set whose next version shall have the rule.',
  });
}

function implementationIn(suggestion: Suggestion): Implementation {
  const { suggestedImplementation: wanted } = suggestion;
  if (KINDS.has(String(wanted['kind']))) return wanted as unknown as Implementation;
  throw failure('CONFLICT', {
    subject: `suggestion ${suggestion.id}`,
    what: 'it says nothing that a rule could do; another program made it.',
    fix: 'Write the rule into a draft by hand and reject the suggestion.',
  });
}

const KINDS: ReadonlySet<string> = new Set<Implementation['kind']>(['replace', 'fill', 'act']);

/** Suggestions that expire in one statement. */
const EXPIRE_BATCH = 1_000;

/**
 * One batch of suggestions whose time is over, with one event for each tenant; `$1` the time, `$2` the batch, `$3` the actor.
 * What somebody is deciding right now is left for the next batch.
 */
export const EXPIRE_SQL = `
  WITH due AS MATERIALIZED (
    SELECT tenant_id, id FROM validahub.suggestions
    WHERE status IN ('generated', 'reviewed') AND expires_at <= $1::timestamptz
    ORDER BY tenant_id, expires_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED),
  gone AS (
    UPDATE validahub.suggestions s SET status = 'expired'
    FROM due WHERE s.tenant_id = due.tenant_id AND s.id = due.id
    RETURNING s.tenant_id, s.id),
  told AS (
    INSERT INTO validahub.audit_log (tenant_id, event_type, actor, entity, entity_id, details, created_at)
    SELECT tenant_id, 'suggestions.expired', $3, 'suggestion', min(id::text), jsonb_build_object('suggestions', count(*)),
      $1::timestamptz
    FROM gone GROUP BY tenant_id)
  SELECT count(*)::int AS expired FROM gone`;

/**
 * Ends every open suggestion of the tenant whose time is over, in batches of a thousand, each a transaction of its own. The
 * keeper does the same for all tenants every night.
 * @returns how many expired
 * @throws HoldfastError HF_VALIDAHUB_INPUT
 */
export async function expireSuggestions(
  hub: Hub,
  of: { readonly tenant: string; readonly by: string },
): Promise<{ readonly expired: number }> {
  const tenantId = tenantInput(of.tenant);
  const actor = actorInput(of.by);
  const session = hub.sessions.session({ tenant: tenantId });
  return { expired: await expireInBatches(session.query, { now: hub.now(), actor, stopped: () => false }) };
}

/** Expires until nothing is left or `stopped`; each statement commits by itself. */
export async function expireInBatches(
  query: (text: string, values: readonly unknown[]) => Promise<unknown>,
  of: { readonly now: Date; readonly actor: string; readonly stopped: () => boolean },
): Promise<number> {
  let expired = 0;
  for (let batch = EXPIRE_BATCH; batch === EXPIRE_BATCH && !of.stopped();) {
    const result = await query(EXPIRE_SQL, [of.now.toISOString(), EXPIRE_BATCH, of.actor]);
    const rows = Array.isArray(result) ? result : (result as { rows: unknown[] }).rows;
    batch = (rows[0] as { expired: number } | undefined)?.expired ?? 0;
    expired += batch;
  }
  return expired;
}
