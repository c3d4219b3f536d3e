// Not part of the suite: leftovers.test.ts runs it to see that a run is failed by what it leaves behind.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { test } from '../index.ts';

test('leaves behind what LEAVE names', async ({ db }) => {
  const leave = (process.env['LEAVE'] ?? '').split(' ');
  const role = db.role('tidy');
  await db.query(`CREATE ROLE "${role}"; GRANT CREATE ON DATABASE "${db.name}" TO "${role}"`);
  await (await db.another()).query('SELECT 1');
  if (leave.includes('role')) await db.query(`CREATE ROLE "${db.name}_role"`);
  if (leave.includes('database')) await db.query(`CREATE DATABASE "${db.name}_database"`);
  if (leave.includes('folder')) mkdtempSync(join(tmpdir(), 'forgotten-'));
  if (!leave.includes('session')) return;
  const client = new Client({ connectionString: db.url, application_name: 'forgotten' });
  client.on('error', () => undefined);
  await client.connect();
});
