// `holdfast apply` ended from outside in the middle of a plan, as a user's terminal or the kernel would end it.
import { afterAll, expect } from 'vitest';
import { test, type TestDatabase } from '../cluster/index.ts';
import { project, type Running } from './project.ts';

const BEFORE = {
  notes: '{ id: integer().primaryKey(), body: text() }',
  tasks: '{ id: integer().primaryKey(), due: text() }',
};
const AFTER = {
  labels: '{ id: integer().primaryKey() }',
  notes: '{ id: integer().primaryKey(), body: text(), mood: text() }',
  tasks: "{ id: integer().primaryKey(), due: text() }, (t) => [index('tasks_due').on(t.due)]",
};

const user = project();
afterAll(() => user.remove());

const WAITING_SQL = `SELECT FROM pg_stat_activity WHERE datname = current_database()
  AND application_name = 'holdfast apply' AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'`;
const STATE_SQL = `SELECT r.state, (SELECT count(*)::int FROM holdfast.step s WHERE s.run = r.run AND s.state = 'done') AS done
  FROM holdfast.run r ORDER BY r.run DESC LIMIT 1`;

/** Starts an apply that stands in the middle of its plan: a writer keeps the build of an index waiting. */
async function midway(
  file: TestDatabase,
  work: (at: {
    readonly db: TestDatabase;
    readonly running: Running;
    readonly release: () => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const db = await file.another();
  user.define(BEFORE);
  expect((await user.run(db.url, 'apply')).code).toBe(0);
  await db.query("INSERT INTO notes VALUES (1, 'kept'); INSERT INTO tasks VALUES (1, 'today')");
  user.define(AFTER);
  const writer = await db.pool.connect();
  try {
    await writer.query("BEGIN; UPDATE tasks SET due = 'later'");
    const running = user.start(db.url, 'apply');
    await expect.poll(() => db.query(WAITING_SQL), { timeout: 30_000 }).toHaveLength(1);
    expect(await db.query(STATE_SQL)).toEqual([{ state: 'applying', done: 2 }]);
    const release = async (): Promise<void> => {
      await writer.query('COMMIT');
    };
    await work({ db, running, release });
    expect(await db.query('SELECT body FROM notes')).toEqual([{ body: 'kept' }]);
    expect(await db.query('SELECT due FROM tasks')).toEqual([{ due: 'later' }]);
    expect(await db.query('SELECT FROM pg_index WHERE NOT indisvalid')).toEqual([]);
  } finally {
    writer.release(true);
  }
}

async function killed(running: Running, db: TestDatabase): Promise<void> {
  running.child.kill('SIGKILL');
  expect((await running.ended).code).toBeNull();
  await expect.poll(() => db.query(WAITING_SQL), { timeout: 10_000 }).toEqual([]);
}

test('after kill -9 status says so, and the next apply finishes the plan', async ({ db: file }) => {
  await midway(file, async ({ db, running, release }) => {
    await killed(running, db);
    await release();
    const cut = await user.run(db.url, 'status');
    expect(cut.code).toBe(3);
    expect(cut.out).toContain('run 2 was cut off: holdfast apply finishes it, holdfast rollback undoes it');
    const finished = await user.run(db.url, 'apply');
    expect(finished).toMatchObject({ code: 0, err: '' });
    expect(finished.out).toContain('was cut off before and is finished now');
    const status = await user.run(db.url, 'status');
    expect(status.code).toBe(0);
    expect(status.out).toContain('drift     none: the server is what the definition says');
  });
});

test('after kill -9 a rollback undoes what was done', async ({ db: file }) => {
  await midway(file, async ({ db, running, release }) => {
    await killed(running, db);
    await release();
    expect(await user.run(db.url, 'rollback')).toMatchObject({ code: 0 });
    user.define(BEFORE);
    expect((await user.run(db.url, 'status')).code).toBe(0);
    expect(await db.query(STATE_SQL)).toMatchObject([{ state: 'rolled back' }]);
  });
});

test('Ctrl-C stops between two steps, and the next apply goes on', async ({ db: file }) => {
  await midway(file, async ({ db, running, release }) => {
    running.child.kill('SIGINT');
    await release();
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.err).toBe(
      'HF_INTERRUPTED this run\n  it was stopped between two steps; what was done stays.\n' +
        '  Go on with `holdfast apply`, or undo it with `holdfast rollback`.\n',
    );
    expect(await db.query(STATE_SQL)).toMatchObject([{ state: 'applying' }]);
    expect((await user.run(db.url, 'apply')).code).toBe(0);
    expect((await user.run(db.url, 'status')).code).toBe(0);
  });
});
