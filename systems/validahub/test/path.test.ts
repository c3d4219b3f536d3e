// The main job on real files, from the rule set to the corrected file; then another tenant, who must see none of it by
// any relation, partition, view or key.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { Client } from 'pg';
import { describe, expect } from 'vitest';
import { ident } from '../../../src/sql.ts';
import {
  addVersion,
  applyCorrections,
  applyRules,
  createRuleSet,
  createTenant,
  decideCorrections,
  exportCorrected,
  publishVersion,
  ruleLookup,
  validateVersion,
  type Hub,
  type JobResult,
} from '../operations/index.ts';
import type { Mapping } from '../catalogue/row.ts';
import type { Rule } from '../rules/rule.ts';
import { freshTenant, published, test } from './installed.ts';

const by = 'p_manager';
const FOLDER = new URL('../../../../shared/data/validahub/', import.meta.url);
const at = (path: string): string => fileURLToPath(new URL(path, FOLDER));
const required = (id: string, field: string): Rule => ({
  id,
  type: 'required',
  field,
  message: `${field} is missing.`,
});

const LISTING: readonly Rule[] = [
  required('brand_required', 'brand'),
  required('model_required', 'modelno'),
  {
    id: 'price_above_zero',
    type: 'range',
    field: 'price_brl',
    message: 'A price of zero.',
    params: { above: 0 },
  },
  {
    id: 'title_length',
    type: 'length',
    field: 'title',
    message: 'Titles have at most 60 characters.',
    action: 'suggest',
    params: { max: 60 },
    fix: [{ step: 'truncate_words', max: 60 }],
  },
];

const FOOD: readonly Rule[] = [
  {
    id: 'gtin_check_digit',
    type: 'format',
    field: 'gtin',
    message: 'Wrong check digit.',
    params: { format: 'gtin' },
  },
  required('name_required', 'title'),
  required('brand_required', 'brand'),
  required('category_required', 'category_path'),
];

interface RealFile {
  readonly path: string;
  readonly rules: readonly Rule[];
  readonly mapping: Mapping;
  readonly rows: number;
  /** Rows that break each rule, as SOURCES.md counted them outside this project. */
  readonly counted: Readonly<Record<string, number>>;
}

const LISTING_MAPPING: Mapping = { id: 'sku', price: 'price_brl', shipweight: 'weight_kg' };
const FOOD_MAPPING: Mapping = {
  code: 'gtin',
  product_name: 'title',
  brands: 'brand',
  categories: 'category_path',
};

const FILES: readonly RealFile[] = [
  {
    path: 'listings/D8_walmart.csv',
    rules: LISTING,
    mapping: LISTING_MAPPING,
    rows: 2_554,
    counted: { brand_required: 133, model_required: 164, price_above_zero: 64, title_length: 846 },
  },
  {
    path: 'listings/D8_amazon.csv',
    rules: [required('price_required', 'price_brl'), ...LISTING],
    mapping: LISTING_MAPPING,
    rows: 22_074,
    counted: { price_required: 2_860, model_required: 6_300, title_length: 12_303 },
  },
  {
    path: 'openfacts/openfoodfacts-1000.csv',
    rules: FOOD,
    mapping: FOOD_MAPPING,
    rows: 1_000,
    counted: { gtin_check_digit: 3, name_required: 14, brand_required: 86, category_required: 164 },
  },
  {
    path: 'openfacts/openbeautyfacts-1000.csv',
    rules: FOOD,
    mapping: FOOD_MAPPING,
    rows: 1_000,
    counted: { gtin_check_digit: 123, name_required: 138, brand_required: 229, category_required: 516 },
  },
];

