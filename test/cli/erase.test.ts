// `holdfast erase` and `holdfast export` as an operator types them.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { leftOf, markOf, openHouse, type Standing, TODAY } from '../traits/erasure-stand.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Holdfast = (...args: string[]) => Promise<Ran>;

async function open(db: TestDatabase, name: string): Promise<{ house: Standing; holdfast: Holdfast }> {
  const house = await openHouse(await db.another(), name, { people: 2 });
  Object.assign(globalThis, { [name]: house.definition });
  writeFileSync(join(house.root, 'holdfast.ts'), `export default globalThis['${name}'];`);
  return { house, holdfast: async (...args) => run(house, args) };
}

async function run(house: Standing, args: readonly string[]): Promise<Ran> {
  const said = { out: '', err: '' };
  const stream = (to: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said[to] += chunk.toString();
        done();
      },
    });
  const code = await main({
    argv: [...args, '--url', house.db.url],
    cwd: house.root,
    env: {},
    terminal: { out: stream('out'), err: stream('err'), colour: false, now: () => 0 },
    signal: new AbortController().signal,
    now: () => TODAY,
  });
  return { code, ...said };
}

test('shows first what would go, asks, erases, and lists what was done', async ({ db }) => {
  const { house, holdfast } = await open(db, 'cli_erase');
  const subject = ['--subject', 'person:acmeco/2'];
  const mark = markOf('acmeco', 2);
  const before = await leftOf(house, mark);
  const shown = await holdfast('erase', ...subject, '--dry-run');
  expect(shown).toMatchObject({ code: 0, err: '' });
  expect(shown.out).toMatch(
    /^of this person would go:\n {2}table cli_erase\.comments +\d+ rows\n(?: {2}.+\n)*? {2}archive files of cli_erase\.events +\d+ rows +2 files\n/m,
  );
  expect(await leftOf(house, mark)).toEqual(before);
  expect(await holdfast('erase', ...subject)).toMatchObject({
    code: 1,
    err: expect.stringContaining('HF_ERASURE_BASIS') as string,
  });
  // Nobody sits at the terminal of a test.
  const unasked = await holdfast('erase', ...subject, '--basis', 'LGPD art. 18 VI');
  expect(unasked).toMatchObject({ code: 1, err: expect.stringContaining('HF_ERASURE_CONFIRM') as string });
  expect(await leftOf(house, mark)).toEqual(before);

  const done = await holdfast('erase', ...subject, '--basis', 'LGPD art. 18 VI', '--yes');
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(done.out).toMatch(/\nerased: \d+ rows, LGPD art\. 18 VI; registered as [0-9a-f]{16}\n {2}table /);
  expect(await leftOf(house, mark)).toEqual([]);
  const listed = await holdfast('erase', '--list');
  expect(listed.out).toMatch(
    /^person {2}[0-9a-f]{16} {2}erased 2026-05-15 {2}\d+ rows {2}LGPD art\. 18 VI\n$/,
  );
  const [machine] = JSON.parse((await holdfast('erase', '--list', '--json')).out) as Record<
    string,
    unknown
  >[];
  expect(machine).toMatchObject({ subject: 'person', state: 'erased', basis: 'LGPD art. 18 VI', left: [] });
  expect(JSON.stringify(machine)).not.toContain('acmeco/2');
  // Asked again, nothing is left, and the request stays one.
  const again = await holdfast('erase', ...subject, '--basis', 'again', '--yes');
  expect(again.out).toContain('nothing is left of this person');
  expect((await holdfast('erase', '--list')).out.split('\n')).toHaveLength(2);
  expect((await holdfast('erase', '--replay')).out).toBe('nothing of anybody who was erased has come back\n');
});

test('registered for later: nobody writes the subject any more, and the next run of the job erases it', async ({
  db,
}) => {
  const { house, holdfast } = await open(db, 'cli_later');
  const later = await holdfast(
    'erase',
    '--subject',
    'tenant:acmeco',
    '--basis',
    'contract ended',
    '--yes',
    '--later',
  );
  expect(later.out).toMatch(
    /registered as [0-9a-f]{16}; the keeper erases it, at the latest by 2026-05-30\n$/,
  );
  expect((await holdfast('erase', '--list')).out).toMatch(
    /^tenant +[0-9a-f]{16} +open, due 2026-05-30 +0 rows +contract ended\n$/,
  );
  await expect(
    house.db.query(`INSERT INTO cli_later.orders VALUES ('acmeco', 1, 1, 'x')`),
  ).rejects.toMatchObject({ code: 'ZH020' });
  expect((await leftOf(house, 'acmeco')).length).toBeGreaterThan(10);
  expect(await holdfast('run', 'erasure')).toMatchObject({ code: 0 });
  expect(await leftOf(house, 'acmeco')).toEqual([]);
});

