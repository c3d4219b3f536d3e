import { eq } from 'drizzle-orm';
import { describe, expect, expectTypeOf } from 'vitest';
import type { Definition } from '../../src/define/database.ts';
import type { Trait } from '../../src/define/trait.ts';
import { HoldfastError } from '../../src/error.ts';
import { connect, connectDefaults } from '../../src/use/index.ts';

import { NOTES_EACH, definition, notes } from './notebook.ts';
import { expectClean, reaching } from './reach.ts';
import { startRelay } from './relay.ts';

const test = reaching(async (notebook) => ({ url: notebook.url, close: async () => undefined }));

const caught = async (work: Promise<unknown>): Promise<HoldfastError> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as HoldfastError,
  );

const thrown = (work: () => unknown): HoldfastError => {
  try {
    work();
  } catch (error) {
    return error as HoldfastError;
  }
  return expect.unreachable('it should have thrown');
};

const oddTrait = (setting: string): Trait => ({
  name: 'odd',
  session: { settings: { tenant: { setting, pattern: /.*/ } } },
});

describe('who a session speaks for', () => {
  const refused: unknown[] = [
    '',
    ' ',
    't1 ',
    't1\n',
    '\nt1',
    't1\nt2',
    `t1'; SET ROLE postgres; --`,
    `'`,
    '$1',
    '\\',
    't1\0',
    't\ud800',
    'T1',
    'ｔ1',
    null,
    undefined,
    7,
    {},
    ['t1'],
    { toString: () => 't1' },
  ];

  test('is refused before anything is sent, unless the whole value fits the pattern', async ({ open }) => {
    const { app, clients } = await open();
    for (const value of refused) {
      const error = thrown(() => app.session({ tenant: value as string }));
      expect(error, String(value)).toBeInstanceOf(HoldfastError);
      expect(error, String(value)).toMatchObject({ code: 'HF_TENANT', subject: 'session key "tenant"' });
    }
    expect(thrown(() => app.session({ tenant: "t1'" })).message).toBe(
      'session key "tenant": the value "t1\'" is not one that ^(?:[a-z0-9_]+)$ matches whole. Pass the id the ' +
        'application has for it, or call session() without arguments for a session that sees no rows. [HF_TENANT]',
    );
    expect(thrown(() => app.session({ tennant: 't1' })).message).toBe(
      'session key "tennant": the definition knows no such key; its keys: "tenant". Pass a key of the definition, ' +
        'or call session() without arguments for a session that sees no rows. [HF_TENANT]',
    );
    expect(thrown(() => app.session({ constructor: 't1' })).code).toBe('HF_TENANT');
    expect(clients).toEqual([]);
  });

  test('a pattern with anchors, alternatives or flags decides about the whole value alike', async ({
    notebook,
  }) => {
    const patterns: [RegExp, string, string][] = [
      [/^t\d+$/, 't1', 't1x'],
      [/t1|t2/, 't2', 't1 or t2'],
      [/t\d/gy, 't1', 'xt1'],
      [/^t1$/m, 't1', 't1\nt2'],
      [/T1/i, 't1', 't11'],
    ];
    for (const [pattern, right, wrong] of patterns) {
      const app = await connect(definition(pattern), notebook.url);
      for (let again = 0; again < 3; again += 1) {
        expect((await app.session({ tenant: right }).query('SELECT 1 FROM notes')).rowCount).toBe(NOTES_EACH);
        expect(thrown(() => app.session({ tenant: wrong })).code, `${pattern} ${wrong}`).toBe('HF_TENANT');
      }
      await app.close();
    }
  });

  test('arrives on the server as it is, even where a pattern allows everything', async ({ notebook }) => {
    const app = await connect(definition(/[^]+/), notebook.url, { maxConnections: 1 });
    const hostile = [
      `'; DROP TABLE notes; --`,
      `\\'; SELECT 1; --`,
      `\\`,
      `E'\\x00'`,
      `$1 $$ :x ?`,
      'a\nb\r\n\t',
      'ünïcödé 🦉',
      `t1' COMMIT; SELECT '`,
      'x'.repeat(100_000),
    ];
    for (const tenant of hostile) {
      const session = app.session({ tenant });
      const asked = `SELECT current_setting('app.current_tenant_id') AS tenant`;
      expect((await session.query(asked)).rows).toEqual([{ tenant }]);
      const inside = await session.transaction((_tx, query) => query(`SELECT 1 FROM notes`));
      expect(inside.rowCount).toBe(0);
    }
    expect((await app.session({ tenant: 't1' }).query('SELECT 1 FROM notes')).rowCount).toBe(NOTES_EACH);
    // The server would store both of the first two as the same text, and cannot store the third.
    for (const tenant of ['t\ud800', 't\udfff', 't\0']) {
      expect(thrown(() => app.session({ tenant })).code).toBe('HF_TENANT');
    }
    await app.close();
  });

  test('may take several settings; those without a value are empty', async ({ notebook }) => {
    const plain = definition();
    const user: Trait = {
      name: 'membership',
      session: { settings: { user: { setting: 'app.user_id', pattern: /\d+/ } } },
    };
    const app = await connect({ ...plain, traits: [...plain.traits, user] }, notebook.url);
    const asked = `SELECT current_setting('app.current_tenant_id') AS tenant, current_setting('app.user_id') AS user`;
    for (const context of [{}, { tenant: 't1' }, { user: '7' }, { user: '8', tenant: 't2' }]) {
      const { rows } = await app.session(context).query(asked);
      expect(rows).toEqual([{ tenant: '', user: '', ...context }]);
    }
    await app.close();
  });

  test('cannot be sent as a setting that is not a custom one, nor as two', async ({ notebook }) => {
    const plain = definition();
    const traits = (setting: string): Definition => ({ ...plain, traits: [oddTrait(setting)] });
    for (const setting of ['role', 'search_path', 'app.x; y', 'App.X', 'app.', '']) {
      const error = await caught(connect(traits(setting), notebook.url));
      expect(error, setting).toMatchObject({ code: 'HF_SESSION' });
    }
    const both = { ...plain, traits: [...plain.traits, oddTrait('app.other')] };
    expect((await caught(connect(both, notebook.url))).message).toBe(
      'session key "tenant" of trait odd: it is also sent as "app"."current_tenant_id" by another trait. ' +
        'Give each key one setting of the form prefix.name, in small letters. [HF_SESSION]',
    );
  });
});

