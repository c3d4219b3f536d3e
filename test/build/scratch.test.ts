// Scratch databases and roles: who may make them, that none is left, and that plans do not disturb each other.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Pool } from 'pg';
import { expect } from 'vitest';
import { catalogueDump } from '../../src/build/catalogue-dump.ts';
import { forward, runAlone } from '../../src/build/catalogue-session.ts';
import { fingerprint } from '../../src/build/fingerprint.ts';
import { planLowered } from '../../src/build/plan.ts';
import { withScratch } from '../../src/build/scratch.ts';
import { test, type TestDatabase } from '../cluster/index.ts';
import { OPTIONS, role, wanted } from './wanted.ts';

function nameIn(db: TestDatabase, stem: string): string {
  return `${stem}_${db.name.replaceAll(/[^a-z0-9]/g, '_').slice(-14)}`;
}

async function withRole<T>(
  db: TestDatabase,
  attributes: string,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const name = nameIn(db, 'planner');
  await db.query(
    `CREATE ROLE ${name} LOGIN PASSWORD 'pw' ${attributes}; ALTER DATABASE "${db.name}" OWNER TO ${name}`,
  );
  try {
    return await work(db.urlAs(name, 'pw'));
  } finally {
    await db.query(
      `ALTER DATABASE "${db.name}" OWNER TO CURRENT_USER; REASSIGN OWNED BY ${name} TO CURRENT_USER`,
    );
    await db.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  }
}

function definition(db: TestDatabase): ReturnType<typeof wanted> {
  const [app, keeper] = [nameIn(db, 'app'), nameIn(db, 'keeper')];
  return wanted(
    [
      'CREATE SCHEMA shop',
      "CREATE TABLE shop.orders (id bigint PRIMARY KEY, state varchar(9) CHECK (state IN ('new', 'paid')))",
      'ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY',
      `CREATE POLICY own ON shop.orders TO ${app} USING (id > 0)`,
      `GRANT USAGE ON SCHEMA shop TO ${app}`,
      `GRANT SELECT ON shop.orders TO ${app}, ${keeper}`,
      'CREATE MATERIALIZED VIEW shop.counts AS SELECT count(*) AS n FROM shop.orders',
      `GRANT USAGE, CREATE ON SCHEMA shop TO ${keeper}`,
      `ALTER MATERIALIZED VIEW shop.counts OWNER TO ${keeper}`,
    ],
    {
      roles: [
        role(keeper),
        role(app, {
          memberOf: [keeper],
          settings: { statement_timeout: '30s', search_path: 'shop, public' },
        }),
      ],
    },
  );
}

async function rolesLeft(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)',
    [[nameIn(db, 'app'), nameIn(db, 'keeper')]],
  );
  return rows.map((row) => row.name);
}

