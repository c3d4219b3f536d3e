// The keeper on the built command line: what is due, one job by hand, what status says of them, a stop by SIGTERM.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect } from 'vitest';
import { test } from '../cluster/index.ts';
import { project } from './project.ts';

const user = project();
afterAll(() => user.remove());

const define = (jobs: string): void =>
  writeFileSync(
    join(user.dir, 'holdfast.ts'),
    `import { database, job } from 'holdfast';\nexport default database('cli', { jobs: [${jobs}] });\n`,
  );

const JOBS = `
  job('nightly', { schedule: { cron: '10 0 * * *' }, atStart: true }, { sql: 'INSERT INTO trail VALUES (1)' }),
  job('broken', { schedule: { cron: '20 0 * * *' } }, { sql: 'SELECT 1 / 0' }),`;

describe('holdfast', () => {
  test('keep, run and status agree on the jobs', async ({ db }) => {
    define(JOBS);
    await db.query('CREATE TABLE trail (step int)');
    const once = await user.run(db.url, 'keep', '--once');
    expect(once.out).toMatch(/^nightly done \(1 row, \d+ ms\)\n$/);
    expect(once.code).toBe(0);
    const broken = await user.run(db.url, 'run', 'broken');
    expect(broken.code).toBe(1);
    expect(broken.out).toMatch(
      /^broken failed \(\d+ ms\): job broken: division by zero \(SQLSTATE 22012\)\n {2}job broken: division by zero/,
    );
    const none = await user.run(db.url, 'run', 'nothing', '--json');
    expect(JSON.parse(none.out)).toMatchObject({ error: { code: 'HF_NO_JOB' } });

    const kept = user.start(db.url, 'keep', '--json', '--name', 'the test');
    const leading = async (): Promise<boolean> => {
      const rows = await db.query('SELECT FROM holdfast.lease WHERE holder = $1', ['the test']);
      return rows.length === 1;
    };
    for (let tries = 0; tries < 500 && !(await leading()); tries += 1) await wait(20);
    const status = await user.run(db.url, 'status', '--json');
    const { jobs } = JSON.parse(status.out) as { jobs: unknown };
    expect(jobs).toMatchObject([
      { job: 'nightly', failures: 0, lateMs: 0, leader: expect.stringMatching(/^the test on /) },
      { job: 'broken', failures: 1, lastError: expect.stringContaining('division by zero') },
    ]);
    kept.child.kill('SIGTERM');
    const left = await kept.ended;
    expect(left).toMatchObject({ code: 0, err: '' });
    const kinds = left.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(['leading', 'started', 'finished', 'stopped']);
    expect(await db.query('SELECT holder FROM holdfast.lease')).not.toContainEqual({ holder: 'the test' });
  });

  test('a schedule that cannot be read is refused before anything is touched', async ({ db }) => {
    const other = await db.another();
    define(`job('odd', { schedule: { cron: 'often' } }, { sql: 'SELECT 1' })`);
    const refused = await user.run(other.url, 'keep', '--once');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('HF_CRON');
    expect(await other.query("SELECT FROM pg_namespace WHERE nspname = 'holdfast'")).toEqual([]);
  });
});