test('nothing runs when the tenant could not be set, though it was sent along', async ({ notebook }) => {
  const { db, role } = notebook;
  await db.query(`CREATE TABLE log (line text); GRANT INSERT ON log TO ${role}`);
  const plain = definition();
  const settings = { tenant: { setting: 'plpgsql.variable_conflict', pattern: /error/ } };
  const app = await connect({ ...plain, traits: [{ name: 'odd', session: { settings } }] }, notebook.url, {
    maxConnections: 1,
  });
  const session = app.session({ tenant: 'error' });
  // From here on the setting is known, and only a superuser may set it.
  await session.query('DO $$ BEGIN END $$');
  const denied = { code: '42501', message: 'permission denied to set parameter "plpgsql.variable_conflict"' };
  expect(await caught(session.query(`INSERT INTO log VALUES ('once')`))).toMatchObject(denied);
  const inside = session.transaction(async (_tx, query) => {
    await query(`INSERT INTO log VALUES ('inside')`).catch(() => undefined);
    return query(`INSERT INTO log VALUES ('inside again')`);
  });
  expect(await caught(inside)).toMatchObject(denied);
  expect(await caught(session.transaction(async () => 'nothing'))).toMatchObject(denied);
  await app.close();
  expect(await db.query('SELECT * FROM log')).toEqual([]);
  await db.query('DROP TABLE log');
});