async function dropRoles(db: TestDatabase): Promise<void> {
  for (const name of await rolesLeft(db)) await db.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`);
}

test('a role without superuser plans, with roles that are not there yet, and leaves none behind', async ({
  db: file,
}) => {
  const db = await file.another();
  await withRole(db, 'CREATEDB CREATEROLE', async (url) => {
    const plan = await planLowered(definition(db), url, OPTIONS);
    expect(await rolesLeft(db)).toEqual([]);
    expect(plan.steps.slice(0, 2).map((step) => step.sql)).toEqual([
      `CREATE ROLE "${nameIn(db, 'keeper')}"`,
      `GRANT "${nameIn(db, 'keeper')}" TO CURRENT_USER`,
    ]);
    const pool = new Pool({ connectionString: url });
    await runAlone(pool, forward(plan.steps));
    expect(await fingerprint(pool)).toBe(plan.to);
    await pool.end();
    expect((await planLowered(definition(db), url, OPTIONS)).steps).toEqual([]);
    await dropRoles(db);
  });
});

test('without CREATEDB and without another server it says which right is missing', async ({ db: file }) => {
  const db = await file.another();
  await withRole(db, '', async (url) => {
    const refused = planLowered(wanted([]), url, { ...OPTIONS, fallback: () => Promise.resolve(undefined) });
    await expect(refused).rejects.toMatchObject({
      code: 'HF_NO_SCRATCH',
      subject: `role ${nameIn(db, 'planner')}`,
      fix: expect.stringContaining(`ALTER ROLE "${nameIn(db, 'planner')}" CREATEDB`),
    });
  });
});

test('without CREATEDB it rehearses on another server of the same major', async ({ db: file }) => {
  const db = await file.another();
  const elsewhere = await file.another();
  await withRole(db, '', async (url) => {
    const plan = await planLowered(wanted(['CREATE TABLE t (id int)', 'GRANT SELECT ON t TO PUBLIC']), url, {
      ...OPTIONS,
      scratchUrl: elsewhere.url,
    });
    const pool = new Pool({ connectionString: url });
    await runAlone(pool, forward(plan.steps));
    expect(await fingerprint(pool)).toBe(plan.to);
    await pool.end();
  });
});

test('without CREATEDB it rehearses on an embedded server of the same major where one is installed', async ({
  db: file,
}) => {
  const db = await file.another();
  await withRole(db, '', async (url) => {
    const plan = await planLowered(wanted(['CREATE TABLE t (id int)']), url, OPTIONS);
    expect(plan).toMatchObject({ reversible: true, rehearsal: { forward: 'equal', back: 'equal' } });
    expect(plan.steps.map((step) => step.sql)).toEqual(['CREATE TABLE "public"."t" ("id" integer)']);
  });
});

test('a missing role that may not be made is named with the statement that makes it', async ({
  db: file,
}) => {
  const db = await file.another();
  await withRole(db, 'CREATEDB', async (url) => {
    await expect(planLowered(definition(db), url, OPTIONS)).rejects.toMatchObject({
      code: 'HF_ROLE_RIGHT',
      subject: `role ${nameIn(db, 'keeper')}`,
    });
  });
});

test('eight plans at once end alike and leave nothing', async ({ db: file }) => {
  const db = await file.another();
  const plans = await Promise.all(
    Array.from({ length: 8 }, () => planLowered(definition(db), db.url, OPTIONS)),
  );
  expect(new Set(plans.map((plan) => plan.id)).size).toBe(1);
  expect(await rolesLeft(db)).toEqual([]);
});

const LEFT_SQL = `SELECT datname AS name FROM pg_database WHERE datname LIKE 'hf\\_scratch\\_%'`;

test('what a killed process left is swept by the next plan', async ({ db: file }) => {
  const db = await file.another();
  const stem = nameIn(db, 'app');
  const child = fork(new URL('scratch-child.mjs', import.meta.url), [db.url, stem], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [left] = (await once(child, 'message')) as [string];
  child.kill('SIGKILL');
  await once(child, 'exit');
  // The server notices that the sessions are gone in its own time.
  let names: string[] = [left];
  for (let tries = 0; tries < 200 && names.includes(left); tries += 1) {
    await withScratch({ url: db.url }, () => Promise.resolve());
    names = (await db.query<{ name: string }>(LEFT_SQL)).map((row) => row.name);
  }
  expect(names).not.toContain(left);
  expect(await rolesLeft(db)).toEqual([]);
});

test('an error inside drops what was made; the target reads as before', async ({ db }) => {
  const before = await catalogueDump(db.pool);
  let made = '';
  const failing = withScratch({ url: db.url }, async (server) => {
    made = (await server.make()).name;
    await server.ensureRoles([nameIn(db, 'app')]);
    throw new Error('inside');
  });
  await expect(failing).rejects.toThrow('inside');
  const names = (await db.query<{ name: string }>(LEFT_SQL)).map((row) => row.name);
  expect(names).not.toContain(made);
  expect(await rolesLeft(db)).toEqual([]);
  expect(await catalogueDump(db.pool)).toEqual(before);
});

test('a database asked for after the work was stopped is not made', async ({ db }) => {
  const stop = new AbortController();
  const names: string[] = [];
  const work = withScratch({ url: db.url, signal: stop.signal }, async (server) => {
    names.push((await server.make()).name);
    stop.abort();
    names.push((await server.make()).name);
  });
  await expect(work).rejects.toMatchObject({ code: 'HF_INTERRUPTED' });
  expect(names).toHaveLength(1);
  expect(await db.query('SELECT FROM pg_database WHERE datname = ANY ($1)', [names])).toEqual([]);
});
