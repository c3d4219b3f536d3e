// What `npm run validahub -- check` does once the database is there.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { check, readInput, type Checked } from '../check.ts';
import { DEMO_CATALOGUE, demoCatalogue } from '../demo/generate.ts';
import {
  acceptSuggestion,
  mineSuggestions,
  publishVersion,
  validateVersion,
  type Hub,
} from '../operations/index.ts';
import { putPatterns } from './patterns.ts';
import { freshTenant, test } from './installed.ts';

const STARTER = fileURLToPath(new URL('../rules.yaml', import.meta.url));
const by = 'cli';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'validahub-check-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const FIRST = `
name: Two rules
version: 1.0.0
rules:
  - { id: title_missing, type: required, field: title, message: A title is needed. }
`;
const ADDED = `${FIRST}  - { id: brand_missing, type: required, field: brand, message: A brand is needed. }\n`;
const REMOVED = `
name: Two rules
version: 1.0.0
rules:
  - { id: brand_missing, type: required, field: brand, message: A brand is needed. }
`;

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function checked(
  hub: Hub,
  of: { tenant: string; rules: string; file: string; out?: string },
): Promise<Checked> {
  const input = await readInput(of);
  try {
    return await check(hub, { ...of, input, by });
  } finally {
    await input.close();
  }
}

describe('check', () => {
  test('keeps what was learnt when the rule file is published again', async ({ db, installed: { hub } }) => {
    const tenant = freshTenant();
    const file = await write('learnt.csv', 'sku,title,brand\n1,Item,acme\n');
    const first = await checked(hub, { tenant, rules: await write('first.yaml', FIRST), file });
    await putPatterns(db, tenant, [{ original: 'acme', corrected: 'Acme', accepted: 9 }]);
    const { suggestions } = await mineSuggestions(hub, { tenant, by });
    const { versionId } = await acceptSuggestion(hub, { tenant, id: suggestions[0]?.id ?? '', by });
    await validateVersion(hub, { tenant, versionId, by });
    await publishVersion(hub, { tenant, versionId, by, makeCurrent: true });
    const again = await checked(hub, { tenant, rules: await write('first.yaml', FIRST), file });
    expect([first.published, again.published, again.result.report.corrected]).toEqual(['1.0.0', null, 1]);
    const added = await checked(hub, { tenant, rules: await write('added.yaml', ADDED), file });
    expect([added.published, added.result.report.corrected]).toEqual(['1.2.0', 1]);
  });

  test('publishes rules once, and again under a number that says what changed', async ({
    installed: { hub },
  }) => {
    const tenant = freshTenant();
    const file = await write('a.csv', 'sku,Nome,Marca\n1,Item,\n2,,Acme\n');
    const rules = await write('rules.yaml', FIRST);
    const run = () => checked(hub, { tenant, rules, file });
    expect((await run()).published).toBe('1.0.0');
    const again = await run();
    expect(again.published).toBeNull();
    expect(again.result.report.rules).toMatchObject([{ ruleId: 'title_missing', broke: 1 }]);
    await write('rules.yaml', ADDED);
    const added = await run();
    expect(added.published).toBe('1.1.0');
    expect(added.result.report.rules).toMatchObject([
      { ruleId: 'brand_missing', broke: 1 },
      { ruleId: 'title_missing', broke: 1 },
    ]);
    await write('rules.yaml', REMOVED);
    expect((await run()).published).toBe('2.0.0');
    await write('rules.yaml', REMOVED.replace('1.0.0', '2.0.5').replace('A brand', 'The brand'));
    expect((await run()).published).toBe('2.0.5');
  });

  test('of eight runs that find the rules changed at once, one publishes', async ({ installed: { hub } }) => {
    const tenant = freshTenant();
    const file = await write('four.csv', 'title\nItem\n');
    const rules = await write('four.yaml', FIRST);
    const runs = await Promise.all(Array.from({ length: 8 }, () => checked(hub, { tenant, rules, file })));
    expect(runs.filter((one) => one.published !== null)).toHaveLength(1);
    expect(new Set(runs.map((one) => one.result.version))).toEqual(new Set(['1.0.0']));
  });

  test('the catalogue that comes with the project is checked and written back', async ({
    installed: { hub },
  }) => {
    expect(await readFile(DEMO_CATALOGUE, 'utf8')).toBe(demoCatalogue());
    const out = join(folder, 'corrected.csv');
    const done = await checked(hub, { tenant: freshTenant(), rules: STARTER, file: DEMO_CATALOGUE, out });
    const { report } = done.result;
    expect(report).toMatchObject({
      rows: 200,
      absentFields: expect.not.arrayContaining(['gtin', 'title', 'price_brl']),
    });
    expect(report.corrected).toBeGreaterThan(50);
    expect(report.pending).toBeGreaterThan(20);
    expect(report.rowsWithErrors).toBeGreaterThan(20);
    expect(done.out).toMatchObject({ rows: 200, corrected: report.corrected, skipped: 0 });
    const text = await readFile(out, 'utf8');
    expect(text).toContain(`"'=HYPERLINK(""http://example.invalid""`);
    expect(await readdir(folder)).not.toContainEqual(expect.stringMatching(/partial$/));
  });

  test('an output that cannot be written is said plainly and leaves nothing', async ({
    installed: { hub },
  }) => {
    const file = await write('b.csv', 'title\nItem\n');
    const rules = await write('b.yaml', FIRST);
    const out = join(folder, 'no-such-folder', 'out.csv');
    await expect(checked(hub, { tenant: freshTenant(), rules, file, out })).rejects.toMatchObject({
      code: 'HF_VALIDAHUB_OUT',
      subject: `file ${out}`,
    });
  });

  test('a wrong rule file or catalogue shows before any database is asked', async () => {
    const file = await write('c.csv', 'title\nItem\n');
    await expect(readInput({ file, rules: await write('c.yaml', 'rules: 1') })).rejects.toMatchObject({
      code: 'HF_RULES',
    });
    await expect(readInput({ file: join(folder, 'none.csv'), rules: STARTER })).rejects.toMatchObject({
      code: 'HF_CATALOGUE_MISSING',
    });
  });
});
