// Drafting a version: its number must rise, its rules must compile.
import { and, eq, sql } from 'drizzle-orm';
import type { Mapping } from '../catalogue/row.ts';
import { compileRules } from '../rules/compile.ts';
import type { Rule, RuleError } from '../rules/rule.ts';
import { compareVersions, highestVersion, parseVersion, type Version } from '../semver.ts';
import { ruleSets, ruleVersions } from '../tables/index.ts';
import { failure, refusal } from './failure.ts';
import { asTenant, record, type Hub, type Tx } from './hub.ts';
import { actorInput, idInput, tenantInput } from './input.ts';

/** A new version of a rule set. */
export interface VersionInput {
  readonly tenant: string;
  readonly setId: string;
  /** `major.minor.patch`, with `-prerelease` if it is one; higher than every version the set has. */
  readonly version: string;
  readonly rules: readonly Rule[];
  /** Source column → canonical field. */
  readonly mapping?: Mapping;
  /** The set's `version` as the author read it; refused when somebody changed the set since. */
  readonly expectedVersion: number;
  readonly changelog?: string;
  readonly by: string;
}

/** SQLSTATE of a write that names a revision the row no longer has. */
const STALE = 'ZH005';

/**
 * Adds a version in draft.
 * @returns its id, and the set's `version` for the next change
 * @throws HoldfastError HF_VALIDAHUB_INPUT (no number, no rules, a rule id twice), HF_VALIDAHUB_NOT_FOUND,
 *   HF_VALIDAHUB_STALE, HF_VALIDAHUB_VERSION_EXISTS, HF_VALIDAHUB_VERSION_NOT_HIGHER
 */
export async function addVersion(
  hub: Hub,
  input: VersionInput,
): Promise<{ readonly id: string; readonly setVersion: number }> {
  const tenantId = tenantInput(input.tenant);
  const setId = idInput('rule set', input.setId);
  const actor = actorInput(input.by);
  const number = numberInput(input.version);
  rulesInput(input.rules);
  return asTenant(hub, tenantId, async (tx) => {
    const set = await lockSet(tx, tenantId, setId);
    if (set.version !== input.expectedVersion) throw stale(setId, set.version);
    await refuseNotHigher(tx, { tenantId, setId, number });
    const setVersion = await touchSet(tx, { tenantId, setId, actor, version: set.version });
    const id = await insertDraft(tx, { tenantId, setId, actor, number, input });
    await record(tx, {
      tenantId,
      eventType: 'rule_version.added',
      actor,
      entity: 'rule_version',
      entityId: id,
      details: { version: number.text, rules: input.rules.length },
    });
    return { id, setVersion };
  });
}

function numberInput(text: string): Version {
  const number = typeof text === 'string' ? parseVersion(text) : null;
  if (number !== null) return number;
  throw failure('INPUT', {
    subject: `version ${JSON.stringify(text)}`,
    what: 'it is not a semantic version number.',
    fix: 'Write major.minor.patch, such as 1.4.0, with -rc.1 behind it for a prerelease; no build part.',
  });
}

function rulesInput(rules: readonly Rule[]): void {
  const ids = Array.isArray(rules) ? rules.map((rule: { id?: unknown } | null) => rule?.id) : [];
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index);
  if (ids.length > 0 && repeated === undefined) return;
  throw failure('INPUT', {
    subject: 'rules',
    what: ids.length === 0 ? 'there are none.' : `the id ${JSON.stringify(repeated)} stands twice.`,
    fix: 'Give a list of rules, each with an id of its own.',
  });
}

/**
 * Locks a rule set for whoever changes its versions, so that two of them take turns. NO KEY UPDATE, because jobs and
 * corrections that point at the set take KEY SHARE on it and shall not wait.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND
 */
export async function lockSet(
  tx: Tx,
  tenantId: string,
  setId: string,
): Promise<typeof ruleSets.$inferSelect> {
  const [set] = await tx
    .select()
    .from(ruleSets)
    .where(and(eq(ruleSets.tenantId, tenantId), eq(ruleSets.id, setId)))
    .for('no key update');
  if (set !== undefined && set.deletedAt === null) return set;
  throw failure('NOT_FOUND', {
    subject: `rule set ${setId}`,
    what: 'there is no such rule set.',
    fix: 'Make one with createRuleSet, or look its id up.',
  });
}

/** The error for a change of a set that was read before somebody else changed it. */
export function stale(setId: string, version: number): Error {
  return failure('STALE', {
    subject: `rule set ${setId}`,
    what: `it was changed since it was read and is at version ${version} now.`,
    fix: 'Read it again and repeat the change on what it holds now.',
  });
}

async function refuseNotHigher(
  tx: Tx,
  of: { tenantId: string; setId: string; number: Version },
): Promise<void> {
  const existing = await tx
    .select({ version: ruleVersions.version })
    .from(ruleVersions)
    .where(and(eq(ruleVersions.tenantId, of.tenantId), eq(ruleVersions.ruleSetId, of.setId)));
  const versions = existing.map((row) => parseVersion(row.version)).filter((version) => version !== null);
  const subject = `version ${of.number.text}`;
  const highest = highestVersion(versions);
  if (highest === null || compareVersions(of.number, highest) > 0) return;
  if (versions.some((version) => version.text === of.number.text)) {
    throw failure('VERSION_EXISTS', {
      subject,
      what: 'the rule set has it already.',
      fix: 'Raise the number; a version is never written twice.',
    });
  }
  throw failure('VERSION_NOT_HIGHER', {
    subject,
    what: `the rule set already has ${highest.text}, which is higher.`,
    fix: `Choose a number above ${highest.text}.`,
  });
}

