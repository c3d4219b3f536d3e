// Which rules are in force: the hottest read of the system, answered from memory while it may be.
import { and, eq, isNull } from 'drizzle-orm';
import { HoldfastError } from 'holdfast';
import type { Query } from 'holdfast/use';
import { CHANNELS, type Channel } from '../tables/columns.ts';
import type { CompiledPlan } from '../rules/rule.ts';
import { ruleSets, ruleVersions } from '../tables/index.ts';
import { failure } from './failure.ts';
import type { Hub, Tx } from './hub.ts';
import { idInput, tenantInput, wordInput } from './input.ts';
import { unknownVersion } from './versions.ts';

/** The rules in force, ready to run. */
export interface ActiveRules {
  readonly ruleSetId: string;
  readonly versionId: string;
  readonly channel: Channel;
  readonly version: string;
  readonly checksum: string;
  readonly plan: CompiledPlan;
}

/** A session's Drizzle: each statement is a transaction of one round trip. */
type Reader = Pick<Tx, 'select'>;

type Pointer = Omit<ActiveRules, 'plan'>;

/**
 * The current compiled rules of a channel. Where several sets are active there, the one whose version became current
 * last counts. Remembered by tenant, channel, version and checksum. Publishing, rolling back and deprecating through this
 * hub are seen at once; those of another process within the ten minutes a pointer is kept.
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NO_CURRENT when nothing is published there
 */
export async function ruleLookup(
  hub: Hub,
  of: { readonly tenant: string; readonly channel: Channel },
): Promise<ActiveRules> {
  const tenantId = tenantInput(of.tenant);
  const channel = wordInput('channel', of.channel, CHANNELS);
  const known = hub.cache.get<Pointer>('pointer', [tenantId, channel]);
  const plan = known && hub.cache.get<CompiledPlan>('compiled', planKey(tenantId, known));
  if (known !== undefined && plan !== undefined) return { ...known, plan };
  const stamp = hub.cache.stamp;
  const found = await readCurrent(hub.sessions.session({ tenant: tenantId }).query, tenantId, channel);
  const { plan: read, ...pointer } = found;
  // Somebody published while this was being read: what was read may be older than what they made current.
  if (hub.cache.stamp === stamp) {
    hub.cache.set('pointer', [tenantId, channel], pointer);
    hub.cache.set('compiled', planKey(tenantId, pointer), read);
  }
  return found;
}

function planKey(tenantId: string, of: Pointer): string[] {
  return [tenantId, of.channel, of.version, of.checksum];
}

// Written out, and its conditions without parameters: Drizzle sends `true` and `1` as parameters, with which a prepared
// statement is planned anew at every call, because no plan for any value can use an index WHERE is_active.
const CURRENT_SQL = `
  SELECT s.id AS "ruleSetId", v.id AS "versionId", v.version, v.checksum, v.compiled AS plan
  FROM validahub.rule_sets s
  JOIN validahub.rule_versions v ON v.tenant_id = s.tenant_id AND v.rule_set_id = s.id AND v.is_current
  WHERE s.tenant_id = $1 AND s.channel = $2 AND s.is_active AND s.deleted_at IS NULL
  ORDER BY v.activated_at DESC, v.id DESC
  LIMIT 1`;

interface CurrentRow {
  readonly ruleSetId: string;
  readonly versionId: string;
  readonly version: string;
  readonly checksum: string | null;
  readonly plan: CompiledPlan;
}

async function readCurrent(query: Query, tenantId: string, channel: Channel): Promise<ActiveRules> {
  const { rows } = await query<CurrentRow>(CURRENT_SQL, [tenantId, channel]);
  const [row] = rows;
  if (row === undefined) {
    throw failure('NO_CURRENT', {
      subject: `channel ${channel} of tenant ${tenantId}`,
      what: 'no rule version is current there.',
      fix: 'Publish a version of a rule set of that channel.',
    });
  }
  return { ...row, channel, checksum: row.checksum ?? '' };
}