/** A tenant with these rules current; gives the result of checking the file. */
async function checked(
  hub: Hub,
  file: RealFile,
): Promise<{ tenant: string; setId: string; result: JobResult }> {
  const tenant = freshTenant();
  await createTenant(hub, { id: tenant, name: 'Real shop', by });
  const set = await createRuleSet(hub, { tenant, channel: 'amazon_br', name: 'Listings', by });
  const version = await addVersion(hub, {
    tenant,
    setId: set.id,
    version: '1.0.0',
    rules: file.rules,
    mapping: file.mapping,
    expectedVersion: set.version,
    by,
  });
  expect(await validateVersion(hub, { tenant, versionId: version.id, by })).toMatchObject({
    status: 'validated',
  });
  await publishVersion(hub, { tenant, versionId: version.id, by });
  const { version: current } = await ruleLookup(hub, { tenant, channel: 'amazon_br' });
  expect(current).toBe('1.0.0');
  const result = await applyRules(hub, {
    tenant,
    source: at(file.path),
    rules: { channel: 'amazon_br' },
    by,
  });
  return { tenant, setId: set.id, result };
}

describe('real files', () => {
  for (const file of FILES) {
    test.skipIf(!existsSync(at(file.path)))(
      `${file.path}: what is found equals what was counted elsewhere (skipped where the file is missing)`,
      async ({ installed: { hub } }) => {
        const { tenant, result } = await checked(hub, file);
        expect(result.report.rows).toBe(file.rows);
        const broke = Object.fromEntries(result.report.rules.map((rule) => [rule.ruleId, rule.broke]));
        expect(broke).toMatchObject(file.counted);
        const stored = await storedCounts(hub, tenant);
        for (const [rule, count] of Object.entries(file.counted)) expect(stored[rule]).toBe(count);
      },
    );
  }
});

/** Rows in violations and corrections per rule: the tables must say what the report says. */
async function storedCounts(hub: Hub, tenant: string): Promise<Record<string, number>> {
  const { rows } = await hub.sessions.session({ tenant }).query<{ rule_id: string; n: number }>(
    `SELECT rule_id, count(*)::int AS n FROM (
       SELECT rule_id FROM validahub.job_violations UNION ALL SELECT rule_id FROM validahub.correction_logs) found
     GROUP BY rule_id`,
  );
  return Object.fromEntries(rows.map((row) => [row.rule_id, row.n]));
}

const [WALMART] = FILES as readonly [RealFile];
const withWalmart = test.skipIf(!existsSync(at(WALMART.path)));

