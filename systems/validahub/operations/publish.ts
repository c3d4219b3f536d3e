// Publishing, going back and withdrawing. Whoever changes which version is current holds the rule set's lock, and a
// unique index holds the promise that there is only one.
import { and, desc, eq, inArray, or, sql } from 'drizzle-orm';
import { checksum } from '../rules/checksum.ts';
import { compatibility, type Compatibility, type CompatibilityLevel } from '../rules/compatibility.ts';
import type { Rule } from '../rules/rule.ts';
import type { Mapping } from '../catalogue/row.ts';
import { allows, highestVersion, parseVersion, raisedPart, type Version } from '../semver.ts';
import { ruleVersions } from '../tables/index.ts';
import { failure } from './failure.ts';
import { asTenant, record, type Hub, type Tx } from './hub.ts';
import { actorInput, idInput, tenantInput, textInput } from './input.ts';
import { forgetRules } from './lookup.ts';
import {
  lockSet,
  lockVersion,
  notIn,
  touchSet,
  unknownVersion,
  type StoredVersion,
  type VersionChoice,
} from './versions.ts';

const DAY_MS = 86_400_000;

/** What a publication did. */
export interface Publication {
  readonly version: string;
  /** What the rules changed, whatever the number says. */
  readonly compatibility: CompatibilityLevel;
  /** Whether the version is now the one that jobs run. */
  readonly current: boolean;
  /** Until when it runs in the shadow, where it does. */
  readonly shadowUntil: Date | null;
  readonly checksum: string;
}

/**
 * Publishes a validated version; from then on it never changes.
 * Without `makeCurrent` the set's policy decides by the greater of what changed and what the number says: the first
 * version and, with `autoApplyPatches`, a patch become current at once; a minor one starts its shadow period (and becomes
 * current at once where that is 0 days); a major one waits for a publisher who says `makeCurrent`, or, where the set asks
 * for no opt-in, is treated like a minor one.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_VERSION_STATUS, HF_VALIDAHUB_CHECKSUM when the rules are not
 *   those that were validated, HF_VALIDAHUB_VERSION_NOT_HIGHER than the last published one, HF_VALIDAHUB_BUMP_TOO_SMALL
 */
export async function publishVersion(
  hub: Hub,
  input: VersionChoice & { readonly makeCurrent?: boolean },
): Promise<Publication> {
  const tenantId = tenantInput(input.tenant);
  const versionId = idInput('version', input.versionId);
  const actor = actorInput(input.by);
  const done = await asTenant(hub, tenantId, async (tx) => {
    const setId = await setOf(tx, tenantId, versionId);
    const set = await lockSet(tx, tenantId, setId);
    const version = await lockVersion(tx, tenantId, versionId);
    if (version.status !== 'validated') throw notIn(version, 'validated');
    const sum = verifiedChecksum(version);
    const last = await lastPublished(tx, tenantId, setId);
    const change = compatibility(last === null ? null : rulesOf(last), rulesOf(version));
    if (last !== null) refuseSmallBump(version, last, change);
    const way = activation(set, {
      first: last === null,
      level: raised(version, last, change),
      asked: input.makeCurrent,
    });
    const now = hub.now();
    const shadowUntil = way === 'shadow' ? new Date(now.getTime() + set.shadowPeriodDays * DAY_MS) : null;
    await markPublished(tx, { version, actor, now, change, shadowUntil });
    if (way === 'current') await makeCurrent(tx, { version, now });
    await markLatest(tx, version);
    await touchSet(
      tx,
      { tenantId, setId, actor, version: set.version },
      {
        ...(set.status === 'draft' ? { status: 'published' } : {}),
        ...(way === 'current' ? { currentVersion: version.version } : {}),
      },
    );
    await record(tx, {
      tenantId,
      eventType: 'rule_version.published',
      actor,
      entity: 'rule_version',
      entityId: versionId,
      details: {
        version: version.version,
        compatibility: change.level,
        current: way === 'current',
        checksum: sum,
      },
    });
    return {
      channel: set.channel,
      publication: {
        version: version.version,
        compatibility: change.level,
        current: way === 'current',
        shadowUntil,
        checksum: sum,
      },
    };
  });
  forgetRules(hub, tenantId, done.channel);
  return done.publication;
}

/**
 * The set a version belongs to.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND
 */
export async function setOf(tx: Tx, tenantId: string, versionId: string): Promise<string> {
  const [row] = await tx
    .select({ setId: ruleVersions.ruleSetId })
    .from(ruleVersions)
    .where(and(eq(ruleVersions.tenantId, tenantId), eq(ruleVersions.id, versionId)));
  if (row === undefined) throw unknownVersion(versionId);
  return row.setId;
}

