// How traps are looked for: read-only, with whatever rights there are, and told as they are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { globSync } from 'tinyglobby';
import { expect } from 'vitest';
import {
  CHECKS,
  findTraps,
  trapsEvidence,
  type TrapCheck,
  type Traps,
} from '../../../src/prove/traps/index.ts';
import { indexes } from '../../../src/prove/traps/facts/indexes.ts';
import { ident } from '../../../src/sql.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';

const now = new Date('2026-11-21T12:00:00Z');
const codes = (traps: Traps): string[] => traps.findings.map(({ code, subject }) => `${code} ${subject}`);
const PASSWORD = 'only-for-tests';

/** A check whose findings the test says. */
function checkOf(find: TrapCheck['find'], code: TrapCheck['code'] = 'HT1'): TrapCheck {
  return {
    code,
    name: 'made-for-a-test',
    title: 'Made for a test',
    severity: 'warning',
    traps: [],
    find,
    page: { what: '', effect: '', mend: '' },
  };
}
const draft = (subject: string) => ({ subject, what: 'a', effect: 'b', mend: ['SELECT 1'], advice: 'c' });

async function login(db: TestDatabase): Promise<{ role: string; url: string }> {
  const role = db.role('looker');
  await db.query(`CREATE ROLE ${ident(role)} LOGIN PASSWORD '${PASSWORD}'`);
  return { role, url: db.urlAs(role, PASSWORD) };
}

const SCHEMA = `
  CREATE SCHEMA hidden; CREATE EXTENSION pgcrypto SCHEMA public;
  CREATE TABLE hidden.accounts (id int PRIMARY KEY, tenant_id text, email text UNIQUE, password_hash text);
  ALTER TABLE hidden.accounts ENABLE ROW LEVEL SECURITY; ALTER TABLE hidden.accounts FORCE ROW LEVEL SECURITY;
  CREATE POLICY mine ON hidden.accounts USING (tenant_id = current_setting('app.tenant_id'));
  CREATE TABLE hidden.parts (id int, tenant_id text, at timestamptz) PARTITION BY RANGE (at);
  CREATE TABLE hidden.parts_1 PARTITION OF hidden.parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE MATERIALIZED VIEW hidden.stats AS SELECT tenant_id, count(*) AS n FROM hidden.parts GROUP BY tenant_id;
  CREATE UNIQUE INDEX stats_key ON hidden.stats (tenant_id);
  CREATE FUNCTION hidden.tidy() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'VACUUM'; END$$;`;

test('codes, names and pages are there once and whole', () => {
  expect(new Set(CHECKS.map(({ code }) => code)).size).toBe(CHECKS.length);
  expect(new Set(CHECKS.map(({ name }) => name)).size).toBe(CHECKS.length);
  for (const { code, name, title, traps, page } of CHECKS) {
    expect(code).toMatch(/^HT[1-9]\d\d$/);
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(title).not.toMatch(/\.$/);
    expect(traps.join()).toMatch(/^((BX|B[0-4])-\d\d,?)+$/);
    for (const part of Object.values(page)) expect(part.length).toBeGreaterThan(40);
  }
});

test('a role without any right sees what it may and says what it may not', async ({ db }) => {
  await db.query(SCHEMA);
  const { role, url } = await login(db);
  const boundaries = [
    {
      name: 'tenant',
      setting: 'app.tenant_id',
      tables: [{ of: { schema: 'hidden', name: 'accounts' }, column: 'tenant_id' }],
      shared: [],
      roles: [role],
      spanning: [],
    },
  ];
  const as = await findTraps({ url, boundaries, now });
  const whole = await findTraps({ url: db.url, boundaries, now });
  expect(whole.unseen).toEqual([]);
  expect(as.unseen).toContainEqual({
    code: 'HT206',
    why: 'no right to read materialized view hidden.stats',
  });
  for (const { why } of as.unseen) expect(why).toMatch(/right|permission denied/);
  // Whatever needs more rights than it has is told as unseen; nothing else is lost.
  const unseen = new Set(as.unseen.map(({ code }) => code));
  const lost = codes(whole).filter((one) => !codes(as).includes(one) && !unseen.has(one.split(' ')[0] ?? ''));
  expect(lost).toEqual([]);
});

