// Mends of several faults of one object: each keeps what the others mended.
import { expect } from 'vitest';
import { apply } from '../../../src/build/index.ts';
import { findTraps, planFixes, type Traps } from '../../../src/prove/traps/index.ts';
import { test, type TestDatabase } from '../../cluster/index.ts';

const NOW = new Date('2026-03-15T12:00:00Z');
const FAULTS = ['HT301', 'HT302', 'HT303', 'HT304', 'HT314', 'HT316', 'HT203', 'HT406'];

const SCHEMA = (role: string): string => `
  CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO ${role};
  CREATE TABLE shop.keys (k text, tenant_id text); ALTER TABLE shop.keys ENABLE ROW LEVEL SECURITY;
  CREATE POLICY mine ON shop.keys USING (tenant_id = current_setting('app.tenant_id', true));
  CREATE FUNCTION shop.sealed(d text, created_at timestamptz) RETURNS bytea LANGUAGE plpgsql SECURITY DEFINER AS $f$
  DECLARE who int := current_setting('app.who')::int;
  BEGIN
    -- SET app.tenant_id is said here only; current_setting('app.noted') as well
    PERFORM set_config('app.tenant_id', d, false);
    RETURN public.pgp_sym_encrypt(d || md5(created_at::text), (SELECT k FROM keys));
  END$f$;
  CREATE VIEW shop.sizes AS SELECT k.k, pg_total_relation_size((t.schemaname || '.' || t.tablename)::regclass) AS size
    FROM shop.keys k, pg_tables t WHERE t.schemaname = 'shop' AND t.tablename = 'keys';
  GRANT SELECT ON shop.sizes TO ${role}`;

async function look(db: TestDatabase, role: string, accepted: readonly string[] = []): Promise<Traps> {
  const keys = { of: { schema: 'shop', name: 'keys' }, column: 'tenant_id' };
  return findTraps({
    url: db.url,
    boundaries: [
      { name: 'tenant', setting: 'app.tenant_id', tables: [keys], shared: [], roles: [role], spanning: [] },
    ],
    accepted: accepted.map((code) => ({ code, because: 'it is meant' })),
    only: FAULTS,
    now: NOW,
  });
}

const codes = ({ findings }: Traps): readonly string[] =>
  findings.map(({ code, subject }) => `${code} ${subject}`);
const FUNCTION = 'function shop.sealed(d text, created_at timestamp with time zone)';

test('a function and a view with several faults are mended of all of them', async ({ db }) => {
  const role = db.role('app');
  await db.query(`CREATE ROLE ${role} LOGIN; ${SCHEMA(role)}`);
  const traps = await look(db, role);
  expect(traps.unseen).toEqual([]);
  expect(codes(traps)).toEqual([
    'HT203 view shop.sizes',
    `HT301 ${FUNCTION}`,
    `HT304 ${FUNCTION}`,
    `HT302 ${FUNCTION}`,
    `HT303 ${FUNCTION}`,
    `HT316 ${FUNCTION}`,
    'HT406 view shop.sizes',
    `HT314 ${FUNCTION}`,
  ]);
  const severities = ['error', 'warning', 'info'] as const;
  const plan = await planFixes(db.url, traps, { now: NOW, severities });
  expect(plan.notes.filter((note) => note.includes('not in the plan'))).toEqual([]);
  expect((await apply(plan, db.url)).endsAsPlanned).toBe(true);
  expect(codes(await look(db, role))).toEqual([]);
});

test('the statements of all findings, copied one after the other, mend all as well', async ({ db }) => {
  const other = await db.another();
  const role = db.role('hand');
  await other.query(`CREATE ROLE ${role} LOGIN; ${SCHEMA(role)}`);
  const { findings } = await look(other, role);
  for (const statement of findings.flatMap(({ mend }) => mend)) await other.query(statement);
  expect(codes(await look(other, role))).toEqual([]);
  const [row] = await other.query<{ body: string }>(
    `SELECT prosrc AS body FROM pg_proc WHERE proname = 'sealed'`,
  );
  expect(row?.body).toContain(`-- SET app.tenant_id is said here only; current_setting('app.noted') as well`);
});

test('what is meant is no part of another mend, nor is what is less bad than it', async ({ db }) => {
  const other = await db.another();
  const role = db.role('meant');
  await other.query(`CREATE ROLE ${role} LOGIN; ${SCHEMA(role)}`);
  const { findings } = await look(other, role, ['HT304']);
  const mendOf = (wanted: string): string =>
    findings.find(({ code }) => code === wanted)?.mend.join(';\n') ?? '';
  expect(mendOf('HT303')).toContain(`set_config('app.tenant_id', d, false)`);
  expect(mendOf('HT303')).not.toContain('cipher-algo');
  expect(mendOf('HT314')).toContain(`nullif(pg_catalog.current_setting('app.who', true), '')`);
});
