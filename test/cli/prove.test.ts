// `holdfast prove`: in a user's project, and on a database that is known by its URL alone.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { project, type Project } from './project.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const NOTES = '{ id: integer().primaryKey(), body: text().notNull() }';
const user = project();
const stranger = project();
afterAll(() => {
  user.remove();
  stranger.remove();
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in a project's folder, in this process: nothing of it is known from outside but its streams. */
async function run(
  { dir }: Project,
  args: readonly string[],
  with_: { readonly url?: string; readonly signal?: AbortSignal } = {},
): Promise<Ran> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said[name] += chunk.toString();
        done();
      },
    });
  const code = await main({
    argv: args,
    cwd: dir,
    env: { DATABASE_URL: with_.url ?? '' },
    terminal: { out: into('out'), err: into('err'), colour: false, now: () => 0 },
    signal: with_.signal ?? new AbortController().signal,
    now: () => NOW,
  });
  return { code, ...said };
}

const lastOf = ({ out }: Ran): string => out.trimEnd().split('\n').at(-1) ?? '';

async function applied(file: TestDatabase): Promise<TestDatabase> {
  const db = await file.another();
  user.define({ notes: NOTES });
  expect((await run(user, ['apply'], { url: db.url })).code).toBe(0);
  return db;
}

interface Machine {
  readonly verdict: string;
  readonly proofs: {
    readonly definition: string | null;
    readonly record?: string;
    readonly target: string;
    readonly fingerprint: string;
    readonly evidence: { readonly proof: string; readonly verdict: string; readonly line: string };
  }[];
  readonly again: string;
  readonly notes: string[];
}

const AT_WORK_SQL = `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'holdfast plan'`;