function rulesOf(version: StoredVersion): readonly Rule[] {
  return version.rules as readonly Rule[];
}

function verifiedChecksum(version: StoredVersion): string {
  const found = checksum(version.mapping as Mapping, version.rules);
  if (found === version.checksum) return found;
  throw failure('CHECKSUM', {
    subject: `rule version ${version.version}`,
    what: 'its rules or mapping are not those that were validated.',
    fix: 'Look at what was changed since, then validate it again.',
  });
}

async function lastPublished(tx: Tx, tenantId: string, setId: string): Promise<StoredVersion | null> {
  const published = await tx
    .select()
    .from(ruleVersions)
    .where(
      and(
        eq(ruleVersions.tenantId, tenantId),
        eq(ruleVersions.ruleSetId, setId),
        inArray(ruleVersions.status, ['published', 'deprecated', 'archived']),
      ),
    )
    .orderBy(desc(ruleVersions.major), desc(ruleVersions.minor), desc(ruleVersions.patch));
  const highest = highestVersion(published.map(numberOf));
  return published.find((row) => row.version === highest?.text) ?? null;
}

/** The stored number in parts; a check of the table holds it to the form. */
function numberOf(version: StoredVersion): Version {
  const { major, minor, patch, prerelease, version: text } = version;
  return parseVersion(text) ?? { major, minor, patch, prerelease, text };
}

function refuseSmallBump(version: StoredVersion, last: StoredVersion, change: Compatibility): void {
  const subject = `rule version ${version.version}`;
  const said = raisedPart(numberOf(last), numberOf(version));
  if (said === null) {
    throw failure('VERSION_NOT_HIGHER', {
      subject,
      what: `${last.version} is published already and is higher.`,
      fix: `Add the rules as a version above ${last.version}.`,
    });
  }
  if (allows(said, change.level)) return;
  const reasons = [...change.breaking, ...change.added];
  const named = reasons.map((reason) => `${reason.ruleId} ${reason.change.replace('_', ' ')}`).join(', ');
  throw failure('BUMP_TOO_SMALL', {
    subject,
    what: `against ${last.version} it is a ${change.level} change (${named}), but its number says ${said}.`,
    fix: `Add it again under a number that raises the ${change.level} part.`,
  });
}

function raised(
  version: StoredVersion,
  last: StoredVersion | null,
  change: Compatibility,
): CompatibilityLevel {
  const said = last === null ? null : raisedPart(numberOf(last), numberOf(version));
  return said !== null && allows(said, change.level) ? said : change.level;
}

function activation(
  set: { autoApplyPatches: boolean; shadowPeriodDays: number; requireMajorOptIn: boolean },
  of: { first: boolean; level: CompatibilityLevel; asked: boolean | undefined },
): 'current' | 'shadow' | 'none' {
  if (of.asked !== undefined) return of.asked ? 'current' : 'none';
  if (of.first) return 'current';
  if (of.level === 'patch') return set.autoApplyPatches ? 'current' : 'none';
  if (of.level === 'major' && set.requireMajorOptIn) return 'none';
  return set.shadowPeriodDays === 0 ? 'current' : 'shadow';
}

async function markPublished(
  tx: Tx,
  of: { version: StoredVersion; actor: string; now: Date; change: Compatibility; shadowUntil: Date | null },
): Promise<void> {
  await tx
    .update(ruleVersions)
    .set({
      status: 'published',
      publishedAt: of.now,
      publishedBy: of.actor,
      compatibilityLevel: of.change.level,
      breakingChanges: of.change.breaking,
      updatedAt: sql`now()`,
      ...(of.shadowUntil === null
        ? {}
        : { shadowStartDate: day(of.now), shadowEndDate: day(of.shadowUntil) }),
    })
    .where(key(of.version));
}

/** The UTC day. */
function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

function key(version: StoredVersion) {
  return and(eq(ruleVersions.tenantId, version.tenantId), eq(ruleVersions.id, version.id));
}

/**
 * Makes a version its set's current one; the caller holds the set's lock. Two statements, not one: a unique index is
 * checked row by row, and for a moment one UPDATE would have two.
 */
export async function makeCurrent(tx: Tx, of: { version: StoredVersion; now: Date }): Promise<void> {
  const { tenantId, ruleSetId } = of.version;
  await tx
    .update(ruleVersions)
    .set({ isCurrent: false })
    .where(
      and(eq(ruleVersions.tenantId, tenantId), eq(ruleVersions.ruleSetId, ruleSetId), ruleVersions.isCurrent),
    );
  await tx.update(ruleVersions).set({ isCurrent: true, activatedAt: of.now }).where(key(of.version));
}

