// The built command line, run in a user's project against a real server.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { project } from './project.ts';

const NOTES = '{ id: integer().primaryKey(), body: text().notNull() }';
const NOTES_WIDER = '{ id: integer().primaryKey(), body: text().notNull(), mood: text() }';
const user = project();
afterAll(() => user.remove());

describe('holdfast', () => {
  test('--version is the package’s own', async () => {
    const expected = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
      version: string;
    };
    expect(await user.run('', '--version')).toEqual({ code: 0, out: `${expected.version}\n`, err: '' });
  });

  test('a wrong command line exits with 2 and says where to look', async () => {
    expect(await user.run('', 'plann')).toEqual({
      code: 2,
      out: '',
      err: "holdfast: there is no command 'plann'; see 'holdfast help'\n",
    });
    const unknown = await user.run('', 'plan', '--outt', 'x');
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain("see 'holdfast plan --help'");
  });

  test('without a definition it says which files it looked for', async ({ db }) => {
    const missing = await user.run(db.url, 'plan', 'nowhere.ts', '--json');
    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.out)).toEqual({
      error: {
        code: 'HF_NO_DEFINITION',
        subject: 'nowhere.ts',
        what: 'there is no such file.',
        fix: 'Name the file that exports your `database(…)`: `holdfast plan path/to/database.ts`.',
      },
    });
  });

  test('a password never reaches the output, not even in an error', async ({ db }) => {
    user.define({ notes: NOTES });
    const wrong = new URL(db.url);
    wrong.password = 'geheim-4711';
    const ran = await user.run(wrong.href, 'status');
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('HF_LOGIN');
    expect(ran.out + ran.err).not.toContain('geheim-4711');
  });

  test('plan shows, apply does, status agrees, rollback goes back', async ({ db }) => {
    user.define({ notes: NOTES });
    const planned = await user.run(db.url, 'plan');
    expect(planned.code).toBe(0);
    expect(planned.out).toMatch(/: 1 step, rehearsed forward and back in /);
    expect(planned.out).toContain('create table public.notes');
    expect(await db.query("SELECT to_regclass('public.notes') AS made")).toEqual([{ made: null }]);

    expect((await user.run(db.url, 'plan', '--check')).code).toBe(3);
    expect((await user.run(db.url, 'status')).code).toBe(3);
    expect((await user.run(db.url, 'apply')).code).toBe(0);
    expect((await user.run(db.url, 'plan', '--check')).code).toBe(0);
    const status = await user.run(db.url, 'status', '--json');
    expect(status.code).toBe(0);
    const said = JSON.parse(status.out) as { ledger: { state: string }[]; drift: { differences: unknown[] } };
    expect(said.ledger.map(({ state }) => state)).toEqual(['applied']);
    expect(said.drift.differences).toEqual([]);

    user.define({ notes: NOTES_WIDER });
    const file = join(user.dir, 'plan.json');
    expect((await user.run(db.url, 'plan', '--out', 'plan.json')).out).toContain('written to plan.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ formatVersion: 1, database: db.name });
    expect((await user.run(db.url, 'apply', '--plan', 'plan.json')).code).toBe(0);
    const back = await user.run(db.url, 'rollback');
    expect(back.out).toMatch(/^taken back: plan [0-9a-f]{12}, 1 statement\n$/);
    expect(
      await db.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attnum > 0 AND NOT attisdropped",
      ),
    ).toHaveLength(2);
  });

  test('losing data needs the object’s name', async ({ db }) => {
    user.define({ notes: NOTES });
    await user.run(db.url, 'apply');
    await db.query("INSERT INTO notes VALUES (1, 'kept')");
    user.define({ notes: '{ id: integer().primaryKey() }' });
    const refused = await user.run(db.url, 'apply', '--json');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out)).toMatchObject({
      error: { code: 'HF_DATA_LOSS', subject: 'column public.notes.body' },
    });
    expect(await db.query('SELECT body FROM notes')).toEqual([{ body: 'kept' }]);
    const allowed = await user.run(db.url, 'apply', '--allow-data-loss', 'column public.notes.body');
    expect(allowed.code).toBe(0);
    expect(await db.query('SELECT * FROM notes')).toEqual([{ id: 1 }]);
  });
});