describe('round trips', () => {
  test('one for a statement, by SQL or Drizzle; one more than its statements for a transaction', async ({
    notebook,
  }) => {
    const relay = await startRelay(notebook.url);
    const app = await connect(definition(), relay.url, { maxConnections: 1 });
    const session = app.session({ tenant: 't1' }, { statementTimeoutMs: 5000, accessMode: 'read write' });
    await session.query('SELECT 1');
    const counted = async (work: () => Promise<unknown>): Promise<number> => {
      relay.reset();
      await work();
      return relay.roundTrips();
    };
    expect(await counted(() => session.query('SELECT * FROM notes WHERE id = $1', [1]))).toBe(1);
    expect(await counted(() => session.db.select().from(notes).where(eq(notes.id, 1)))).toBe(1);
    const write = 'INSERT INTO notes VALUES ($1, 900, $2)';
    expect(await counted(() => session.query(write, ['t1', 'one trip']))).toBe(1);
    expect(
      await counted(() => session.transaction((_tx, query) => query('DELETE FROM notes WHERE id = 900'))),
    ).toBe(2);
    const three = session.transaction.bind(session, async (tx) => {
      for (let times = 0; times < 3; times += 1) await tx.select().from(notes);
    });
    expect(await counted(() => three())).toBe(4);
    await app.close();
    await relay.close();
  });

  test('a line cut at COMMIT tells that the outcome is unknown; cut before it, that nothing was saved', async ({
    notebook,
  }) => {
    const relay = await startRelay(notebook.url);
    const app = await connect(definition(), relay.url, { maxConnections: 1 });
    const session = app.session({ tenant: 't30' });
    const write = async (id: number): Promise<unknown> =>
      session.transaction(async (_tx, query) => {
        await query('INSERT INTO notes VALUES ($1, $2, $3)', ['t30', id, 'x']);
        await query('SELECT 1 AS nearly_done');
      });
    relay.cutAfter('COMMIT');
    const error = await caught(write(901));
    expect(error.code).toBe('HF_OUTCOME_UNKNOWN');
    expect(error.message).toMatch(
      /: the connection was lost while the transaction was being committed; it may or/,
    );
    relay.cutAfter('nearly_done');
    expect((await caught(write(902))).code).toBe('HF_CONNECTION_LOST');
    relay.cutAfter('one_shot');
    const once = session.query(`INSERT INTO notes SELECT 't30', 903, 'one_shot'`);
    expect((await caught(once)).code).toBe('HF_OUTCOME_UNKNOWN');
    await expect
      .poll(() => notebook.db.query('SELECT id FROM notes WHERE id > 900 ORDER BY id'), { timeout: 10_000 })
      .toEqual([{ id: 901 }, { id: 903 }]);
    expect((await session.query('DELETE FROM notes WHERE id > 900')).rowCount).toBe(2);
    await app.close();
    await relay.close();
  });
});

test('a prepared statement is kept on the connection, and prepared anew after it failed', async ({
  open,
}) => {
  const { app } = await open({ maxConnections: 1, prepare: true });
  const session = app.session({ tenant: 't1' });
  const divide = 'SELECT 1 / $1::int AS n';
  const kept = 'SELECT count(*)::int AS n FROM pg_prepared_statements WHERE statement = $1';
  const prepared = async (): Promise<unknown> => (await session.query(kept, [divide])).rows;
  expect(await caught(session.query(divide, [0]))).toMatchObject({ code: '22012' });
  expect(await prepared()).toEqual([{ n: 0 }]);
  for (let times = 0; times < 2; times += 1) {
    expect((await session.query(divide, [1])).rows).toEqual([{ n: 1 }]);
    expect(await prepared()).toEqual([{ n: 1 }]);
  }
  const inside = await session.transaction((_tx, query) => query(divide, [1]));
  expect(inside.rows).toEqual([{ n: 1 }]);
  expect(await prepared()).toEqual([{ n: 1 }]);
});

