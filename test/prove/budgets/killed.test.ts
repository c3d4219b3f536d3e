// A measurement whose process is killed leaves a database and roles behind; the next one sweeps them.
import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { budget, budgets } from '../../../src/traits/index.ts';
import { proveBudgets } from '../../../src/prove/budgets/index.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';
import { defineShop, sixtyDays } from './shop.ts';

const JITI = 'node_modules/jiti/lib/jiti-cli.mjs';

test('killed while it loads or while it measures, the next run sweeps what it left', async ({ db }) => {
  for (const moment of ['gathering statistics', 'measuring nothing at 1 ×']) {
    const [app, owner] = [db.role('app'), db.role('owner')];
    await killedAt(moment, [db.url, app, owner]);
    await sessionsGone(db, app);
    // Another file's plan on this server may have swept it by now.
    const [left] = await db.query<{ databases: string[] | null }>(LEFT_SQL, [[app, owner]]);
    const role = (kind: string): string => db.role(`next_${kind}`);
    const thing = budget('nothing', { data: sixtyDays, at: { orders: 1 }, run: { sql: 'SELECT 1' } });
    await proveBudgets({
      definition: defineShop(role, { traits: [budgets(thing)] }),
      url: db.url,
      now: new Date('2026-11-21T12:00:00Z'),
      times: false,
    });
    expect(await db.query('SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)', [[app, owner]])).toEqual(
      [],
    );
    expect(
      await db.query('SELECT datname FROM pg_database WHERE datname = ANY ($1)', [left?.databases ?? []]),
    ).toEqual([]);
  }
});

// The database that those roles are granted something in.
const LEFT_SQL = `
  SELECT array_agg(DISTINCT d.datname::text) AS databases
  FROM pg_shdepend s JOIN pg_database d ON d.oid IN (s.dbid, CASE WHEN s.classid = 'pg_database'::regclass THEN s.objid END)
  JOIN pg_roles r ON r.oid = s.refobjid WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY ($1)`;

async function killedAt(moment: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [JITI, 'test/prove/budgets/killed-child.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes(moment)) child.kill('SIGKILL');
  });
  const code = await new Promise((resolve) => {
    child.on('exit', (_code, signal) => resolve(signal));
  });
  expect([code, said]).toEqual(['SIGKILL', expect.stringContaining(moment)]);
}

/** A server notices that a client is gone when it next speaks to it. */
async function sessionsGone(db: TestDatabase, role: string): Promise<void> {
  for (let look = 0; look < 150; look += 1) {
    const [row] = await db.query<{ sessions: number }>(
      `SELECT count(*)::int AS sessions FROM pg_stat_activity a
       WHERE a.usename = $1 OR a.datname IN (SELECT unnest(databases) FROM (${LEFT_SQL.replace('$1', '$2')}) l)`,
      [role, [role]],
    );
    if (row?.sessions === 0) return;
    await db.query('SELECT pg_sleep(0.02)');
  }
}
