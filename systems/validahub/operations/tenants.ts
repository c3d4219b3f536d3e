// Tenants and their rule sets.
import { and, eq, isNull } from 'drizzle-orm';
import { CHANNELS, type Channel } from '../tables/columns.ts';
import { ruleSets, tenants } from '../tables/index.ts';
import { failure, isDangling, isDuplicate } from './failure.ts';
import { asTenant, record, type Hub } from './hub.ts';
import { actorInput, tenantInput, textInput, wholeInput, wordInput } from './input.ts';

/**
 * Makes a tenant.
 * @throws HoldfastError HF_VALIDAHUB_INPUT for a bad id or name, HF_VALIDAHUB_TENANT_EXISTS when the id is taken
 */
export async function createTenant(
  hub: Hub,
  input: { readonly id: string; readonly name: string; readonly by: string },
): Promise<{ readonly id: string }> {
  const id = tenantInput(input.id);
  const name = textInput('name', input.name, 200);
  const actor = actorInput(input.by);
  try {
    await asTenant(hub, id, async (tx) => {
      await tx.insert(tenants).values({ id, name });
      await record(tx, { tenantId: id, eventType: 'tenant.created', actor, entity: 'tenant', entityId: id });
    });
  } catch (error) {
    if (!isDuplicate(error, 'tenants_pkey')) throw error;
    throw failure('TENANT_EXISTS', {
      subject: `tenant ${id}`,
      what: 'it exists already.',
      fix: 'Use it as it is, or choose another id.',
      cause: error,
    });
  }
  return { id };
}

/** How a rule set treats new versions. */
export interface SetPolicy {
  /** A patch becomes current when it is published. Default true. */
  readonly autoApplyPatches?: boolean;
  /** Days a minor version runs in the shadow before it may become current, 0 to 30. Default 7. */
  readonly shadowPeriodDays?: number;
  /** A major version becomes current only when its publisher says so. Default true. */
  readonly requireMajorOptIn?: boolean;
}

/** A new rule set. */
export interface RuleSetInput {
  readonly tenant: string;
  readonly channel: Channel;
  readonly name: string;
  readonly description?: string;
  readonly policy?: SetPolicy;
  readonly by: string;
}

/**
 * Makes a rule set, in draft.
 * @throws HoldfastError HF_VALIDAHUB_INPUT, HF_VALIDAHUB_NOT_FOUND for an unknown tenant, HF_VALIDAHUB_SET_EXISTS when
 *   the channel has an active set of that name
 */
export async function createRuleSet(
  hub: Hub,
  input: RuleSetInput,
): Promise<{ readonly id: string; readonly version: number }> {
  const tenantId = tenantInput(input.tenant);
  const channel = wordInput('channel', input.channel, CHANNELS);
  const name = textInput('name', input.name, 100);
  const actor = actorInput(input.by);
  const policy = policyInput(input.policy ?? {});
  try {
    return await asTenant(hub, tenantId, async (tx) => {
      const [made] = await tx
        .insert(ruleSets)
        .values({
          tenantId,
          channel,
          name,
          description: input.description ?? null,
          ...policy,
          createdBy: actor,
          updatedBy: actor,
        })
        .returning({ id: ruleSets.id, version: ruleSets.version });
      if (made === undefined) throw new Error('an insert gave no row');
      await record(tx, {
        tenantId,
        eventType: 'rule_set.created',
        actor,
        entity: 'rule_set',
        entityId: made.id,
        details: { channel, name },
      });
      return made;
    });
  } catch (error) {
    throw setFailure(error, { tenantId, channel, name });
  }
}

function policyInput(policy: SetPolicy): SetPolicy {
  if (policy.shadowPeriodDays !== undefined) {
    wholeInput('shadowPeriodDays', policy.shadowPeriodDays, { least: 0, most: 30 });
  }
  return policy;
}

function setFailure(error: unknown, of: { tenantId: string; channel: string; name: string }): unknown {
  if (isDuplicate(error, 'rule_sets_active_name_key')) {
    return failure('SET_EXISTS', {
      subject: `rule set ${of.name} of ${of.channel}`,
      what: 'the channel has an active set of that name.',
      fix: 'Add a version to that set, or choose another name.',
      cause: error,
    });
  }
  if (isDangling(error)) return unknownTenant(of.tenantId, error);
  return error;
}

function unknownTenant(tenantId: string, cause: unknown): Error {
  return failure('NOT_FOUND', {
    subject: `tenant ${tenantId}`,
    what: 'there is no such tenant.',
    fix: 'Make it with createTenant first.',
    cause,
  });
}

/** Finds the tenant's active set of that name in the channel; undefined where there is none. */
export async function findRuleSet(
  hub: Hub,
  of: { readonly tenant: string; readonly channel: Channel; readonly name: string },
): Promise<
  { readonly id: string; readonly version: number; readonly currentVersion: string | null } | undefined
> {
  const tenantId = tenantInput(of.tenant);
  const [found] = await asTenant(hub, tenantId, (tx) =>
    tx
      .select({ id: ruleSets.id, version: ruleSets.version, currentVersion: ruleSets.currentVersion })
      .from(ruleSets)
      .where(
        and(
          eq(ruleSets.tenantId, tenantId),
          eq(ruleSets.channel, of.channel),
          eq(ruleSets.name, of.name),
          eq(ruleSets.isActive, true),
          isNull(ruleSets.deletedAt),
        ),
      ),
  );
  return found;
}