withWalmart(
  'long titles wait, are accepted in part, and the exported file follows',
  async ({ installed: { hub } }) => {
    const { tenant, result } = await checked(hub, WALMART);
    const { jobId } = result;
    const { rows } = await hub.sessions
      .session({ tenant })
      .query<{ id: string; record_number: number }>(
        `SELECT id, record_number FROM validahub.correction_logs WHERE status = 'pending' ORDER BY record_number`,
      );
    expect(rows).toHaveLength(result.report.pending);
    const accepted = rows.slice(0, 400);
    await decideCorrections(hub, { tenant, ids: accepted.map((row) => row.id), decision: 'accept', by });
    await decideCorrections(hub, {
      tenant,
      ids: rows.slice(400).map((row) => row.id),
      decision: 'reject',
      by,
    });
    expect(await applyCorrections(hub, { tenant, jobId, by })).toEqual({ applied: 400 });
    let text = '';
    const count = await exportCorrected(
      hub,
      { tenant, jobId, source: at(WALMART.path), by },
      async (chunks) => {
        for await (const chunk of chunks) text += chunk;
      },
    );
    expect(count).toEqual({ rows: 2_554, corrected: 400, skipped: 0 });
    const before = (await readFile(at(WALMART.path), 'utf8')).trimEnd().split(/\r?\n/);
    const after = text.trimEnd().split(/\r?\n/);
    expect(after).toHaveLength(before.length);
    const titles = after.map((line) => line.split('|')[1] ?? '');
    for (const row of accepted) expect([...(titles[row.record_number] ?? '')].length).toBeLessThanOrEqual(60);
    const untouched = new Set(accepted.map((row) => row.record_number));
    const changed = after.filter(
      (line, index) => index > 0 && !untouched.has(index) && line !== before[index],
    );
    expect(changed.filter((line) => !/(^|\|)"?'[=+\-@]/.test(line))).toEqual([]);
  },
);

/** A connection of the application's own role, without Holdfast's sessions: what hostile code would hold. */
async function bare<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const refused = (code: string) => expect.objectContaining({ code });

/** A tenant with a job, corrections and decisions, so that no table is empty for want of rows. */
async function filled(hub: Hub) {
  const of = await published(hub);
  const key = `shared-key-of-everybody-${of.tenant}`;
  const source = Readable.from([Buffer.from('sku,title,brand\n1, Item ,acme\n2,,Acme\n')]);
  const { jobId } = await applyRules(hub, {
    tenant: of.tenant,
    source,
    rules: { setId: of.setId },
    by,
    idempotencyKey: key,
  });
  const { rows } = await hub.sessions
    .session({ tenant: of.tenant })
    .query<{ id: string }>(`SELECT id FROM validahub.correction_logs WHERE status = 'pending'`);
  await decideCorrections(hub, {
    tenant: of.tenant,
    ids: rows.map((row) => row.id),
    decision: 'accept',
    by,
  });
  return { ...of, jobId, key };
}

/** When each rollup was brought up to date, for all tenants together. */
const NAMES_NO_TENANT = new Set(['rollup_age', 'rollup_state', 'holdfast_erased', 'holdfast_erased_salt']);

describe('another tenant', () => {
  const RELATIONS_SQL = `
    SELECT c.relname AS name, c.relkind AS kind, c.relispartition AS partition
    FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'validahub'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1`;

  test('sees no row of any relation, and no partition or materialised view at all', async ({
    db,
    installed,
  }) => {
    const { hub, appUrl } = installed;
    const mine = await filled(hub);
    await db.query(
      `INSERT INTO validahub.rule_effectiveness_daily (tenant_id, rule_id, rule_version_id, channel, metric_date, applications)
       VALUES ($1, 'r', $2, 'custom', '2026-11-01', 1)`,
      [mine.tenant, mine.versionId],
    );
    await db.query(
      `INSERT INTO validahub.suggestions (tenant_id, suggestion_type, title, source, model_name, model_version,
         evidence_hash, confidence_score) VALUES ($1, 'value', 'x', 'rule_engine', 'm', '1', repeat('0', 64), 1)`,
      [mine.tenant],
    );
    await db.query(
      `INSERT INTO validahub.erasure_requests (tenant_id, subject_type, subject, legal_basis, requested_by)
       VALUES ($1, 'person', 'x', 'user_request', 'p')`,
      [mine.tenant],
    );
    await db.query('SELECT FROM validahub.correction_patterns_settle()');
    await db.query('SELECT FROM validahub.mv_rule_effectiveness_refresh()');
    const all = await db.query<{ name: string; kind: string; partition: boolean }>(RELATIONS_SQL);
    const relations = all.filter(({ name }) => !NAMES_NO_TENANT.has(name));
    expect(relations.length).toBeGreaterThanOrEqual(25);
    const states = [undefined, '', 'acme', freshTenant()];
    await bare(appUrl, async (client) => {
      for (const { name, kind, partition } of relations) {
        const closed = partition || kind === 'm' || name.endsWith('_pending');
        const [own] = await db.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM validahub.${ident(name)} WHERE ${name === 'tenants' ? 'id' : 'tenant_id'} = $1`,
          [mine.tenant],
        );
        for (const state of states) {
          await client.query('BEGIN');
          if (state !== undefined) {
            await client.query(`SELECT set_config('app.current_tenant_id', $1, true)`, [state]);
          }
          const seen = client.query(`SELECT count(*)::int AS n FROM validahub.${ident(name)}`);
          if (closed) await expect(seen).rejects.toMatchObject({ code: '42501' });
          else expect((await seen).rows, `${name} as ${state}`).toEqual([{ n: 0 }]);
          await client.query('ROLLBACK');
        }
        if (closed) continue;
        await client.query('BEGIN');
        await client.query(`SELECT set_config('app.current_tenant_id', $1, true)`, [mine.tenant]);
        const { rows } = await client.query(`SELECT count(*)::int AS n FROM validahub.${ident(name)}`);
        await client.query('ROLLBACK');
        // Superusers see the guards as everybody does: by the setting, which is theirs to set and not set here.
        if (kind !== 'v') expect(rows, `${name} as its own tenant`).toEqual([own]);
        expect(rows[0]?.n, `${name} as its own tenant`).toBeGreaterThan(0);
      }
    });
  });

  test('cannot learn by a key what exists: no foreign key, unique key or upsert tells', async ({
    installed,
  }) => {
    const mine = await filled(installed.hub);
    const other = await filled(installed.hub);
    const as = installed.connected.session({ tenant: other.tenant });
    // A row that points at mine is refused as one that points at nothing is.
    const point = (setId: string, version: string) =>
      as.query(
        `INSERT INTO validahub.rule_versions (tenant_id, rule_set_id, major, minor, patch, version, rules, rule_count,
           created_by) VALUES ($1, $2, 7, 7, 7, $3, '[{}]', 1, 'p')`,
        [other.tenant, setId, version],
      );
    const messages: string[] = [];
    for (const setId of [mine.setId, '00000000-0000-4000-8000-000000000000']) {
      const error = await point(setId, '7.7.7').catch((caught: unknown) => caught);
      expect(error).toEqual(refused('23503'));
      messages.push((error as Error).message);
    }
    expect(messages[0]).toBe(messages[1]);
    // The same id under another tenant is no duplicate, so it tells nothing.
    await as.query(
      `INSERT INTO validahub.rule_sets (tenant_id, id, channel, name, created_by, updated_by)
       VALUES ($1, $2, 'custom', 'same id', 'p', 'p')`,
      [other.tenant, mine.setId],
    );
    await as.query(
      `INSERT INTO validahub.jobs (tenant_id, channel, rule_set_id, rule_version_id, file_name, file_sha256, idempotency_key,
         created_by) VALUES ($1, 'custom', $2, $3, 'x', repeat('0', 64), $4, 'p')
       ON CONFLICT (tenant_id, idempotency_key) DO UPDATE SET file_name = 'taken'`,
      [other.tenant, other.setId, other.versionId, mine.key],
    );
    const { rows } = await installed.connected
      .session({ tenant: mine.tenant })
      .query('SELECT file_name FROM validahub.jobs WHERE idempotency_key = $1', [mine.key]);
    expect(rows).toEqual([{ file_name: 'catalogue' }]);
  });

  test('cannot write into mine: insert, update and upsert under a foreign tenant id are refused', async ({
    installed,
  }) => {
    const mine = await filled(installed.hub);
    const other = await filled(installed.hub);
    const as = installed.connected.session({ tenant: other.tenant });
    const insert = `INSERT INTO validahub.rule_sets (tenant_id, id, channel, name, created_by, updated_by)
      VALUES ($1, $2, 'custom', 'theirs', 'p', 'p')`;
    await expect(as.query(insert, [mine.tenant, mine.setId])).rejects.toMatchObject({ code: '42501' });
    await expect(
      as.query(`${insert} ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'theirs'`, [
        mine.tenant,
        mine.setId,
      ]),
    ).rejects.toMatchObject({ code: '42501' });
    await expect(
      as.query('UPDATE validahub.rule_sets SET tenant_id = $1', [mine.tenant]),
    ).rejects.toMatchObject({ code: '42501' });
    const { rowCount } = await as.query(`UPDATE validahub.rule_sets SET name = 'x' WHERE id = $1`, [
      mine.setId,
    ]);
    expect(rowCount).toBe(0);
  });
});
