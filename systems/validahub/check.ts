// A catalogue manager's whole errand: take rules and a file, give a report and a corrected file.
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from 'holdfast';
import {
  mappingFrom,
  openCatalogue,
  suggestMapping,
  type Catalogue,
  type Mapping,
} from './catalogue/index.ts';
import {
  addVersion,
  applyRules,
  chooseRules,
  createRuleSet,
  createTenant,
  exportCorrected,
  findRuleSet,
  publishVersion,
  validateVersion,
  type ExportCount,
  type Hub,
  type JobResult,
} from './operations/index.ts';
import { checksum } from './rules/checksum.ts';
import { compatibility } from './rules/compatibility.ts';
import { loadRulesFile, type RuleFile } from './rules/load.ts';
import { isLearnt } from './operations/mined-rule.ts';
import type { Rule } from './rules/rule.ts';
import { allows, highestVersion, nextVersion, parseVersion, raisedPart, type Version } from './semver.ts';
import { CHANNELS, type Channel } from './tables/columns.ts';

/** What is read before anything is opened. */
export interface Input {
  readonly rules: RuleFile;
  readonly catalogue: Catalogue;
  /** Must be called when the rows are no longer needed. */
  readonly close: () => Promise<void>;
}

/**
 * Reads the rules and looks through the catalogue, so that a wrong path or rule shows before a server is started.
 * @throws HoldfastError HF_RULES, HF_RULES_FILE, HF_CATALOGUE_…
 */
export async function readInput(of: { readonly file: string; readonly rules: string }): Promise<Input> {
  const rules = await loadRulesFile(of.rules);
  const opened = await openCatalogue(of.file);
  const catalogue = opened.mapped(mappingOf(opened, rules.mapping));
  return { rules, catalogue, close: opened.close };
}

/** What is to be checked, and for whom. */
export interface CheckRequest {
  readonly input: Input;
  /** Where the corrected file goes; without it none is written. */
  readonly out?: string;
  /** Instead of the rule file's own channel. */
  readonly channel?: string;
  readonly tenant: string;
  readonly by: string;
  readonly onRows?: (rows: number, of: number) => void;
}

/** What came of it. */
export interface Checked {
  readonly result: JobResult;
  /** The version that was published because the rules are new or were changed, else null. */
  readonly published: string | null;
  readonly out: ({ readonly path: string } & ExportCount) | null;
}

/**
 * Checks a file: makes the tenant and the rule set if they are not there, publishes the rules if they changed (with what was
 * learnt from accepted suggestions beside them), runs them,
 * and writes the corrected file under its name once it is whole.
 * @throws HoldfastError of the operations; HF_VALIDAHUB_OUT when the corrected file cannot be written
 */
export async function check(hub: Hub, request: CheckRequest): Promise<Checked> {
  const { rules, catalogue } = request.input;
  const channel = channelOf(request.channel ?? rules.channel);
  await ensureTenant(hub, request);
  const { setId, published } = await ensureRules(hub, { request, rules, channel });
  const total = request.onRows === undefined ? 0 : await countRows(catalogue);
  const result = await applyRules(hub, {
    tenant: request.tenant,
    source: catalogue,
    rules: { setId },
    mapping: mappingOf(catalogue, rules.mapping),
    by: request.by,
    onProgress: ({ rows }) => request.onRows?.(rows, total),
  });
  const { out } = request;
  return {
    result,
    published,
    out: out === undefined ? null : await writeOut(hub, { ...request, out, catalogue, result }),
  };
}

function channelOf(channel: string): Channel {
  const known = CHANNELS.find((one) => one === channel);
  if (known !== undefined) return known;
  throw new HoldfastError({
    code: 'HF_VALIDAHUB_INPUT',
    subject: `channel ${channel}`,
    what: 'there is no such channel.',
    fix: `Choose one of ${CHANNELS.join(', ')}.`,
  });
}

/** What the rule file says of columns, and for the others what their names are known to mean. */
function mappingOf(catalogue: Catalogue, said: Mapping): Mapping {
  return { ...mappingFrom(suggestMapping(catalogue.mapped(said).columns)), ...said };
}

async function countRows(catalogue: Catalogue): Promise<number> {
  let rows = 0;
  for await (const _ of catalogue.rows()) rows += 1;
  return rows;
}

async function ensureTenant(hub: Hub, request: CheckRequest): Promise<void> {
  await createTenant(hub, { id: request.tenant, name: request.tenant, by: request.by }).catch(
    (error: unknown) => {
      if (!hasCode(error, 'HF_VALIDAHUB_TENANT_EXISTS')) throw error;
    },
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof HoldfastError && error.code === code;
}

interface Wanted {
  readonly request: CheckRequest;
  readonly rules: RuleFile;
  readonly channel: Channel;
}

const ATTEMPTS = 10;

/** The set with these rules current; of several runs that find them changed at once, one publishes. */
async function ensureRules(hub: Hub, wanted: Wanted): Promise<{ setId: string; published: string | null }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await publishIfChanged(hub, wanted);
    } catch (error) {
      const raced = ['STALE', 'SET_EXISTS', 'VERSION_EXISTS', 'VERSION_NOT_HIGHER', 'VERSION_STATUS'];
      const again = raced.some((code) => hasCode(error, `HF_VALIDAHUB_${code}`));
      if (!again || attempt === ATTEMPTS) throw error;
    }
  }
}

