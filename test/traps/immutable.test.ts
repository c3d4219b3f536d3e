// Trap B0-15: a row trigger alone does not make a version immutable.
import { integer, pgSchema, text } from 'drizzle-orm/pg-core';
import { expect } from 'vitest';
import { database } from '../../src/define/index.ts';
import { immutability, tenancy } from '../../src/traits/index.ts';
import { test } from '../cluster/index.ts';
import { refusal, sessionAs, stand } from '../traits/stand.ts';

test('B0-15 TRUNCATE, replica mode and a disabled trigger all pass the naive form; ours refuses each', async ({
  db,
}) => {
  await db.query(`CREATE SCHEMA naive; CREATE TABLE naive.versions (id int, body text); INSERT INTO naive.versions VALUES (1, 'a');
    CREATE FUNCTION naive.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'immutable'; END $$;
    CREATE TRIGGER no BEFORE UPDATE OR DELETE ON naive.versions FOR EACH ROW EXECUTE FUNCTION naive.no()`);
  await db.query(`SET LOCAL session_replication_role = replica; UPDATE naive.versions SET body = 'b'`);
  expect(await db.query('SELECT body FROM naive.versions')).toEqual([{ body: 'b' }]);
  await db.query('TRUNCATE naive.versions');
  expect(await db.query('SELECT * FROM naive.versions')).toEqual([]);

  const schema = pgSchema('ours');
  const versions = schema.table('versions', {
    tenantId: text('tenant_id').notNull(),
    id: integer().notNull(),
    body: text(),
  });
  const roles = { app: db.role('app'), owner: db.role('owner') };
  const definition = database('ours', {
    tables: { schema, versions },
    traits: [
      immutability(versions, { kind: 'append-only' }),
      tenancy({ column: 'tenant_id', setting: 'app.tenant', roles }),
    ],
  });
  await stand(db, definition);
  await db.query(`INSERT INTO ours.versions VALUES ('a', 1, 'a')`);
  const replica = `SET LOCAL session_replication_role = replica; `;
  expect((await refusal(db.query(`${replica}UPDATE ours.versions SET body = 'b'`))).code).toBe('ZH001');
  expect((await refusal(db.query(`${replica}TRUNCATE ours.versions`))).code).toBe('ZH004');
  const client = await sessionAs(db, roles.app);
  await client.query(`SET app.tenant = 'a'`);
  const paths = [
    `UPDATE ours.versions SET body = 'b'`,
    'DELETE FROM ours.versions',
    'TRUNCATE ours.versions',
    'ALTER TABLE ours.versions DISABLE TRIGGER ALL',
    'SET session_replication_role = replica',
    `CREATE OR REPLACE FUNCTION ours.holdfast_append_only() RETURNS trigger LANGUAGE sql AS 'SELECT 1'`,
  ];
  for (const path of paths) expect((await refusal(client.query(path))).code, path).toBe('42501');
  expect(await db.query('SELECT body FROM ours.versions')).toEqual([{ body: 'a' }]);
});
