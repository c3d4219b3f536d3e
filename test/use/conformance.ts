// What every session keeps, whether the server is reached directly or through a pooler in transaction mode.
import { eq, sql } from 'drizzle-orm';
import { describe, expect } from 'vitest';
import { NOTES_EACH, TENANTS, notes } from './notebook.ts';
import type { Notebook } from './notebook.ts';
import { expectClean } from './reach.ts';
import type { ReachingTest } from './reach.ts';

const COUNT = 'SELECT count(*)::int AS n FROM notes';
const WRITE = 'INSERT INTO notes VALUES ($1, $2, $3)';
const TENANT = `SELECT nullif(current_setting('app.current_tenant_id', true), '') AS tenant`;

const failure = async (work: Promise<unknown>): Promise<Record<string, unknown> & Error> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as Record<string, unknown> & Error,
  );

/** The server's error under Drizzle's. */
const under = (error: Error): Record<string, unknown> => error.cause as Record<string, unknown>;

export function conformance(test: ReachingTest): void {
  describe('one statement', () => {
    test('sees the rows of its tenant and gives pg results', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't3' });
      const result = await session.query<{ id: number; body: string }>(
        'SELECT id, body FROM notes WHERE id <= $1 ORDER BY id',
        [2],
      );
      expect(result.rows).toEqual([
        { id: 1, body: 't3 note 1' },
        { id: 2, body: 't3 note 2' },
      ]);
      expect(result).toMatchObject({ rowCount: 2, command: 'SELECT' });
      expect(result.fields.map((field) => field.name)).toEqual(['id', 'body']);
      await expectClean(opened);
    });

    test('by Drizzle, typed', async ({ open }) => {
      const { app } = await open();
      const { db } = app.session({ tenant: 't4' });
      const [row] = await db.select().from(notes).where(eq(notes.id, 5));
      expect(row).toEqual({ tenantId: 't4', id: 5, body: 't4 note 5' });
      expect(await db.$count(notes)).toBe(NOTES_EACH);
      expect(await db.query.notes.findFirst({ columns: { body: true }, where: eq(notes.id, 1) })).toEqual({
        body: 't4 note 1',
      });
    });

    test("a write is kept; another tenant's is refused with the server's error, and the connection goes on", async ({
      open,
    }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't5' });
      const written = await session.query(WRITE, ['t5', 100, 'mine']);
      expect(written).toMatchObject({ command: 'INSERT', rowCount: 1 });
      const error = await failure(session.query(WRITE, ['t6', 100, 'theirs']));
      expect(error).toMatchObject({
        code: '42501',
        message: 'new row violates row-level security policy for table "notes"',
      });
      await expectClean(opened);
      expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH + 1 }]);
      expect((await opened.app.session({ tenant: 't6' }).query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
      await session.query('DELETE FROM notes WHERE id = 100');
      expect(opened.clients).toHaveLength(1);
    });

    test('fails in whatever part, and the next one on the connection is unharmed', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't1' });
      const circular: { self?: unknown } = {};
      circular.self = circular;
      const wrong: [string, unknown[], object][] = [
        ['SELEC 1', [], { code: '42601' }],
        ['SELECT 1 / $1::int', [0], { code: '22012' }],
        ['SELECT $1::int', ['no number'], { code: '22P02' }],
        ['SELECT $1::int', [], { code: '08P01' }],
        ['SELECT 1; SELECT 2', [], { code: '42601' }],
        ['INSERT INTO links VALUES ($1, 999)', ['t1'], { code: '23503' }],
        ['COPY notes FROM STDIN', [], { code: expect.stringMatching(/^(?:08P01|57014|42501|0A000)$/) }],
        ['SELECT $1::jsonb', [circular], { name: 'TypeError' }],
      ];
      for (const [text, values, expected] of wrong) {
        expect(await failure(session.query(text, values)), text).toMatchObject(expected);
        expect((await session.query(COUNT)).rows, text).toEqual([{ n: NOTES_EACH }]);
        await expectClean(opened);
      }
      expect((await session.query('')).rows).toEqual([]);
      expect(opened.clients).toHaveLength(1);
    });

    test('that fails at COMMIT saves nothing', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const { db, query } = opened.app.session({ tenant: 't2' });
      const error = await failure(db.execute(sql`INSERT INTO links VALUES ('t2', 77)`));
      expect(under(error)).toMatchObject({ code: '23503', table: 'links' });
      expect((await query('SELECT * FROM links')).rows).toEqual([]);
      await expectClean(opened);
    });
  });

  describe('without a tenant', () => {
    test('no rows are seen and none are written, and nothing fails for want of a setting', async ({
      open,
    }) => {
      const opened = await open({ maxConnections: 2 });
      const nobody = opened.app.session();
      expect((await nobody.query(COUNT)).rows).toEqual([{ n: 0 }]);
      expect(await nobody.db.$count(notes)).toBe(0);
      expect(await nobody.transaction((tx) => tx.$count(notes))).toBe(0);
      expect((await nobody.query(`UPDATE notes SET body = 'x'`)).rowCount).toBe(0);
      for (const tenant of ['t1', '', null]) {
        const error = await failure(nobody.query(WRITE, [tenant, 101, 'x']));
        expect(error).toMatchObject({ code: expect.stringMatching(/^(?:42501|23502)$/) });
      }
      await expectClean(opened);
    });

    test('a plain SET that slipped into a transaction does not reach the next session', async ({ open }) => {
      const { app } = await open({ maxConnections: 1 });
      await app.session({ tenant: 't1' }).query(`SET app.current_tenant_id = 't9'`);
      expect((await app.session().query(COUNT)).rows).toEqual([{ n: 0 }]);
      expect((await app.session({ tenant: 't2' }).query(TENANT)).rows).toEqual([{ tenant: 't2' }]);
      await app.session().query('RESET app.current_tenant_id');
    });
  });

  describe('a transaction', () => {
    test('commits what the callback did and gives its value', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't8' });
      const seen = await session.transaction(async (tx, query) => {
        await tx.insert(notes).values({ tenantId: 't8', id: 200, body: 'new' });
        await query('UPDATE notes SET body = $1 WHERE id = $2', ['newer', 200]);
        return tx.select({ body: notes.body }).from(notes).where(eq(notes.id, 200));
      });
      expect(seen).toEqual([{ body: 'newer' }]);
      expect((await session.query('DELETE FROM notes WHERE id = 200 RETURNING body')).rows).toEqual(seen);
      await expectClean(opened);
    });

    test('nested ones keep the tenant, and what they undo is only theirs', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't9' });
      await session.transaction(async (tx) => {
        await tx.transaction(async (inner) => {
          await inner.insert(notes).values({ tenantId: 't9', id: 300, body: 'kept' });
          expect(await inner.$count(notes)).toBe(NOTES_EACH + 1);
        });
        const undone = tx.transaction(async (inner) => {
          await inner.transaction((third) => third.delete(notes));
          await inner.insert(notes).values({ tenantId: 't10', id: 1, body: 'refused' });
        });
        expect(under(await failure(undone))).toMatchObject({ code: '42501' });
        expect(await tx.$count(notes)).toBe(NOTES_EACH + 1);
        expect((await tx.execute(sql.raw(TENANT))).rows).toEqual([{ tenant: 't9' }]);
      });
      await expectClean(opened);
      expect((await session.query('DELETE FROM notes WHERE id = 300')).rowCount).toBe(1);
    });

    test('is undone when the callback throws, by whatever', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't11' });
      const mine = new Error('changed my mind');
      const thrown = session.transaction(async (tx) => {
        await tx.delete(notes);
        throw mine;
      });
      expect(await failure(thrown)).toBe(mine);
      const before = session.transaction(() => Promise.reject(mine));
      expect(await failure(before)).toBe(mine);
      const rolled = session.transaction(async (tx) => {
        await tx.delete(notes);
        tx.rollback();
      });
      expect(await failure(rolled)).toMatchObject({ message: 'Rollback' });
      const failed = session.transaction(async (_tx, query) => {
        await query('DELETE FROM notes');
        await query('SELECT 1 / 0');
      });
      expect(await failure(failed)).toMatchObject({ code: '22012', message: 'division by zero' });
      await expectClean(opened);
      expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
      expect(opened.clients).toHaveLength(1);
    });

    test('in which an error was swallowed is refused, not silently rolled back', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't12' });
      const swallowed = session.transaction(async (_tx, query) => {
        await query('DELETE FROM notes');
        await query('SELECT 1 / 0').catch(() => undefined);
        return 'done';
      });
      expect(await failure(swallowed)).toMatchObject({
        code: 'HF_TRANSACTION_ABORTED',
        message:
          'the transaction: a statement in it had failed and the callback went on as if it had not; nothing was saved. ' +
          'Let the error out of the callback, or put the statement that may fail into tx.transaction(). ' +
          '[HF_TRANSACTION_ABORTED]',
      });
      await expectClean(opened);
      expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
    });

    test('that the callback ended itself is an error', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't13' });
      for (const word of ['COMMIT', 'ROLLBACK']) {
        const ended = session.transaction((_tx, query) => query(word));
        expect(await failure(ended)).toMatchObject({ code: 'HF_TRANSACTION_ENDED' });
        await expectClean(opened);
      }
    });

    test('lets nobody keep its tx: after the callback it speaks to no one', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const kept = await opened.app
        .session({ tenant: 't14' })
        .transaction(async (tx, query) => ({ tx, query }));
      await opened.app.session({ tenant: 't15' }).transaction(async (tx) => {
        expect(under(await failure(kept.tx.delete(notes)))).toMatchObject({ code: 'HF_TRANSACTION_ENDED' });
        expect(await failure(kept.query('DELETE FROM notes'))).toMatchObject({
          code: 'HF_TRANSACTION_ENDED',
          what: 'the callback of the transaction had ended before this statement was sent; it was not sent.',
        });
        await failure(kept.tx.transaction((inner) => inner.delete(notes)));
        expect(await tx.$count(notes)).toBe(NOTES_EACH);
      });
      await expectClean(opened);
    });

    test('surfaces what fails at COMMIT', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't16' });
      const late = session.transaction(async (_tx, query) => {
        await query(WRITE, ['t16', 400, 'x']);
        await query('INSERT INTO links VALUES ($1, $2)', ['t16', 999]);
      });
      expect(await failure(late)).toMatchObject({
        code: '23503',
        constraint: 'links_tenant_id_note_id_fkey',
      });
      expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
      await expectClean(opened);
    });

    test('by db.transaction is the same', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const { db } = opened.app.session({ tenant: 't17' });
      const level = await db.transaction(
        async (tx) => {
          expect(await tx.$count(notes)).toBe(NOTES_EACH);
          return tx.execute<{ level: string }>(sql`SELECT current_setting('transaction_isolation') AS level`);
        },
        { isolationLevel: 'serializable' },
      );
      expect(level.rows).toEqual([{ level: 'serializable' }]);
      await expectClean(opened);
    });
  });

  describe('options', () => {
    const MODES = `SELECT current_setting('transaction_isolation') AS level,
      current_setting('transaction_read_only') AS readonly, current_setting('transaction_deferrable') AS deferrable,
      current_setting('statement_timeout') AS timeout`;

    test('hold for one statement and for a transaction, and end with it', async ({ open }) => {
      const { app } = await open({ maxConnections: 1 });
      const plain = { level: 'read committed', readonly: 'off', deferrable: 'off', timeout: '0' };
      const set = { level: 'serializable', readonly: 'on', deferrable: 'on', timeout: '1234ms' };
      const session = app.session(
        { tenant: 't1' },
        {
          isolationLevel: 'serializable',
          accessMode: 'read only',
          deferrable: true,
          statementTimeoutMs: 1234,
        },
      );
      expect((await session.query(MODES)).rows).toEqual([set]);
      expect((await app.session().query(MODES)).rows).toEqual([plain]);
      const inside = await session.transaction((_tx, query) => query(MODES), {
        isolationLevel: 'repeatable read',
      });
      expect(inside.rows).toEqual([{ ...set, level: 'repeatable read' }]);
      expect((await app.session().query(MODES)).rows).toEqual([plain]);
      expect(await failure(session.query('DELETE FROM notes'))).toMatchObject({ code: '25006' });
      expect(await session.db.$count(notes)).toBe(NOTES_EACH);
    });

    test('a statement over its time is cancelled and the connection stays clean', async ({ open }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't1' }, { statementTimeoutMs: 30 });
      const slow = 'SELECT pg_sleep(20)';
      expect(await failure(session.query(slow))).toMatchObject({ code: '57014' });
      await expectClean(opened);
      expect(await failure(session.transaction((_tx, query) => query(slow)))).toMatchObject({
        code: '57014',
      });
      await expectClean(opened);
      expect(opened.clients).toHaveLength(1);
    });
  });

  test('prepared statements serve every tenant, and survive a change of the table', async ({
    open,
    notebook,
  }) => {
    const opened = await open({ maxConnections: 1, prepare: true });
    const ask = async (tenant: string): Promise<unknown> => {
      const session = opened.app.session({ tenant });
      const inside = await session.transaction((_tx, query) =>
        query('SELECT * FROM notes WHERE id = $1', [1]),
      );
      const once = await session.query('SELECT * FROM notes WHERE id = $1', [1]);
      expect(inside.rows).toEqual(once.rows);
      return once.rows.map((row) => row['body']);
    };
    for (let i = 0; i < 8; i += 1) expect(await ask(`t${i}`)).toEqual([`t${i} note 1`]);
    await notebook.db.query('ALTER TABLE notes ADD COLUMN extra int');
    const session = opened.app.session({ tenant: 't1' });
    expect((await session.query('SELECT * FROM notes WHERE id = $1', [1])).rows).toHaveLength(1);
    await notebook.db.query('ALTER TABLE notes DROP COLUMN extra');
    expect((await session.query('SELECT * FROM notes WHERE id = $1', [1])).rows).toHaveLength(1);
    expect(await ask('t20')).toEqual(['t20 note 1']);
    expect(await failure(session.query('SELECT 1 / $1::int', [0]))).toMatchObject({ code: '22012' });
    expect((await session.query('SELECT 1 / $1::int AS n', [1])).rows).toEqual([{ n: 1 }]);
    expect((await session.query('SELECT 1 / $1::int', [1])).rowCount).toBe(1);
    expect(await failure(session.query('SELEC', []))).toMatchObject({ code: '42601' });
    expect(await failure(session.query('SELEC', []))).toMatchObject({ code: '42601' });
    await expectClean(opened);
  });

  test('32 tenants at once over a small pool see only themselves', async ({ open }) => {
    const opened = await open({ maxConnections: 3, prepare: true });
    const work = async (tenant: string): Promise<void> => {
      const session = opened.app.session({ tenant });
      for (let round = 0; round < 6; round += 1) {
        const [once, byDrizzle, inside, broken] = await Promise.all([
          session.query<{ tenant_id: string }>('SELECT DISTINCT tenant_id FROM notes'),
          session.db.selectDistinct({ tenant: notes.tenantId }).from(notes),
          session.transaction(async (tx) => {
            await tx.insert(notes).values({ tenantId: tenant, id: 500, body: tenant });
            await tx.delete(notes).where(eq(notes.id, 500));
            return tx.selectDistinct({ tenant: notes.tenantId }).from(notes);
          }),
          failure(session.query(WRITE, [tenant === 't0' ? 't1' : 't0', 501 + round, 'stray'])),
        ]);
        expect(once.rows).toEqual([{ tenant_id: tenant }]);
        expect(byDrizzle).toEqual([{ tenant }]);
        expect(inside).toEqual([{ tenant }]);
        expect(broken).toMatchObject({ code: '42501' });
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, index) => work(`t${index}`)));
    expect(opened.clients.length).toBeLessThanOrEqual(3);
    await expectClean(opened);
    expect(TENANTS).toBeGreaterThan(32);
  });

  describe('a connection that dies', () => {
    const PID = 'SELECT pg_backend_pid() AS pid';

    test('in the middle of a transaction is a clear error, and the pool heals', async ({
      open,
      notebook,
    }) => {
      const opened = await open({ maxConnections: 1 });
      const session = opened.app.session({ tenant: 't21' });
      const killed = session.transaction(async (tx, query) => {
        await tx.delete(notes);
        const { rows } = await query<{ pid: number }>(PID);
        await notebook.db.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
        await tx.delete(notes);
      });
      const error = await failure(killed);
      expect(error).toMatchObject({
        code: 'HF_CONNECTION_LOST',
        what: 'the connection was lost in the middle of a transaction; nothing of it was saved.',
      });
      expect(error.message).not.toContain(notebook.password);
      expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
      await expectClean(opened);
    });

    test('leaves an error of the callback as it is', async ({ open, notebook }) => {
      const { app } = await open({ maxConnections: 1 });
      const mine = new Error('mine');
      const killed = app.session({ tenant: 't21' }).transaction(async (_tx, query) => {
        const { rows } = await query<{ pid: number }>(PID);
        await notebook.db.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
        throw mine;
      });
      expect(await failure(killed)).toBe(mine);
      expect((await app.session({ tenant: 't21' }).query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
    });

    test('in the middle of a statement says that nothing was saved or that nobody knows', async ({
      open,
      notebook,
    }) => {
      const { app } = await open({ maxConnections: 1, applicationName: 'to be killed' });
      const session = app.session({ tenant: 't22' });
      for (const run of [
        () => session.query('SELECT pg_sleep(60) /* to be killed */'),
        () => session.transaction((_tx, query) => query('SELECT pg_sleep(60) /* to be killed */')),
      ]) {
        const running = failure(run());
        await killSleeper(notebook);
        const error = await running;
        expect(error['code']).toMatch(/^HF_(?:CONNECTION_LOST|OUTCOME_UNKNOWN)$/);
        expect((await session.query(COUNT)).rows).toEqual([{ n: NOTES_EACH }]);
      }
    });

    test('cancelled by somebody else, it only rolls back', async ({ open, notebook }) => {
      const opened = await open({ maxConnections: 1 });
      const running = failure(
        opened.app.session({ tenant: 't23' }).query('SELECT pg_sleep(60) /* to be killed */'),
      );
      await killSleeper(notebook, 'pg_cancel_backend(pid)');
      expect(await running).toMatchObject({ code: '57014' });
      await expectClean(opened);
      expect(opened.clients).toHaveLength(1);
    });
  });
}

/** Waits, at most 10 seconds, until the sleeping statement runs on the server, and ends it. */
async function killSleeper(notebook: Notebook, how = 'pg_terminate_backend(pid)'): Promise<void> {
  const until = Date.now() + 10_000;
  while (Date.now() < until) {
    const killed = await notebook.db.query(
      `SELECT ${how} FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
          AND query LIKE '%/* to be killed */%' AND wait_event = 'PgSleep'`,
    );
    if (killed.length > 0) return;
  }
  expect.unreachable('the statement never reached the server');
}
