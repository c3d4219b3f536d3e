// Files in, findings out: idempotency, batches that fail, and the corrected file.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  applyCorrections,
  applyRules,
  decideCorrections,
  exportCorrected,
  revertCorrection,
  type Hub,
} from '../operations/index.ts';
import { published, test } from './installed.ts';

const by = 'p_1';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'validahub-jobs-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A catalogue of that many rows: each 10th title has spaces around it, each 25th brand is in small letters. */
async function catalogue(name: string, rows: number, extra: readonly string[] = []): Promise<string> {
  const lines = Array.from({ length: rows }, (_, index) => {
    const title = index % 10 === 0 ? ` Item ${index} ` : `Item ${index}`;
    return `${index},${title},${index % 25 === 0 ? 'acme' : 'Acme'}`;
  });
  const path = join(folder, name);
  await writeFile(path, ['sku,title,brand', ...lines, ...extra, ''].join('\n'));
  return path;
}

async function exported(hub: Hub, of: { tenant: string; jobId: string; source: string }) {
  let text = '';
  const count = await exportCorrected(hub, { ...of, by }, async (chunks) => {
    for await (const chunk of chunks) text += chunk;
  });
  return { text, count };
}

async function corrections(hub: Hub, tenant: string, jobId: string) {
  const { rows } = await hub.sessions
    .session({ tenant })
    .query<{ id: string; record_number: number; rule_id: string; status: string; corrected: string }>(
      `SELECT id, record_number, rule_id, status, corrected_value #>> '{}' AS corrected
       FROM validahub.correction_logs WHERE job_id = $1 ORDER BY record_number, id`,
      [jobId],
    );
  return rows;
}

describe('applyRules', () => {
  test('reports, corrects and proposes, and counts alike in the log and the result', async ({
    installed: { hub },
  }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('counts.csv', 2_500, ['2500,,Globex', '2501,  ,Nobody']);
    const seen: number[] = [];
    const result = await applyRules(hub, {
      tenant,
      source,
      rules: { setId },
      by,
      onProgress: ({ rows }) => seen.push(rows),
    });
    expect(seen).toEqual([1_000, 2_000, 2_502]);
    expect(result.report).toMatchObject({ rows: 2_502, rowsOk: 2_500, rowsWithErrors: 2 });
    const tally = Object.fromEntries(result.report.rules.map((rule) => [rule.ruleId, rule]));
    expect(tally['title_required']).toMatchObject({ broke: 2, open: 2 });
    expect(tally['title_trimmed']).toMatchObject({ corrected: 251 });
    expect(tally['brand_listed']).toMatchObject({ broke: 101, pending: 100, open: 1 });
    const found = await corrections(hub, tenant, result.jobId);
    expect(found.filter((one) => one.status === 'applied')).toHaveLength(result.report.corrected);
    expect(found.filter((one) => one.status === 'pending')).toHaveLength(100);
    const { rows } = await hub.sessions
      .session({ tenant })
      .query(
        'SELECT status, total_rows, rows_ok, rows_with_errors, violations, corrections FROM validahub.jobs',
      );
    expect(rows).toEqual([
      {
        status: 'completed',
        total_rows: 2_502,
        rows_ok: 2_500,
        rows_with_errors: 2,
        violations: result.report.violations,
        corrections: found.length,
      },
    ]);
  });

  test('the same file and version give the same findings, from a path or a stream', async ({
    installed: { hub },
  }) => {
    const { tenant, versionId } = await published(hub);
    const source = await catalogue('same.csv', 1_200);
    const run = async (from: string | Readable) => {
      const { jobId, report } = await applyRules(hub, { tenant, source: from, rules: { versionId }, by });
      const found = await corrections(hub, tenant, jobId);
      return { report: { ...report, file: '' }, found: found.map((one) => ({ ...one, id: '' })) };
    };
    const first = await run(source);
    expect(await run(Readable.from([await readFile(source)]))).toEqual(first);
  });

  test('a key repeats the first result for the same file and refuses another', async ({
    installed: { hub },
  }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('key.csv', 30);
    const input = { tenant, source, rules: { setId }, by, idempotencyKey: 'upload-0123456789' };
    const first = await applyRules(hub, input);
    expect(first.repeated).toBe(false);
    expect(await applyRules(hub, input)).toEqual({ ...first, repeated: true });
    const other = await catalogue('other.csv', 31);
    await expect(applyRules(hub, { ...input, source: other })).rejects.toThrow(
      `idempotency key upload-0123456789: job ${first.jobId} used it for another file.`,
    );
    await expect(applyRules(hub, { ...input, idempotencyKey: 'short' })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_INPUT',
    });
    const elsewhere = await published(hub);
    const theirs = await applyRules(hub, {
      ...input,
      source: other,
      tenant: elsewhere.tenant,
      rules: { setId: elsewhere.setId },
    });
    expect(theirs.repeated).toBe(false);
  });

  test('a key is free again after a day', async ({ db, installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const input = {
      tenant,
      source: await catalogue('day.csv', 10),
      rules: { setId },
      by,
      idempotencyKey: 'once-a-day-012345',
    };
    const first = await applyRules(hub, input);
    await db.query(`UPDATE validahub.jobs SET created_at = created_at - interval '25 hours' WHERE id = $1`, [
      first.jobId,
    ]);
    const second = await applyRules(hub, { ...input, source: await catalogue('day2.csv', 11) });
    expect(second.repeated).toBe(false);
    expect(second.jobId).not.toBe(first.jobId);
  });

  test('eight callers with one key make one job and get one result', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('eight.csv', 3_000);
    const results = await Promise.all(
      Array.from({ length: 8 }, () =>
        applyRules(hub, { tenant, source, rules: { setId }, by, idempotencyKey: 'eight-at-once-0123' }),
      ),
    );
    expect(new Set(results.map((result) => result.jobId)).size).toBe(1);
    expect(results.filter((result) => !result.repeated)).toHaveLength(1);
    const { rows } = await hub.sessions.session({ tenant }).query('SELECT id FROM validahub.jobs');
    expect(rows).toHaveLength(1);
  });

  test('a job whose process was lost gives its key back', async ({ db, installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const input = {
      tenant,
      source: await catalogue('lost.csv', 10),
      rules: { setId },
      by,
      idempotencyKey: 'lost-process-01234',
    };
    const first = await applyRules(hub, input);
    await db.query(
      `UPDATE validahub.jobs SET status = 'running', finished_at = NULL,
         heartbeat_at = now() - interval '3 minutes' WHERE id = $1`,
      [first.jobId],
    );
    const second = await applyRules(hub, input);
    expect(second.jobId).not.toBe(first.jobId);
    const [lost] = await db.query('SELECT status, error FROM validahub.jobs WHERE id = $1', [first.jobId]);
    expect(lost).toEqual({ status: 'failed', error: 'Its process was silent for 120 seconds.' });
  });

  test('a batch that fails leaves nothing and fails the job at its first row', async ({
    db,
    installed: { hub },
  }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('fails.csv', 2_500);
    await db.query(`
      CREATE FUNCTION validahub.break_it() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW.record_number = 1501 AND NEW.tenant_id = '${tenant}' THEN RAISE 'disk on fire'; END IF; RETURN NEW; END $$`);
    await db.query(`
      CREATE TRIGGER break_it BEFORE INSERT ON validahub.correction_logs
      FOR EACH ROW EXECUTE FUNCTION validahub.break_it()`);
    const input = { tenant, source, rules: { setId }, by, idempotencyKey: 'breaks-in-batch-2' };
    await expect(applyRules(hub, input)).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_JOB_FAILED',
      what: expect.stringContaining('it failed in the batch that starts at record 1001'),
    });
    const [job] = await db.query(
      'SELECT id, status, failed_record, total_rows FROM validahub.jobs WHERE tenant_id = $1',
      [tenant],
    );
    expect(job).toMatchObject({ status: 'failed', failed_record: 1_001, total_rows: 1_000 });
    const [kept] = await db.query(
      'SELECT max(record_number) AS last FROM validahub.correction_logs WHERE tenant_id = $1',
      [tenant],
    );
    expect(kept).toEqual({ last: 991 });
    await db.query('DROP TRIGGER break_it ON validahub.correction_logs');
    await db.query('DROP FUNCTION validahub.break_it()');
    const again = await applyRules(hub, input);
    expect(again.report.rows).toBe(2_500);
    expect(again.repeated).toBe(false);
  });
});