describe('retry', () => {
  test('runs a transaction again that met another, with pauses drawn from a doubling bound', async ({
    open,
  }) => {
    const opened = await open({ maxConnections: 2 });
    const session = opened.app.session({ tenant: 't31' }, { isolationLevel: 'repeatable read' });
    const clash = (until: number) => {
      let run = 0;
      return async (_tx: unknown, query: typeof session.query): Promise<number> => {
        run += 1;
        await query('SELECT count(*) FROM notes');
        if (run < until) await session.query(`UPDATE notes SET body = body || '!' WHERE id = 1`);
        await query(`UPDATE notes SET body = 'mine' WHERE id = 1`);
        return run;
      };
    };
    expect(await caught(session.transaction(clash(2)))).toMatchObject({ code: '40001' });

    const pauses: number[] = [];
    const retry = {
      attempts: 5,
      baseDelayMs: 100,
      maxDelayMs: 300,
      random: () => 0.5,
      sleep: async (ms: number) => void pauses.push(ms),
    };
    expect(await session.transaction(clash(5), { retry })).toBe(5);
    expect(pauses).toEqual([50, 100, 150, 150]);
    expect(await caught(session.transaction(clash(9), { retry }))).toMatchObject({ code: '40001' });
    const other = session.transaction(async (_tx, query) => query('SELECT 1 / 0'), { retry });
    expect(await caught(other)).toMatchObject({ code: '22012' });
    expect(pauses).toHaveLength(8);
    expect((await caught(session.transaction(clash(1), { retry: { attempts: 0 } }))).code).toBe('HF_OPTION');
    await expectClean(opened);
  });

  test('serves both sides of a deadlock', async ({ open }) => {
    const { app } = await open({ maxConnections: 2 });
    const session = app.session({ tenant: 't32' }, { retry: { attempts: 3 } });
    let waiting: (() => void)[] = [];
    let runs = 0;
    const both = (first: number, second: number): Promise<void> =>
      session.transaction(async (_tx, query) => {
        runs += 1;
        await query(`UPDATE notes SET body = body || $1 WHERE id = $2`, ['+', first]);
        if (runs <= 2) {
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            if (waiting.length === 2) for (const go of waiting) go();
          });
        }
        await query(`UPDATE notes SET body = body || $1 WHERE id = $2`, ['+', second]);
      });
    await Promise.all([both(1, 2), both(2, 1)]);
    waiting = [];
    expect(runs).toBe(3);
    const { rows } = await session.query('SELECT body FROM notes WHERE id < 3 ORDER BY id');
    expect(rows).toEqual([{ body: 't32 note 1++' }, { body: 't32 note 2++' }]);
  });
});

const refusal = (role: string, what: string): string =>
  `role ${role}: ${what}, so row security does not hold it to one tenant. Connect as a role with neither SUPERUSER ` +
  `nor BYPASSRLS that owns none of the tables and is in no such role, or say unsafeRole: 'allow' where that is ` +
  'meant. [HF_UNSAFE_ROLE]';

describe('the role', () => {
  test('is refused when row security does not hold it', async ({ notebook }) => {
    const { db, owner } = notebook;
    const superuser = new URL(db.url).username;
    expect((await caught(connect(definition(), db.url))).message).toBe(
      refusal(superuser, 'it is a superuser'),
    );

    const other = `other_${db.name}`;
    await db.query(`CREATE ROLE ${other} LOGIN PASSWORD 'x' BYPASSRLS`);
    const url = db.urlAs(other, 'x');
    expect((await caught(connect(definition(), url))).message).toBe(
      refusal(other, 'it is a role with BYPASSRLS'),
    );

    await db.query(`ALTER ROLE ${other} NOBYPASSRLS NOINHERIT; GRANT ${owner} TO ${other}`);
    expect((await caught(connect(definition(), url))).message).toBe(
      refusal(other, 'it owns table public.links, or is a member of its owner'),
    );

    await db.query(`REVOKE ${owner} FROM ${other}; GRANT ${superuser} TO ${other}`);
    expect((await caught(connect(definition(), url))).message).toBe(
      refusal(other, `it may become ${superuser}, a superuser`),
    );
    await db.query(`REVOKE ${superuser} FROM ${other}`);
    await (await connect(definition(), url)).close();
    await db.query(`DROP ROLE ${other}`);
  });

  test('is only warned of, or not looked at, where the application says so', async ({ notebook }) => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    await (await connect(definition(), notebook.db.url, { unsafeRole: 'allow' })).close();
    await (await connect({ ...definition(), traits: [] }, notebook.db.url)).close();
    expect(warnings).toEqual([]);
    await (await connect(definition(), notebook.db.url, { unsafeRole: 'warn' })).close();
    await expect.poll(() => warnings).toMatchObject([{ code: 'HF_UNSAFE_ROLE', name: 'HoldfastWarning' }]);
    process.off('warning', listen);
    expect(connectDefaults.unsafeRole).toBe('refuse');
  });
});