/** The current compiled rules of every channel that has some, as {@link ruleLookup} gives them. */
export async function currentPlans(hub: Hub, tenant: string): Promise<ReadonlyMap<string, CompiledPlan>> {
  const tenantId = tenantInput(tenant);
  const channels = await hub.sessions
    .session({ tenant: tenantId })
    .db.selectDistinct({ channel: ruleSets.channel })
    .from(ruleSets)
    .where(and(eq(ruleSets.tenantId, tenantId), eq(ruleSets.isActive, true), isNull(ruleSets.deletedAt)));
  const plans = new Map<string, CompiledPlan>();
  for (const { channel } of channels) {
    const rules = await ruleLookup(hub, { tenant: tenantId, channel: channel as Channel }).catch(noneCurrent);
    if (rules !== undefined) plans.set(channel, rules.plan);
  }
  return plans;
}

function noneCurrent(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'HF_VALIDAHUB_NO_CURRENT') return undefined;
  throw error;
}

/** Forgets what is known of a channel: called after its rules changed, once the change is committed. */
export function forgetRules(hub: Hub, tenantId: string, channel: string): void {
  hub.cache.forget('pointer', [tenantId, channel]);
  hub.cache.forget('compiled', [tenantId, channel]);
}

/** A version to run, as the caller names it: one of the three. */
export type RulesChoice =
  | { readonly versionId: string }
  | { readonly setId: string }
  | { readonly channel: Channel };

/**
 * Finds the rules a job shall run: of a channel (as {@link ruleLookup}), a set's current version, or one version by id,
 * which may also be one that is validated but not published (a trial run).
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_NO_CURRENT, HF_VALIDAHUB_VERSION_STATUS for a draft
 */
export async function chooseRules(hub: Hub, tenant: string, choice: RulesChoice): Promise<ActiveRules> {
  const tenantId = tenantInput(tenant);
  if ('channel' in choice) return ruleLookup(hub, { tenant: tenantId, channel: choice.channel });
  const byVersion = 'versionId' in choice;
  const id = byVersion ? idInput('version', choice.versionId) : idInput('rule set', choice.setId);
  const kept = byVersion ? keptVersion(hub, [tenantId, id]) : undefined;
  if (kept !== undefined) return kept;
  const found = await readVersion(hub.sessions.session({ tenant: tenantId }).db, {
    tenantId,
    id,
    byVersion,
  });
  const { status, ...rules } = found;
  if (byVersion) hub.cache.set(status === 'published' ? 'published' : 'draft', [tenantId, id], rules);
  return rules;
}

function keptVersion(hub: Hub, key: readonly string[]): ActiveRules | undefined {
  return hub.cache.get<ActiveRules>('published', key) ?? hub.cache.get<ActiveRules>('draft', key);
}

async function readVersion(
  tx: Reader,
  of: { tenantId: string; id: string; byVersion: boolean },
): Promise<ActiveRules & { readonly status: string }> {
  const [row] = await tx
    .select({ version: ruleVersions, channel: ruleSets.channel })
    .from(ruleVersions)
    .innerJoin(
      ruleSets,
      and(eq(ruleSets.tenantId, ruleVersions.tenantId), eq(ruleSets.id, ruleVersions.ruleSetId)),
    )
    .where(
      and(
        eq(ruleVersions.tenantId, of.tenantId),
        of.byVersion
          ? eq(ruleVersions.id, of.id)
          : and(eq(ruleVersions.ruleSetId, of.id), ruleVersions.isCurrent),
      ),
    );
  if (row === undefined) throw of.byVersion ? unknownVersion(of.id) : noCurrent(of.id);
  const { version } = row;
  if (version.compiled === null || version.checksum === null) {
    throw failure('VERSION_STATUS', {
      subject: `rule version ${version.version}`,
      what: `it is ${version.status} and was not validated.`,
      fix: 'Validate it first; what does not compile cannot run.',
    });
  }
  return {
    ruleSetId: version.ruleSetId,
    versionId: version.id,
    channel: row.channel as Channel,
    version: version.version,
    checksum: version.checksum,
    plan: version.compiled as CompiledPlan,
    status: version.status,
  };
}

function noCurrent(setId: string): Error {
  return failure('NO_CURRENT', {
    subject: `rule set ${setId}`,
    what: 'none of its versions is current.',
    fix: 'Publish one, or name a version.',
  });
}