describe('exportCorrected', () => {
  test('follows what is applied, and nothing else', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('export.csv', 60);
    const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
    const lines = async () => (await exported(hub, { tenant, jobId, source })).text.split('\n');
    expect((await lines())[1]).toBe('0,Item 0,acme');
    const found = await corrections(hub, tenant, jobId);
    const waiting = found.filter((one) => one.status === 'pending').map((one) => one.id);
    await decideCorrections(hub, { tenant, ids: waiting.slice(0, 2), decision: 'accept', by });
    expect((await lines())[1]).toBe('0,Item 0,acme');
    expect(await applyCorrections(hub, { tenant, jobId, by })).toEqual({ applied: 2 });
    expect((await lines())[1]).toBe('0,Item 0,Acme');
    expect((await lines())[51]).toBe('50,Item 50,acme');
    const [trimmed] = found.filter((one) => one.rule_id === 'title_trimmed');
    await revertCorrection(hub, { tenant, id: trimmed?.id ?? '', by, reason: 'wanted' });
    expect((await lines())[1]).toBe('0, Item 0 ,Acme');
  });

  test('makes formulas text', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('formula.csv', 2, ['=1+1,"=HYPERLINK(""http://x"")",@SUM', '-5,+ab,Acme']);
    const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
    const { text } = await exported(hub, { tenant, jobId, source });
    expect(text.split('\n').slice(3, 5)).toEqual([`'=1+1,"'=HYPERLINK(""http://x"")",'@SUM`, "-5,'+ab,Acme"]);
  });

  test('refuses another file and a job that did not complete', async ({ db, installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const source = await catalogue('given.csv', 5);
    const { jobId } = await applyRules(hub, { tenant, source, rules: { setId }, by });
    const other = await catalogue('not-given.csv', 6);
    await expect(exported(hub, { tenant, jobId, source: other })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_FILE_CHANGED',
    });
    await db.query(`UPDATE validahub.jobs SET status = 'failed' WHERE id = $1`, [jobId]);
    await expect(exported(hub, { tenant, jobId, source })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_JOB_STATUS',
    });
  });

  test('reads more corrections than one page, each once', async ({ installed: { hub } }) => {
    const { tenant, setId } = await published(hub);
    const path = join(folder, 'pages.csv');
    const lines = Array.from({ length: 6_000 }, (_, index) => `${index}, T${index} ,Acme`);
    await writeFile(path, ['sku,title,brand', ...lines, ''].join('\n'));
    const { jobId } = await applyRules(hub, { tenant, source: path, rules: { setId }, by });
    const { text, count } = await exported(hub, { tenant, jobId, source: path });
    expect(count).toEqual({ rows: 6_000, corrected: 6_000, skipped: 0 });
    expect(
      text
        .split('\n')
        .slice(1, -1)
        .every((line, index) => line === `${index},T${index},Acme`),
    ).toBe(true);
  });
});