test('nothing can be written', async ({ db }) => {
  await db.query('CREATE TABLE t (n int)');
  const writes = checkOf(async ({ query }) => {
    await query('INSERT INTO public.t VALUES (1)');
    return [];
  });
  const { unseen } = await findTraps({ url: db.url, boundaries: [], now, checks: [writes] });
  expect(unseen).toEqual([{ code: 'HT1', why: 'cannot execute INSERT in a read-only transaction [25006]' }]);
});

test('a check that is refused or takes too long is told, and the others go on', async ({ db }) => {
  const slow = checkOf(async ({ query }) => {
    await query('SELECT pg_catalog.pg_sleep(60)');
    return [];
  }, 'HT2');
  const fine = checkOf(async ({ query }) => {
    const [row] = await query<{ n: number }>('SELECT 1 AS n');
    return row?.n === 1 ? [draft('table a.b')] : [];
  }, 'HT3');
  const { findings, unseen, checks } = await findTraps({
    url: db.url,
    boundaries: [],
    now,
    checks: [slow, fine],
    statementTimeoutMs: 100,
  });
  expect(unseen).toEqual([{ code: 'HT2', why: 'canceling statement due to statement timeout [57014]' }]);
  expect(findings.map(({ subject }) => subject)).toEqual(['table a.b']);
  expect(checks).toBe(2);
});

test('what is meant is shown as information with its reason', async ({ db }) => {
  const check = checkOf(async () => [draft('table a.b'), draft('table a.c')]);
  const traps = await findTraps({
    url: db.url,
    boundaries: [],
    now,
    checks: [check],
    accepted: [{ code: 'HT1', subject: 'table a.b', because: 'it is empty' }],
  });
  expect(traps.findings).toMatchObject([
    { subject: 'table a.c', severity: 'warning' },
    { subject: 'table a.b', severity: 'info', accepted: 'it is empty' },
  ]);
  const evidence = trapsEvidence({ ...traps, durationMs: 1 });
  expect(evidence).toMatchObject({
    proof: 'traps',
    verdict: 'broken',
    line: '1 checks: 0 errors, 1 warning, 1 worth knowing',
    figures: {
      checks: 1,
      errors: 0,
      warnings: 1,
      infos: 1,
      accepted: 1,
      accepted_and_not_found: 0,
      unseen: 0,
    },
  });
  expect(evidence.sections.map(({ kind }) => kind)).toEqual(['table', 'statement']);
  expect(evidence.sections[1]).toMatchObject({ title: 'Mends HT1, table a.c', sql: 'SELECT 1;' });
});

test('what is accepted and not found is told, where it was looked for', async ({ db }) => {
  const check = checkOf(async () => [draft('table a.b')], 'HT1');
  const blind = checkOf(async ({ unseen }) => {
    unseen('no right');
    return [];
  }, 'HT2');
  const because = 'it was meant';
  const traps = await findTraps({
    url: db.url,
    boundaries: [],
    now,
    checks: [check, blind],
    accepted: [
      { code: 'HT1', subject: 'table a.b', because },
      { code: 'HT1', because },
      { code: 'HT1', subject: 'table a.gone', because },
      { code: 'HT2', subject: 'table a.unseen', because },
      { code: 'HT101', subject: 'table a.notAsked', because },
      { code: 'HT000', because },
      { code: 'isolation', subject: 'function a.f()', because },
    ],
  });
  expect(traps.idle).toEqual([
    { code: 'HT1', subject: 'table a.gone', because },
    { code: 'HT000', because },
  ]);
  const evidence = trapsEvidence(traps);
  expect(evidence.figures).toMatchObject({ accepted: 1, accepted_and_not_found: 2 });
  expect(evidence.sections).toContainEqual({
    kind: 'text',
    title: 'Accepted and not found',
    lines: [
      'HT1 table a.gone: nothing is found there, so take it out of what is accepted (it was meant).',
      'HT000: nothing is found there, so take it out of what is accepted (it was meant).',
    ],
  });
});