async function publishIfChanged(
  hub: Hub,
  wanted: Wanted,
): Promise<{ setId: string; published: string | null }> {
  const { request, channel } = wanted;
  const { tenant, by } = request;
  const of = { tenant, channel, name: wanted.rules.name };
  const set = (await findRuleSet(hub, of)) ?? (await createRuleSet(hub, { ...of, by }));
  const setId = set.id;
  const current = await currentChecksum(hub, tenant, setId);
  const learnt = await learntRules(hub, { tenant, setId, file: wanted.rules });
  const rules = { ...wanted.rules, rules: [...wanted.rules.rules, ...learnt] };
  if (current === checksum(rules.mapping, rules.rules)) return { setId, published: null };
  const place = placeFor(rules, await versionsOf(hub, tenant, setId));
  const versionId =
    place.versionId ??
    (
      await addVersion(hub, {
        tenant,
        setId,
        version: place.version,
        rules: rules.rules,
        mapping: rules.mapping,
        expectedVersion: set.version,
        by,
      })
    ).id;
  await validateVersion(hub, { tenant, versionId, by });
  await publishVersion(hub, { tenant, versionId, by, makeCurrent: true });
  return { setId, published: place.version };
}

/** What people accepted into the current version and no file knows of: it stays when the file is published again. */
async function learntRules(
  hub: Hub,
  of: { readonly tenant: string; readonly setId: string; readonly file: RuleFile },
): Promise<readonly Rule[]> {
  const { rows } = await hub.sessions
    .session({ tenant: of.tenant })
    .query<{ rules: readonly Rule[] }>(
      'SELECT rules FROM validahub.rule_versions WHERE rule_set_id = $1 AND is_current',
      [of.setId],
    );
  const known = new Set(of.file.rules.map((rule) => rule.id));
  return (rows[0]?.rules ?? []).filter((rule) => isLearnt(rule) && !known.has(rule.id));
}

async function currentChecksum(hub: Hub, tenant: string, setId: string): Promise<string | null> {
  return chooseRules(hub, tenant, { setId }).then(
    (rules) => rules.checksum,
    (error: unknown) => {
      if (hasCode(error, 'HF_VALIDAHUB_NO_CURRENT')) return null;
      throw error;
    },
  );
}

interface StoredRules {
  readonly id: string;
  readonly version: string;
  readonly published: boolean;
  readonly rules: readonly Rule[];
  readonly mapping: Mapping;
}

async function versionsOf(hub: Hub, tenant: string, setId: string): Promise<readonly StoredRules[]> {
  const { rows } = await hub.sessions.session({ tenant }).query<StoredRules & Record<string, unknown>>(
    `SELECT id, version, status NOT IN ('draft', 'validated') AS published, rules, mapping
       FROM validahub.rule_versions WHERE rule_set_id = $1`,
    [setId],
  );
  return rows;
}

/**
 * Under which number the rules go in: the file's own where it is high enough for what changed, else the next one that is.
 * A draft of the same rules that another run left, or is about to publish, is taken up instead.
 */
function placeFor(file: RuleFile, stored: readonly StoredRules[]): { version: string; versionId?: string } {
  const highest = highestOf(stored);
  const wanted = parseVersion(file.version);
  if (highest === null || wanted === null) return { version: file.version };
  const last = highestOf(stored.filter((row) => row.published));
  const before = stored.find((row) => row.version === last?.text)?.rules ?? null;
  const level = before === null ? 'patch' : compatibility(before, file.rules).level;
  const enough = (from: Version | null, to: Version): boolean => {
    const raised = from === null ? 'major' : raisedPart(from, to);
    return raised !== null && allows(raised, level);
  };
  const draft = stored.find((row) => row.version === highest.text && !row.published);
  const same =
    draft !== undefined && checksum(draft.mapping, draft.rules) === checksum(file.mapping, file.rules);
  if (same && enough(last, highest)) return { version: draft.version, versionId: draft.id };
  return { version: enough(highest, wanted) ? file.version : nextVersion(highest, level).text };
}

function highestOf(rows: readonly { readonly version: string }[]): Version | null {
  return highestVersion(rows.map((row) => parseVersion(row.version)).filter((version) => version !== null));
}

/** Writes beside the target and renames: whoever looks sees the old file or the whole new one. */
async function writeOut(
  hub: Hub,
  of: { tenant: string; by: string; out: string; catalogue: Catalogue; result: JobResult },
): Promise<{ path: string } & ExportCount> {
  const partial = join(dirname(of.out), `.${basename(of.out)}.${randomUUID()}.partial`);
  try {
    const count = await exportCorrected(
      hub,
      { tenant: of.tenant, jobId: of.result.jobId, source: of.catalogue, by: of.by },
      (text) => pipeline(text, createWriteStream(partial, { mode: 0o644 })),
    );
    const file = await open(partial, 'r+');
    await file.sync().finally(() => file.close());
    await rename(partial, of.out);
    return { path: of.out, ...count };
  } catch (error) {
    await rm(partial, { force: true });
    throw cannotWrite(of.out, error);
  }
}

function cannotWrite(path: string, error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (error instanceof HoldfastError || typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error;
  return new HoldfastError({
    code: 'HF_VALIDAHUB_OUT',
    subject: `file ${path}`,
    what: `it cannot be written (${code}).`,
    fix: 'Give --out a path in a folder that exists and may be written, with room on its disk.',
    cause: error,
  });
}