describe('with a definition', () => {
  test('runs all that apply, ends with one line, records each, and shows the last time', async ({
    db: file,
  }) => {
    const db = await applied(file);
    const ran = await run(user, ['prove', '--html', 'proof.html'], { url: db.url });
    expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' });
    expect(ran.out).toMatch(
      /^structure +HELD +1 table and all beside them are as the definition says; a plan has nothing to do \(\d+\.\d\d s\)$/m,
    );
    expect(ran.out).toMatch(/^traps +HELD /m);
    expect(ran.out).toContain('page written to proof.html\n');
    expect(lastOf(ran)).toMatch(/^held: structure, traps \(\d+\.\d+ s\)$/);
    const html = readFileSync(join(user.dir, 'proof.html'), 'utf8');
    expect(html).toContain('Made by Holdfast');
    expect(html).toContain(db.name);
    expect(readdirSync(user.dir).filter((name) => name.startsWith('.proof'))).toEqual([]);

    const kept = await db.query(
      'SELECT record, proof, verdict, definition FROM holdfast.proof ORDER BY record',
    );
    expect(kept).toEqual([
      { record: '1', proof: 'structure', verdict: 'held', definition: 'cli' },
      { record: '2', proof: 'traps', verdict: 'held', definition: 'cli' },
    ]);
    const last = await run(user, ['prove', '--last', '--json'], { url: db.url });
    const said = JSON.parse(last.out) as Machine;
    expect(said.verdict).toBe('held');
    expect(said.proofs.map(({ record, evidence }) => [record, evidence.proof])).toEqual([
      ['1', 'structure'],
      ['2', 'traps'],
    ]);
    expect((await db.query('SELECT FROM holdfast.proof')).length).toBe(2);
  });

  test('where a trait draws a line between owners, that is attacked; what the definition says is not said again', async ({
    db: file,
  }) => {
    const db = await file.another();
    const [app, owner] = [file.role('app'), file.role('owner')];
    writeFileSync(
      join(user.dir, 'tenants.ts'),
      `import { integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { database } from 'holdfast';
import { tenancy } from 'holdfast/traits';
const notes = pgTable(
  'notes',
  { tenantId: text('tenant_id').notNull(), id: integer().notNull(), body: text() },
  (t) => [primaryKey({ columns: [t.tenantId, t.id] })],
);
export default database('tenants', {
  tables: { notes },
  traits: [tenancy({ column: 'tenant_id', setting: 'app.tenant', roles: { app: '${app}', owner: '${owner}' } })],
});`,
    );
    expect((await run(user, ['apply', 'tenants.ts'], { url: db.url })).code).toBe(0);
    const ran = await run(user, ['prove', 'tenants.ts', '--json'], { url: db.url });
    const { proofs } = JSON.parse(ran.out) as Machine;
    expect(proofs.map(({ evidence }) => evidence.proof)).toEqual(['structure', 'isolation', 'traps']);
    for (const { evidence } of proofs.slice(0, 2))
      expect(evidence.verdict, `${evidence.proof}: ${evidence.line}`).toBe('held');
    const hinted = await run(user, ['prove', 'tenants.ts', '--column', 'tenant_id'], { url: db.url });
    expect(hinted.code).toBe(1);
    expect(hinted.err).toBe(
      'HF_PROVE_HINT --column\n  the definition says already whose a row is and who must not cross.\n  Leave it out; it is for databases without a definition.\n',
    );
  });

  test('exits with 3 where a promise is broken, and says so the last time too', async ({ db: file }) => {
    const db = await applied(file);
    await db.query('ALTER TABLE notes ADD COLUMN "extra\u001B[2J\u202E" int');
    const broken = await run(user, ['prove', 'structure'], { url: db.url });
    expect(broken.code).toBe(3);
    expect(lastOf(broken)).toMatch(/^broken: structure \(/);
    expect(broken.out).toContain('column extra⟨U+001B⟩[2J⟨U+202E⟩');
    expect(broken.out).not.toContain('\u001B');
    const last = await run(user, ['prove', '--last', 'structure'], { url: db.url });
    expect(last.code).toBe(3);
    expect(lastOf(last)).toMatch(/^broken: structure \(/);
  });

  test('a database nothing was applied to is not written, and that is said', async ({ db: file }) => {
    const db = await file.another();
    user.define({ notes: NOTES });
    const ran = await run(user, ['prove', 'structure'], { url: db.url });
    expect(ran.code).toBe(3);
    expect(ran.out).toContain('Not recorded: the database has no ledger: nothing was applied to it.\n');
    const last = await run(user, ['prove', '--last'], { url: db.url });
    expect(last.code).toBe(1);
    expect(last.err).toContain('HF_NOT_PROVED definition cli');
    expect(await db.query(`SELECT nspname FROM pg_namespace WHERE nspname = 'holdfast'`)).toEqual([]);
  });

  test('of several proofs one that cannot be run is told, and fails the command; alone it is the error', async ({
    db: file,
  }) => {
    const db = await applied(file);
    await db.query('ALTER TABLE notes ADD COLUMN extra int');
    const unknown = await run(user, ['prove', 'traps', '--only', 'HT9999'], { url: db.url });
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('HF_NO_CHECK');
    const both = await run(user, ['prove', 'structure', 'traps', '--only', 'HT9999', '--json'], {
      url: db.url,
    });
    expect(both.code).toBe(3);
    const { proofs } = JSON.parse(both.out) as Machine;
    expect(proofs.map(({ evidence }) => [evidence.proof, evidence.verdict])).toEqual([
      ['structure', 'broken'],
      ['traps', 'not shown'],
    ]);
    await db.query('ALTER TABLE notes DROP COLUMN extra');
    expect((await run(user, ['prove', 'structure', 'traps', '--only', 'HT9999'], { url: db.url })).code).toBe(
      1,
    );
  });

  test('stopped in the middle it leaves no page, no database and no half record', async ({ db: file }) => {
    const db = await applied(file);
    const stop = new AbortController();
    const ended = run(user, ['prove', 'structure', '--html', 'stopped.html'], {
      url: db.url,
      signal: stop.signal,
    });
    await expect
      .poll(() => db.query(AT_WORK_SQL, [db.name]), { timeout: 20_000, interval: 20 })
      .not.toEqual([]);
    stop.abort();
    const { code, out, err } = await ended;
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(err).toContain('HF_INTERRUPTED');
    expect(readdirSync(user.dir).filter((name) => name.includes('stopped'))).toEqual([]);
    const record = await db.query(`SELECT to_regclass('holdfast.proof') IS NULL OR NOT EXISTS
      (SELECT FROM holdfast.proof) AS none`);
    expect(record).toEqual([{ none: true }]);
  });
});

describe('without a definition', () => {
  test('a URL is enough: it is proved, shown without its password, and never written', async ({
    db: file,
  }) => {
    const db = await file.another();
    await db.query('CREATE TABLE orders (tenant_id text NOT NULL, id int PRIMARY KEY)');
    const ran = await run(stranger, ['prove', 'traps', db.url, '--json', '--html', 'own.html']);
    expect([0, 3]).toContain(ran.code);
    const said = JSON.parse(ran.out) as Machine;
    expect(said.proofs.map(({ definition, evidence }) => [definition, evidence.proof])).toEqual([
      [null, 'traps'],
    ]);
    expect(said.notes).toEqual([]);
    expect(said.again).toContain('holdfast prove traps ');
    const { password } = new URL(db.url);
    if (password !== '')
      for (const text of [ran.out, ran.err, readFileSync(join(stranger.dir, 'own.html'), 'utf8')])
        expect(text).not.toContain(password);
    expect(await db.query(`SELECT FROM pg_namespace WHERE nspname = 'holdfast'`)).toEqual([]);
    // The environment's database does as well.
    const fromEnvironment = await run(stranger, ['prove', 'traps', '--json'], { url: db.url });
    expect((JSON.parse(fromEnvironment.out) as Machine).proofs[0]?.fingerprint).toBe(
      said.proofs[0]?.fingerprint,
    );
  });

  test('--fix plans what mends its traps, and apply carries that out without a definition', async ({
    db: file,
  }) => {
    const db = await file.another();
    await db.query(`CREATE TABLE customers (id int PRIMARY KEY);
      CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers)`);
    const only = ['prove', '--only', 'HT701', db.url];
    const found = await run(stranger, [...only, '--fix', '--out', 'plan.json']);
    expect(found.code).toBe(3);
    expect(found.out).toContain('traps  BROKEN  ');
    expect(found.out).toContain('ON "public"."orders" USING btree (customer)');
    expect(found.out).toContain(
      'plan written to plan.json; carry it out with: holdfast apply --plan plan.json\n',
    );
    expect(lastOf(found)).toMatch(/^broken: traps \(/);
    const applied = await run(stranger, ['apply', '--plan', 'plan.json', '--url', db.url]);
    expect({ code: applied.code, err: applied.err }).toEqual({ code: 0, err: '' });
    const after = await run(stranger, only);
    expect({ code: after.code, last: lastOf(after) }).toEqual({
      code: 0,
      last: expect.stringMatching(/^held: traps \(/) as string,
    });
  });

  test('what needs a definition is refused; nothing is kept to show again', async ({ db }) => {
    const structure = await run(stranger, ['prove', 'structure', db.url]);
    expect(structure.code).toBe(1);
    expect(structure.err).toContain('HF_PROVE_DEFINITION proof structure');
    const last = await run(stranger, ['prove', '--last', db.url]);
    expect(last.code).toBe(1);
    expect(last.err).toContain('HF_NOT_PROVED a database without a definition');
  });

  test('neither a definition nor a database: it says which files it looked for', async () => {
    const ran = await run(stranger, ['prove']);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('HF_NO_DEFINITION');
    expect(existsSync(join(stranger.dir, '.holdfast'))).toBe(false);
  });
});

describe('a wrong command line', () => {
  test.for([
    [['isolatio'], "there is no proof 'isolatio'; they are structure, "],
    [['structure', '--fix'], '--fix mends traps alone'],
    [['--out', 'x'], '--out is for the plan of --fix'],
    [['--at', '0'], '--at takes multiples such as 1 or 3, not 0'],
    [['a.ts', 'b.ts'], 'it proves one definition, not a.ts and b.ts'],
    [['postgres://a/b', 'postgres://c/d'], 'it proves one database, and more than one is named'],
    [['postgres://a/b', '--url', 'postgres://c/d'], 'it proves one database, and more than one is named'],
  ] as const)('%j exits with 2', async ([args, what]) => {
    const ran = await run(stranger, ['prove', ...args]);
    expect(ran.code).toBe(2);
    expect(ran.out).toBe('');
    expect(ran.err.startsWith(`holdfast: ${what}`)).toBe(true);
    expect(ran.err.endsWith("; see 'holdfast prove --help'\n")).toBe(true);
  });

  test('a page that cannot be written is refused before anything is proved', async ({ db }) => {
    const ran = await run(stranger, ['prove', db.url, '--html', 'nowhere/page.html']);
    expect(ran).toEqual({
      code: 1,
      out: '',
      err: `HF_WRITE_FILE ${join(stranger.dir, 'nowhere/page.html')}\n  it cannot be written: ENOENT: no such file or directory.\n  Name a file in a folder that is there and may be written to.\n`,
    });
  });
});
