// The draft of the next version: where accepted suggestions go. Its number says what was changed, never less.
import { and, eq, sql } from 'drizzle-orm';
import { compatibility, type CompatibilityLevel } from '../rules/compatibility.ts';
import type { Rule } from '../rules/rule.ts';
import { allows, highestVersion, nextVersion, parseVersion, raisedPart, type Version } from '../semver.ts';
import { ruleVersions } from '../tables/index.ts';
import { failure } from './failure.ts';
import type { Tx } from './hub.ts';
import { applied, type Implementation } from './mined-rule.ts';
import type { StoredVersion } from './versions.ts';

/** Where an implementation went. */
export interface Drafted {
  readonly versionId: string;
  readonly version: string;
  readonly ruleId: string;
  /** False where the rules held it already and nothing was written. */
  readonly changed: boolean;
}

/**
 * Puts an implementation into the set's open draft, or into a new one on top of the current rules. The draft carries the
 * next minor number where a rule is new, the next patch where one was extended; a draft whose number says too little gets
 * a higher one, and one that was validated has to be validated again. The caller holds the set's lock.
 * @throws HoldfastError HF_VALIDAHUB_CONFLICT when the draft's rules contradict it
 */
export async function addToDraft(
  tx: Tx,
  of: { readonly tenantId: string; readonly setId: string; readonly actor: string },
  wanted: Implementation,
): Promise<Drafted> {
  const versions = await tx
    .select()
    .from(ruleVersions)
    .where(and(eq(ruleVersions.tenantId, of.tenantId), eq(ruleVersions.ruleSetId, of.setId)));
  const highest = highestOf(versions);
  const last = highestOf(versions.filter((one) => PUBLISHED.has(one.status)));
  const draft = highest !== undefined && !PUBLISHED.has(highest.status) ? highest : undefined;
  const base = draft ?? versions.find((one) => one.isCurrent) ?? last;
  const result = applied((base?.rules ?? []) as readonly Rule[], wanted);
  if ('refused' in result) throw contradiction(base, result.refused);
  if (result.level === null && base !== undefined) {
    return { versionId: base.id, version: base.version, ruleId: result.ruleId, changed: false };
  }
  const level = compatibility((last?.rules ?? null) as readonly Rule[] | null, result.rules).level;
  const number = numberFor({ draft: draft && numberOf(draft), last: last && numberOf(last) }, level);
  const row = { rules: result.rules, ruleCount: result.rules.length, ...parts(number) };
  const versionId =
    draft === undefined ? await insert(tx, of, { row, base }) : await change(tx, of, { row, draft });
  return { versionId, version: number.text, ruleId: result.ruleId, changed: true };
}

const PUBLISHED: ReadonlySet<string> = new Set(['published', 'deprecated', 'archived']);

function highestOf(versions: readonly StoredVersion[]): StoredVersion | undefined {
  const highest = highestVersion(versions.map(numberOf));
  return versions.find((one) => one.version === highest?.text);
}

/** The stored number in parts; a check of the table holds it to the form. */
function numberOf(version: StoredVersion): Version {
  const { major, minor, patch, prerelease, version: text } = version;
  return parseVersion(text) ?? { major, minor, patch, prerelease, text };
}

const FIRST: Version = { major: 0, minor: 1, patch: 0, prerelease: null, text: '0.1.0' };

function numberFor(
  of: { readonly draft: Version | undefined; readonly last: Version | undefined },
  level: CompatibilityLevel,
): Version {
  const { draft, last } = of;
  if (last === undefined) return draft ?? FIRST;
  const said = draft === undefined ? null : raisedPart(last, draft);
  return draft !== undefined && said !== null && allows(said, level) ? draft : nextVersion(last, level);
}

function parts(number: Version) {
  const { major, minor, patch, prerelease, text: version } = number;
  return { major, minor, patch, prerelease, version };
}

type Row = Pick<
  StoredVersion,
  'rules' | 'ruleCount' | 'major' | 'minor' | 'patch' | 'prerelease' | 'version'
>;

async function insert(
  tx: Tx,
  of: { readonly tenantId: string; readonly setId: string; readonly actor: string },
  given: { readonly row: Row; readonly base: StoredVersion | undefined },
): Promise<string> {
  const [made] = await tx
    .insert(ruleVersions)
    .values({
      ...given.row,
      tenantId: of.tenantId,
      ruleSetId: of.setId,
      mapping: given.base?.mapping ?? {},
      changelog: 'Learnt from accepted corrections.',
      createdBy: of.actor,
    })
    .returning({ id: ruleVersions.id });
  if (made === undefined) throw new Error('an insert gave no row');
  return made.id;
}

async function change(
  tx: Tx,
  of: { readonly tenantId: string },
  given: { readonly row: Row; readonly draft: StoredVersion },
): Promise<string> {
  const { id } = given.draft;
  await tx
    .update(ruleVersions)
    .set({
      ...given.row,
      status: 'draft',
      compiled: null,
      checksum: null,
      validationErrors: [],
      updatedAt: sql`now()`,
      versionNumber: sql`${ruleVersions.versionNumber} + 1`,
    })
    .where(and(eq(ruleVersions.tenantId, of.tenantId), eq(ruleVersions.id, id)));
  return id;
}

function contradiction(base: StoredVersion | undefined, what: string): Error {
  return failure('CONFLICT', {
    subject: base === undefined ? 'the next rule version' : `rule version ${base.version}`,
    what,
    fix: 'Change that rule, or reject the suggestion.',
  });
}