describe('the pool', () => {
  test('says when it stayed busy, and when it was closed', async ({ notebook }) => {
    const app = await connect(definition(), notebook.url, { maxConnections: 1, connectTimeoutMs: 100 });
    const session = app.session({ tenant: 't1' });
    await session.transaction(async (_tx, query) => {
      expect(await caught(session.query('SELECT 1'))).toMatchObject({
        code: 'HF_POOL_TIMEOUT',
        what: 'all 1 connections stayed busy for as long as a caller may wait.',
      });
      await query('SELECT 1');
    });
    await Promise.all([app.close(), app.close()]);
    expect(await caught(session.query('SELECT 1'))).toMatchObject({ code: 'HF_CLOSED' });
    expect(await caught(session.transaction(async () => 1))).toMatchObject({ code: 'HF_CLOSED' });
  });

  test('close waits for what runs', async ({ notebook }) => {
    const app = await connect(definition(), notebook.url, { maxConnections: 1 });
    const running = app.session({ tenant: 't1' }).query('SELECT pg_sleep(0.1), 7 AS n');
    await expect
      .poll(() => notebook.db.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`))
      .toHaveLength(1);
    await app.close();
    expect((await running).rows).toMatchObject([{ n: 7 }]);
  });

  test('a wrong URL, role or password shows at once, and no password is repeated', async ({ notebook }) => {
    const wrong = notebook.db.urlAs(notebook.role, 'wr0ng-password');
    const error = await caught(connect(definition(), wrong));
    expect(error.code).toBe('HF_LOGIN');
    expect(error.message + JSON.stringify(error)).not.toContain('wr0ng');
    expect((await caught(connect(definition(), 'mysql://x'))).code).toBe('HF_URL');
    const nobody = new URL(notebook.url);
    nobody.port = '1';
    expect((await caught(connect(definition(), nobody.href))).code).toBe('HF_CONNECT');
    const odd = connect(definition(), notebook.url, { maxConnections: 0 });
    expect((await caught(odd)).code).toBe('HF_OPTION');
  });

  test('options that PostgreSQL would not take are refused when the session is made', async ({ open }) => {
    const { app } = await open();
    for (const options of [
      { statementTimeoutMs: 0 },
      { statementTimeoutMs: 1.5 },
      { statementTimeoutMs: Number.NaN },
      { isolationLevel: `serializable'; --` as 'serializable' },
      { accessMode: 'write only' as 'read only' },
    ]) {
      expect(thrown(() => app.session({ tenant: 't1' }, options)).code).toBe('HF_OPTION');
    }
  });
});

test('types flow from the tables to sessions and transactions', async ({ open }) => {
  const { app } = await open();
  const session = app.session({ tenant: 't1' });
  const rows = await session.db.select({ id: notes.id }).from(notes);
  expectTypeOf(rows).toEqualTypeOf<{ id: number }[]>();
  const found = await session.transaction((tx) => tx.query.notes.findFirst());
  expectTypeOf(found).toEqualTypeOf<{ tenantId: string; id: number; body: string } | undefined>();
  const result = await session.query<{ n: number }>('SELECT 1 AS n');
  expectTypeOf(result.rows).toEqualTypeOf<{ n: number }[]>();
  expect(found?.tenantId).toBe('t1');
});
