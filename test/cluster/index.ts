// What a test that touches SQL imports: `test` with `{ db }`, a database of its own for the file.
import { Client, Pool } from 'pg';
import { inject, test as base } from 'vitest';
import { ident } from '../../src/sql.ts';

/** A database cloned for one test file; dropped when the file ends. */
export interface TestDatabase {
  readonly name: string;
  /** Connection string of the superuser in this database. */
  readonly url: string;
  /** Connection string for another role of the cluster. */
  readonly urlAs: (role: string, password: string) => string;
  readonly pool: Pool;
  /** One statement as superuser; gives the rows. */
  readonly query: <Row extends object = Record<string, unknown>>(
    sql: string,
    values?: unknown[],
  ) => Promise<Row[]>;
  /** Makes one more empty database, dropped with this one. */
  readonly another: () => Promise<TestDatabase>;
  /** A role name that is free in the whole cluster. The test makes the role; it is dropped with the database. */
  readonly role: (prefix: string) => string;
}

const GONE_WITHIN_MS = 3_000;
let made = 0;

interface Made {
  readonly db: TestDatabase;
  readonly roles: string[];
  /** Drops the database; gives the sessions that were still in it. */
  readonly drop: () => Promise<string[]>;
}

async function create(admin: Client, serverUrl: string): Promise<Made> {
  made += 1;
  const name = `${inject('run')}_${Math.random().toString(36).slice(2, 8)}_${made}`;
  await admin.query(`CREATE DATABASE ${ident(name)} TEMPLATE ${ident(inject('template'))}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = new Pool({ connectionString: url.href, max: 40 });
  pool.on('error', () => undefined);
  const others: Made[] = [];
  const roles: string[] = [];
  const db: TestDatabase = {
    name,
    url: url.href,
    urlAs: (role, password) => {
      const as = new URL(url.href);
      as.username = encodeURIComponent(role);
      as.password = encodeURIComponent(password);
      return as.href;
    },
    pool,
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    another: async () => {
      const other = await create(admin, serverUrl);
      others.push(other);
      return other.db;
    },
    role: (prefix) => {
      made += 1;
      roles.push(`${prefix.slice(0, 20)}_${name.slice('hf_test_'.length)}_${made}`);
      return roles.at(-1) ?? '';
    },
  };
  const drop = async (): Promise<string[]> => {
    const left: string[] = [];
    for (const other of others) {
      left.push(...(await other.drop()));
      roles.push(...other.roles);
    }
    await pool.end();
    left.push(...(await sessionsLeft(admin, name)));
    await admin.query(`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`);
    return left;
  };
  return { db, roles, drop };
}

const SESSIONS_SQL = `
  SELECT pg_catalog.format('session %s of %s, last statement: %s', application_name, usename, query) AS session
  FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`;

// A session that was ended is listed until its backend has noticed.
async function sessionsLeft(admin: Client, name: string): Promise<string[]> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  for (;;) {
    const { rows } = await admin.query<{ session: string }>(SESSIONS_SQL, [name]);
    if (rows.length === 0 || Date.now() > deadline) return rows.map((row) => row.session);
    await admin.query('SELECT pg_catalog.pg_sleep(0.02)');
  }
}

/** vitest's `test` with `{ db }`: one database a test file. */
export const test = base.extend<{ db: TestDatabase }>({
  db: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads the fixture's needs from this pattern
    async ({}, use) => {
      const serverUrl = inject('serverUrl');
      const admin = new Client(serverUrl);
      await admin.connect();
      const { db, roles, drop } = await create(admin, serverUrl);
      await use(db);
      const left = await drop();
      for (const role of roles) await settled(() => admin.query(`DROP ROLE IF EXISTS ${ident(role)}`));
      await admin.end();
      if (left.length > 0)
        throw new Error(`This file left behind in database ${db.name}: ${left.join('; ')}`);
    },
    { scope: 'file' },
  ],
});

/** A copy that another file makes of the server's roles may hold one for a moment: waits for that, two seconds at most. */
async function settled(drop: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await drop();
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== '2BP01' || attempt === 20) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}
