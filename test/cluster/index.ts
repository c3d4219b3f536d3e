// What a test that touches SQL imports: `test` with `{ db }`, a database of its own for the file.
import pg from 'pg';
import { inject, test as base } from 'vitest';

/** A database cloned for one test file; dropped when the file ends. */
export interface TestDatabase {
  readonly name: string;
  /** Connection string of the superuser in this database. */
  readonly url: string;
  /** Connection string for another role of the cluster. */
  readonly urlAs: (role: string, password: string) => string;
  readonly pool: pg.Pool;
  /** One statement as superuser; gives the rows. */
  readonly query: <Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]) => Promise<Row[]>;
  /** Makes one more empty database, dropped with this one. */
  readonly another: () => Promise<TestDatabase>;
}

let made = 0;

async function create(serverUrl: string): Promise<{ db: TestDatabase; drop: () => Promise<void> }> {
  const admin = new pg.Client(serverUrl);
  await admin.connect();
  made += 1;
  const name = `hf_test_${process.pid}_${Math.random().toString(36).slice(2, 8)}_${made}`;
  await admin.query(`CREATE DATABASE "${name}"`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 40 });
  pool.on('error', () => undefined);
  const others: (() => Promise<void>)[] = [];
  const db: TestDatabase = {
    name,
    url: url.href,
    urlAs: (role, password) => {
      const as = new URL(url.href);
      as.username = role;
      as.password = password;
      return as.href;
    },
    pool,
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    another: async () => {
      const other = await create(serverUrl);
      others.push(other.drop);
      return other.db;
    },
  };
  const drop = async (): Promise<void> => {
    for (const other of others) await other();
    await pool.end();
    await admin.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    await admin.end();
  };
  return { db, drop };
}

/** vitest's `test` with `{ db }`: one database a test file. */
export const test = base.extend<{ db: TestDatabase }>({
  db: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads the fixture's needs from this pattern
    async ({}, use) => {
      const { db, drop } = await create(inject('serverUrl'));
      await use(db);
      await drop();
    },
    { scope: 'file' },
  ],
});