test('what cannot be meant is refused in words', async ({ db }) => {
  const { holdfast } = await open(db, 'cli_wrong');
  const refused = async (subject: string, what: string): Promise<void> => {
    const { code, err } = await holdfast('erase', '--subject', subject, '--basis', 'x', '--yes');
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(what) as string });
  };
  await refused(
    'robot:1',
    'the definition erases no "robot".\n  Write one of person:WITHIN/KEY, tenant:KEY.',
  );
  await refused('person:2', 'it names no person.');
  await refused('person:acmeco/two', 'its key is no integer, which the columns that carry it are.');
  await refused('person:acmeco/99', 'HF_ERASURE_NOTHING');
  expect((await holdfast('erase', '--basis', 'x')).err).toContain('HF_ERASURE_SUBJECT');
  expect((await holdfast('export', '--subject', 'person:acmeco/2')).err).toContain('HF_EXPORT_FILE');
});

test('exports every row, archived ones included, with counts and a hash', async ({ db }) => {
  const { house, holdfast } = await open(db, 'cli_export');
  const file = join(house.root, 'person.jsonl');
  const done = await holdfast('export', '--subject', 'person:acmeco/2', '--to', 'person.jsonl', '--json');
  expect(done.err).toBe('');
  const said = JSON.parse(done.out) as { rows: number; sha256: string; counts: Record<string, number> };
  const text = readFileSync(file, 'utf8');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(createHash('sha256').update(text).digest('hex')).toBe(said.sha256);
  const lines = text.trimEnd().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as { rows: number; counts: object; sha256: string };
  expect(last).toMatchObject({ rows: said.rows, counts: said.counts });
  const before = text.slice(0, text.length - (lines.at(-1) ?? '').length - 1);
  expect(createHash('sha256').update(before).digest('hex')).toBe(last.sha256);
  const rows = lines
    .map(
      (line) =>
        JSON.parse(line) as { relation?: string; place?: string; columns?: Record<string, string | null> },
    )
    .filter((line) => line.columns !== undefined);
  expect(rows).toHaveLength(said.rows);
  // What the tables and the archive hold, counted by the server and from the files.
  const [counted] = await house.db.query<{ visits: number; archived: number; users: number; items: number }>(
    `SELECT (SELECT count(*) FROM cli_export.visits WHERE tenant_id = 'acmeco' AND user_id = 2)::int AS visits,
       (SELECT count(*) FROM cli_export_archive.visits WHERE tenant_id = 'acmeco' AND user_id = 2)::int AS archived,
       (SELECT count(*) FROM cli_export.users WHERE tenant_id = 'acmeco' AND id = 2)::int AS users,
       (SELECT count(*) FROM cli_export.items WHERE tenant_id = 'acmeco' AND id / 1000 = 2)::int AS items`,
  );
  expect(said.counts).toMatchObject({
    'table cli_export.visits': counted?.visits,
    'archive table cli_export_archive.visits': counted?.archived,
    'table cli_export.users': counted?.users,
    'table cli_export.items': counted?.items,
  });
  expect(said.counts['archive files of cli_export.events']).toBeGreaterThan(100);
  expect(rows.find((row) => row.relation === 'cli_export.users')?.columns).toMatchObject({
    tenant_id: 'acmeco',
    id: '2',
    email: `${markOf('acmeco', 2)}@example.org`,
  });
  expect(text).not.toContain('birdco');
  expect(text).not.toContain(markOf('acmeco', 1));
  const nowhere = await holdfast('export', '--subject', 'person:acmeco/2', '--to', 'no/such/folder.jsonl');
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('HF_WRITE_FILE') as string });
  expect(existsSync(join(house.root, 'no'))).toBe(false);
});