test('evidence of nothing found, and of nothing seen', async ({ db }) => {
  const none = await findTraps({ url: db.url, boundaries: [], now, checks: [checkOf(async () => [])] });
  expect(trapsEvidence(none)).toMatchObject({ verdict: 'held', line: '1 checks: nothing found' });
  const blind = checkOf(async ({ unseen }) => {
    unseen('no right');
    return [];
  });
  const half = await findTraps({ url: db.url, boundaries: [], now, checks: [blind] });
  expect(trapsEvidence(half)).toMatchObject({
    verdict: 'not shown',
    line: '1 checks: nothing found; 1 part could not be seen',
  });
});

test('a code that is none is refused, and so is a run that was stopped', async ({ db }) => {
  await expect(findTraps({ url: db.url, now, only: ['HT000'] })).rejects.toMatchObject({
    code: 'HF_NO_CHECK',
    subject: 'check "HT000"',
  });
  await expect(
    findTraps({ url: db.url, boundaries: [], now, signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ code: 'HF_INTERRUPTED' });
});

test('two looks at once, while somebody writes, see what there is', async ({ db }) => {
  const looks = Array.from({ length: 4 }, () =>
    findTraps({ url: db.url, boundaries: [], now, only: ['HT311'] }),
  );
  await db.query('CREATE TABLE public.keys (api_key text)');
  await Promise.all(looks);
  const { findings } = await findTraps({ url: db.url, boundaries: [], now, only: ['HT311'] });
  expect(findings.map(({ subject }) => subject)).toEqual(['column public.keys.api_key']);
});

test('every check has fixtures', () => {
  const tested = new Set(
    globSync('*.test.ts', { cwd: import.meta.dirname }).flatMap((file) =>
      [
        ...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(
          /code: '(HT\d+)'|'(HT\d+)(?::| error| warning)/g,
        ),
      ].map(([, code, named]) => code ?? named),
    ),
  );
  expect(CHECKS.map(({ code }) => code).filter((code) => !tested.has(code))).toEqual([]);
});

test('a check that stumbles over what it read leaves the others', async ({ db }) => {
  const stumbling = checkOf(() => Promise.reject(new TypeError('nothing there')), 'HT1');
  const { findings, unseen } = await findTraps({
    url: db.url,
    boundaries: [],
    now,
    checks: [stumbling, checkOf(() => Promise.resolve([draft('table a')]), 'HT2')],
  });
  expect(findings.map(({ code }) => code)).toEqual(['HT2']);
  expect(unseen).toEqual([
    {
      code: 'HT1',
      why: 'the check failed on what it read (nothing there); the database may have changed meanwhile: run it again, and report it if it stays',
    },
  ]);
});

test('an index that is dropped while it is read about is left out', async ({ db }) => {
  const one = await db.another();
  await one.query(
    'CREATE TABLE t (a int, b int); CREATE INDEX going ON t (a); CREATE INDEX staying ON t (a, b)',
  );
  const dropping = checkOf(async ({ facts, query }) => {
    // The snapshot is taken; the drop is another session's.
    await query('SELECT 1');
    await one.query('DROP INDEX going');
    return (await facts(indexes)).all.map(({ name }) => draft(name));
  });
  const { findings } = await findTraps({ url: one.url, boundaries: [], now, checks: [dropping] });
  expect(findings.map(({ subject }) => subject)).toEqual(['staying']);
});
