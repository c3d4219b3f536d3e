import { describe, expect } from 'vitest';
import { HoldfastError } from '../../src/error.ts';
import {
  SQLSTATE,
  blank,
  close,
  connect,
  isSqlstate,
  majorOf,
  openPool,
  redact,
  serverVersion,
  sqlstateOf,
  supported,
  target,
  urlFromEnvironment,
  withClient,
  withDatabase,
} from '../../src/server/index.ts';
import { test } from '../cluster/index.ts';

const caught = async (work: Promise<unknown>): Promise<HoldfastError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return error as HoldfastError;
};

describe('reading a connection string', () => {
  test('takes it apart', () => {
    expect(target('postgresql://al%40ice:s%2Fp@db.example:6432/my%20db?sslmode=require')).toMatchObject({
      host: 'db.example',
      port: 6432,
      database: 'my db',
      user: 'al@ice',
      shown: 'postgresql://al%40ice:***@db.example:6432/my%20db?sslmode=require',
    });
    expect(target('postgres://u@h/?host=/run/pg')).toMatchObject({
      host: '/run/pg',
      port: 5432,
      database: 'u',
    });
  });

  test.for([
    'postgres://u:pa/ss@host/db',
    'postgres://u:12?ss@host/db',
    'postgres://u:12#ss@host/db',
    'postgres://u:%zz@host/db',
    'mysql://u:secret@host/db',
    'host=localhost password=secret',
    '',
  ])('refuses %j and repeats no part of it', (url) => {
    expect(() => target(url)).toThrow(
      'the connection string: it cannot be read as postgres://user:password@host:port/database. ' +
        'Write it in that form, with @ : / ? # and % in user and password percent-encoded. [HF_URL]',
    );
    expect(redact(url)).toBe('(unreadable connection string)');
  });

  test('redacts passwords wherever they stand', () => {
    expect(redact('postgres://u:secret@h:1/db?password=other&sslmode=disable&sslkey=/k')).toBe(
      'postgres://u:***@h:1/db?sslmode=disable',
    );
    expect(blank('a p@ss and p%40ss', ['p@ss', ''])).toBe('a *** and ***');
  });

  test('DATABASE_URL is taken, and refused when it is something else', () => {
    expect(urlFromEnvironment({ DATABASE_URL: ' postgres://u@h/db ' })).toBe('postgres://u@h/db');
    expect(urlFromEnvironment({ DATABASE_URL: '' })).toBeUndefined();
    expect(urlFromEnvironment({})).toBeUndefined();
    expect(() => urlFromEnvironment({ DATABASE_URL: 'file:dev.db' })).toThrow('[HF_URL]');
  });

  test('points at another database of the server', () => {
    expect(withDatabase('postgres://u:p@h:1/a?sslmode=disable', 'b c')).toBe(
      'postgres://u:p@h:1/b%20c?sslmode=disable',
    );
  });
});

describe('opening a session', () => {
  test('names itself and gives the version', async ({ db }) => {
    const seen = await withClient(
      db.url,
      async (client) => {
        expect(majorOf(await serverVersion(client))).toBeGreaterThanOrEqual(15);
        return (await client.query<{ name: string }>(`SELECT current_setting('application_name') AS name`))
          .rows[0];
      },
      { applicationName: 'holdfast test' },
    );
    expect(seen).toEqual({ name: 'holdfast test' });
  });

  test('ends the session when the work fails', async ({ db }) => {
    let pid = 0;
    const failed = withClient(db.url, async (client) => {
      pid = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
      await client.query('SELECT 1/0');
    });
    await expect(failed).rejects.toThrow('division by zero');
    await expect
      .poll(() => db.query('SELECT pid FROM pg_stat_activity WHERE pid = $1', [pid]), { timeout: 30_000 })
      .toEqual([]);
  });

  test('a wrong password is named without being repeated', async ({ db }) => {
    const error = await caught(connect(db.urlAs('postgres', 'not-the-one')));
    expect(error.code).toBe('HF_LOGIN');
    expect(error.message).not.toContain('not-the-one');
    expect(error.message).toContain('the server does not let role "postgres" in.');
  });

  test('a database that is not there', async ({ db }) => {
    expect((await caught(connect(withDatabase(db.url, 'nowhere')))).code).toBe('HF_NO_DATABASE');
  });

  test('a port where nothing listens', async () => {
    const error = await caught(connect('postgres://u:secret@127.0.0.1:1/db'));
    expect(error.message).toBe(
      'database postgres://u:***@127.0.0.1:1/db: no session could be opened: connect ECONNREFUSED 127.0.0.1:1. ' +
        'Check that the server runs there and that host and port are right. [HF_CONNECT]',
    );
  });

  test('a session that the server cuts off does not end the process', async ({ db }) => {
    const client = await connect(db.url);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await db.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await expect(client.query('SELECT pg_sleep(5)')).rejects.toThrow();
    await close(client);
  });

  test('a pool survives the loss of an idle session', async ({ db }) => {
    const pool = openPool(db.url, { max: 1 });
    const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await db.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await expect.poll(() => pool.totalCount, { timeout: 30_000 }).toBe(0);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  test('a session that is lost while it is lent out rejects its next statement, and ends nothing else', async ({
    db,
  }) => {
    const pool = openPool(db.url, { max: 1 });
    const lent = await pool.connect();
    const lost = new Promise((done) => lent.once('end', done));
    const { rows } = await lent.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await db.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await lost;
    await expect(lent.query('SELECT 1')).rejects.toThrow();
    lent.release(true);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await pool.end();
  });

  test('a server of another major is refused', () => {
    expect([supported(150_000), supported(180_004)]).toEqual([150_000, 180_004]);
    expect(() => supported(140_011)).toThrow(
      'PostgreSQL 14: only 15 to 18 are supported. Use a server of major 15 to 18. [HF_SERVER_VERSION]',
    );
    expect(() => supported(190_000)).toThrow('[HF_SERVER_VERSION]');
  });
});

describe('SQLSTATE', () => {
  test('is found through wrapped errors, and only when a server sent it', async ({ db }) => {
    const error: unknown = await db.query('SELECT nope').catch((thrown: unknown) => thrown);
    expect(sqlstateOf(new Error('Failed query', { cause: error }))).toBe(SQLSTATE.undefinedColumn);
    expect(isSqlstate(error, SQLSTATE.undefinedTable, SQLSTATE.undefinedColumn)).toBe(true);
    expect(sqlstateOf(Object.assign(new Error('broken'), { code: 'EPIPE' }))).toBeUndefined();
    expect(isSqlstate(undefined, SQLSTATE.undefinedTable)).toBe(false);
  });
});