/**
 * Counts a change of the set. The revision that was read is named in the UPDATE, where the database compares it.
 * @returns the set's new `version`
 */
export async function touchSet(
  tx: Tx,
  of: { tenantId: string; setId: string; actor: string; version: number },
  change: Partial<typeof ruleSets.$inferInsert> = {},
): Promise<number> {
  try {
    const [row] = await tx
      .update(ruleSets)
      .set({ ...change, updatedBy: of.actor, version: of.version })
      .where(and(eq(ruleSets.tenantId, of.tenantId), eq(ruleSets.id, of.setId)))
      .returning({ version: ruleSets.version });
    if (row === undefined) throw new Error(`rule set ${of.setId} went away under its lock`);
    return row.version;
  } catch (error) {
    if (refusal(error)?.code === STALE) throw stale(of.setId, of.version + 1);
    throw error;
  }
}

async function insertDraft(
  tx: Tx,
  of: { tenantId: string; setId: string; actor: string; number: Version; input: VersionInput },
): Promise<string> {
  const { number, input } = of;
  const [row] = await tx
    .insert(ruleVersions)
    .values({
      tenantId: of.tenantId,
      ruleSetId: of.setId,
      major: number.major,
      minor: number.minor,
      patch: number.patch,
      prerelease: number.prerelease,
      version: number.text,
      rules: input.rules,
      ruleCount: input.rules.length,
      mapping: { ...input.mapping },
      changelog: input.changelog ?? null,
      createdBy: of.actor,
    })
    .returning({ id: ruleVersions.id });
  if (row === undefined) throw new Error('an insert gave no row');
  return row.id;
}

/** What came of a validation. */
export interface Validation {
  readonly status: 'validated' | 'draft';
  readonly errors: readonly RuleError[];
  /** The checksum a publication will compare with; null while there are errors. */
  readonly checksum: string | null;
}

/** One version, named for an operation. */
export interface VersionChoice {
  readonly tenant: string;
  readonly versionId: string;
  readonly by: string;
}

/**
 * Compiles the rules of a draft. With errors it stays a draft and keeps them in `validation_errors`; without, it becomes
 * validated and carries the compiled plan and the checksum of what was compiled.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND, HF_VALIDAHUB_VERSION_STATUS when it is published or older
 */
export async function validateVersion(hub: Hub, input: VersionChoice): Promise<Validation> {
  const tenantId = tenantInput(input.tenant);
  const versionId = idInput('version', input.versionId);
  const actor = actorInput(input.by);
  return asTenant(hub, tenantId, async (tx) => {
    const version = await lockVersion(tx, tenantId, versionId);
    if (version.status !== 'draft' && version.status !== 'validated')
      throw notIn(version, 'draft or validated');
    const compilation = compileRules(version.rules, version.mapping);
    const status = compilation.plan === null ? 'draft' : 'validated';
    const checksum = compilation.plan?.checksum ?? null;
    await tx
      .update(ruleVersions)
      .set({
        status,
        compiled: compilation.plan,
        checksum,
        validationErrors: compilation.errors,
        updatedAt: sql`now()`,
        versionNumber: sql`${ruleVersions.versionNumber} + 1`,
      })
      .where(and(eq(ruleVersions.tenantId, tenantId), eq(ruleVersions.id, versionId)));
    await record(tx, {
      tenantId,
      eventType: 'rule_version.validated',
      actor,
      entity: 'rule_version',
      entityId: versionId,
      details: { status, errors: compilation.errors.length },
    });
    return { status, errors: compilation.errors, checksum };
  });
}

/** A stored version. */
export type StoredVersion = typeof ruleVersions.$inferSelect;

/**
 * Reads a version and locks it against other changes.
 * @throws HoldfastError HF_VALIDAHUB_NOT_FOUND
 */
export async function lockVersion(tx: Tx, tenantId: string, versionId: string): Promise<StoredVersion> {
  const [version] = await tx
    .select()
    .from(ruleVersions)
    .where(and(eq(ruleVersions.tenantId, tenantId), eq(ruleVersions.id, versionId)))
    .for('no key update');
  if (version !== undefined) return version;
  throw unknownVersion(versionId);
}

/** The error for a version that is not there, or is another tenant's: the two look alike. */
export function unknownVersion(name: string): Error {
  return failure('NOT_FOUND', {
    subject: `rule version ${name}`,
    what: 'there is no such version.',
    fix: 'Look its id up in the rule set.',
  });
}

/** The error for a version in a state that an operation does not take. */
export function notIn(version: { version: string; status: string }, wanted: string): Error {
  return failure('VERSION_STATUS', {
    subject: `rule version ${version.version}`,
    what: `it is ${version.status}, not ${wanted}.`,
    fix: 'Choose a version in that state, or bring this one there first.',
  });
}