async function markLatest(tx: Tx, version: StoredVersion): Promise<void> {
  await tx
    .update(ruleVersions)
    .set({ isLatest: sql`${ruleVersions.id} = ${version.id}` })
    .where(
      and(
        eq(ruleVersions.tenantId, version.tenantId),
        eq(ruleVersions.ruleSetId, version.ruleSetId),
        or(ruleVersions.isLatest, eq(ruleVersions.id, version.id)),
      ),
    );
}

/**
 * Withdraws a published version. Nothing runs it any more unless it is named; it stays readable for ever.
 * @param input.sunset from when on it must not be used at all; default: none set
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_VERSION_CURRENT, HF_VALIDAHUB_VERSION_STATUS
 */
export async function deprecateVersion(
  hub: Hub,
  input: VersionChoice & { readonly reason: string; readonly sunset?: Date },
): Promise<void> {
  const tenantId = tenantInput(input.tenant);
  const versionId = idInput('version', input.versionId);
  const actor = actorInput(input.by);
  const reason = textInput('reason', input.reason, 500);
  const channel = await asTenant(hub, tenantId, async (tx) => {
    const set = await lockSet(tx, tenantId, await setOf(tx, tenantId, versionId));
    const version = await lockVersion(tx, tenantId, versionId);
    if (version.isCurrent)
      throw current(version, 'Make another version current with rollbackTo or publishVersion first.');
    if (version.status !== 'published') throw notIn(version, 'published');
    await tx
      .update(ruleVersions)
      .set({
        status: 'deprecated',
        deprecatedAt: hub.now(),
        deprecatedBy: actor,
        deprecationReason: reason,
        sunsetDate: input.sunset ?? null,
      })
      .where(key(version));
    await record(tx, {
      tenantId,
      eventType: 'rule_version.deprecated',
      actor,
      entity: 'rule_version',
      entityId: versionId,
      details: { version: version.version, reason },
    });
    return set.channel;
  });
  forgetRules(hub, tenantId, channel);
}

function current(version: StoredVersion, fix: string): Error {
  return failure('VERSION_CURRENT', {
    subject: `rule version ${version.version}`,
    what: 'it is the current one.',
    fix,
  });
}

/**
 * Makes a published version of the set current again.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_VERSION_CURRENT, HF_VALIDAHUB_VERSION_STATUS (only a
 *   published version that was not withdrawn), HF_VALIDAHUB_INPUT without a reason
 */
export async function rollbackTo(
  hub: Hub,
  input: {
    readonly tenant: string;
    readonly setId: string;
    /** The number of the version to go back to. */
    readonly version: string;
    readonly by: string;
    readonly reason: string;
  },
): Promise<{ readonly from: string | null; readonly to: string }> {
  const tenantId = tenantInput(input.tenant);
  const setId = idInput('rule set', input.setId);
  const actor = actorInput(input.by);
  const reason = textInput('reason', input.reason, 500);
  const done = await asTenant(hub, tenantId, async (tx) => {
    const set = await lockSet(tx, tenantId, setId);
    const version = await lockVersion(
      tx,
      tenantId,
      await idOf(tx, { tenantId, setId, version: input.version }),
    );
    if (version.isCurrent) throw current(version, 'Choose another version.');
    if (version.status !== 'published') throw notIn(version, 'published');
    await makeCurrent(tx, { version, now: hub.now() });
    await touchSet(tx, { tenantId, setId, actor, version: set.version }, { currentVersion: version.version });
    await record(tx, {
      tenantId,
      eventType: 'rule_set.rolled_back',
      actor,
      entity: 'rule_set',
      entityId: setId,
      details: { from: set.currentVersion, to: version.version, reason },
    });
    return { channel: set.channel, from: set.currentVersion, to: version.version };
  });
  forgetRules(hub, tenantId, done.channel);
  return { from: done.from, to: done.to };
}

async function idOf(tx: Tx, of: { tenantId: string; setId: string; version: string }): Promise<string> {
  const [row] = await tx
    .select({ id: ruleVersions.id })
    .from(ruleVersions)
    .where(
      and(
        eq(ruleVersions.tenantId, of.tenantId),
        eq(ruleVersions.ruleSetId, of.setId),
        eq(ruleVersions.version, of.version),
      ),
    );
  if (row === undefined) throw unknownVersion(of.version);
  return row.id;
}
